"""The broker under test: one that runs already, or one that is started here."""

import random
import shlex
import socket
import subprocess

from . import processes, wire
from .clients import KAFKA

STOP_SECONDS = 30
START_SECONDS = 60


def add_options(parser):
    """Adds the options that say which broker it is."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--broker", metavar="COMMAND", help="start this broker; {port} and {data} are filled in")
    which.add_argument("--kafka", action="store_true", help="start Apache Kafka")
    return which


def from_options(options, directory):
    """The broker that the options say."""
    if options.kafka:
        return Own([str(KAFKA), "run", "{port}", "{data}"], directory)
    return Own(shlex.split(options.broker), directory) if options.broker else Running(options.bootstrap)


class Running:
    """A broker that somebody else started."""

    owned = False

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.wire = wire.Wire(bootstrap)

    def start(self):
        if not self.wire.answers():
            raise RuntimeError(f"no broker answers at {self.bootstrap}")

    def stop(self):
        """Leaves it to whoever started it."""

    restart = crash = stop

    def log_tail(self, _lines):
        return ""


class Own:
    """A broker that is started, stopped and killed here, on one port and one data directory."""

    owned = True

    def __init__(self, command, directory):
        self.port = free_port()
        self.data = directory / "data"
        self.log = directory / "broker.log"
        self.command = [part.format(port=self.port, data=self.data) for part in command]
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.wire = wire.Wire(self.bootstrap)
        self.process = None
        self.data.mkdir(parents=True)

    def start(self):
        with self.log.open("ab") as log:
            self.process = processes.spawn(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wire.within(START_SECONDS, self._ready, "the broker answers")

    def _ready(self):
        self._expect_alive()
        return self.wire.answers()

    def _expect_alive(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the broker ended by itself with {self.process.returncode}\n{self.log_tail(20)}")

    def stop(self):
        """A clean stop; one that takes too long is an error."""
        self._expect_alive()
        if processes.stop(self.process, STOP_SECONDS) == -9:
            raise RuntimeError(f"the broker did not stop within {STOP_SECONDS} s of SIGTERM")

    def restart(self):
        self.stop()
        self.start()

    def crash(self):
        """kill -9, and a start on what is left."""
        self._expect_alive()
        processes.kill(self.process)
        self.start()

    def log_tail(self, lines):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


def free_port():
    """A port that is free together with the next one, outside the range that outgoing connections take theirs from."""
    for port in random.sample(range(20_000, 32_000, 2), 100):
        try:
            with socket.create_server(("127.0.0.1", port)), socket.create_server(("127.0.0.1", port + 1)):
                return port
        except OSError:
            continue
    raise RuntimeError("no free port found")
