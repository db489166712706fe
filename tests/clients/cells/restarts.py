"""Committed work is neither lost nor repeated when the broker restarts."""

from harness.cell import contents, equal, numbered, test

PARTITIONS = 3


def resume(cell):
    topic = cell.topic(PARTITIONS)
    records = numbered(60, PARTITIONS)
    cell.produce(topic, records)
    first = cell.consume(topic, 30)
    equal("records before", len(first), 30)
    committed = {}
    for record in first:
        equal("offset", record.offset, committed.get(record.partition, 0))
        committed[record.partition] = record.offset + 1
    equal("committed offsets", committed_offsets(cell, topic), committed)
    yield
    equal("committed offsets after", committed_offsets(cell, topic), committed)
    equal("records before and after", contents(first + cell.consume(topic, 30)), contents(records))
    equal("records fetched again", contents(cell.fetch_all(topic)), contents(records))
    new = numbered(6, PARTITIONS, start=60)
    cell.produce(topic, new)
    consumed = cell.consume(topic, 6)
    equal("new records", contents(consumed), contents(new))
    equal("new offsets", sorted((record.partition, record.offset) for record in consumed),
          [(partition, offset) for partition in range(PARTITIONS) for offset in (20, 21)])


def committed_offsets(cell, topic):
    """Without those that say no more than that there is no other: some clients commit all their positions."""
    return {partition: offset for partition, offset in cell.wire.committed(cell.group, topic).items() if offset}


@test("restart", stage="restart")
def restart(cell):
    yield from resume(cell)


@test("kill", stage="kill")
def kill(cell):
    yield from resume(cell)
