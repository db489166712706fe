"""kcat: each operation is a run of the program."""

import io
import itertools
import json
import os
import pathlib
import re
import secrets
import subprocess
import sys
import threading

import rpc

KCAT = pathlib.Path(os.environ["OTTLA_TEST_HOME"]) / "kcat" / "kcat"
# partition, offset, timestamp and the lengths of key and value, which are -1 for null
FORMAT = r"%p %o %T %K %S %h\n%k%s\n"
GROUP_OPTIONS = ("auto.offset.reset=earliest", "session.timeout.ms=6000", "heartbeat.interval.ms=500")
# kcat shows librdkafka's descriptions of Kafka's errors
ERROR_CODES = {
    "Broker: Unknown topic or partition": 3,
    "Broker: Message size too large": 10,
    "Broker: Invalid topic": 17,
}


class KcatError(Exception):
    """kcat ended with an error."""


class Kcat:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.members = {}

    def command(self, *arguments, options=()):
        settings = [part for option in options for part in ("-X", option)]
        return [KCAT, "-b", self.bootstrap, *settings, *arguments]

    def run(self, *arguments, feed=b"", options=()):
        done = subprocess.run(
            self.command(*arguments, options=options), input=feed, capture_output=True, timeout=rpc.TAKE_SECONDS
        )
        sys.stderr.write(done.stderr.decode(errors="replace"))
        if done.returncode:
            raise KcatError(done.stderr.decode(errors="replace").strip())
        return done.stdout

    def produce(self, topic, records, codec, idempotent):
        options = (f"enable.idempotence={str(idempotent).lower()}", "message.max.bytes=4000000")
        for shared, some in itertools.groupby(sorted(records, key=shared_by_run), shared_by_run):
            between, after_key = secrets.token_hex(8), secrets.token_hex(8)
            arguments = ("-P", "-t", topic, "-z", codec, "-D", between, *run_arguments(shared, after_key))
            feed = between.encode().join(fed(record, after_key.encode()) for record in some)
            self.run(*arguments, feed=feed, options=options)

    def fetch(self, topic, partition, offset, count):
        place = ("-t", topic, "-p", str(partition), "-o", str(offset), "-c", str(count))
        return parsed(self.run("-C", *place, "-e", "-f", FORMAT))

    def offset_for_time(self, topic, partition, timestamp):
        answer = self.run("-Q", "-t", f"{topic}:{partition}:{timestamp}").decode()
        return int(answer.rsplit(" ", 1)[1])

    def consume(self, group, topic, count):
        return parsed(self.run("-G", group, "-c", str(count), "-f", FORMAT, topic, options=GROUP_OPTIONS))

    def join(self, member, group, topic, assignor):
        options = (*GROUP_OPTIONS, f"partition.assignment.strategy={assignor}")
        self.members[member] = Member(self.command("-G", group, "-u", "-f", FORMAT, topic, options=options))

    def state(self, member):
        return self.members[member].state()

    def leave(self, member):
        self.members.pop(member).leave()

    def metadata(self):
        return json.loads(self.run("-L", "-J"))

    def describe_cluster(self):
        metadata = self.metadata()
        addresses = [(broker["id"], *broker["name"].rsplit(":", 1)) for broker in metadata["brokers"]]
        return {
            "nodes": [[node, host, int(port)] for node, host, port in addresses],
            "controller": metadata["controllerid"],
        }

    def list_topics(self):
        return [topic["topic"] for topic in self.metadata()["topics"]]

    def describe_topic(self, topic):
        described = next(each for each in self.metadata()["topics"] if each["topic"] == topic)
        return [partition["partition"] for partition in described["partitions"]]


class Member:
    """A kcat that is a member of a group."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.lock = threading.Lock()
        self.partitions, self.records = set(), []
        self.threads = [threading.Thread(target=work) for work in (self.read_records, self.read_assignments)]
        for thread in self.threads:
            thread.start()

    def read_records(self):
        for record in records_from(self.process.stdout):
            with self.lock:
                self.records.append(record)

    def read_assignments(self):
        for line in self.process.stderr:
            sys.stderr.write(line.decode(errors="replace"))
            if change := re.search(rb"rebalanced.* (assign|revoke)", line):
                partitions = {int(number) for number in re.findall(rb"\[(\d+)\]", line)}
                with self.lock:
                    if change[1] == b"assign":
                        self.partitions |= partitions
                    else:
                        self.partitions -= partitions

    def state(self):
        if self.process.poll() is not None:
            raise KcatError(f"kcat ended with {self.process.returncode}")
        with self.lock:
            records, self.records = self.records, []
            return {"partitions": sorted(self.partitions), "records": records}

    def leave(self):
        self.process.terminate()
        for thread in self.threads:
            thread.join()
        if self.process.wait():
            raise KcatError(f"kcat ended with {self.process.returncode}")


def shared_by_run(record):
    """What a run of kcat gives to all its records."""
    partition = [] if record["partition"] is None else [record["partition"]]
    return partition, record["key"] is None, record["value"] is None, record["headers"]


def run_arguments(shared, after_key):
    partition, no_key, no_value, headers = shared
    for number in partition:
        yield from ("-p", str(number))
    if not no_key:
        yield from ("-K", after_key)
    if no_value:
        yield "-Z"
    for name, value in headers:
        yield from ("-H", f"{name}={rpc.decode(value).decode()}")


def fed(record, after_key):
    key = b"" if record["key"] is None else rpc.decode(record["key"]) + after_key
    return key + (rpc.decode(record["value"]) or b"")


def parsed(output):
    return list(records_from(io.BytesIO(output)))


def records_from(stream):
    while line := stream.readline():
        partition, offset, timestamp, key, value, headers = line.decode().rstrip("\n").split(" ", 5)
        yield rpc.record(
            int(partition), int(offset), int(timestamp),
            content(stream, int(key)), content(stream, int(value)), list(parsed_headers(headers)),
        )
        stream.readline()


def content(stream, length):
    return None if length < 0 else stream.read(length)


def parsed_headers(text):
    for pair in filter(None, text.split(",")):
        name, value = pair.split("=", 1)
        yield name, None if value == "NULL" else value.encode()


def error_code(error):
    return next((code for text, code in ERROR_CODES.items() if text in str(error)), None)


if __name__ == "__main__":
    version = subprocess.run([KCAT, "-V"], capture_output=True, text=True).stdout
    rpc.serve(" ".join(re.search(r"Version (\S+) .*(librdkafka \S+)", version).groups()), Kcat(sys.argv[1]), error_code)
