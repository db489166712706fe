"""Many clients in one process: members of groups, and consumers that wait at the end of a topic."""

import collections
import struct
import time

from protocol import (FETCH, FIND_COORDINATOR, HEARTBEAT, JOIN, OFFSET_COMMIT, PATIENCE_SECONDS, SYNC, TOPIC,
                      Connection, array, data, string, success)

MAX_WAIT_MS = 500
FETCH_BYTES = 1 << 20


class Member:
    """The one member of a group, on a connection of its own, since a JoinGroup holds up what follows it."""

    def __init__(self, port, group):
        self.connection, self.group = Connection(port), string(group)
        self.stable, self.pending, self.took = False, collections.deque(), []

    def find_coordinator(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        # the first group makes a broker create the topic of offsets
        while (code := self.connection.ask(FIND_COORDINATOR, 0, self.group).int16()) in (14, 15):
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        success(code)

    def send(self, api, version, body):
        self.pending.append((api, time.monotonic()))
        self.connection.send(api, version, body)

    def join(self):
        subscription = struct.pack(">h", 0) + array(string(TOPIC)) + data(b"")
        protocols = array(string("range") + data(subscription))
        timeouts = struct.pack(">ii", 30_000, 60_000)
        self.send(JOIN, 1, self.group + timeouts + string("") + string("consumer") + protocols)

    def on_answer(self, answer):
        api, sent = self.pending.popleft()
        if api == OFFSET_COMMIT:
            self.took.append(time.monotonic() - sent)
            answer.int32(), answer.string(), answer.numbers("ii")
        success(answer.int16())
        if api == JOIN:
            generation = answer.int32()
            answer.string(), answer.string()
            member = string(answer.string())
            self.identity = self.group + struct.pack(">i", generation) + member
            assignment = struct.pack(">h", 0) + array(string(TOPIC) + array(struct.pack(">i", 0))) + data(b"")
            self.send(SYNC, 0, self.identity + array(member + data(assignment)))
        elif api == SYNC:
            self.stable = True

    def commit(self, offset):
        partition = struct.pack(">iq", 0, offset) + string("")
        self.send(OFFSET_COMMIT, 2, self.identity + struct.pack(">q", -1) + array(string(TOPIC) + array(partition)))

    def heartbeat(self):
        self.send(HEARTBEAT, 0, self.identity)


class Consumer:
    """Waits at the end of the topic, and notes when each record came."""

    def __init__(self, port, received, offset):
        self.connection, self.received, self.offset = Connection(port), received, offset

    def fetch(self):
        partition = struct.pack(">iqi", 0, self.offset, FETCH_BYTES)
        limits = struct.pack(">iiiib", -1, MAX_WAIT_MS, 1, FETCH_BYTES, 0)
        self.connection.send(FETCH, 4, limits + array(string(TOPIC) + array(partition)))

    def on_answer(self, answer):
        now = time.monotonic()
        answer.numbers("ii"), answer.string(), answer.numbers("ii")
        success(answer.int16())
        answer.numbers("qq")
        answer.bytes(16 * answer.int32())
        records, at, first = answer.bytes(answer.int32()), 0, self.offset
        while at < len(records):
            offset, length = struct.unpack_from(">qi", records, at)
            self.offset = offset + struct.unpack_from(">i", records, at + 23)[0] + 1
            at += 12 + length
        self.fetch()
        for offset in range(first, self.offset):
            self.received[offset].append(now)
