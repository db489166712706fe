//! Group commit: one sync makes durable what many have written.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::{Shard, Step, Timer};
use crate::{
    disk::{DiskOp, DiskResult, IoId},
    log::SyncSet,
};

/// How many rounds may be under way at once, each over partitions of its own: while the disk works for one, another gathers.
const ROUNDS_MAX: usize = 4;

/// The rounds of syncs.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    /// Partitions that have something to be made durable.
    dirty: BTreeSet<u32>,
    /// Rounds that are under way, by operation.
    rounds: BTreeMap<u64, Vec<u32>>,
}

impl Syncs {
    /// The rounds that are under way.
    pub(super) fn under_way(&self) -> BTreeSet<u64> {
        self.rounds.keys().copied().collect()
    }
}

impl Shard {
    /// A partition may have something to be made durable.
    pub(super) fn note_dirty(&mut self, slot: u32, step: &Step<'_>) {
        let Some(partition) = self.partition(slot) else { return };
        if partition.wants_sync(step.now) {
            self.syncs.dirty.insert(slot);
        } else if let Some(deadline) = partition.log().and_then(crate::log::Log::flush_deadline)
            && !partition.config().is_durable()
            && deadline > step.now.instant
        {
            self.set_timer_no_later(Timer::Flush(slot), deadline);
        }
    }

    /// Begins a round over all that is dirty and not in a round.
    pub(super) fn begin_syncs(&mut self, step: &mut Step<'_>) {
        if self.syncs.dirty.is_empty() || self.syncs.rounds.len() >= ROUNDS_MAX {
            return;
        }
        let mut set = SyncSet::default();
        let mut slots = Vec::new();
        for slot in core::mem::take(&mut self.syncs.dirty) {
            let Some(Some(partition)) = self.partitions.get_mut(slot as usize) else { continue };
            if partition.wants_sync(step.now) {
                partition.begin_sync(&mut set);
                slots.push(slot);
            }
        }
        if slots.is_empty() {
            return;
        }
        set.directories.sort_unstable();
        set.directories.dedup();
        let SyncSet { files, directories } = set;
        let io = self.disk(step).submit(DiskOp::Sync { files, directories });
        self.syncs.rounds.insert(io.number, slots);
    }

    /// Takes the end of a round, if it is one.
    pub(super) fn sync_ended(
        &mut self,
        io: IoId,
        result: &DiskResult,
        step: &mut Step<'_>,
    ) -> bool {
        let Some(slots) = self.syncs.rounds.remove(&io.number) else { return false };
        for slot in slots {
            self.with_partition(slot, step, |partition, context| {
                partition.sync_ended(result.failure(), context);
            });
            self.note_dirty(slot, step);
        }
        self.confirm(Some(io.number), step);
        true
    }
}
