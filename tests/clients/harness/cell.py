"""One cell of the matrix: what a test needs to let its client work and to check what came of it."""

import subprocess
import time

from . import processes
from .clients import KAFKA
from .driver import ClientError, Record
from .wire import within

TESTS = {}


class Failure(Exception):
    """A check found the data wrong."""


def test(name, stage="running", of_tools=False):
    """Registers a test.

    Those of the stages "restart" and "kill" are generators: the broker restarts, cleanly or after kill -9, where they
    yield. Those of the stage "stopped" run when the broker has ended.
    """

    def register(function):
        function.stage, function.of_tools = stage, of_tools
        TESTS[name] = function
        return function

    return register


def equal(what, actual, expected):
    """Fails unless the two are equal; of dictionaries it shows what differs."""
    if actual == expected:
        return
    if isinstance(actual, dict) and isinstance(expected, dict):
        differing = [key for key in actual | expected if actual.get(key) != expected.get(key)]
        actual, expected = ({key: each[key] for key in differing if key in each} for each in (actual, expected))
    raise Failure(f"{what}: {_short(actual)} instead of {_short(expected)}")


def check(holds, what):
    """Fails unless it holds."""
    if not holds:
        raise Failure(what)


def _short(value):
    if isinstance(value, (list, tuple)) and len(value) > 6:
        return f"{len(value)} items, the first of them {_short(value[:3])}"
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}…"


class Cell:
    """The client and the broker as a test sees them, with a prefix for all names and a time limit."""

    def __init__(self, client, driver, broker, prefix, seconds, log, made):
        self.client = client
        self.broker = broker
        self.wire = broker.wire
        self.prefix = prefix
        self.group = f"{prefix}-group"
        self._driver = driver
        self._log = log
        self._made = made
        self._seconds = seconds
        self.renew_deadline()

    def renew_deadline(self):
        self.deadline = time.monotonic() + self._seconds

    def call(self, operation, **arguments):
        return self._driver.call(operation, self.deadline, **arguments)

    def error(self, code, operation, **arguments):
        """Checks that an operation fails with Kafka's error code."""
        try:
            result = self.call(operation, **arguments)
        except ClientError as error:
            equal(f"error code of “{error}”", error.code, code)
        else:
            raise Failure(f"{operation} succeeded with {_short(result)} instead of error code {code}")

    def topic(self, partitions=1, name="topic", **configs):
        """Creates a topic, not through the client."""
        topic = f"{self.prefix}-{name}"
        self.wire.create_topic(topic, partitions, {key.replace("_", "."): value for key, value in configs.items()})
        return topic

    def produce(self, topic, records, codec="none", idempotent=False):
        """Produces and returns the records with the partition and offset that the client names, if it names them."""
        sent = [record.to_json() for record in records]
        places = self.call("produce", topic=topic, records=sent, codec=codec, idempotent=idempotent)
        if places is None:
            return list(records)
        return [
            record._replace(partition=partition, offset=offset)
            for record, (partition, offset) in zip(records, places, strict=True)
        ]

    def fetch(self, topic, partition, offset, count):
        fetched = self.call("fetch", topic=topic, partition=partition, offset=offset, count=count)
        return [Record.from_json(record) for record in fetched]

    def fetch_all(self, topic):
        """All records of a topic through the client."""
        ends = self.wire.ends(topic)
        return [record for index, end in ends.items() if end for record in self.fetch(topic, index, 0, end)]

    def consume(self, topic, count):
        """Lets a new member of the group consume and commit exactly so many records."""
        consumed = self.call("consume", group=self.group, topic=topic, count=count)
        return [Record.from_json(record) for record in consumed]

    def once(self, make):
        """What `make` makes of a cell; the cells of a client share it."""
        if make not in self._made:
            self._made[make] = make(self)
        return self._made[make]

    def done(self, make):
        """What an earlier cell made in this way, or None."""
        return self._made.get(make)

    def tool(self, name, *arguments, feed="", status=0):
        """Runs one of Kafka's command-line tools and returns what it printed."""
        with self._log.open("ab") as log:
            process = processes.spawn(
                [KAFKA, "tool", name, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        try:
            printed, _ = process.communicate(feed, max(self.deadline - time.monotonic(), 0))
        finally:
            ended = processes.kill(process)
        check(ended == status, f"{name} ended with {ended} and printed {printed[-500:]}")
        return printed

    def within(self, condition, what, seconds=15):
        within(min(seconds, self.deadline - time.monotonic()), condition, what)


def contents(records):
    """What was sent, in an order that does not depend on partitions."""
    return sorted((record.key or b"", record.value or b"", record.headers) for record in records)


def numbered(count, partitions=1, start=0, note="record"):
    """Distinct records, dealt out to partitions in turn."""
    return [
        Record(value=f"{note} {index}".encode(), key=f"key {index}".encode(), partition=index % partitions)
        for index in range(start, start + count)
    ]
