//! Compacting a partition's log.

use super::{Context, Event, Partition};
use crate::{
    disk::DiskResult,
    job::JobResult,
    log::cleaner::{Compaction, CompactionStep, Dirt, keys::KeyMap},
    machine::Now,
    notice::Notice,
};

/// What came of a compaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompactionEnd {
    /// The log is clean, or was when the compaction began.
    Clean,
    /// It did not come to its end, but may another time.
    Retry,
    /// It cannot be done: a segment is damaged.
    Damaged,
}

impl Partition {
    /// What could be compacted, if it is worth the while: as much as `min.cleanable.dirty.ratio` says, or a record in it has waited
    /// for `max.compaction.lag.ms`.
    pub fn dirt(&self, now: Now) -> Option<Dirt> {
        let dirt = self.open_log()?.dirt(now.timestamp)?;
        let is_worth = dirt.permille() > u64::from(self.config.min_cleanable_dirty_permille);
        (is_worth || dirt.is_overdue).then_some(dirt)
    }

    /// Begins to compact.
    pub fn begin_compaction(&self, keys: KeyMap, context: &mut Context<'_>) -> Option<Compaction> {
        Compaction::begin(self.open_log()?, keys, context.now, &mut context.disk)
    }

    /// Takes the end of an operation of a compaction.
    pub fn compaction_operation_ended(
        &mut self,
        compaction: &mut Compaction,
        number: u64,
        result: DiskResult,
        context: &mut Context<'_>,
    ) -> Option<CompactionEnd> {
        let Some(log) = self.open_log_mut() else { return Some(CompactionEnd::Retry) };
        let step = compaction.operation_ended(number, result, log, &mut context.disk);
        self.take_compaction_step(step, context)
    }

    /// Takes the end of a computation of a compaction.
    pub fn compaction_computed(
        &mut self,
        compaction: &mut Compaction,
        number: u64,
        result: JobResult,
        context: &mut Context<'_>,
    ) -> Option<CompactionEnd> {
        let now = context.now;
        let Some(log) = self.open_log_mut() else { return Some(CompactionEnd::Retry) };
        let step = compaction.computed(number, result, log, now, &mut context.disk);
        self.take_compaction_step(step, context)
    }

    fn take_compaction_step(
        &mut self,
        step: CompactionStep,
        context: &mut Context<'_>,
    ) -> Option<CompactionEnd> {
        let partition = self.name();
        self.go_on_cutting(context);
        match step {
            CompactionStep::Waiting => return None,
            CompactionStep::Replaced => {
                self.layout_changed();
                context.events.push(Event::Moved);
                return None;
            }
            CompactionStep::Done(compacted) => {
                context.disk.notice(Notice::Compacted { partition, compacted });
                return Some(CompactionEnd::Clean);
            }
            CompactionStep::Abandoned => {}
            CompactionStep::Damaged { segment, error } => {
                context.disk.notice(Notice::CompactionDamaged { partition, segment, error });
                return Some(CompactionEnd::Damaged);
            }
            CompactionStep::Failed(error) => {
                context.disk.notice(Notice::CompactionFailed { partition, error });
            }
            CompactionStep::FailedReplacing(error) => self.fail(error, context),
        }
        Some(CompactionEnd::Retry)
    }
}
