"""One client's cells, done one after another with one driver process."""

import secrets
import time
import traceback
import typing

from .cell import TESTS, Cell, Failure
from .driver import ClientError, Driver

CELL_SECONDS = 30
# a test of the tools starts several virtual machines
TOOLS_CELL_SECONDS = 90


class Result(typing.NamedTuple):
    """What became of a cell: "passed", "failed", "skipped" or "impossible"."""

    status: str
    seconds: float = 0
    reason: str = ""
    output: str = ""


class Row:
    """The cells of one client and what became of them."""

    def __init__(self, client, tests, broker, directory):
        self.client, self.tests, self.broker = client, tests, broker
        self.log = directory / f"{client.name}.log"
        self.log.touch()
        self.prefix = f"{client.name}-{secrets.token_hex(3)}"
        self.driver = None
        self.version = ""
        self.results = {}
        self._begun = {}
        self._made = {}

    def exclude(self, status, tests, reason):
        """Settles some cells without doing them."""
        self.results |= {test: Result(status, reason=reason) for test in tests if test not in self.results}

    def pending(self, stage):
        return [name for name in self.tests if TESTS[name].stage == stage and name not in self.results]

    def run(self, stage):
        """Does the cells of a stage in which the broker is as it is."""
        for name in self.pending(stage):
            self._attempt(name, lambda: TESTS[name](self._cell(name)))

    def begin(self, stage):
        """Does the first half of the cells in whose middle the broker restarts."""
        for name in self.pending(stage):
            self._attempt(name, lambda: self._first_half(name), final=False)

    def finish(self, stage):
        """Does the second half."""
        for name in self.pending(stage):
            self._attempt(name, lambda: self._second_half(name))

    def close(self):
        if self.driver:
            self.driver.close()
            self.driver = None

    def _cell(self, name):
        if self.driver is None and self.client.command:
            self.driver = Driver(self.client.command, self.broker.bootstrap, self.log)
            self.version = self.driver.version
        prefix = f"{self.prefix}-{name}"
        seconds = CELL_SECONDS if self.client.command else TOOLS_CELL_SECONDS
        return Cell(self.client, self.driver, self.broker, prefix, seconds, self.log, self._made)

    def _first_half(self, name):
        cell = self._cell(name)
        halves = TESTS[name](cell)
        next(halves)
        self._begun[name] = cell, halves

    def _second_half(self, name):
        cell, halves = self._begun[name]
        cell.renew_deadline()
        if next(halves, "ended") != "ended":
            raise AssertionError("a test in whose middle the broker restarts has exactly one yield")

    def _attempt(self, name, work, final=True):
        start = time.monotonic()
        try:
            work()
        except Exception as error:
            if not isinstance(error, (Failure, ClientError)):
                with self.log.open("a") as log:
                    traceback.print_exc(file=log)
            reason = f"{type(error).__name__}: {error}"
            output = f"{tail(self.log, 15)}\n-- the broker\n{self.broker.log_tail(10)}"
            self.results[name] = Result("failed", time.monotonic() - start, reason, output)
            # what is left of a failed test in the driver must not disturb the next one
            self.close()
        else:
            if final:
                self.results[name] = Result("passed", time.monotonic() - start)


def tail(path, lines):
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
