"""Admin calls; most results are looked at without the client."""

from harness.cell import check, equal, numbered, test
from harness.wire import EARLIEST


@test("cluster")
def cluster(cell):
    brokers, _ = cell.wire.metadata([])
    described = cell.call("describe_cluster")
    nodes = {node: (host, port) for node, host, port in described["nodes"]}
    equal("nodes", nodes, brokers)
    check(described["controller"] in (*nodes, None), f"controller {described['controller']} is no node")


@test("topics")
def topics(cell):
    some = [cell.topic(partitions, name=f"topic-{partitions}") for partitions in (1, 3)]
    listed = cell.call("list_topics")
    equal("own topics listed", sorted(topic for topic in listed if topic.startswith(cell.prefix)), sorted(some))
    equal("partitions", sorted(cell.call("describe_topic", topic=some[1])), [0, 1, 2])


@test("configs")
def configs(cell):
    topic = cell.topic(max_message_bytes="54321")
    described = cell.call("describe_configs", topic=topic)
    equal("max.message.bytes described", described["max.message.bytes"], "54321")
    incremental = cell.call("alter_config", topic=topic, name="retention.ms", value="7654321")["incremental"]
    cell.within(lambda: cell.wire.topic_config(topic, "retention.ms") == "7654321", "the altered value is there")
    equal("retention.ms described", cell.call("describe_configs", topic=topic)["retention.ms"], "7654321")
    kept = cell.wire.topic_config(topic, "max.message.bytes") == "54321"
    equal("what was not named is kept", kept, incremental)


@test("partitions")
def partitions(cell):
    topic = cell.topic(2)
    cell.call("create_partitions", topic=topic, count=5)
    cell.within(lambda: cell.wire.partitions(topic) == 5, "there are 5 partitions")
    records = numbered(10, partitions=5)
    cell.produce(topic, records)
    equal("value in the last partition", cell.fetch(topic, 4, 0, 1)[0].value, records[4].value)


@test("groups")
def groups(cell):
    topic = cell.topic()
    cell.call("join", member="one", group=cell.group, topic=topic, assignor=cell.client.eager_assignor)
    cell.within(lambda: cell.call("state", member="one")["partitions"] == [0], "the member owns the partition")
    check(cell.group in cell.call("list_groups"), "the group is not listed")
    described = cell.call("describe_group", group=cell.group)
    equal("group", described, {"state": "Stable", "members": 1})
    cell.call("leave", member="one")
    equal("group", cell.call("describe_group", group=cell.group), {"state": "Empty", "members": 0})


def consumed_topic(cell, partitions=2):
    topic = cell.topic(partitions)
    cell.produce(topic, numbered(5 * partitions, partitions))
    cell.consume(topic, 5 * partitions)
    equal("committed offsets", cell.wire.committed(cell.group, topic), dict.fromkeys(range(partitions), 5))
    return topic


@test("group-offsets")
def group_offsets(cell):
    topic = consumed_topic(cell)
    equal("offsets", cell.call("group_offsets", group=cell.group, topic=topic), [[0, 5], [1, 5]])


@test("delete-records")
def delete_records(cell):
    topic = cell.topic()
    cell.produce(topic, numbered(10))
    equal("low watermark", cell.call("delete_records", topic=topic, partition=0, offset=4), 4)
    equal("first offset", cell.wire.offset(topic, 0, EARLIEST), 4)
    equal("offsets", [record.offset for record in cell.fetch(topic, 0, 4, 6)], list(range(4, 10)))


@test("delete-offsets")
def delete_offsets(cell):
    topic = consumed_topic(cell)
    cell.call("delete_group_offsets", group=cell.group, topic=topic, partition=0)
    equal("offsets left", cell.wire.committed(cell.group, topic), {1: 5})


@test("delete-group")
def delete_group(cell):
    topic = consumed_topic(cell)
    check(cell.group in cell.wire.groups(), "there is no group to delete")
    cell.call("delete_group", group=cell.group)
    check(cell.group not in cell.wire.groups(), "the group is still listed")
    equal("offsets left", cell.wire.committed(cell.group, topic), {})


@test("delete-topic")
def delete_topic(cell):
    topic = cell.topic()
    cell.call("delete_topic", topic=topic)
    cell.within(lambda: cell.wire.partitions(topic) is None, "the topic is gone")
