//! Compacting logs, one at a time.

use alloc::{boxed::Box, collections::BTreeSet};

use super::{Shard, Step, Timer};
use crate::{
    disk::{Disk, DiskResult, IoId, Owner},
    job::JobResult,
    log::cleaner::{Compaction, keys::KeyMap},
    partition::{CompactionEnd, Context, Partition},
};

/// The log that is being compacted, if any.
#[derive(Debug)]
pub(super) struct Cleaning {
    /// What keys are hashed with.
    hash_key: u128,
    current: Option<(u32, Box<Compaction>)>,
    /// Operations of compactions that were given up.
    outstanding: BTreeSet<u64>,
    /// Damaged logs: they stay as they are until the broker is started again.
    uncleanable: BTreeSet<u32>,
}

impl Cleaning {
    pub(super) const fn new(hash_key: u128) -> Self {
        Self { hash_key, current: None, outstanding: BTreeSet::new(), uncleanable: BTreeSet::new() }
    }
}

impl Shard {
    /// Something may have to be compacted.
    pub(super) fn look_for_dirt(&mut self, step: &mut Step<'_>) {
        let backoff = core::time::Duration::from_millis(self.settings.cleaner_backoff_ms);
        self.set_timer(Timer::Cleaner, step.now.instant + backoff);
        let is_idle = self.cleaning.current.is_none() && self.cleaning.outstanding.is_empty();
        if self.settings.cleaner_enabled && is_idle && !self.is_stopping() {
            self.clean_dirtiest(step);
        }
    }

    fn clean_dirtiest(&mut self, step: &mut Step<'_>) {
        let dirt = (0..).zip(&self.partitions).filter_map(|(slot, partition)| {
            let dirt = partition.as_ref()?.dirt(step.now)?;
            (!self.cleaning.uncleanable.contains(&slot)).then_some((dirt.permille(), slot))
        });
        let Some((_, slot)) = dirt.max() else { return };
        let keys = KeyMap::new(self.cleaning.hash_key, self.settings.cleaner_memory_bytes);
        let begun = self.with_partition_to_clean(slot, step, |partition, context| {
            partition.begin_compaction(keys, context)
        });
        self.cleaning.current = begun.flatten().map(|compaction| (slot, compaction.into()));
    }

    /// Lets a partition go on with its compaction, whose operations are the cleaner's.
    fn with_partition_to_clean<R>(
        &mut self,
        slot: u32,
        step: &mut Step<'_>,
        act: impl FnOnce(&mut Partition, &mut Context<'_>) -> R,
    ) -> Option<R> {
        self.with_partition(slot, step, |partition, context| {
            let Context { now, disk, events } = context;
            let mut context = Context { now: *now, disk: disk.of(Owner::Cleaner), events };
            act(partition, &mut context)
        })
    }

    pub(super) fn cleaning_operation_ended(
        &mut self,
        io: IoId,
        result: DiskResult,
        step: &mut Step<'_>,
    ) {
        self.go_on_cleaning(io, step, |partition, compaction, context| {
            partition.compaction_operation_ended(compaction, io.number, result, context)
        });
    }

    pub(super) fn cleaning_computed(&mut self, io: IoId, result: JobResult, step: &mut Step<'_>) {
        self.go_on_cleaning(io, step, |partition, compaction, context| {
            partition.compaction_computed(compaction, io.number, result, context)
        });
    }

    fn go_on_cleaning(
        &mut self,
        io: IoId,
        step: &mut Step<'_>,
        act: impl FnOnce(&mut Partition, &mut Compaction, &mut Context<'_>) -> Option<CompactionEnd>,
    ) {
        if self.cleaning.outstanding.remove(&io.number) {
            return;
        }
        let Some((slot, mut compaction)) = self.cleaning.current.take() else { return };
        let end = self.with_partition_to_clean(slot, step, |partition, context| {
            act(partition, &mut compaction, context)
        });
        match end {
            Some(None) => self.cleaning.current = Some((slot, compaction)),
            Some(Some(CompactionEnd::Clean)) => self.clean_dirtiest(step),
            Some(Some(CompactionEnd::Retry)) => self.give_up_cleaning(slot, *compaction, step),
            Some(Some(CompactionEnd::Damaged)) => {
                self.cleaning.uncleanable.insert(slot);
                self.give_up_cleaning(slot, *compaction, step);
            }
            None => self.cleaning.outstanding.extend(compaction.abandon(None)),
        }
    }

    fn give_up_cleaning(&mut self, slot: u32, compaction: Compaction, step: &mut Step<'_>) {
        let is_open = self.partition(slot).is_some_and(|partition| partition.log().is_some());
        let mut disk = Disk::new(Owner::Cleaner, &mut self.next_io, step.effects);
        let outstanding = compaction.abandon(is_open.then_some(&mut disk));
        self.cleaning.outstanding.extend(outstanding);
    }

    /// A partition is deleted, or opened anew: whatever is done to its log comes to nothing.
    pub(super) fn forget_cleaning(&mut self, slot: u32) {
        self.cleaning.uncleanable.remove(&slot);
        if let Some((_, compaction)) =
            self.cleaning.current.take_if(|(cleaned, _)| *cleaned == slot)
        {
            self.cleaning.outstanding.extend(compaction.abandon(None));
        }
    }
}
