//! Which leader epoch began at which offset (KIP-101, KIP-279).

use alloc::vec::Vec;

use crate::types::{LeaderEpoch, Offset};

/// The offsets at which leader epochs began, both ascending.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Epochs {
    entries: Vec<EpochStart>,
}

/// The beginning of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EpochStart {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// The first offset that its leader gave.
    pub start_offset: Offset,
}

impl Epochs {
    /// With these entries, which ascend.
    pub fn new(entries: Vec<EpochStart>) -> Self {
        let epochs = Self { entries };
        epochs.check();
        epochs
    }

    /// All of them.
    pub fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    /// The latest epoch.
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.epoch)
    }

    /// Takes note that `epoch` begins at `start_offset`. What a later epoch claimed from there on never came to be.
    pub fn assign(&mut self, epoch: LeaderEpoch, start_offset: Offset) {
        if self.latest().is_some_and(|latest| latest >= epoch) {
            return;
        }
        self.entries.retain(|entry| entry.start_offset < start_offset);
        self.entries.push(EpochStart { epoch, start_offset });
        self.check();
    }

    /// A leader's epoch begins at `start_offset`. What claims to be of a later one is damaged: a batch's epoch is not under its
    /// checksum, and no later one was ever given.
    pub fn begin(&mut self, epoch: LeaderEpoch, start_offset: Offset) {
        self.entries.retain(|entry| entry.epoch <= epoch);
        self.assign(epoch, start_offset);
    }

    /// The greatest epoch that is not greater than `epoch`, and where it ends; `end_offset` is the end of the log.
    pub fn end_offset_for(
        &self,
        epoch: LeaderEpoch,
        end_offset: Offset,
    ) -> Option<(LeaderEpoch, Offset)> {
        let latest = self.latest()?;
        if epoch > latest {
            return None;
        }
        if epoch == latest {
            return Some((epoch, end_offset));
        }
        let after = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let next = self.entries[after];
        // Before the first known epoch: it ended where the first one began.
        let known = if after == 0 { epoch } else { self.entries[after - 1].epoch };
        Some((known, next.start_offset))
    }

    /// The epoch of the record at `offset`.
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.start_offset <= offset);
        after.checked_sub(1).map(|index| self.entries[index].epoch)
    }

    /// Forgets what lies wholly below the start of the log; the epoch that it lies in begins there now.
    pub fn truncate_from_start(&mut self, start_offset: Offset) {
        let after = self.entries.partition_point(|entry| entry.start_offset <= start_offset);
        if after > 0 {
            self.entries.drain(..after - 1);
            self.entries[0].start_offset = start_offset;
        }
    }

    /// Forgets what begins at the end of the log or later.
    pub fn truncate_from_end(&mut self, end_offset: Offset) {
        self.entries.retain(|entry| entry.start_offset < end_offset);
    }

    fn check(&self) {
        let ascending = self.entries.windows(2).all(|pair| {
            pair[0].epoch < pair[1].epoch && pair[0].start_offset < pair[1].start_offset
        });
        assert!(ascending, "epochs and their offsets ascend: {:?}", self.entries);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> Epochs {
        let entries = entries.iter().map(|&(epoch, start)| EpochStart {
            epoch: LeaderEpoch(epoch),
            start_offset: Offset(start),
        });
        Epochs::new(entries.collect())
    }

    fn end_of(epochs: &Epochs, epoch: i32) -> Option<(i32, i64)> {
        let found = epochs.end_offset_for(LeaderEpoch(epoch), Offset(100));
        found.map(|(epoch, offset)| (epoch.0, offset.0))
    }

    #[test]
    fn the_end_of_an_epoch_is_the_start_of_the_next() {
        let epochs = epochs(&[(2, 10), (4, 20), (7, 50)]);
        assert_eq!(end_of(&epochs, 1), Some((1, 10)));
        assert_eq!(end_of(&epochs, 2), Some((2, 20)));
        assert_eq!(end_of(&epochs, 3), Some((2, 20)));
        assert_eq!(end_of(&epochs, 4), Some((4, 50)));
        assert_eq!(end_of(&epochs, 7), Some((7, 100)));
        assert_eq!(end_of(&epochs, 8), None);
        assert_eq!(end_of(&Epochs::default(), 0), None);
    }

    #[test]
    fn an_epoch_without_records_gives_way() {
        let mut epochs = epochs(&[(1, 0), (2, 30)]);
        epochs.assign(LeaderEpoch(3), Offset(30));
        assert_eq!(epochs.entries().len(), 2);
        assert_eq!(epochs.epoch_of(Offset(30)), Some(LeaderEpoch(3)));
        assert_eq!(epochs.epoch_of(Offset(29)), Some(LeaderEpoch(1)));
        epochs.assign(LeaderEpoch(2), Offset(90));
        assert_eq!(epochs.latest(), Some(LeaderEpoch(3)));
    }

    #[test]
    fn no_epoch_is_later_than_the_leaders() {
        let mut epochs = epochs(&[(1, 0), (9, 20), (12, 30)]);
        epochs.begin(LeaderEpoch(3), Offset(40));
        assert_eq!(end_of(&epochs, 1), Some((1, 40)));
        assert_eq!(epochs.latest(), Some(LeaderEpoch(3)));
        epochs.begin(LeaderEpoch(3), Offset(50));
        assert_eq!(end_of(&epochs, 1), Some((1, 40)), "it has begun already");
    }

    #[test]
    fn truncation_at_both_ends() {
        let mut from_start = epochs(&[(1, 0), (2, 30), (3, 60)]);
        from_start.truncate_from_start(Offset(40));
        assert_eq!(
            from_start.entries(),
            vec![
                EpochStart { epoch: LeaderEpoch(2), start_offset: Offset(40) },
                EpochStart { epoch: LeaderEpoch(3), start_offset: Offset(60) },
            ]
        );
        let mut from_end = epochs(&[(1, 0), (2, 30), (3, 60)]);
        from_end.truncate_from_end(Offset(60));
        assert_eq!(from_end.latest(), Some(LeaderEpoch(2)));
    }
}
