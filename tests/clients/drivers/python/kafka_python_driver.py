"""kafka-python."""

import sys
import time

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import for_code

import rpc

ASSIGNORS = {"range": RangePartitionAssignor, "cooperative-sticky": CooperativeStickyAssignor}


class KafkaPython:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        self.members = {}

    def consumer(self, group, **options):
        return KafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            session_timeout_ms=6000,
            heartbeat_interval_ms=500,
            fetch_max_wait_ms=100,
            **{"enable_auto_commit": False, **options},
        )

    def member(self, group, topic, **options):
        """A consumer that knows the topic before it joins; one that does not joins again when it does, and forgets
        that it has done so if a poll ends meanwhile."""
        consumer = self.consumer(group, **options)
        consumer.subscribe([topic])
        consumer.partitions_for_topic(topic)
        return consumer

    def create_topic(self, topic, partitions, configs):
        self.admin.create_topics({topic: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}})

    def produce(self, topic, records, codec, idempotent):
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap,
            compression_type=None if codec == "none" else codec,
            enable_idempotence=idempotent,
            linger_ms=5,
            max_request_size=4_000_000,
        )
        try:
            sent = [
                producer.send(
                    topic,
                    value=rpc.decode(record["value"]),
                    key=rpc.decode(record["key"]),
                    headers=[(name, rpc.decode(value)) for name, value in record["headers"]],
                    partition=record["partition"],
                    timestamp_ms=record["timestamp"],
                )
                for record in records
            ]
            producer.flush()
            placed = [future.get() for future in sent]
        finally:
            producer.close()
        return [[metadata.partition, metadata.offset] for metadata in placed]

    def fetch(self, topic, partition, offset, count):
        consumer = self.consumer(None)
        place = TopicPartition(topic, partition)
        consumer.assign([place])
        consumer.seek(place, offset)
        records = take(consumer, count)
        consumer.close()
        return records

    def offset_for_time(self, topic, partition, timestamp):
        consumer = self.consumer(None)
        place = TopicPartition(topic, partition)
        found = consumer.offsets_for_times({place: timestamp})[place]
        consumer.close()
        return found.offset if found else rpc.NO_OFFSET

    def consume(self, group, topic, count):
        consumer = self.member(group, topic)
        records = take(consumer, count)
        consumer.commit()
        consumer.close()
        return records

    def join(self, member, group, topic, assignor):
        consumer = self.member(
            group, topic, enable_auto_commit=True, partition_assignment_strategy=[ASSIGNORS[assignor]]
        )
        self.members[member] = rpc.Member(
            poll=lambda: received(consumer.poll(100)),
            owned=lambda: [place.partition for place in consumer.assignment()],
            close=consumer.close,
        )

    def state(self, member):
        return self.members[member].state()

    def leave(self, member):
        self.members.pop(member).leave()

    def describe_cluster(self):
        cluster = self.admin.describe_cluster()
        return {
            "nodes": [[node["broker_id"], node["host"], node["port"]] for node in cluster["brokers"]],
            "controller": cluster["controller_id"],
        }

    def list_topics(self):
        return self.admin.list_topics()

    def describe_topic(self, topic):
        described = self.admin.describe_topics([topic])[0]
        fail_on(described["error_code"])
        return [partition["partition_index"] for partition in described["partitions"]]

    def describe_configs(self, topic):
        entries = self.admin.describe_configs([ConfigResource("topic", topic)], config_filter="all")["topic"][topic]
        return {name: entry["value"] for name, entry in entries.items()}

    def alter_config(self, topic, name, value):
        result = self.admin.alter_configs([ConfigResource("topic", topic, {name: value})])["topic"][topic]
        if result != "OK":
            raise RuntimeError(result)
        return {"incremental": True}

    def create_partitions(self, topic, count):
        self.admin.create_partitions({topic: count})

    def list_groups(self):
        return [group["group_id"] for group in self.admin.list_groups()]

    def describe_group(self, group):
        described = self.admin.describe_groups([group])[group]
        return {"state": described["group_state"], "members": len(described["members"])}

    def group_offsets(self, group, topic):
        offsets = self.admin.list_group_offsets(group)[group]
        return sorted([place.partition, found.offset] for place, found in offsets.items() if place.topic == topic)

    def delete_records(self, topic, partition, offset):
        place = TopicPartition(topic, partition)
        return self.admin.delete_records({place: offset})[place]["low_watermark"]

    def delete_group_offsets(self, group, topic, partition):
        place = TopicPartition(topic, partition)
        fail_on(self.admin.delete_group_offsets(group, [place])[place].errno)

    def delete_group(self, group):
        result = self.admin.delete_groups([group])[group]
        if result != "OK":
            raise RuntimeError(result)

    def delete_topic(self, topic):
        self.admin.delete_topics([topic])


def take(consumer, count):
    """Polls so many records, or as many as come in time."""
    records = []
    deadline = time.monotonic() + rpc.TAKE_SECONDS
    while len(records) < count and time.monotonic() < deadline:
        records += received(consumer.poll(1000, max_records=count - len(records)))
    return records


def received(polled):
    return [
        rpc.record(
            record.partition, record.offset, record.timestamp, record.key, record.value, record.headers
        )
        for records in polled.values()
        for record in records
    ]


def fail_on(code):
    if code:
        raise for_code(code)()


def error_code(error):
    return getattr(error, "errno", None)


if __name__ == "__main__":
    rpc.serve(f"kafka-python {kafka.__version__}", KafkaPython(sys.argv[1]), error_code)
