#!/usr/bin/env python3
"""Kills a broker again and again under producers and a group, and checks what is left. README.md says how."""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

from harness import broker, processes
from harness.clients import CLIENTS, HOME, KAFKA, PYTHON, PYTHON_DRIVERS, install
from harness.driver import Driver, Record
from harness.verdict import Journal, faults
from harness.wire import within

PARTITIONS = 6
TOPIC, GROUP = "crash-loop", "crash-loop-group"
IDEMPOTENT, PLAIN = "idempotent", "plain"
PROGRESS_SECONDS = 60
SETTLE_SECONDS = 120
# how many of the kills do not wait until the clients have gone on after the one before
HASTY = 0.25
SHOWN_FAULTS = 20


def main():
    options = arguments()
    processes.end_on_signals()
    chance = random.Random(options.seed)
    print(f"{options.kills} kills with --seed {options.seed}", flush=True)
    members, skipped = available_members()
    HOME.mkdir(parents=True, exist_ok=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="crash-loop-", dir=HOME))
    loop = Loop(broker.from_options(options, directory), directory)
    start = time.monotonic()
    try:
        loop.start(members)
        loop.run(options.kills, chance, options.seconds_between)
        found = loop.finish()
    except Exception as error:
        traceback.print_exc()
        found = [f"the loop ended early: {error}"]
    finally:
        processes.kill_all()
    passed = not found and not (skipped and os.environ.get("CI") == "true")
    report(loop, found, time.monotonic() - start)
    if passed:
        shutil.rmtree(directory)
    else:
        print(f"logs: {directory}")
    return 0 if passed else 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    broker.add_options(parser)
    parser.add_argument("--kills", type=int, default=50, metavar="N")
    parser.add_argument("--seconds-between", type=bounds, default=(0.2, 1.5), metavar="LOW,HIGH",
                        help="how long the clients work before a kill, at random")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="of those random times")
    return parser.parse_args()


def bounds(text):
    low, high = map(float, text.split(","))
    return low, high


def available_members():
    """The commands of three group members, of different clients where the machine has them."""
    python = (PYTHON, PYTHON_DRIVERS / "crash_consumer.py")
    commands = {
        "librdkafka": python,
        "java": (KAFKA, "tool", "ottla.CrashConsumer"),
        "franz-go": (HOME / "go" / "crashconsumer",),
    }
    clients = [client for client in CLIENTS if client.name in commands]
    missing = {client.name: client.missing_programs() for client in clients if client.missing_programs()}
    for name, programs in missing.items():
        print(f"SKIPPED {name}: {', '.join(programs)} is missing on this machine; librdkafka takes its place")
    install(client.part for client in clients if client.name not in missing)
    return [python if name in missing else command for name, command in commands.items()], missing


class Loop:
    """The broker, its clients and what they note."""

    def __init__(self, target, directory):
        self.broker, self.directory = target, directory
        self.journal, self.notes = directory / "journal", Journal()
        self.producers, self.members = [], []
        self.kills = 0
        self.lost_commits = []
        self._read = 0

    def start(self, members):
        self.broker.start()
        self.broker.wire.prepare_groups()
        self.broker.wire.create_topic(TOPIC, PARTITIONS, {})
        producer = (PYTHON, PYTHON_DRIVERS / "crash_producer.py")
        for name in (IDEMPOTENT, PLAIN):
            arguments = (TOPIC, str(PARTITIONS), name, str(name == IDEMPOTENT).lower())
            self.producers.append(self._spawn(producer, name, arguments))
        for number, command in enumerate(members):
            self.members.append(self._spawn(command, f"member-{number}", (TOPIC, GROUP)))
        within(30, lambda: self._take_notes().commits, "the group commits")

    def _spawn(self, command, name, arguments):
        # each line is written in one piece at the end of the file, so that the file has the order of what happened
        with self.journal.open("ab") as notes, (self.directory / f"{name}.log").open("ab") as log:
            return processes.spawn(
                [*command, self.broker.bootstrap, *arguments], stdin=subprocess.PIPE, stdout=notes, stderr=log
            )

    def run(self, kills, chance, seconds_between):
        for self.kills in range(1, kills + 1):
            if chance.random() > HASTY:
                self._wait_for_progress()
            time.sleep(chance.uniform(*seconds_between))
            self._expect_clients()
            self.broker.crash()
            acked, processed = self._progress()
            self.lost_commits += self.notes.lost_commits(self.broker.wire.committed(GROUP, TOPIC))
            print(f"kill {self.kills}: {acked} acknowledged, {processed} processed", flush=True)

    def _progress(self):
        notes = self._take_notes()
        return len(notes.acked), len(notes.processed)

    def _wait_for_progress(self):
        acked, processed = self._progress()

        def more():
            now_acked, now_processed = self._progress()
            return now_acked > acked and now_processed > processed

        within(PROGRESS_SECONDS, more, "the producers and the group go on")

    def finish(self):
        """Lets everything settle and returns what is wrong."""
        self._expect_clients()
        endings = [f"a producer ended with {status}" for status in map(end, self.producers) if status]
        ends = self.broker.wire.ends(TOPIC)
        stored = self._stored(ends)
        self._wait_until_processed(stored)
        endings += [f"a member ended with {status}" for status in map(end, self.members) if status]
        committed = self.broker.wire.committed(GROUP, TOPIC)
        self.broker.stop()
        return self.lost_commits + endings + list(faults(self._take_notes(), stored, IDEMPOTENT, ends, committed))

    def _expect_clients(self):
        for client in (*self.producers, *self.members):
            if client.poll() is not None:
                raise RuntimeError(f"{client.args[-4:]} ended with {client.returncode}, see {self.directory}")

    def _stored(self, ends):
        """Everything that a fresh reader finds: {(partition, offset): value}."""
        command = (PYTHON, PYTHON_DRIVERS / "confluent_driver.py")
        reader = Driver(command, self.broker.bootstrap, self.directory / "reader.log")
        stored = {}
        for partition, end_offset in ends.items():
            deadline = time.monotonic() + SETTLE_SECONDS
            place = {"topic": TOPIC, "partition": partition, "offset": 0, "count": end_offset}
            for record in map(Record.from_json, reader.call("fetch", deadline, **place)):
                stored[record.partition, record.offset] = record.value.decode()
        reader.close()
        return stored

    def _wait_until_processed(self, stored):
        """Gives the group its time; what it has not processed then is a fault that is found later."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            if stored.keys() <= {place for place, _ in self._take_notes().processed}:
                return
            time.sleep(0.5)

    def _take_notes(self):
        """Reads what was noted since the last time."""
        with self.journal.open("rb") as journal:
            journal.seek(self._read)
            for line in journal:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                self.notes.add(json.loads(line))
        return self.notes


def end(client):
    """Tells a client to finish its work, and returns its exit status."""
    client.stdin.close()
    try:
        client.wait(SETTLE_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    return processes.kill(client)


def report(loop, found, seconds):
    notes = loop.notes
    print(f"{loop.kills} kills in {seconds:.0f} s: {len(notes.sent)} records sent, {len(notes.acked)} acknowledged, "
          f"{len(notes.processed)} processed, {notes.commits} commits")
    for fault in found[:SHOWN_FAULTS]:
        print(f"✗ {fault}")
    if len(found) > SHOWN_FAULTS:
        print(f"… and {len(found) - SHOWN_FAULTS} more")
    print(f"{len(found)} faults")


if __name__ == "__main__":
    sys.exit(main())
