//! Moving the recovery points of all logs, and stopping in order, which is the same with nothing left behind.

use alloc::{
    collections::{BTreeSet, VecDeque},
    vec::Vec,
};

use bytes::Bytes;

use super::{Shard, Step, Timer, start::CLEAN_SHUTDOWN};
use crate::{
    disk::{DiskOp, DiskResult, FileRef, IoError, IoId, WriteData},
    log::{
        Log,
        checkpoint::Written,
        checkpoint_file::{self, Offsets},
        open::Known,
    },
    machine::Effect,
    mutants::{Mutant, planted},
    partition::Partition,
    session::RequestId,
    types::Offset,
};

/// The checkpoint that is under way.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    stage: Stage,
    /// How much recovery would read that was appended, or read by recovery itself, since the last checkpoint began.
    uncovered_bytes: u64,
    /// The broker is to be stopped.
    stop_requested: bool,
    /// This is the last checkpoint.
    stopping: bool,
    /// The logs that get a new recovery point, and where.
    written: Vec<(u32, Written)>,
    /// Operations of checkpoints that were given up: how they end means nothing to the partitions.
    given_up: BTreeSet<u64>,
    /// A file of the data folder that is being replaced, step by step.
    replacing: VecDeque<DiskOp>,
    /// Partitions that wait for their recovery point to be written down, and those for which it is being written.
    points_asked: BTreeSet<u32>,
    points_writing: BTreeSet<u32>,
    /// Deletions of records that wait for their start offsets to be written down.
    deletions: Deletions,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    /// Indexes and snapshots are being written.
    Writing(Writing),
    /// All of it is being made durable.
    Syncing(u64),
    /// It is, unless one of these rounds of syncs, which were under way meanwhile, has failed and lost it before.
    Confirming(BTreeSet<u64>),
    /// The checkpoint itself is being written.
    Replacing(u64),
    Stopped,
}

/// Logs write what recovery would begin with, a few at a time: clients are not to wait for ten thousand of them.
#[derive(Debug, Default)]
struct Writing {
    /// Those whose turn is to come.
    to_come: VecDeque<u32>,
    /// Those whose indexes are being written. When stopping, batches as well.
    unsettled: BTreeSet<u32>,
    /// What is under way for snapshots.
    operations: BTreeSet<u64>,
}

/// What a checkpoint costs grows with the partitions: beyond so many there is one the less often, in bytes.
const PARTITIONS_UNTIL_RARER: u64 = 4_096;

/// How many logs and operations may be under way before another log has its turn.
const WRITING_MAX: usize = 32;

impl Writing {
    fn under_way(&self) -> usize {
        self.unsettled.len() + self.operations.len()
    }
}

/// Start offsets that were moved by clients.
#[derive(Debug, Default)]
struct Deletions {
    /// The step of the file's replacement that is under way, and those to come.
    current: Option<u64>,
    steps: VecDeque<DiskOp>,
    writing: Vec<Deletion>,
    queued: Vec<Deletion>,
    /// The file holds the start of a log that is not there any more, or that has lost its end.
    is_stale: bool,
}

/// A deletion of records.
#[derive(Debug, Clone, Copy)]
struct Deletion {
    slot: u32,
    offset: Offset,
    request: RequestId,
    index: usize,
}

impl Shard {
    /// Begins to move the recovery points.
    pub(super) fn begin_checkpoint(&mut self, step: &mut Step<'_>) {
        let interval = core::time::Duration::from_millis(self.settings.checkpoint_interval_ms);
        self.set_timer(Timer::Checkpoint, step.now.instant + interval);
        if !matches!(self.checkpoints.stage, Stage::Idle) {
            return;
        }
        self.checkpoints.uncovered_bytes = 0;
        self.checkpoints.stopping = self.checkpoints.stop_requested;
        self.checkpoints.written.clear();
        let is_behind = |slot: &u32| {
            let log = self.partition(*slot).and_then(Partition::open_log);
            log.is_some_and(Log::wants_checkpoint)
        };
        let to_come = self.all_slots().into_iter().filter(is_behind).collect();
        self.checkpoints.stage = Stage::Writing(Writing { to_come, ..Writing::default() });
        self.end_writing(step);
    }

    /// So much more would have to be read by recovery. It is not to take the longer the faster clients write.
    pub(super) fn note_appended(&mut self, bytes: u64, step: &Step<'_>) {
        self.checkpoints.uncovered_bytes += bytes;
        self.hasten_checkpoint(step);
    }

    /// Begins the next checkpoint at once if recovery would read much.
    pub(super) fn hasten_checkpoint(&mut self, step: &Step<'_>) {
        let partitions = self.partitions.len() as u64;
        let bytes = self.settings.checkpoint_bytes;
        let bytes = bytes.max((bytes / PARTITIONS_UNTIL_RARER).saturating_mul(partitions));
        let is_due = self.checkpoints.uncovered_bytes >= bytes;
        if is_due && self.is_running() && matches!(self.checkpoints.stage, Stage::Idle) {
            self.set_timer_no_later(Timer::Checkpoint, step.now.instant);
        }
    }

    /// Begins to stop.
    pub(super) fn begin_shutdown(&mut self, step: &mut Step<'_>) {
        self.checkpoints.stop_requested = true;
        self.begin_checkpoint(step);
    }

    /// Whether the broker is to be stopped.
    pub(super) const fn is_stopping(&self) -> bool {
        self.checkpoints.stop_requested
    }

    /// The checkpoint is over, well or not.
    fn checkpoint_is_over(&mut self, step: &mut Step<'_>) {
        if self.checkpoints.stopping {
            self.checkpoints.stage = Stage::Stopped;
            step.effects.push(Effect::Stopped);
            return;
        }
        self.checkpoints.stage = Stage::Idle;
        if self.checkpoints.stop_requested {
            self.begin_checkpoint(step);
        } else {
            self.begin_points(step);
            self.hasten_checkpoint(step);
        }
    }

    /// A partition's log is to be cut off once its recovery point, which is lower then, is on disk. No checkpoint may be under way
    /// that knows the log as it was, and no journal may have records of it: a crash would bring them back.
    pub(super) fn write_point(&mut self, slot: u32, step: &mut Step<'_>) {
        self.forget_cleaning(slot);
        self.checkpoints.points_asked.insert(slot);
        self.begin_points(step);
    }

    /// Begins to write down the recovery points of those whose logs can be cut off now. Before all are open, those of others
    /// would be lost.
    pub(super) fn begin_points(&mut self, step: &mut Step<'_>) {
        if !matches!(self.checkpoints.stage, Stage::Idle) || !self.is_running() {
            return;
        }
        let mut writing = core::mem::take(&mut self.checkpoints.points_asked);
        let waiting = writing.extract_if(.., |slot| !self.may_cut(*slot, step)).collect();
        self.checkpoints.points_asked = waiting;
        if !writing.is_empty() {
            self.checkpoints.points_writing = writing;
            self.begin_replacing(step);
        }
    }

    pub(super) fn all_slots(&self) -> Vec<u32> {
        let count = u32::try_from(self.partitions.len()).expect("slots are counted in 32 bits");
        (0..count).filter(|&slot| self.partition(slot).is_some()).collect()
    }

    /// Whether what the partition writes has ended, as far as the checkpoint needs it.
    fn is_settled(&self, slot: u32) -> bool {
        let Some(log) = self.partition(slot).and_then(Partition::open_log) else { return true };
        let all_written = log.written().offset == log.end_offset();
        log.is_quiet() && (all_written || !self.checkpoints.stopping)
    }

    /// The shard rests: some logs more have their turn.
    pub(super) fn go_on_writing(&mut self, step: &mut Step<'_>) {
        while let Stage::Writing(writing) = &mut self.checkpoints.stage
            && writing.under_way() < WRITING_MAX
            && let Some(slot) = writing.to_come.pop_front()
        {
            writing.unsettled.insert(slot);
            self.with_partition(slot, step, |partition, context| {
                if let Some(log) = partition.open_log_mut() {
                    log.write_indexes(&mut context.disk);
                }
            });
            self.write_snapshot_if_settled(slot, step);
        }
        self.end_writing(step);
    }

    fn end_writing(&mut self, step: &mut Step<'_>) {
        let Stage::Writing(writing) = &self.checkpoints.stage else { return };
        if writing.to_come.is_empty() && writing.under_way() == 0 {
            self.sync_snapshots(step);
        }
    }

    /// Goes on when the partition in `slot` may have settled.
    pub(super) fn settle(&mut self, slot: u32, step: &mut Step<'_>) {
        if matches!(&self.checkpoints.stage, Stage::Writing(it) if it.unsettled.contains(&slot)) {
            self.write_snapshot_if_settled(slot, step);
            self.end_writing(step);
        }
    }

    fn write_snapshot_if_settled(&mut self, slot: u32, step: &mut Step<'_>) {
        if !self.is_settled(slot) {
            return;
        }
        let stopping = self.checkpoints.stopping;
        let snapshot = self.with_partition(slot, step, |partition, context| {
            let log = partition.open_log_mut()?;
            let (snapshot, mut operations) = log.write_snapshot(&mut context.disk)?;
            if stopping {
                operations.extend(log.write_epochs(&mut context.disk));
            }
            Some((snapshot, operations))
        });
        let Stage::Writing(writing) = &mut self.checkpoints.stage else { return };
        writing.unsettled.remove(&slot);
        if let Some(Some((snapshot, operations))) = snapshot {
            writing.operations.extend(operations.into_iter().map(|io| io.number));
            self.checkpoints.written.push((slot, snapshot));
        }
    }

    /// Takes the end of an operation of a partition's, if the checkpoint waits for it. Should it have failed, the checkpoint is
    /// given up; the partition goes on.
    pub(super) fn snapshot_operation_ended(
        &mut self,
        io: IoId,
        result: &DiskResult,
        step: &mut Step<'_>,
    ) -> bool {
        if self.checkpoints.given_up.remove(&io.number) {
            return true;
        }
        let Stage::Writing(writing) = &mut self.checkpoints.stage else { return false };
        if !writing.operations.remove(&io.number) {
            return false;
        }
        if result.failure().is_some() {
            self.give_up(step);
        } else {
            self.end_writing(step);
        }
        true
    }

    fn sync_snapshots(&mut self, step: &mut Step<'_>) {
        if self.checkpoints.written.is_empty() && !self.checkpoints.stopping {
            self.checkpoint_is_over(step);
            return;
        }
        if planted(Mutant::RecoveryPointTooEarly) {
            return self.begin_replacing(step);
        }
        let io = self.disk(step).submit(DiskOp::SyncAll);
        self.checkpoints.stage = Stage::Syncing(io.number);
    }

    /// Takes the end of an operation, if it is one of the checkpoint's.
    pub(super) fn checkpoint_operation_ended(
        &mut self,
        io: IoId,
        result: &DiskResult,
        step: &mut Step<'_>,
    ) -> bool {
        if self.checkpoints.deletions.current == Some(io.number) {
            self.checkpoints.deletions.current = None;
            self.go_on_with_deletions(result.failure().is_some(), step);
            return true;
        }
        match self.checkpoints.stage {
            Stage::Syncing(number) if number == io.number => {
                if let Some(error) = result.failure() {
                    self.fail_unsynced(error, step);
                    self.give_up(step);
                } else {
                    self.checkpoints.stage = Stage::Confirming(self.syncs.under_way());
                    self.confirm(None, step);
                }
                self.confirm_everything(Some(io.number), step);
            }
            Stage::Replacing(number) if number == io.number => {
                if let Some(error) = result.failure() {
                    for slot in core::mem::take(&mut self.checkpoints.points_writing) {
                        self.with_partition(slot, step, |partition, context| {
                            partition.recovery_point_not_written(error, context);
                        });
                    }
                    self.give_up(step);
                } else {
                    self.go_on_replacing(step);
                }
            }
            Stage::Idle
            | Stage::Writing(_)
            | Stage::Syncing(_)
            | Stage::Confirming(_)
            | Stage::Replacing(_)
            | Stage::Stopped => return false,
        }
        true
    }

    /// The checkpoint cannot be written: recovery will read more. The next one may succeed.
    fn give_up(&mut self, step: &mut Step<'_>) {
        if let Stage::Writing(writing) = &mut self.checkpoints.stage {
            self.checkpoints.given_up.append(&mut writing.operations);
        }
        self.checkpoints.written.clear();
        self.checkpoints.replacing.clear();
        self.checkpoint_is_over(step);
    }

    /// The sync of everything that is under way for the checkpoint.
    pub(super) const fn checkpoint_syncing(&self) -> Option<u64> {
        match self.checkpoints.stage {
            Stage::Syncing(number) => Some(number),
            Stage::Idle
            | Stage::Writing(_)
            | Stage::Confirming(_)
            | Stage::Replacing(_)
            | Stage::Stopped => None,
        }
    }

    /// Everything was to be made durable, and that has failed: as after any failed sync, what was not durable before may be lost
    /// although it can still be read, and the next sync will not say so.
    pub(super) fn fail_unsynced(&mut self, error: IoError, step: &mut Step<'_>) {
        if planted(Mutant::FailedSyncBelieved) {
            return;
        }
        for slot in self.all_slots() {
            self.with_partition(slot, step, |partition, context| {
                partition.sync_of_everything_failed(error, context);
            });
            self.mind_needs(slot, step);
        }
    }

    /// Goes on when a round of syncs, or none, has ended.
    pub(super) fn confirm(&mut self, round: Option<u64>, step: &mut Step<'_>) {
        let Stage::Confirming(rounds) = &mut self.checkpoints.stage else { return };
        if let Some(round) = round {
            rounds.remove(&round);
        }
        if rounds.is_empty() {
            self.take_durable(step);
            self.begin_replacing(step);
        }
    }

    /// The disk failed a partition: what it has written may be lost, so that its recovery point stays.
    pub(super) fn forget_position(&mut self, slot: u32) {
        self.checkpoints.written.retain(|(known, _)| *known != slot);
    }

    /// Everything that had been written is durable.
    fn take_durable(&mut self, step: &mut Step<'_>) {
        for (slot, snapshot) in self.checkpoints.written.clone() {
            self.with_partition(slot, step, |partition, context| {
                partition.synced_to(snapshot.position, context);
            });
        }
    }

    fn begin_replacing(&mut self, step: &mut Step<'_>) {
        let mut points = Offsets::new();
        let mut high_watermarks = Offsets::new();
        let mut cleaned = Offsets::new();
        for partition in self.partitions.iter().flatten() {
            let (topic, index) = (partition.topic_name(), partition.id().partition);
            let Known { recovery_point, cleaned_to, .. } = partition.known();
            if let Some(point) = recovery_point {
                points.entry(topic.into()).or_default().insert(index, point);
            }
            if let Some(offset) = cleaned_to.filter(|offset| *offset > Offset::ZERO) {
                cleaned.entry(topic.into()).or_default().insert(index, offset);
            }
            if partition.log().is_none_or(|log| log.segments().is_empty()) {
                continue;
            }
            let offset = partition.high_watermark().offset;
            high_watermarks.entry(topic.into()).or_default().insert(index, offset);
        }
        for (slot, snapshot) in &self.checkpoints.written {
            let open = self.partition(*slot).filter(|partition| partition.open_log().is_some());
            let Some(partition) = open else { continue };
            let topic = points.entry(partition.topic_name().into()).or_default();
            topic.insert(partition.id().partition, snapshot.position.offset);
        }
        let file = checkpoint_file::RECOVERY_POINTS;
        let mut steps =
            checkpoint_file::replace(file, RECOVERY_POINTS_ASIDE, checkpoint_file::encode(&points));
        let file = checkpoint_file::CLEANER_OFFSETS;
        let content = checkpoint_file::encode(&cleaned);
        steps.extend(checkpoint_file::replace(file, CLEANER_OFFSETS_ASIDE, content));
        if self.checkpoints.stopping {
            let file = checkpoint_file::HIGH_WATERMARKS;
            let content = checkpoint_file::encode(&high_watermarks);
            steps.extend(checkpoint_file::replace(file, HIGH_WATERMARKS_ASIDE, content));
            steps.extend(self.remove_journal());
            steps.extend(mark_clean());
        }
        self.checkpoints.replacing = steps;
        self.go_on_replacing(step);
    }

    fn go_on_replacing(&mut self, step: &mut Step<'_>) {
        if let Some(op) = self.checkpoints.replacing.pop_front() {
            let io = self.disk(step).submit(op);
            self.checkpoints.stage = Stage::Replacing(io.number);
            return;
        }
        for (slot, snapshot) in core::mem::take(&mut self.checkpoints.written) {
            self.with_partition(slot, step, |partition, context| {
                if let Some(log) = partition.open_log_mut() {
                    log.checkpointed(snapshot, &mut context.disk);
                }
            });
        }
        let life = self.journal.life();
        for slot in core::mem::take(&mut self.checkpoints.points_writing) {
            self.with_partition(slot, step, |partition, context| {
                assert!(
                    !partition.is_in_journal(life),
                    "the journal brings back nothing that is cut off"
                );
                partition.recovery_point_written(context);
            });
        }
        self.checkpoint_is_over(step);
    }

    /// Writes down that a log begins at `offset` from now on, and then lets the request know.
    pub(crate) fn delete_records_below(
        &mut self,
        slot: u32,
        offset: Offset,
        request: RequestId,
        index: usize,
        step: &mut Step<'_>,
    ) {
        self.checkpoints.deletions.queued.push(Deletion { slot, offset, request, index });
        self.begin_deletions(step);
    }

    /// Writes the start offsets down anew. One that is left behind would be taken for that of a later topic of the same name, or
    /// of records that are yet to come, and these would be lost at the next start.
    pub(super) fn renew_start_offsets(&mut self, step: &mut Step<'_>) {
        self.checkpoints.deletions.is_stale = true;
        if self.is_running() {
            self.begin_deletions(step);
        }
    }

    pub(super) fn begin_deletions(&mut self, step: &mut Step<'_>) {
        let deletions = &self.checkpoints.deletions;
        let is_wanted = deletions.is_stale || !deletions.queued.is_empty();
        if deletions.current.is_some() || !deletions.writing.is_empty() || !is_wanted {
            return;
        }
        self.checkpoints.deletions.is_stale = false;
        let writing = core::mem::take(&mut self.checkpoints.deletions.queued);
        let mut offsets = Offsets::new();
        for (slot, partition) in (0..).zip(&self.partitions) {
            let Some(partition) = partition else { continue };
            let moved = writing.iter().filter(|deletion| deletion.slot == slot);
            let moved = moved.map(|deletion| deletion.offset).max().unwrap_or(Offset::ZERO);
            let start = match partition.log() {
                Some(log) => {
                    let start = moved.max(log.start_offset());
                    let first = log.segments().first();
                    let is_later = first.is_some_and(|first| first.base_offset < start);
                    (is_later || partition.has_files_to_remove()).then_some(start)
                }
                // It cannot be served; what was known of it is still so.
                None => {
                    let moved = Some(moved).filter(|moved| *moved > Offset::ZERO);
                    partition.known().start_offset.max(moved)
                }
            };
            if let Some(start) = start {
                let topic = offsets.entry(partition.topic_name().into()).or_default();
                topic.insert(partition.id().partition, start);
            }
        }
        let content = checkpoint_file::encode(&offsets);
        let file = checkpoint_file::START_OFFSETS;
        self.checkpoints.deletions.steps =
            checkpoint_file::replace(file, START_OFFSETS_ASIDE, content);
        if planted(Mutant::StartOffsetNotSynced) {
            self.checkpoints.deletions.steps.retain(|step| !matches!(step, DiskOp::Sync { .. }));
        }
        self.checkpoints.deletions.writing = writing;
        self.go_on_with_deletions(false, step);
    }

    fn go_on_with_deletions(&mut self, failed: bool, step: &mut Step<'_>) {
        if !failed && let Some(op) = self.checkpoints.deletions.steps.pop_front() {
            let io = self.disk(step).submit(op);
            self.checkpoints.deletions.current = Some(io.number);
            return;
        }
        self.checkpoints.deletions.steps.clear();
        for deletion in core::mem::take(&mut self.checkpoints.deletions.writing) {
            let Deletion { slot, offset, request, index } = deletion;
            if !failed {
                self.with_partition(slot, step, |partition, _| partition.raise_start(offset));
            }
            self.records_deleted(request, index, !failed, step);
        }
        self.begin_deletions(step);
    }
}

const RECOVERY_POINTS_ASIDE: &str = "recovery-point-offset-checkpoint.tmp";
const START_OFFSETS_ASIDE: &str = "log-start-offset-checkpoint.tmp";
const CLEANER_OFFSETS_ASIDE: &str = "cleaner-offset-checkpoint.tmp";
const HIGH_WATERMARKS_ASIDE: &str = "replication-offset-checkpoint.tmp";

/// The last steps of all: only when everything else is durable does the marker say so.
fn mark_clean() -> [DiskOp; 3] {
    let file: FileRef = CLEAN_SHUTDOWN;
    let content = Bytes::from_static(b"{\"version\":0,\"brokerEpoch\":-1}");
    [
        DiskOp::Create(file),
        DiskOp::Write { file, position: 0, data: WriteData::Bytes(content) },
        DiskOp::Sync { files: [file].into(), directories: [file.directory].into() },
    ]
}
