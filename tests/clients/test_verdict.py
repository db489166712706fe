"""Shows that the verdict of the crash loop finds each fault: `python3 -m unittest` in this folder."""

import unittest

from harness.verdict import Journal, faults


class Verdict(unittest.TestCase):
    """Two records of each producer in one partition, all as it should be until a test spoils something."""

    def setUp(self):
        values = ["exact 0", "plain 0", "exact 1", "plain 1"]
        self.stored = {(0, offset): value for offset, value in enumerate(values)}
        self.events = [{"sent": value, "partition": 0} for value in values]
        self.events += [{"acked": value, "place": [0, offset]} for offset, value in enumerate(values)]
        self.events += [{"processed": value, "place": [0, offset]} for offset, value in enumerate(values)]
        self.events += [{"committing": [[0, 4]]}, {"committed": [[0, 4]]}]
        self.ends, self.committed = {0: 4}, {0: 4}

    def found(self):
        journal = Journal()
        for event in self.events:
            journal.add(event)
        return list(faults(journal, self.stored, "exact", self.ends, self.committed))

    def assert_found(self, text):
        found = self.found()
        self.assertTrue(any(text in fault for fault in found), found)

    def spoil(self, key, value, **fields):
        next(event for event in self.events if event.get(key) == value).update(fields)

    def forget(self, key, value):
        self.events = [event for event in self.events if event.get(key) != value]

    def add_stored(self, value):
        self.stored[0, 4] = value
        self.ends = {0: 5}
        self.events.append({"processed": value, "place": [0, 4]})

    def test_nothing(self):
        self.assertEqual(self.found(), [])

    def test_lost_record(self):
        del self.stored[0, 3]
        self.ends = {0: 3}
        self.assert_found("plain 1 was acknowledged at (0, 3), where there is None")
        self.assert_found("plain 1 is there 0 times")

    def test_hole(self):
        del self.stored[0, 1]
        self.assert_found("partition 0 ends at 4 and has 3 records")

    def test_acknowledged_elsewhere(self):
        self.spoil("acked", "exact 0", place=[0, 1])
        self.assert_found("exact 0 was acknowledged at (0, 1), where there is plain 0")

    def test_not_delivered(self):
        self.forget("acked", "plain 1")
        self.assert_found("plain 1 was neither acknowledged nor refused")
        self.events.append({"failed": "plain 1", "error": "timed out"})
        self.assert_found("plain 1 was not delivered: timed out")

    def test_offset_used_twice(self):
        self.spoil("processed", "plain 1", processed="exact 1")
        self.assert_found("(0, 3) held 2 different records: exact 1, plain 1")

    def test_never_sent(self):
        self.add_stored("plain 2")
        self.assert_found("plain 2 is in partition 0 and was never sent there")

    def test_wrong_partition(self):
        self.spoil("sent", "plain 1", partition=1)
        self.assert_found("plain 1 is in partition 0 and was never sent there")

    def test_exact_record_twice(self):
        self.add_stored("exact 1")
        self.assert_found("exact 1 is there 2 times")

    def test_plain_record_twice(self):
        self.add_stored("plain 1")
        self.assertEqual(self.found(), [])

    def test_wrong_order(self):
        self.stored = {(0, 0): "exact 1", (0, 1): "plain 0", (0, 2): "exact 0", (0, 3): "plain 1"}
        self.assert_found("exact 0 at (0, 2) comes after number 1")

    def test_early_commit(self):
        self.events.insert(8, {"committing": [[0, 1]]})
        self.assert_found("1 was committed for partition 0 when 0 was not processed yet")

    def test_lost_commit(self):
        self.committed = {0: 3}
        self.assert_found("4 was committed for partition 0, where 3 is left")

    def test_not_processed(self):
        self.forget("processed", "plain 1")
        self.assert_found("the group did not process (0, 3)")
        self.assert_found("4 is committed for partition 0, and not all below it was processed")
        self.assert_found("4 was committed for partition 0 when 3 was not processed yet")


if __name__ == "__main__":
    unittest.main()
