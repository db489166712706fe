"""librdkafka through confluent-kafka."""

import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka import TopicCollection, admin

import rpc


class Confluent:
    def __init__(self, bootstrap):
        self.common = {"bootstrap.servers": bootstrap}
        self.admin = admin.AdminClient(self.common)
        self.members = {}

    def consumer(self, group, **options):
        return Consumer({
            **self.common,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 500,
            "fetch.wait.max.ms": 100,
            **options,
        })

    def create_topic(self, topic, partitions, configs):
        new = admin.NewTopic(topic, num_partitions=partitions, replication_factor=1, config=configs)
        self.admin.create_topics([new])[topic].result()

    def produce(self, topic, records, codec, idempotent):
        producer = Producer({
            **self.common,
            "compression.type": codec,
            "enable.idempotence": idempotent,
            "message.max.bytes": 4_000_000,
        })
        results = [None] * len(records)

        def send(index, record):
            def delivered(error, message):
                results[index] = error or [message.partition(), message.offset()]

            chosen = {} if record["partition"] is None else {"partition": record["partition"]}
            producer.produce(
                topic,
                value=rpc.decode(record["value"]),
                key=rpc.decode(record["key"]),
                headers=[(name, rpc.decode(value)) for name, value in record["headers"]],
                timestamp=record["timestamp"] or 0,
                on_delivery=delivered,
                **chosen,
            )

        for index, record in enumerate(records):
            send(index, record)
        producer.flush()
        for result in results:
            if isinstance(result, confluent_kafka.KafkaError):
                raise KafkaException(result)
        return results

    def fetch(self, topic, partition, offset, count):
        consumer = self.consumer("unused")
        consumer.assign([TopicPartition(topic, partition, offset)])
        records = take(consumer, count)
        consumer.close()
        return records

    def offset_for_time(self, topic, partition, timestamp):
        consumer = self.consumer("unused")
        found = consumer.offsets_for_times([TopicPartition(topic, partition, timestamp)])
        consumer.close()
        return found[0].offset

    def consume(self, group, topic, count):
        consumer = self.consumer(group)
        consumer.subscribe([topic])
        records = take(consumer, count)
        consumer.commit(asynchronous=False)
        consumer.close()
        return records

    def join(self, member, group, topic, assignor):
        options = {"partition.assignment.strategy": assignor, "enable.auto.commit": True}
        consumer = self.consumer(group, **options)
        consumer.subscribe([topic])
        self.members[member] = rpc.Member(
            poll=lambda: [received(message) for message in consumer.consume(100, timeout=0.1)],
            owned=lambda: [place.partition for place in consumer.assignment()],
            close=consumer.close,
        )

    def state(self, member):
        return self.members[member].state()

    def leave(self, member):
        self.members.pop(member).leave()

    def describe_cluster(self):
        cluster = self.admin.describe_cluster().result()
        return {
            "nodes": [[node.id, node.host, node.port] for node in cluster.nodes],
            "controller": cluster.controller and cluster.controller.id,
        }

    def list_topics(self):
        return list(self.admin.list_topics().topics)

    def describe_topic(self, topic):
        described = self.admin.describe_topics(TopicCollection([topic]))[topic].result()
        return [partition.id for partition in described.partitions]

    def describe_configs(self, topic):
        resource = admin.ConfigResource("topic", topic)
        entries = self.admin.describe_configs([resource])[resource].result()
        return {name: entry.value for name, entry in entries.items()}

    def alter_config(self, topic, name, value):
        entry = admin.ConfigEntry(name, value, incremental_operation=admin.AlterConfigOpType.SET)
        resource = admin.ConfigResource("topic", topic, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result()
        return {"incremental": True}

    def create_partitions(self, topic, count):
        self.admin.create_partitions([admin.NewPartitions(topic, count)])[topic].result()

    def list_groups(self):
        return [group.group_id for group in self.admin.list_consumer_groups().result().valid]

    def describe_group(self, group):
        described = self.admin.describe_consumer_groups([group])[group].result()
        return {"state": described.state.name.title(), "members": len(described.members)}

    def group_offsets(self, group, topic):
        listed = self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result()
        return [[place.partition, place.offset] for place in listed.topic_partitions if place.topic == topic]

    def delete_records(self, topic, partition, offset):
        place = TopicPartition(topic, partition, offset)
        return self.admin.delete_records([place])[place].result().low_watermark

    def delete_group(self, group):
        self.admin.delete_consumer_groups([group])[group].result()

    def delete_topic(self, topic):
        self.admin.delete_topics([topic])[topic].result()


def take(consumer, count):
    """Polls so many records, or as many as come in time."""
    records = []
    deadline = time.monotonic() + rpc.TAKE_SECONDS
    while len(records) < count and time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is not None:
            records.append(received(message))
    return records


def received(message):
    if message.error():
        raise KafkaException(message.error())
    return rpc.record(
        message.partition(), message.offset(), message.timestamp()[1],
        message.key(), message.value(), message.headers(),
    )


def error_code(error):
    cause = error.args[0] if isinstance(error, KafkaException) else None
    return cause.code() if isinstance(cause, confluent_kafka.KafkaError) else None


if __name__ == "__main__":
    version = f"confluent-kafka {confluent_kafka.__version__}, librdkafka {confluent_kafka.libversion()[0]}"
    rpc.serve(version, Confluent(sys.argv[1]), error_code)
