"""A consumer of the crash loop: `crash_consumer.py BOOTSTRAP TOPIC GROUP`."""

import sys

from confluent_kafka import Consumer, KafkaException, TopicPartition

import rpc


def main():
    bootstrap, topic, group = sys.argv[1:]
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "partition.assignment.strategy": "range",
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500,
        "reconnect.backoff.max.ms": 500,
    })
    consumer.subscribe([topic])
    ended = rpc.stdin_ended()
    while not ended.is_set():
        messages = [message for message in consumer.consume(100, timeout=0.2) if not message.error()]
        positions = {}
        for message in messages:
            place = [message.partition(), message.offset()]
            rpc.say({"processed": message.value().decode(), "place": place})
            positions[message.partition()] = message.offset() + 1
        if positions:
            commit(consumer, topic, positions)
    consumer.close()


def commit(consumer, topic, positions):
    rpc.say({"committing": list(positions.items())})
    try:
        consumer.commit(
            offsets=[TopicPartition(topic, partition, offset) for partition, offset in positions.items()],
            asynchronous=False,
        )
        rpc.say({"committed": list(positions.items())})
    except KafkaException as error:
        print(f"commit failed: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
