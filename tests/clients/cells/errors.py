"""The client shows the error that the broker gives."""

from harness.cell import Record, equal, test

UNKNOWN_TOPIC_OR_PARTITION = 3
MESSAGE_TOO_LARGE = 10
INVALID_TOPIC = 17
TOPIC_ALREADY_EXISTS = 36


@test("unknown-topic")
def unknown_topic(cell):
    topic = f"{cell.prefix}-none"
    if cell.client.creates_topics:
        cell.error(UNKNOWN_TOPIC_OR_PARTITION, "describe_topic", topic=topic)
    else:
        cell.error(UNKNOWN_TOPIC_OR_PARTITION, "fetch", topic=topic, partition=0, offset=0, count=1)


@test("too-large")
def too_large(cell):
    topic = cell.topic()
    large = Record(value=bytes(1_100_000), partition=0).to_json()
    cell.error(MESSAGE_TOO_LARGE, "produce", topic=topic, records=[large], codec="none", idempotent=False)
    equal("end offset", cell.wire.ends(topic), {0: 0})


@test("invalid-name")
def invalid_name(cell):
    topic = f"{cell.prefix}/not a name"
    if cell.client.creates_topics:
        cell.error(INVALID_TOPIC, "create_topic", topic=topic, partitions=1, configs={})
    else:
        record = Record(value=b"value").to_json()
        cell.error(INVALID_TOPIC, "produce", topic=topic, records=[record], codec="none", idempotent=False)


@test("exists")
def exists(cell):
    topic = cell.topic()
    cell.error(TOPIC_ALREADY_EXISTS, "create_topic", topic=topic, partitions=1, configs={})
