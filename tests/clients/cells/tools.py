"""Kafka's command-line tools."""

import functools
import json
import re

from harness.cell import check, equal, test
from harness.wire import EARLIEST

tool_test = functools.partial(test, of_tools=True)

PERF_RECORDS = 5000
VERIFIABLE_RECORDS = 500
LINES = [f"key {number}:value {number}" for number in range(20)]


def run(cell, tool, *arguments, **options):
    return cell.tool(tool, "--bootstrap-server", cell.broker.bootstrap, *arguments, **options)


def filled_topic(cell, name="filled"):
    """A topic with LINES in it, written by the console producer."""
    topic = cell.topic(name=name)
    run(cell, "kafka-console-producer", "--topic", topic, "--reader-property", "parse.key=true",
        "--reader-property", "key.separator=:", feed="".join(f"{line}\n" for line in LINES))
    return topic


def perf_topic(cell):
    """A topic with PERF_RECORDS records in it, written by the performance test."""
    topic = cell.topic(3, name="perf")
    printed = run(cell, "kafka-producer-perf-test", "--topic", topic, "--num-records", str(PERF_RECORDS),
                  "--record-size", "200", "--throughput", "-1")
    check(f"{PERF_RECORDS} records sent" in printed, f"it printed {printed}")
    return topic


def verifiable_topic(cell):
    """A topic with VERIFIABLE_RECORDS records in it, written by the verifiable producer."""
    topic = cell.topic(name="verifiable")
    printed = run(cell, "kafka-verifiable-producer", "--topic", topic, "--max-messages", str(VERIFIABLE_RECORDS))
    events = [json.loads(line) for line in printed.splitlines()]
    acknowledged = [event["offset"] for event in events if event["name"] == "producer_send_success"]
    equal("acknowledged offsets", sorted(acknowledged), list(range(VERIFIABLE_RECORDS)))
    return topic


@tool_test("kafka-topics")
def kafka_topics(cell):
    topic = f"{cell.prefix}-topic"
    creation = ("--create", "--topic", topic, "--partitions", "3", "--config", "retention.ms=7654321")
    run(cell, "kafka-topics", *creation)
    cell.within(lambda: cell.wire.partitions(topic) == 3, "the topic has 3 partitions")
    printed = run(cell, "kafka-topics", *creation, status=1)
    check(f"Topic '{topic}' already exists" in printed, f"a second creation printed {printed}")
    run(cell, "kafka-topics", "--alter", "--topic", topic, "--partitions", "5")
    cell.within(lambda: cell.wire.partitions(topic) == 5, "the topic has 5 partitions")
    printed = run(cell, "kafka-topics", "--describe", "--topic", topic)
    check(re.search(r"PartitionCount: 5\s.*retention.ms=7654321", printed), f"--describe printed {printed}")
    equal("partitions described", re.findall(r"Partition: (\d+)\s+Leader: \d+", printed), list("01234"))
    check(topic in run(cell, "kafka-topics", "--list").split(), "--list does not name the topic")
    run(cell, "kafka-topics", "--delete", "--topic", topic)
    cell.within(lambda: cell.wire.partitions(topic) is None, "the topic is gone")


@tool_test("kafka-configs")
def kafka_configs(cell):
    topic = cell.topic(max_message_bytes="54321")
    entity = ("--entity-type", "topics", "--entity-name", topic)
    run(cell, "kafka-configs", "--alter", *entity, "--add-config", "retention.ms=7654321")
    cell.within(lambda: cell.wire.topic_config(topic, "retention.ms") == "7654321", "the altered value is there")
    printed = run(cell, "kafka-configs", "--describe", *entity)
    described = re.findall(r"(\S+)=(\d+) sensitive=false", printed)
    check({("retention.ms", "7654321"), ("max.message.bytes", "54321")} <= set(described), f"it printed {printed}")


@tool_test("kafka-console-producer")
def kafka_console_producer(cell):
    topic = cell.once(filled_topic)
    equal("end offset", cell.wire.ends(topic), {0: len(LINES)})


@tool_test("kafka-console-consumer")
def kafka_console_consumer(cell):
    topic = cell.once(filled_topic)
    printed = run(
        cell, "kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", str(len(LINES)),
        "--formatter-property", "print.key=true", "--formatter-property", "key.separator=:",
    )
    equal("lines", printed.splitlines(), LINES)


@tool_test("kafka-consumer-groups")
def kafka_consumer_groups(cell):
    topic = cell.once(filled_topic)
    cell.wire.commit(cell.group, topic, 0, 5)
    check(cell.group in run(cell, "kafka-consumer-groups", "--list").split(), "--list does not name the group")
    printed = run(cell, "kafka-consumer-groups", "--describe", "--group", cell.group)
    row = next(line.split() for line in printed.splitlines() if line.startswith(cell.group))
    equal("topic, partition, current and end offset, and lag", row[1:6], [topic, "0", "5", "20", "15"])
    run(cell, "kafka-consumer-groups", "--reset-offsets", "--to-offset", "7", "--topic", topic,
        "--group", cell.group, "--execute")
    equal("offsets after the reset", cell.wire.committed(cell.group, topic), {0: 7})
    run(cell, "kafka-consumer-groups", "--delete", "--group", cell.group)
    check(cell.group not in cell.wire.groups(), "the group is still there")


@tool_test("kafka-producer-perf-test")
def kafka_producer_perf_test(cell):
    topic = cell.once(perf_topic)
    equal("records", sum(cell.wire.ends(topic).values()), PERF_RECORDS)


@tool_test("kafka-consumer-perf-test")
def kafka_consumer_perf_test(cell):
    topic = cell.once(perf_topic)
    printed = run(cell, "kafka-consumer-perf-test", "--topic", topic, "--num-records", str(PERF_RECORDS),
                  "--timeout", "10000")
    header, values = (line.split(", ") for line in printed.splitlines()[-2:])
    equal("records", dict(zip(header, values))["data.consumed.in.nMsg"], str(PERF_RECORDS))


@tool_test("kafka-get-offsets")
def kafka_get_offsets(cell):
    topic = cell.once(filled_topic)
    equal("latest", run(cell, "kafka-get-offsets", "--topic", topic).split(), [f"{topic}:0:20"])
    printed = run(cell, "kafka-get-offsets", "--topic", topic, "--time", "earliest")
    equal("earliest", printed.split(), [f"{topic}:0:0"])


@tool_test("kafka-delete-records")
def kafka_delete_records(cell):
    topic = filled_topic(cell, "topic")
    place = {"topic": topic, "partition": 0, "offset": 8}
    request = json.dumps({"partitions": [place], "version": 1})
    printed = run(cell, "kafka-delete-records", "--offset-json-file", "/dev/stdin", feed=request)
    check(re.search(rf"{topic}-0\s+low_watermark: 8", printed), f"it printed {printed}")
    equal("first offset", cell.wire.offset(topic, 0, EARLIEST), 8)


@tool_test("kafka-log-dirs")
def kafka_log_dirs(cell):
    topic = cell.once(filled_topic)
    printed = run(cell, "kafka-log-dirs", "--describe", "--topic-list", topic)
    described = json.loads(next(line for line in printed.splitlines() if line.startswith("{")))
    directories = [directory for broker in described["brokers"] for directory in broker["logDirs"]]
    equal("errors", {directory["error"] for directory in directories}, {None})
    sizes = {part["partition"]: part["size"] for directory in directories for part in directory["partitions"]}
    equal("partitions", list(sizes), [f"{topic}-0"])
    check(sizes[f"{topic}-0"] > sum(map(len, LINES)), f"the size of the partition is {sizes}")


@tool_test("kafka-broker-api-versions")
def kafka_broker_api_versions(cell):
    printed = run(cell, "kafka-broker-api-versions")
    named = {int(key): (int(first), int(last or first)) for key, first, last in
             re.findall(r"\w+\((\d+)\): (\d+)(?: to (\d+))? \[usable: \d+\]", printed)}
    equal("versions", named, {key: versions for key, versions in cell.wire.versions().items() if key in named})
    check({0, 1, 2, 3, 18} <= set(named), f"it printed {printed}")


@tool_test("kafka-verifiable-producer")
def kafka_verifiable_producer(cell):
    topic = cell.once(verifiable_topic)
    equal("end offset", cell.wire.ends(topic), {0: VERIFIABLE_RECORDS})


@tool_test("kafka-verifiable-consumer")
def kafka_verifiable_consumer(cell):
    topic = cell.once(verifiable_topic)
    printed = run(cell, "kafka-verifiable-consumer", "--topic", topic, "--group-id", cell.group, "--verbose",
                  "--max-messages", str(VERIFIABLE_RECORDS), "--reset-policy", "earliest")
    events = [json.loads(line) for line in printed.splitlines()]
    values = [event["value"] for event in events if event["name"] == "record_data"]
    equal("values", values, [str(number) for number in range(VERIFIABLE_RECORDS)])
    equal("committed offset", cell.wire.committed(cell.group, topic), {0: VERIFIABLE_RECORDS})


@tool_test("kafka-dump-log", stage="stopped")
def kafka_dump_log(cell):
    """Reads what the broker stored of all topics, of whichever client."""
    segments = sorted(
        path for path in cell.broker.data.rglob("*.log")
        if re.fullmatch(r"(?!__).+-\d+", path.parent.name) and path.stat().st_size
    )
    check(segments, "no segment files found")
    printed = cell.tool("kafka-dump-log", "--deep-iteration", "--print-data-log",
                        "--files", ",".join(map(str, segments)))
    batches = re.findall(r"^baseOffset: .*isvalid: (\w+)", printed, re.MULTILINE)
    equal("batches that are valid", set(batches), {"true"})
    equal("files dumped", len(re.findall(r"^Dumping ", printed, re.MULTILINE)), len(segments))
    check("Found" not in printed and "Mismatches" not in printed, f"it found faults: {printed[-2000:]}")
    if topic := cell.done(filled_topic):
        dumped = printed.split(f"/{topic}-0/", 1)[1].split("\nDumping ", 1)[0]
        equal("lines", [f"{key}:{value}" for key, value in re.findall(r" key: (.*) payload: (.*)", dumped)], LINES)
