//! Group commit: one sync makes durable what many have written.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::{Shard, Step, Timer};
use crate::{
    disk::{DiskOp, DiskResult, IoId},
    journal::path::Path,
    log::SyncSet,
};

/// How many rounds may be under way at once, each over partitions of its own: while the disk works for one, another gathers.
const ROUNDS_MAX: usize = 4;

/// The rounds of syncs.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    /// Partitions that have something to be made durable.
    pub(super) dirty: BTreeSet<u32>,
    /// Those that go with the next round of the journal.
    pub(super) gathered: BTreeSet<u32>,
    /// Rounds that are under way, by operation.
    pub(super) rounds: BTreeMap<u64, Round>,
}

/// A round that is under way, and whom it is for.
#[derive(Debug)]
pub(super) enum Round {
    /// Their files are being synced.
    Files(Vec<u32>),
    /// What they have written is being written to the journal.
    JournalWrite(Vec<u32>),
    /// The journal is being synced.
    Journal(Vec<u32>),
    /// Everything is being synced.
    Everything,
}

impl Syncs {
    /// The rounds that are under way.
    pub(super) fn under_way(&self) -> BTreeSet<u64> {
        self.rounds.keys().copied().collect()
    }

    /// Whether another round may begin.
    fn may_begin(&self) -> bool {
        let others = self.rounds.values().filter(|round| !matches!(round, Round::Everything));
        others.count() < ROUNDS_MAX
    }
}

impl Shard {
    /// A partition may have something to be made durable.
    pub(super) fn note_dirty(&mut self, slot: u32, step: &Step<'_>) {
        let Some(partition) = self.partition(slot) else { return };
        if partition.wants_sync(step.now) {
            if !self.syncs.gathered.contains(&slot) {
                self.syncs.dirty.insert(slot);
            }
        } else if let Some(deadline) = partition.log().and_then(crate::log::Log::flush_deadline)
            && !partition.config().is_durable()
            && deadline > step.now.instant
        {
            self.set_timer_no_later(Timer::Flush(slot), deadline);
        }
    }

    /// Begins a round over all that is dirty and not in a round.
    pub(super) fn begin_syncs(&mut self, step: &mut Step<'_>) {
        if self.syncs.dirty.is_empty() || !self.syncs.may_begin() || self.is_replaying() {
            return;
        }
        let mut by_files = Vec::new();
        let mut by_journal = Vec::new();
        let mut bytes = 0;
        let may_be_journal = self.journal.may_be_of_use(self.syncs.dirty.len(), &self.settings);
        for slot in core::mem::take(&mut self.syncs.dirty) {
            let Some(partition) = self.partition(slot) else { continue };
            if !partition.wants_sync(step.now) {
                continue;
            }
            let load = may_be_journal.then(|| partition.journal_load()).flatten();
            match load.filter(|load| self.journal.takes(*load, &self.settings)) {
                Some(load) => {
                    by_journal.push((slot, load));
                    bytes += load;
                }
                None => by_files.push(slot),
            }
        }
        let slots = by_journal.iter().map(|(slot, _)| *slot);
        match self.journal_path(by_journal.len(), bytes, step) {
            Path::Files => by_files.extend(slots),
            Path::JournalNext => self.syncs.gathered.extend(slots),
            Path::Journal => self.begin_journal_round(&by_journal, bytes, step),
        }
        by_files.sort_unstable();
        self.begin_file_round(by_files, step);
    }

    /// Begins a round over the files of these partitions.
    fn begin_file_round(&mut self, slots: Vec<u32>, step: &mut Step<'_>) {
        if slots.is_empty() {
            return;
        }
        if !self.syncs.may_begin() {
            self.syncs.dirty.extend(slots);
            return;
        }
        let mut set = SyncSet::default();
        for slot in &slots {
            let Some(Some(partition)) = self.partitions.get_mut(*slot as usize) else { continue };
            partition.begin_sync(&mut set);
        }
        set.directories.sort_unstable();
        set.directories.dedup();
        let SyncSet { files, directories } = set;
        let io = self.disk(step).submit(DiskOp::Sync { files, directories });
        self.syncs.rounds.insert(io.number, Round::Files(slots));
    }

    /// Takes the end of a round, if it is one.
    pub(super) fn sync_ended(
        &mut self,
        io: IoId,
        result: &DiskResult,
        step: &mut Step<'_>,
    ) -> bool {
        let Some(round) = self.syncs.rounds.remove(&io.number) else { return false };
        match round {
            Round::Files(slots) => self.round_ended(slots, result, step),
            Round::JournalWrite(slots) => self.journal_written(slots, result, step),
            Round::Journal(slots) => self.journal_synced(slots, result, step),
            Round::Everything => self.everything_synced(result, step),
        }
        self.confirm(Some(io.number), step);
        self.confirm_everything(Some(io.number), step);
        true
    }

    /// A round has ended, well or not, for these partitions.
    pub(super) fn round_ended(
        &mut self,
        slots: Vec<u32>,
        result: &DiskResult,
        step: &mut Step<'_>,
    ) {
        for slot in slots {
            self.with_partition(slot, step, |partition, context| {
                partition.sync_ended(result.failure(), context);
            });
            self.mind_needs(slot, step);
            self.note_dirty(slot, step);
        }
    }
}
