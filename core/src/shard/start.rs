//! Starting: reading the checkpoints, opening the logs.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    vec::Vec,
};

use bytes::Bytes;

use super::{Shard, Step, Timer};
use crate::{
    disk::{DirectoryEntry, DirectoryId, DiskOp, DiskResult, FileName, FileRef, IoError, IoId},
    journal::{self, replay::Found},
    log::{checkpoint_file, open::Known},
    machine::Effect,
    mutants::{Mutant, planted},
    notice::Notice,
    partition::{Partition, directory_name},
    types::{Offset, PartitionIndex, TopicPartition},
};

/// The first number that a partition's directory gets; those below are known from the start.
pub(super) const FIRST_DIRECTORY: u32 = 2;

/// The file that says that the broker stopped in order.
pub(super) const CLEAN_SHUTDOWN: FileRef =
    FileRef { directory: DirectoryId::DATA, name: FileName::Fixed(".kafka_cleanshutdown") };

/// How many logs are opened at once.
const OPENING_MAX: usize = 64;

/// After how many opened logs there is a word on how far it has come.
const PROGRESS_EVERY: usize = 1_000;

/// Far more than a checkpoint takes.
const CHECKPOINT_BYTES_MAX: u32 = 256 << 20;

/// How far the shard's start has come.
#[derive(Debug, Default)]
pub(super) struct Life {
    waiting: BTreeMap<u64, Awaited>,
    listing: Vec<DirectoryEntry>,
    recovery_points: checkpoint_file::Offsets,
    start_offsets: checkpoint_file::Offsets,
    cleaner_offsets: checkpoint_file::Offsets,
    clean: bool,
    /// Everything in the data folder was made durable.
    synced: bool,
    to_open: VecDeque<(TopicPartition, String)>,
    opening: BTreeSet<u32>,
    open: usize,
    total: usize,
    phase: Phase,
    /// The journal's files, and what they have of each log.
    journal: Vec<Bytes>,
    found: BTreeMap<TopicPartition, Vec<Found>>,
    /// The partitions whose logs get some of it.
    replaying: BTreeSet<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Reading,
    Opening,
    /// What the journal had is being made durable in the logs, and then the journal goes.
    Replaying,
    Running,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Listing,
    RecoveryPoints,
    StartOffsets,
    CleanerOffsets,
    Journal,
    MarkerRemoved,
    AllSynced,
    NamesSynced,
}

impl Life {
    /// Whether any checkpoint says anything.
    fn has_checkpoints(&self) -> bool {
        let all = [&self.recovery_points, &self.start_offsets, &self.cleaner_offsets];
        all.into_iter().any(|offsets| !offsets.is_empty())
    }
}

impl Shard {
    pub(super) fn begin_start(&mut self, step: &mut Step<'_>) {
        let read = |file| DiskOp::Read { file, position: 0, length: CHECKPOINT_BYTES_MAX };
        let asked = [
            (DiskOp::List(DirectoryId::DATA), Awaited::Listing),
            (read(checkpoint_file::RECOVERY_POINTS), Awaited::RecoveryPoints),
            (read(checkpoint_file::START_OFFSETS), Awaited::StartOffsets),
            (read(checkpoint_file::CLEANER_OFFSETS), Awaited::CleanerOffsets),
        ];
        for (op, awaited) in asked {
            let io = self.disk(step).submit(op);
            self.life.waiting.insert(io.number, awaited);
        }
    }

    pub(super) fn start_operation_ended(
        &mut self,
        io: IoId,
        result: DiskResult,
        step: &mut Step<'_>,
    ) {
        let Some(awaited) = self.life.waiting.remove(&io.number) else { return };
        if awaited == Awaited::AllSynced {
            self.all_synced(result.failure().is_none(), step);
            return;
        }
        if let Some(error) = result.failure().filter(|error| *error != IoError::NotFound) {
            // What cannot be read is not what is not there: without it, partitions would be taken for new ones.
            step.effects.push(Effect::Notice(Notice::StartFailed { error }));
            step.effects.push(Effect::Stopped);
            return;
        }
        match (awaited, result) {
            (Awaited::Listing, DiskResult::Entries(entries)) => {
                self.read_journal(&entries, step);
                self.life.listing = entries;
            }
            (Awaited::Journal, DiskResult::Bytes(bytes)) => self.life.journal.push(bytes),
            (Awaited::RecoveryPoints, DiskResult::Bytes(bytes)) => {
                self.life.recovery_points = checkpoint_file::decode(&bytes);
            }
            (Awaited::StartOffsets, DiskResult::Bytes(bytes)) => {
                self.life.start_offsets = checkpoint_file::decode(&bytes);
            }
            (Awaited::CleanerOffsets, DiskResult::Bytes(bytes)) => {
                self.life.cleaner_offsets = checkpoint_file::decode(&bytes);
            }
            (Awaited::MarkerRemoved, _) => self.sync_names(step),
            // A checkpoint that is not there says nothing.
            (
                Awaited::Listing
                | Awaited::RecoveryPoints
                | Awaited::StartOffsets
                | Awaited::CleanerOffsets
                | Awaited::AllSynced
                | Awaited::Journal
                | Awaited::NamesSynced,
                _,
            ) => {}
        }
        if self.life.waiting.is_empty() && self.life.phase == Phase::Reading {
            self.life.phase = Phase::Opening;
            self.plan_opening(step);
        }
        self.open_more(step);
    }

    /// Asks for what lies in the journal, if there is one.
    fn read_journal(&mut self, listing: &[DirectoryEntry], step: &mut Step<'_>) {
        for file in journal::FILES {
            let name = alloc::format!("{}", file.name);
            let Some(entry) = listing.iter().find(|entry| entry.name == name) else { continue };
            let length = u32::try_from(entry.length).unwrap_or(u32::MAX);
            let io = self.disk(step).submit(DiskOp::Read { file, position: 0, length });
            self.life.waiting.insert(io.number, Awaited::Journal);
            self.journal.found();
        }
    }

    /// Makes durable what a process left that was killed, all at once: log by log it would be three syncs for each.
    fn sync_what_is_there(&mut self, step: &mut Step<'_>) {
        let is_needed = !self.life.to_open.is_empty()
            && !planted(Mutant::RecoveredTailUnsynced)
            && !planted(Mutant::CheckpointBelievedUnsynced);
        if is_needed {
            let io = self.disk(step).submit(DiskOp::SyncAll);
            self.life.waiting.insert(io.number, Awaited::AllSynced);
        } else {
            self.sync_checkpoints(step);
        }
    }

    /// Everything was synced, or could not be: then each log is, and the disk's trouble is that of the logs that it concerns.
    fn all_synced(&mut self, is_synced: bool, step: &mut Step<'_>) {
        self.life.synced = is_synced;
        if !is_synced {
            self.sync_checkpoints(step);
        }
        self.open_more(step);
    }

    fn sync_checkpoints(&mut self, step: &mut Step<'_>) {
        if self.life.has_checkpoints() && !planted(Mutant::CheckpointBelievedUnsynced) {
            self.sync_names(step);
        }
    }

    /// Makes durable which names the data folder's files have. Whoever was killed may have renamed a checkpoint and not come to
    /// sync that: were it believed as it is, compaction would touch what recovery begins from after the next power failure.
    fn sync_names(&mut self, step: &mut Step<'_>) {
        let directories = [DirectoryId::DATA].into();
        let io = self.disk(step).submit(DiskOp::Sync { files: Vec::new(), directories });
        self.life.waiting.insert(io.number, Awaited::NamesSynced);
    }

    /// Sorts what lies in the data folder.
    fn plan_opening(&mut self, step: &mut Step<'_>) {
        let listing = core::mem::take(&mut self.life.listing);
        self.life.found = journal::replay::read(&core::mem::take(&mut self.life.journal));
        let marker = alloc::format!("{}", CLEAN_SHUTDOWN.name);
        self.life.clean = listing.iter().any(|entry| entry.name == marker);
        if self.life.clean && !planted(Mutant::CleanMarkerStays) {
            // Gone for certain before anything is written: a crash from now on is one.
            let io = self.disk(step).submit(DiskOp::Remove(CLEAN_SHUTDOWN));
            self.life.waiting.insert(io.number, Awaited::MarkerRemoved);
        }
        let mut existing: BTreeSet<String> = listing
            .into_iter()
            .filter(|entry| entry.is_directory)
            .map(|entry| entry.name)
            .collect();
        let mut fresh = Vec::new();
        for (topic, state) in self.image.topics() {
            for (index, partition) in (0..).zip(&state.partitions) {
                if partition.leader != Some(self.broker_id) {
                    continue;
                }
                let id = TopicPartition { topic, partition: PartitionIndex(index) };
                let entry = (id, state.name.clone());
                if existing.remove(&directory_name(&state.name, id.partition)) {
                    self.life.to_open.push_back(entry);
                } else {
                    fresh.push(entry);
                }
            }
        }
        self.life.total = self.life.to_open.len();
        if !self.life.clean {
            self.sync_what_is_there(step);
        }
        for (id, name) in fresh {
            if self.known(&name, id.partition).start_offset.is_some() {
                self.renew_start_offsets(step);
            }
            self.make_partition(id, &name, None, step);
        }
        for name in existing {
            self.clear_away(name, step);
        }
    }

    /// A directory that belongs to no partition: what is left of a deleted one is removed, anything that looks like one is set
    /// aside.
    fn clear_away(&mut self, name: String, step: &mut Step<'_>) {
        let looks_like_partition = name
            .rsplit_once('-')
            .is_some_and(|(topic, index)| !topic.is_empty() && index.parse::<u32>().is_ok());
        let is_deleted = name.ends_with("-delete");
        if !looks_like_partition && !is_deleted {
            return;
        }
        let directory = DirectoryId(self.next_directory);
        self.next_directory += 1;
        let mut disk = self.disk(step);
        disk.submit(DiskOp::Use { directory, name: name.clone() });
        if is_deleted {
            disk.submit(DiskOp::RemoveDirectory(directory));
            return;
        }
        let set_aside_as = alloc::format!("{name}-stray");
        disk.submit(DiskOp::RenameDirectory { directory, name: set_aside_as.clone() });
        disk.notice(Notice::StrayDirectory { directory: name, set_aside_as });
    }

    fn open_more(&mut self, step: &mut Step<'_>) {
        let is_syncing = self.life.waiting.values().any(|awaited| *awaited == Awaited::AllSynced);
        if self.life.phase != Phase::Opening || is_syncing {
            return;
        }
        while self.life.opening.len() < OPENING_MAX
            && let Some((id, name)) = self.life.to_open.pop_front()
        {
            let known = self.known(&name, id.partition);
            let slot = self.make_partition(id, &name, Some(known), step);
            self.life.opening.insert(slot);
            let found = self.life.found.remove(&id);
            if let (Some(found), Some(life)) = (found, self.journal.life())
                && let Some(Some(partition)) = self.partitions.get_mut(slot as usize)
            {
                partition.set_found(found, life);
                self.life.replaying.insert(slot);
            }
        }
        if self.life.opening.is_empty() && self.life.waiting.is_empty() {
            self.life.recovery_points.clear();
            self.life.start_offsets.clear();
            self.life.cleaner_offsets.clear();
            self.life.found.clear();
            self.begin_replaying(step);
        }
    }

    /// Whether what the journal had is not durable in the logs yet.
    pub(super) fn is_replaying(&self) -> bool {
        self.life.phase != Phase::Running
            && self.journal.life().is_some()
            && !self.journal.is_kept()
    }

    /// Whether what the journal had has been written to the logs.
    pub(super) fn has_replayed(&self) -> bool {
        match self.life.phase {
            Phase::Reading | Phase::Opening => false,
            Phase::Replaying => self.life.replaying.is_empty(),
            Phase::Running => true,
        }
    }

    /// Goes on when the partition in `slot` may have written what the journal had of it.
    pub(super) fn go_on_replaying(&mut self, slot: u32, step: &mut Step<'_>) {
        let is_over = self.partition(slot).is_none_or(Partition::has_replayed);
        if self.life.phase == Phase::Replaying && is_over && self.life.replaying.remove(&slot) {
            self.begin_everything(step);
        }
    }

    /// All logs are open. When what the journal had of them has been written, it is made durable, and the journal removed.
    fn begin_replaying(&mut self, step: &mut Step<'_>) {
        self.life.phase = Phase::Replaying;
        let mut replaying = core::mem::take(&mut self.life.replaying);
        replaying.retain(|slot| !self.partition(*slot).is_none_or(Partition::has_replayed));
        self.life.replaying = replaying;
        self.begin_everything(step);
        self.journal_is_settled(step);
    }

    /// The journal is gone, or kept for the next start: if this one waited for that, it goes on.
    pub(super) fn journal_is_settled(&mut self, step: &mut Step<'_>) {
        if self.life.phase == Phase::Replaying && !self.is_replaying() {
            self.life.phase = Phase::Running;
            self.begin_running(step);
        }
    }

    fn known(&self, topic: &str, partition: PartitionIndex) -> Known {
        let offset = |offsets: &checkpoint_file::Offsets| -> Option<Offset> {
            offsets.get(topic)?.get(&partition).copied()
        };
        Known {
            clean: self.life.clean,
            synced: self.life.synced,
            recovery_point: offset(&self.life.recovery_points),
            start_offset: offset(&self.life.start_offsets),
            cleaned_to: offset(&self.life.cleaner_offsets),
            cut: None,
        }
    }

    /// A partition's log is open, or will not be.
    pub(super) fn partition_opened(&mut self, slot: u32, step: &mut Step<'_>) {
        self.note_dirty(slot, step);
        let has_lost_its_start = self.partition(slot).is_some_and(|partition| {
            let known = partition.opened_with().start_offset;
            partition.log().is_some_and(|log| known.is_some_and(|known| known > log.start_offset()))
        });
        if has_lost_its_start {
            self.renew_start_offsets(step);
        }
        if !self.life.opening.remove(&slot) {
            return;
        }
        self.life.open += 1;
        let (open, total) = (self.life.open, self.life.total);
        if open.is_multiple_of(PROGRESS_EVERY) {
            step.effects.push(Effect::Notice(Notice::Opening { open, total }));
        }
        self.open_more(step);
    }

    fn begin_running(&mut self, step: &mut Step<'_>) {
        let now = step.now.instant;
        let after = core::time::Duration::from_millis;
        self.set_timer(Timer::Checkpoint, now + after(self.settings.checkpoint_interval_ms));
        self.hasten_checkpoint(step);
        self.set_timer(Timer::Retention, now + FIRST_RETENTION_CHECK);
        let offsets_ms = self.settings.offsets_retention_check_interval_ms;
        self.set_timer(Timer::Offsets, now + after(offsets_ms));
        self.set_timer(Timer::Cleaner, now + after(self.settings.cleaner_backoff_ms));
        self.load_coordinators(step);
        self.begin_deletions(step);
        self.begin_points(step);
        step.effects.push(Effect::Ready);
    }

    /// Whether all partitions are open, or will not be.
    pub(super) fn is_running(&self) -> bool {
        self.life.phase == Phase::Running
    }
}

/// Old segments are first looked for a while after the start, as Kafka does it.
const FIRST_RETENTION_CHECK: core::time::Duration = core::time::Duration::from_secs(30);
