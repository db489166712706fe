"""A producer of the crash loop: `crash_producer.py BOOTSTRAP TOPIC PARTITIONS NAME IDEMPOTENT`."""

import itertools
import sys

from confluent_kafka import Producer

import rpc

SECONDS_BETWEEN_RECORDS = 0.004
FLUSH_SECONDS = 90


def main():
    bootstrap, topic, partitions, name, idempotent = sys.argv[1:]
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "acks": "all",
        "enable.idempotence": idempotent == "true",
        "linger.ms": 5,
        "reconnect.backoff.max.ms": 500,
    })

    def delivered(error, message):
        if error:
            rpc.say({"failed": message.value().decode(), "error": str(error)})
        else:
            rpc.say({"acked": message.value().decode(), "place": [message.partition(), message.offset()]})

    ended = rpc.stdin_ended()
    for number in itertools.count():
        if ended.is_set():
            break
        value, partition = f"{name} {number}", number % int(partitions)
        rpc.say({"sent": value, "partition": partition})
        producer.produce(topic, value=value, partition=partition, on_delivery=delivered)
        producer.poll(SECONDS_BETWEEN_RECORDS)
    sys.exit(1 if producer.flush(FLUSH_SECONDS) else 0)


if __name__ == "__main__":
    main()
