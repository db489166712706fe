"""A broker under measurement, and the commands that load it."""

import json
import os
import pathlib
import re
import select
import subprocess
import time

from protocol import PATIENCE_SECONDS, TOPIC, VERSIONS, Connection, Failure, success

children = []


class Broker:
    """A broker's process, its folder and its command line."""

    def __init__(self, program, folder, settings, checkpoint_seconds):
        self.program, self.folder, self.data = program, folder, folder / "data"
        self.checkpoint_seconds = checkpoint_seconds
        interval = f"log.flush.offset.checkpoint.interval.ms={1000 * checkpoint_seconds}"
        self.settings = ("ottla.http.listener=", interval, *settings)
        self.process = self.port = self.started = None

    def start(self, ready=None):
        """Returns the seconds from exec until it has answered `ready` (or anything)."""
        settings = [word for setting in self.settings for word in ("--set", setting)]
        # port 0: whoever tries a free port again and again on one machine connects to itself sooner or later
        command = [self.program, "serve", "--listen", "127.0.0.1:0", "--data", self.data, *settings]
        with open(self.folder / "broker.log", "ab") as log:
            start = self.started = time.monotonic()
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        children.append(self.process)
        self.port = self._port(start + PATIENCE_SECONDS)
        with Connection(self.port) as connection:
            success(connection.ask(VERSIONS, 0, b"").int16())
            if ready:
                ready(connection)
        return time.monotonic() - start

    def _port(self, deadline):
        text, output = b"", self.process.stdout.fileno()
        while not (found := re.search(rb"bootstrap +\S+:(\d+)\s", text)):
            if not select.select([output], [], [], max(0, deadline - time.monotonic()))[0]:
                raise Failure("the broker did not tell its address in time; is the disk very slow?")
            if not (more := os.read(output, 4096)):
                raise Failure("the broker did not start; its last words say why")
            text += more
        return int(found[1])

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)

    def stop(self):
        """Returns the seconds from SIGTERM to the end."""
        start = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure("the broker did not stop in order; please report it") from None
        return time.monotonic() - start

    def status(self, field, path=None):
        text = (path or pathlib.Path(f"/proc/{self.process.pid}/status")).read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", text, re.MULTILINE)[1])

    def memory(self):
        return self.status("VmRSS") * 1024

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def switches(self):
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/status")
        return sum(self.status("voluntary_ctxt_switches", task) for task in tasks)

    def read_from_disk(self):
        return self.status("read_bytes", pathlib.Path(f"/proc/{self.process.pid}/io"))

    def watch(self, doing):
        """What it took per second while `doing` ran: (percent of a core, context switches)."""
        start, cpu, switches = time.monotonic(), self.cpu(), self.switches()
        doing()
        seconds = time.monotonic() - start
        return 100 * (self.cpu() - cpu) / seconds, (self.switches() - switches) / seconds

    def wait_for_checkpoint(self):
        """Until what was written lies below the points that recovery begins from: no other records are removed."""
        points, begin, start = self.data / "recovery-point-offset-checkpoint", time.time(), time.monotonic()
        while time.monotonic() < start + PATIENCE_SECONDS:
            cpu, _ = self.watch(lambda: time.sleep(1))
            # a checkpoint that has nothing new to say writes nothing
            over = time.monotonic() > start + self.checkpoint_seconds + 5
            if cpu < 5 and (over or points.exists() and points.stat().st_mtime > begin):
                return
        raise Failure("no checkpoint came to its end in time; is the disk very slow?")

    def spawn(self, *words):
        command = [self.program, *map(str, words), "--bootstrap", f"127.0.0.1:{self.port}", "--json"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        children.append(child)
        return child

    def run(self, *words):
        return outcome(self.spawn(*words))

    def create(self, partitions=1, **configs):
        words = [f"--config={name.replace('_', '.')}={value}" for name, value in configs.items()]
        self.run("topic", "create", TOPIC, "--partitions", partitions, *words)

    def fill(self, size):
        self.run("bench", "produce", "--topic", TOPIC, "--connections", 8, "--in-flight", 20, "--total-bytes", size)

    def latency(self, seconds):
        """1,000 durable records of 1 KiB a second, each alone, in a topic of their own."""
        return self.spawn("bench", "latency", "--rate", 1000, "--duration", f"{seconds}s", "--warmup", "1s",
                          "--topic-config", "flush.messages=1")

    def partition_folder(self):
        return self.data / f"{TOPIC}-0"


def outcome(child):
    """What a command has printed, once it has ended."""
    try:
        output, errors = child.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failure(f"`{words_of(child)}` took longer than {PATIENCE_SECONDS} s; is the machine busy?") from None
    if child.returncode:
        raise Failure(f"`{words_of(child)}` failed: {errors.strip()}")
    return json.loads(output)


def words_of(child):
    return " ".join(["ottla", *map(str, child.args[1:])])


def end_children():
    while children:
        child = children.pop()
        child.kill()
        child.wait()
        for pipe in (child.stdout, child.stderr):
            if pipe:
                pipe.close()


def drop_from_page_cache(folder):
    """So that who reads the files next reads from the disk; they must have been written out."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def size_of(folder):
    """How many bytes the files in a folder have."""
    total = 0
    for entry in os.scandir(folder):
        try:
            total += entry.stat().st_size
        except FileNotFoundError:
            pass  # it went in this moment
    return total
