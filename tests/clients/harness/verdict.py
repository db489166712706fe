"""What the crash loop demands of a broker, given what its clients noted and what is stored in the end."""

import collections


class Journal:
    """The notes of all clients in the order in which they were made: each wrote before it went on."""

    def __init__(self):
        self.sent, self.acked, self.failed, self.processed = {}, [], {}, []
        self.commits, self.committed = 0, {}
        self._order = []

    def add(self, event):
        if "sent" in event:
            self.sent[event["sent"]] = event["partition"]
        elif "acked" in event:
            self.acked.append((tuple(event["place"]), event["acked"]))
        elif "failed" in event:
            self.failed[event["failed"]] = event["error"]
        elif "processed" in event:
            self.processed.append((tuple(event["place"]), event["processed"]))
            self._order.append(event)
        elif "committing" in event:
            self._order.append(event)
        elif "committed" in event:
            self.commits += 1
            self.committed.update(event["committed"])

    def lost_commits(self, committed):
        """Commits that were acknowledged to a member, and of which the broker knows less."""
        for partition, offset in self.committed.items():
            if committed.get(partition, 0) < offset:
                yield f"{offset} was committed for partition {partition}, where {committed.get(partition)} is left"

    def early_commits(self):
        """Commits made while a record below them had not been processed by anybody."""
        processed, frontiers = set(), collections.Counter()
        for event in self._order:
            if "processed" in event:
                processed.add(tuple(event["place"]))
                continue
            for partition, offset in event["committing"]:
                while (partition, frontiers[partition]) in processed:
                    frontiers[partition] += 1
                if offset > frontiers[partition]:
                    yield partition, offset, frontiers[partition]


def faults(journal, stored, idempotent, ends, committed):
    """All that is wrong. `stored` are the values by (partition, offset); `idempotent` begins those of that producer."""
    yield from wrong_offsets(stored, ends)
    yield from wrong_deliveries(journal, stored)
    yield from wrong_contents(journal, stored)
    yield from wrong_repetitions(journal, stored, idempotent)
    yield from wrong_processing(journal, stored, committed)


def wrong_offsets(stored, ends):
    for partition, end in ends.items():
        offsets = sorted(offset for where, offset in stored if where == partition)
        if offsets != list(range(end)):
            yield f"partition {partition} ends at {end} and has {len(offsets)} records"


def wrong_deliveries(journal, stored):
    for value, error in journal.failed.items():
        yield f"{value} was not delivered: {error}"
    for place, value in journal.acked:
        if stored.get(place) != value:
            yield f"{value} was acknowledged at {place}, where there is {stored.get(place)}"
    for value in journal.sent.keys() - {value for _, value in journal.acked} - journal.failed.keys():
        yield f"{value} was neither acknowledged nor refused"


def wrong_contents(journal, stored):
    seen = collections.defaultdict(set)
    for place, value in [*journal.acked, *journal.processed, *stored.items()]:
        seen[place].add(value)
    for place, values in seen.items():
        if len(values) > 1:
            yield f"{place} held {len(values)} different records: {', '.join(sorted(values))}"
    for (partition, _), value in [*journal.processed, *stored.items()]:
        if journal.sent.get(value) != partition:
            yield f"{value} is in partition {partition} and was never sent there"


def wrong_repetitions(journal, stored, idempotent):
    times = collections.Counter(stored.values())
    for value in journal.sent:
        exact = value.startswith(idempotent)
        if times[value] == 0 or exact and times[value] > 1:
            yield f"{value} is there {times[value]} times"
    last = {}
    for (partition, offset), value in sorted(stored.items()):
        if value.startswith(idempotent):
            number = int(value.rsplit(" ", 1)[1])
            if number <= last.get(partition, -1):
                yield f"{value} at {(partition, offset)} comes after number {last[partition]}"
            last[partition] = number


def wrong_processing(journal, stored, committed):
    yield from journal.lost_commits(committed)
    for partition, offset, frontier in journal.early_commits():
        yield f"{offset} was committed for partition {partition} when {frontier} was not processed yet"
    places = {place for place, _ in journal.processed}
    for place in stored.keys() - places:
        yield f"the group did not process {place}"
    for partition, offset in committed.items():
        if any((partition, below) not in places for below in range(offset)):
            yield f"{offset} is committed for partition {partition}, and not all below it was processed"
