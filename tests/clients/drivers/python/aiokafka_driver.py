"""aiokafka."""

import asyncio
import sys
import time

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import for_code

import rpc

ASSIGNORS = {"range": RangePartitionAssignor}


class Member:
    """A member of a group, polled in a task of its own."""

    def __init__(self, consumer):
        self.consumer, self.records = consumer, []
        self.task = asyncio.create_task(self.poll())

    async def poll(self):
        while True:
            polled = await self.consumer.getmany(timeout_ms=100)
            self.records += received(polled)

    def state(self):
        if self.task.done():
            self.task.result()
        records, self.records = self.records, []
        return {"partitions": [place.partition for place in self.consumer.assignment()], "records": records}

    async def leave(self):
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.consumer.stop()


class AIOKafka:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.members = {}

    async def start(self):
        self.admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await self.admin.start()

    async def consumer(self, group, **options):
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            session_timeout_ms=6000,
            heartbeat_interval_ms=500,
            fetch_max_wait_ms=100,
            **{"enable_auto_commit": False, **options},
        )
        await consumer.start()
        return consumer

    async def create_topic(self, topic, partitions, configs):
        created = await self.admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
        fail_on(created.topic_errors[0][1])

    async def produce(self, topic, records, codec, idempotent):
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            compression_type=None if codec == "none" else codec,
            enable_idempotence=idempotent,
            acks="all",
            linger_ms=5,
            max_request_size=4_000_000,
        )
        await producer.start()
        try:
            sent = [
                await producer.send(
                    topic,
                    value=rpc.decode(record["value"]),
                    key=rpc.decode(record["key"]),
                    headers=[(name, rpc.decode(value)) for name, value in record["headers"]],
                    partition=record["partition"],
                    timestamp_ms=record["timestamp"],
                )
                for record in records
            ]
            placed = await asyncio.gather(*sent)
        finally:
            await producer.stop()
        return [[metadata.partition, metadata.offset] for metadata in placed]

    async def fetch(self, topic, partition, offset, count):
        consumer = await self.consumer(None)
        place = TopicPartition(topic, partition)
        consumer.assign([place])
        consumer.seek(place, offset)
        records = await take(consumer, count)
        await consumer.stop()
        return records

    async def offset_for_time(self, topic, partition, timestamp):
        consumer = await self.consumer(None)
        place = TopicPartition(topic, partition)
        found = (await consumer.offsets_for_times({place: timestamp}))[place]
        await consumer.stop()
        return found.offset if found else rpc.NO_OFFSET

    async def consume(self, group, topic, count):
        consumer = await self.consumer(group)
        consumer.subscribe([topic])
        records = await take(consumer, count)
        await consumer.commit()
        await consumer.stop()
        return records

    async def join(self, member, group, topic, assignor):
        consumer = await self.consumer(
            group, enable_auto_commit=True, partition_assignment_strategy=[ASSIGNORS[assignor]]
        )
        consumer.subscribe([topic])
        self.members[member] = Member(consumer)

    async def state(self, member):
        return self.members[member].state()

    async def leave(self, member):
        await self.members.pop(member).leave()

    async def describe_cluster(self):
        cluster = await self.admin.describe_cluster()
        return {
            "nodes": [[node["node_id"], node["host"], node["port"]] for node in cluster["brokers"]],
            "controller": cluster["controller_id"],
        }

    async def list_topics(self):
        return await self.admin.list_topics()

    async def describe_topic(self, topic):
        described = (await self.admin.describe_topics([topic]))[0]
        fail_on(described["error_code"])
        return [partition["partition"] for partition in described["partitions"]]

    async def describe_configs(self, topic):
        answers = await self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        code, _, _, _, entries = answers[0].resources[0]
        fail_on(code)
        return {entry[0]: entry[1] for entry in entries}

    async def alter_config(self, topic, name, value):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})
        answers = await self.admin.alter_configs([resource])
        fail_on(answers[0].resources[0][0])
        return {"incremental": False}

    async def create_partitions(self, topic, count):
        answer = await self.admin.create_partitions({topic: NewPartitions(count)})
        fail_on(answer.topic_errors[0][1])

    async def list_groups(self):
        return [group[0] for group in await self.admin.list_consumer_groups()]

    async def describe_group(self, group):
        answers = await self.admin.describe_consumer_groups([group])
        code, _, state, _, _, members, *_ = answers[0].groups[0]
        fail_on(code)
        return {"state": state, "members": len(members)}

    async def group_offsets(self, group, topic):
        offsets = await self.admin.list_consumer_group_offsets(group)
        return sorted([place.partition, found.offset] for place, found in offsets.items() if place.topic == topic)

    async def delete_records(self, topic, partition, offset):
        place = TopicPartition(topic, partition)
        return (await self.admin.delete_records({place: RecordsToDelete(before_offset=offset)}))[place]

    async def delete_topic(self, topic):
        answer = await self.admin.delete_topics([topic])
        fail_on(answer.topic_error_codes[0][1])


async def take(consumer, count):
    """Polls so many records, or as many as come in time."""
    records = []
    deadline = time.monotonic() + rpc.TAKE_SECONDS
    while len(records) < count and time.monotonic() < deadline:
        records += received(await consumer.getmany(timeout_ms=1000, max_records=count - len(records)))
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


async def main():
    driver = AIOKafka(sys.argv[1])
    await driver.start()
    await rpc.serve_async(f"aiokafka {aiokafka.__version__}", driver, error_code)


if __name__ == "__main__":
    asyncio.run(main())
