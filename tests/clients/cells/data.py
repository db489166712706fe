"""Producing and fetching."""

import random
import time

from harness.cell import Record, check, contents, equal, numbered, test
from harness.wire import CODECS


@test("create")
def create(cell):
    topic = f"{cell.prefix}-topic"
    if not cell.client.creates_topics:
        return create_by_use(cell, topic)
    cell.call("create_topic", topic=topic, partitions=3, configs={"retention.ms": "7654321"})
    cell.within(lambda: cell.wire.partitions(topic) == 3, "the topic has 3 partitions")
    equal("retention.ms", cell.wire.topic_config(topic, "retention.ms"), "7654321")


def create_by_use(cell, topic):
    records = [Record(value=b"the first")]
    cell.produce(topic, records)
    check(cell.wire.partitions(topic), "the topic was not created")
    equal("records", contents(cell.fetch_all(topic)), contents(records))


@test("produce")
def produce(cell):
    topic = cell.topic(3)
    records = [record._replace(partition=None) for record in numbered(100)]
    produced = cell.produce(topic, records)
    fetched = cell.fetch_all(topic)
    equal("records", contents(fetched), contents(records))
    check_places(produced, fetched)
    check(sum(end > 0 for end in cell.wire.ends(topic).values()) > 1, "all keys went to one partition")
    for batch in batches(cell, topic):
        equal("producer id", batch.producer_id, -1)


@test("idempotent")
def idempotent(cell):
    topic = cell.topic(3)
    records = numbered(100, partitions=3)
    produced = cell.produce(topic, records, idempotent=True)
    fetched = cell.fetch_all(topic)
    equal("records", contents(fetched), contents(records))
    check_places(produced, fetched)
    for partition in range(3):
        sequence = 0
        for batch in cell.wire.batches(topic, partition):
            check(batch.producer_id >= 0, "a batch has no producer id")
            equal("base sequence", batch.base_sequence, sequence)
            sequence += batch.count


def check_places(produced, fetched):
    """Checks that each record is where the client said it is."""
    found = {(record.partition, record.offset): record.value for record in fetched}
    for record in produced:
        if record.offset is not None:
            equal("value at the acknowledged offset", found[record.partition, record.offset], record.value)


def batches(cell, topic):
    return [batch for partition in cell.wire.ends(topic) for batch in cell.wire.batches(topic, partition)]


def compressible(seed):
    """Values of many lengths, each of which every codec makes smaller: some clients send others as they are."""
    chance = random.Random(seed)
    words = [chance.randbytes(8) for _ in range(4)]
    return [b"".join(chance.choices(words, k=chance.randrange(20, 400))) for _ in range(150)]


def codec_test(codec):
    @test(codec)
    def compression(cell):
        topic = cell.topic()
        records = [Record(value=value, partition=0) for value in compressible(codec)]
        cell.produce(topic, records, codec=codec)
        fetched = cell.fetch(topic, 0, 0, len(records))
        equal("values", [record.value for record in fetched], [record.value for record in records])
        equal("codecs", {batch.codec for batch in batches(cell, topic)}, {codec})


for each in CODECS:
    codec_test(each)


@test("offset")
def offset(cell):
    topic = cell.topic()
    records = numbered(50)
    cell.produce(topic, records)
    for start in (20, 49):
        fetched = cell.fetch(topic, 0, start, 50 - start)
        equal("offsets", [record.offset for record in fetched], list(range(start, 50)))
        equal("values", [record.value for record in fetched], [record.value for record in records[start:]])


@test("timestamp")
def timestamp(cell):
    topic = cell.topic()
    # not so long ago that the broker may delete the records
    first = time.time_ns() // 1_000_000 - 60_000
    times = [first + 1000 * index for index in range(10)]
    records = [record._replace(timestamp=at) for record, at in zip(numbered(10), times)]
    if cell.client.sets_timestamps:
        cell.produce(topic, records)
        equal("timestamps", [record.timestamp for record in cell.fetch(topic, 0, 0, 10)], times)
    else:
        for record in records:
            cell.produce(topic, [record])
        times = [record.timestamp for record in cell.fetch(topic, 0, 0, 10)]
    for at in (times[0] - 5, times[0], times[3] + 1, times[9]):
        found = cell.call("offset_for_time", topic=topic, partition=0, timestamp=at)
        equal(f"offset of {at} in {times}", found, next(index for index, other in enumerate(times) if other >= at))
    fetched = cell.fetch(topic, 0, found, 1)
    equal("values from there", [record.value for record in fetched], [records[found].value])
    found = cell.call("offset_for_time", topic=topic, partition=0, timestamp=times[9] + 1)
    equal("offset of a time after the last record", found, 10 if cell.client.late_is_end else -1)


@test("headers")
def headers(cell):
    topic = cell.topic()
    twice = (("name", b"first"), ("name", b"second"), ("other", b"\xc3\xa9"))
    empty = (("empty", b""), ("nothing", None)) if cell.client.null_headers else (("empty", b""),)
    records = [
        Record(partition=0, key=b"key", value=b"value", headers=twice),
        Record(partition=0, key=b"key", value=None),
        Record(partition=0, key=None, value=b"value"),
        Record(partition=0, key=b"key", value=b""),
        Record(partition=0, key=bytes(range(256)), value=bytes(reversed(range(256))), headers=empty),
    ]
    for record in records:
        cell.produce(topic, [record])
    for sent, fetched in zip(records, cell.fetch(topic, 0, 0, len(records)), strict=True):
        equal("record", (fetched.key, fetched.value, fetched.headers), (sent.key, sent.value, sent.headers))
