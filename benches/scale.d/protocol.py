"""As much of Kafka's protocol as the measurements need, in old versions, in which requests are simplest."""

import selectors
import socket
import struct
import time

# No step of any measurement takes longer, or something is wrong.
PATIENCE_SECONDS = 600
TOPIC = "scale"
PRODUCE, FETCH, VERSIONS, CREATE = 0, 1, 18, 19
OFFSET_COMMIT, FIND_COORDINATOR, JOIN, HEARTBEAT, SYNC = 8, 10, 11, 12, 14


class Failure(Exception):
    """What went wrong, and what to do."""


class Skipped(Exception):
    """What this machine cannot do."""


class Answer:
    """Takes an answer apart, from left to right."""

    def __init__(self, data):
        self.data, self.at = data, 4

    def numbers(self, form):
        values = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return values

    def int16(self):
        return self.numbers("h")[0]

    def int32(self):
        return self.numbers("i")[0]

    def bytes(self, length):
        self.at += max(0, length)
        return self.data[self.at - max(0, length):self.at]

    def string(self):
        return self.bytes(self.int16()).decode()


class Connection:
    """A connection that speaks old versions of the protocol, in which requests are simplest."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, api, version, body):
        request = struct.pack(">hhi", api, version, 0) + string("scale") + body
        self.socket.sendall(data(request))

    def ask(self, api, version, body):
        self.send(api, version, body)
        return self.receive()

    def receive(self):
        while (answer := self.next_answer()) is None:
            self.read()
        return answer

    def read(self):
        more = self.socket.recv(1 << 20)
        if not more:
            raise Failure("the broker closed a connection; its last words say why")
        self.buffer += more

    def next_answer(self):
        """An answer that has been read whole, if there is one."""
        end = 4 + int.from_bytes(self.buffer[:4], "big")
        if len(self.buffer) < max(end, 8):
            return None
        answer, self.buffer = Answer(self.buffer[4:end]), self.buffer[end:]
        return answer


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def data(value):
    return struct.pack(">i", len(value)) + value


def array(*items):
    return struct.pack(">i", len(items)) + b"".join(items)


def success(code):
    if code:
        raise Failure(f"the broker answered with error code {code}; Kafka's protocol page names it")


def produce_request(batch):
    return struct.pack(">hhi", -1, -1, 30_000) + array(string(TOPIC) + array(struct.pack(">i", 0) + data(batch)))


def produced(answer):
    """Checks the answer to a Produce of one partition."""
    answer.int32(), answer.string(), answer.numbers("ii")
    success(answer.int16())


def produce_one(connection):
    produced(connection.ask(PRODUCE, 3, produce_request(batch_of([(None, bytes(100))]))))


def batch_of(records):
    """A record batch of (key, value)s."""
    now = int(time.time() * 1000)
    body = b"".join(record(number, *parts) for number, parts in enumerate(records))
    body = struct.pack(">hiqqqhii", 0, len(records) - 1, now, now, -1, -1, -1, len(records)) + body
    return struct.pack(">qiibI", 0, len(body) + 9, -1, 2, crc32c(body)) + body


def record(number, key, value):
    parts = (varint(-1) if part is None else varint(len(part)) + part for part in (key, value))
    body = b"\0\0" + varint(number) + b"".join(parts) + b"\0"
    return varint(len(body)) + body


def varint(number):
    number, encoded = (number << 1) ^ (number >> 63), bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def crc32c_table():
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


CRC32C = tuple(crc32c_table())


def crc32c(body):
    crc, table = 0xFFFFFFFF, CRC32C
    for byte in body:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def first_record(connection):
    topic = string(TOPIC) + struct.pack(">ih", 1, 1) + array() + array()
    answer = connection.ask(CREATE, 2, array(topic) + struct.pack(">i?", 30_000, False))
    answer.numbers("ii"), answer.string()
    success(answer.int16())
    produce_one(connection)


class Crowd:
    """Many connections, each with answers to come."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()

    def add(self, connection, on_answer):
        self.selector.register(connection.socket, selectors.EVENT_READ, (connection, on_answer))

    def serve(self, until, done=lambda: False):
        """Hands over the answers that come, until the time has come or all is done."""
        while not done():
            left = until - time.monotonic()
            for key, _ in self.selector.select(max(0, left)):
                connection, on_answer = key.data
                connection.read()
                while (answer := connection.next_answer()) is not None:
                    on_answer(answer)
            if left <= 0:
                return

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.data[0].socket.close()
        self.selector.close()
