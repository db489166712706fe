"""A client's driver: a child process that does one operation for each line of JSON."""

import base64
import json
import queue
import subprocess
import threading
import time
import typing

from . import processes

START_SECONDS = 30


class Record(typing.NamedTuple):
    """A record as it is sent or as it was received; what a sender leaves out the client or the broker chooses."""

    value: bytes | None = None
    key: bytes | None = None
    headers: tuple = ()
    partition: int | None = None
    timestamp: int | None = None
    offset: int | None = None

    def to_json(self):
        return {
            "partition": self.partition,
            "timestamp": self.timestamp,
            "key": _encode(self.key),
            "value": _encode(self.value),
            "headers": [[name, _encode(value)] for name, value in self.headers],
        }

    @classmethod
    def from_json(cls, fields):
        return cls(
            value=_decode(fields["value"]),
            key=_decode(fields["key"]),
            headers=tuple((name, _decode(value)) for name, value in fields["headers"]),
            partition=fields["partition"],
            timestamp=fields["timestamp"],
            offset=fields["offset"],
        )


class ClientError(Exception):
    """The client reported an error; `code` is Kafka's number for it, if the client showed one."""

    def __init__(self, code, message):
        super().__init__(f"{message} (code {code})")
        self.code = code


class DriverEnded(Exception):
    """The driver process ended although nobody asked it to."""


class Driver:
    """One running driver process."""

    def __init__(self, command, bootstrap, log, environment=None):
        with log.open("ab") as stderr:
            self.process = processes.spawn(
                [*command, bootstrap],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=environment,
            )
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.version = self._line(time.monotonic() + START_SECONDS)["client"]

    def call(self, operation, deadline, **arguments):
        """Runs an operation and returns its result."""
        try:
            self.process.stdin.write(json.dumps({"op": operation, **arguments}).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise DriverEnded() from error
        answer = self._line(deadline)
        if "error" in answer:
            raise ClientError(answer["error"], f"{operation}: {answer['message']}")
        return answer["result"]

    def close(self):
        processes.stop(self.process, 0.5)
        self.process.stdin.close()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _line(self, deadline):
        try:
            line = self._lines.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            raise TimeoutError("the driver did not answer in time") from None
        if line is None:
            raise DriverEnded(f"the driver ended with {processes.kill(self.process)}")
        return json.loads(line)


def _encode(data):
    return None if data is None else base64.b64encode(data).decode()


def _decode(text):
    return None if text is None else base64.b64decode(text)
