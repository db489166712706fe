"""What the Python drivers share: one operation for each line of JSON on stdin, one line for its result on stdout."""

import asyncio
import base64
import json
import os
import sys
import threading
import traceback

TAKE_SECONDS = 15
NO_OFFSET = -1

# A library that prints must not do so between the answers.
_ANSWERS = os.dup(1)
os.dup2(2, 1)


def encode(data):
    return None if data is None else base64.b64encode(data).decode()


def decode(text):
    return None if text is None else base64.b64decode(text)


def record(partition, offset, timestamp, key, value, headers):
    """A received record in the form of the protocol."""
    return {
        "partition": partition,
        "offset": offset,
        "timestamp": timestamp,
        "key": encode(key),
        "value": encode(value),
        "headers": [[name, encode(content)] for name, content in headers or ()],
    }


def say(message):
    """Writes a line in one piece."""
    os.write(_ANSWERS, json.dumps(message).encode() + b"\n")


def serve(name, driver, error_code):
    """Runs the driver's methods as they are asked for, until stdin ends."""
    say({"client": name})
    for line in sys.stdin:
        operation, arguments = _request(line)
        try:
            answer = {"result": getattr(driver, operation)(**arguments)}
        except Exception as error:
            answer = _failure(error, error_code)
        say(answer)


def stdin_ended():
    """An event that is set when stdin ends, by which programs that run on their own are told to stop."""
    ended = threading.Event()

    def wait():
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    return ended


async def serve_async(name, driver, error_code):
    """The same for coroutines; others of the driver's tasks go on between the operations."""
    say({"client": name})
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        operation, arguments = _request(line)
        try:
            answer = {"result": await getattr(driver, operation)(**arguments)}
        except Exception as error:
            answer = _failure(error, error_code)
        say(answer)


def _request(line):
    arguments = json.loads(line)
    return arguments.pop("op"), arguments


def _failure(error, error_code):
    traceback.print_exc()
    return {"error": error_code(error), "message": f"{type(error).__name__}: {error}"}


class Member(threading.Thread):
    """A member of a group, polled in a thread of its own: `poll` returns new records, `owned` partitions."""

    def __init__(self, poll, owned, close):
        super().__init__(daemon=True)
        self._poll, self._owned, self._close = poll, owned, close
        self._lock = threading.Lock()
        self._leaving = threading.Event()
        self._records, self._partitions, self._error = [], [], None
        self.start()

    def run(self):
        try:
            while not self._leaving.is_set():
                records, partitions = self._poll(), self._owned()
                with self._lock:
                    self._records += records
                    self._partitions = partitions
        except Exception as error:
            self._error = error
        finally:
            self._close()

    def state(self):
        with self._lock:
            if self._error:
                raise self._error
            records, self._records = self._records, []
            return {"partitions": self._partitions, "records": records}

    def leave(self):
        self._leaving.set()
        self.join()
        if self._error:
            raise self._error
