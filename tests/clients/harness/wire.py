"""A minimal Kafka client of the matrix's own: it prepares topics, and looks at results independently of the clients."""

import collections
import socket
import struct
import time

EARLIEST, LATEST = -2, -1
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
UNKNOWN_TOPIC_OR_PARTITION = 3
NOT_LEADER_OR_FOLLOWER = 6
COORDINATOR_LOADING = (14, 15, 16)

Batch = collections.namedtuple("Batch", "codec producer_id base_sequence count next_offset")


class WireError(Exception):
    """An error code in an answer."""

    def __init__(self, code):
        super().__init__(f"error code {code}")
        self.code = code


class Reader:
    """Takes an answer apart."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(">" + form)))[0]

    def int16(self):
        return self.number("h")

    def int32(self):
        return self.number("i")

    def int64(self):
        return self.number("q")

    def boolean(self):
        return self.number("?")

    def string(self):
        length = self.int16()
        return None if length < 0 else self.take(length).decode()

    def array(self, item):
        return [item() for _ in range(self.int32())]

    def success(self):
        code = self.int16()
        if code:
            raise WireError(code)


def string(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


class Wire:
    """Requests to one broker, each on a connection of its own so that restarts do not matter."""

    def __init__(self, bootstrap):
        host, port = bootstrap.rsplit(":", 1)
        self.address = host, int(port)

    def request(self, api, version, body, timeout=10):
        with socket.create_connection(self.address, timeout) as connection:
            header = struct.pack(">hhi", api, version, 1) + string("matrix")
            connection.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
            answers = connection.makefile("rb")
            length = struct.unpack(">i", _exactly(answers, 4))[0]
            reader = Reader(_exactly(answers, length))
        reader.int32()
        return reader

    def versions(self):
        """The versions of each API that the broker has: {key: (first, last)}."""
        answer = self.request(18, 0, b"")
        answer.success()
        ranges = answer.array(lambda: (answer.int16(), answer.int16(), answer.int16()))
        return {key: (first, last) for key, first, last in ranges}

    def answers(self):
        """Whether the broker answers."""
        try:
            return bool(self.versions())
        except (OSError, WireError):
            return False

    def create_topic(self, topic, partitions, configs):
        """Creates a topic and waits until its leaders serve it, which is later than they are named."""
        pairs = array([string(name) + string(value) for name, value in configs.items()])
        creation = string(topic) + struct.pack(">ih", partitions, 1) + array([]) + pairs
        answer = self.request(19, 2, array([creation]) + struct.pack(">i?", 10_000, False))
        answer.int32()
        answer.array(lambda: (answer.string(), answer.success(), answer.string()))
        within(10, lambda: self._served(topic, partitions), f"topic {topic} has {partitions} partitions")

    def _served(self, topic, partitions):
        try:
            return self.partitions(topic) == partitions and len(self.ends(topic)) == partitions
        except WireError as error:
            if error.code not in (UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER):
                raise
        return False

    def metadata(self, topics):
        """The brokers, and the leaders of the topics' partitions: ({id: (host, port)}, {topic: [leader, …]})."""
        answer = self.request(3, 4, array([string(topic) for topic in topics]) + struct.pack(">?", False))
        answer.int32()
        brokers = answer.array(lambda: (answer.int32(), answer.string(), answer.int32(), answer.string()))
        answer.string(), answer.int32()

        def partition():
            answer.int16(), answer.int32()
            leader = answer.int32()
            answer.array(answer.int32), answer.array(answer.int32)
            return leader

        def topic():
            code, name, _ = answer.int16(), answer.string(), answer.boolean()
            return name, code, answer.array(partition)

        found = {name: leaders for name, code, leaders in answer.array(topic) if not code}
        return {node: (host, port) for node, host, port, _ in brokers}, found

    def partitions(self, topic):
        """How many partitions have a leader; None when there is no such topic."""
        leaders = self.metadata([topic])[1].get(topic)
        return leaders and sum(leader >= 0 for leader in leaders)

    def topic_config(self, topic, name):
        """The value of a topic's configuration."""
        body = array([struct.pack(">b", 2) + string(topic) + array([string(name)])]) + struct.pack(">?", False)
        answer = self.request(32, 1, body)
        answer.int32()

        def synonym():
            return answer.string(), answer.string(), answer.number("b")

        def config():
            pair = answer.string(), answer.string()
            answer.boolean(), answer.number("b"), answer.boolean(), answer.array(synonym)
            return pair

        def resource():
            answer.success(), answer.string(), answer.number("b"), answer.string()
            return dict(answer.array(config))

        return answer.array(resource)[0][name]

    def offset(self, topic, partition, timestamp):
        """The offset of a time, of EARLIEST or of LATEST."""
        body = struct.pack(">i", -1) + array([string(topic) + array([struct.pack(">iq", partition, timestamp)])])
        answer = self.request(2, 1, body)

        def found():
            answer.int32(), answer.success(), answer.int64()
            return answer.int64()

        return answer.array(lambda: (answer.string(), answer.array(found)))[0][1][0]

    def ends(self, topic):
        """The end offset of each partition."""
        return {index: self.offset(topic, index, LATEST) for index in range(self.partitions(topic))}

    def prepare_groups(self):
        """Lets the broker make what it needs for groups, which clients would wait for otherwise."""
        self.request(10, 0, string("matrix"))
        self.committed("matrix", "none")

    def committed(self, group, topic):
        """The group's committed offset for each partition that has one; waits while the coordinator is loading."""
        deadline = time.monotonic() + 10
        while True:
            try:
                return self._committed(group, topic)
            except WireError as error:
                if error.code not in COORDINATOR_LOADING or time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def _committed(self, group, topic):
        answer = self.request(9, 2, string(group) + struct.pack(">i", -1))

        def partition():
            index, offset, _ = answer.int32(), answer.int64(), answer.string()
            answer.success()
            return index, offset

        topics = dict(answer.array(lambda: (answer.string(), answer.array(partition))))
        answer.success()
        return {index: offset for index, offset in topics.get(topic, []) if offset >= 0}

    def commit(self, group, topic, partition, offset):
        """Commits an offset for a group without members."""
        place = array([string(topic) + array([struct.pack(">iq", partition, offset) + string("")])])
        answer = self.request(8, 2, string(group) + struct.pack(">i", -1) + string("") + struct.pack(">q", -1) + place)
        answer.array(lambda: (answer.string(), answer.array(lambda: (answer.int32(), answer.success()))))

    def groups(self):
        """The names of all groups."""
        answer = self.request(16, 0, b"")
        answer.success()
        return [group for group, _ in answer.array(lambda: (answer.string(), answer.string()))]

    def describe_group(self, group):
        """The state of a group, the assignor that its members agreed upon, and how many they are."""
        answer = self.request(15, 0, array([string(group)]))
        answer.int32(), answer.success()
        _, state, _, assignor = (answer.string() for _ in ("group", "state", "protocol type", "protocol"))
        return state, assignor, answer.int32()

    def batches(self, topic, partition):
        """The headers of all batches that are stored in a partition."""
        batches = []
        offset, end = (self.offset(topic, partition, which) for which in (EARLIEST, LATEST))
        while offset < end:
            fetched = list(_batches(self._fetch(topic, partition, offset)))
            if not fetched:
                raise ConnectionError(f"no batch fetched at offset {offset} of {end}")
            batches += fetched
            offset = fetched[-1].next_offset
        return batches

    def _fetch(self, topic, partition, offset):
        place = struct.pack(">iqi", partition, offset, 8 << 20)
        body = struct.pack(">iiiib", -1, 100, 1, 16 << 20, 0) + array([string(topic) + array([place])])
        answer = self.request(1, 4, body)
        answer.int32()

        def fetched():
            answer.int32(), answer.success(), answer.int64(), answer.int64()
            answer.array(lambda: (answer.int64(), answer.int64()))
            return answer.take(max(answer.int32(), 0))

        return answer.array(lambda: (answer.string(), answer.array(fetched)))[0][1][0]


def _exactly(stream, count):
    data = stream.read(count)
    if len(data) < count:
        raise ConnectionError("the broker closed the connection")
    return data


def _batches(data):
    header = struct.Struct(">qiibIhiqqqhii")
    at = 0
    while at + header.size <= len(data):
        base, length, _, _, _, attributes, last, _, _, producer, _, sequence, count = header.unpack_from(data, at)
        at += 12 + length
        if at <= len(data):
            yield Batch(CODECS[attributes & 7], producer, sequence, count, base + last + 1)


def within(seconds, condition, what):
    """Waits until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.05)
