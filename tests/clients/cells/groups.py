"""Groups whose members come and go."""

import time

from harness.cell import Record, equal, numbered, test

PARTITIONS = 6


class Members:
    """The members of a group: what each owns, and every sighting of a record."""

    def __init__(self, cell, topic, assignor):
        self.cell, self.topic, self.assignor = cell, topic, assignor
        self.owned = {}
        self.seen = []

    def join(self, member):
        self.owned[member] = []
        self.cell.call("join", member=member, group=self.cell.group, topic=self.topic, assignor=self.assignor)

    def leave(self, member):
        self.look()
        self.cell.call("leave", member=member)
        del self.owned[member]

    def look(self):
        for member in self.owned:
            state = self.cell.call("state", member=member)
            self.owned[member] = sorted(state["partitions"])
            self.seen += [(member, Record.from_json(record)) for record in state["records"]]

    def stable(self):
        """Whether the broker is content, each partition has exactly one owner and each member owns something."""
        self.look()
        owned = [partition for partitions in self.owned.values() for partition in partitions]
        state, _, count = self.cell.wire.describe_group(self.cell.group)
        settled = (state, count) == ("Stable", len(self.owned))
        return settled and sorted(owned) == list(range(PARTITIONS)) and all(self.owned.values())

    def wait_until_stable(self):
        self.cell.within(self.stays_stable, f"{len(self.owned)} members own all partitions")

    def stays_stable(self):
        """Looks again after a moment, because an assignment that is about to be revoked looks the same."""
        if not self.stable():
            return False
        time.sleep(0.2)
        return self.stable()

    def saw(self, records):
        self.look()
        return {record.value for record in records} <= {record.value for _, record in self.seen}

    def feed(self, note):
        """Produces records and checks that each reaches the owner of its partition, and only it, once."""
        owners = {partition: member for member, owned in self.owned.items() for partition in owned}
        records = numbered(5 * PARTITIONS, PARTITIONS, note=note)
        self.cell.produce(self.topic, records)
        self.cell.within(lambda: self.saw(records), f"the members see all records “{note}”")
        expected = {record.value: [owners[record.partition]] for record in records}
        equal("who saw which records", self.sightings(note), expected)

    def sightings(self, note):
        """The members that saw each record."""
        seen_by = {}
        for member, record in self.seen:
            if record.value.startswith(note.encode()):
                seen_by.setdefault(record.value, []).append(member)
        return seen_by


def membership(cell, assignor):
    topic = cell.topic(PARTITIONS)
    records = numbered(5 * PARTITIONS, PARTITIONS, note="before")
    cell.produce(topic, records)
    members = Members(cell, topic, assignor)
    members.join("one")
    members.wait_until_stable()
    cell.within(lambda: members.saw(records), "the first member sees all records")
    members.join("two")
    members.join("three")
    members.wait_until_stable()
    equal("assignor", cell.wire.describe_group(cell.group)[1], assignor)
    members.feed("for three")
    members.leave("two")
    members.leave("three")
    members.wait_until_stable()
    equal("owner of all", members.owned["one"], list(range(PARTITIONS)))
    members.feed("for one")
    members.leave("one")
    equal("committed offsets", cell.wire.committed(cell.group, topic), cell.wire.ends(topic))


@test("group")
def group(cell):
    membership(cell, cell.client.eager_assignor)


@test("cooperative")
def cooperative(cell):
    membership(cell, "cooperative-sticky")
