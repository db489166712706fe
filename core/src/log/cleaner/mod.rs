//! Compaction: of each key a log keeps the newest record (`cleanup.policy=compact`).
//!
//! As in Kafka, a log has a clean part, which holds each key once, and a dirty part behind it. A [`Compaction`] takes note of
//! the newest offset of each key in the dirty part, copies what is still wanted of both parts into new segments, and puts
//! these in the place of the old. Offsets stay. Keys are told apart and records filtered [beside the shard](filter).
//!
//! The new files take the place of the old in an order in which a crash at any moment leaves a log that holds everything:
//! see `Compaction::replacement`.

pub mod filter;
pub mod keys;
mod plan;
mod replace;

use alloc::{
    collections::{BTreeSet, VecDeque},
    vec::Vec,
};

pub use self::plan::Dirt;
use self::{
    filter::{Chunk, Consumed, Filter, IndexKeys, Rules},
    keys::KeyMap,
    plan::Source,
};
use super::{Log, Segment};
use crate::{
    disk::{Disk, DiskOp, DiskResult, IoError, WriteData},
    job::{Job, JobResult},
    machine::Now,
    mutants::{Mutant, planted},
    records::batch::BatchError,
    types::Offset,
};

/// The extension of batches that compaction is writing.
pub const CLEANED_LOG: &str = "log.cleaned";
/// The extension of the offset index to them.
pub const CLEANED_INDEX: &str = "index.cleaned";
/// The extension of the time index to them.
pub const CLEANED_TIME_INDEX: &str = "timeindex.cleaned";

/// How much is read at once.
const CHUNK_BYTES: u32 = 1 << 20;

/// The compaction of one log.
#[derive(Debug)]
pub struct Compaction {
    /// Where the dirty part begins.
    from: Offset,
    rules: Option<Rules>,
    /// Not here while a computation has it.
    keys: Option<KeyMap>,
    stage: Stage,
    reader: Reader,
    /// The segments that become one, group by group.
    groups: VecDeque<Vec<Source>>,
    /// What has to end before this goes on.
    waiting: BTreeSet<u64>,
    report: Compacted,
}

/// What a compaction has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compacted {
    /// How large the segments were.
    pub bytes_before: u64,
    /// How large they are.
    pub bytes_after: u64,
}

#[derive(Debug)]
enum Stage {
    /// Taking note of the keys of the dirty part.
    Indexing,
    /// Copying a group of segments into one.
    Copying { group: Vec<Source>, copy: Segment },
    /// The copy's indexes are being written.
    Indexed { group: Vec<Source>, copy: Segment },
    /// The copy's files are being made durable.
    Syncing { group: Vec<Source>, copy: Segment },
    /// The copy takes the place of the group.
    Replacing { current: DiskOp, next: VecDeque<DiskOp> },
}

/// Reads segments one after the other.
#[derive(Debug, Default)]
struct Reader {
    sources: VecDeque<Source>,
    byte: u32,
    /// What comes next has this offset or a later one.
    offset: Offset,
    asked: u32,
}

/// How a compaction goes on.
#[derive(Debug, PartialEq, Eq)]
pub enum CompactionStep {
    /// Something is under way.
    Waiting,
    /// The log's layout has just changed: what was known of places in it holds no more.
    Replaced,
    /// It is over. Everything below is clean.
    Done(Compacted),
    /// The log has changed meanwhile. Another time.
    Abandoned,
    /// A segment is damaged; it stays as it is.
    Damaged {
        /// The segment.
        segment: Offset,
        /// What is wrong with it.
        error: BatchError,
    },
    /// The disk failed, and the log is as it was.
    Failed(IoError),
    /// The disk failed while segments were replaced: the log must be opened anew.
    FailedReplacing(IoError),
}

impl Compaction {
    /// Begins to compact a log that has [something to compact](Log::dirt).
    pub fn begin(log: &Log, keys: KeyMap, now: Now, disk: &mut Disk<'_>) -> Option<Self> {
        let dirt = log.dirt(now.timestamp)?;
        let rules = Rules {
            limit: dirt.range.end,
            now: now.timestamp,
            delete_retention_ms: log.config.delete_retention_ms,
            last_batches: log.producers.last_offsets(),
        };
        let mut compaction = Self {
            from: dirt.range.start,
            rules: Some(rules),
            keys: Some(keys),
            stage: Stage::Indexing,
            reader: Reader::new(log.sources(dirt.range)),
            groups: VecDeque::new(),
            waiting: BTreeSet::new(),
            report: Compacted::default(),
        };
        compaction.read_on(CHUNK_BYTES, disk);
        Some(compaction)
    }

    /// Gives it up. What it has written is removed if the log is still there. Returns the operations that have not ended: none
    /// of them must meet the files of another compaction.
    pub fn abandon(self, disk: Option<&mut Disk<'_>>) -> BTreeSet<u64> {
        let mut outstanding = self.waiting;
        if let (
            Stage::Copying { copy, .. } | Stage::Indexed { copy, .. } | Stage::Syncing { copy, .. },
            Some(disk),
        ) = (self.stage, disk)
        {
            let removals = copy.files().map(|file| disk.submit(DiskOp::Remove(file)).number);
            outstanding.extend(removals);
        }
        outstanding
    }

    /// Takes the end of an operation.
    pub fn operation_ended(
        &mut self,
        number: u64,
        result: DiskResult,
        log: &mut Log,
        disk: &mut Disk<'_>,
    ) -> CompactionStep {
        if !self.waiting.remove(&number) {
            return CompactionStep::Waiting;
        }
        match result {
            // Retention was faster.
            DiskResult::Failed(IoError::NotFound) if self.is_reading() => CompactionStep::Abandoned,
            DiskResult::Failed(error) if matches!(self.stage, Stage::Replacing { .. }) => {
                self.replacing_failed(log);
                CompactionStep::FailedReplacing(error)
            }
            DiskResult::Failed(error) => CompactionStep::Failed(error),
            DiskResult::Bytes(bytes) => self.take_chunk(bytes, disk),
            DiskResult::Done | DiskResult::Entries(_) if self.waiting.is_empty() => {
                self.go_on(log, disk)
            }
            DiskResult::Done | DiskResult::Entries(_) => CompactionStep::Waiting,
        }
    }

    const fn is_reading(&self) -> bool {
        matches!(self.stage, Stage::Indexing | Stage::Copying { .. })
    }

    /// Takes the end of a computation.
    pub fn computed(
        &mut self,
        number: u64,
        result: JobResult,
        log: &mut Log,
        now: Now,
        disk: &mut Disk<'_>,
    ) -> CompactionStep {
        if !self.waiting.remove(&number) {
            return CompactionStep::Waiting;
        }
        let consumed = match result {
            JobResult::KeysIndexed(indexed) => {
                self.keys = Some(indexed.keys);
                if let (Some(full_at), Some(rules)) = (indexed.full_at, &mut self.rules) {
                    rules.limit = full_at;
                    self.reader.sources.clear();
                    return self.go_on(log, disk);
                }
                indexed.consumed
            }
            JobResult::Filtered(filtered) => {
                self.keys = Some(filtered.keys);
                self.rules = Some(filtered.rules);
                if let Stage::Copying { copy, .. } = &mut self.stage
                    && !filtered.bytes.is_empty()
                {
                    let position = u64::from(copy.size_bytes);
                    let data = WriteData::Bytes(filtered.bytes);
                    let write = DiskOp::Write { file: copy.file, position, data };
                    self.waiting.insert(disk.submit(write).number);
                    for header in &filtered.headers {
                        copy.push(header, length(header.size_bytes), now.timestamp, &log.config);
                    }
                }
                filtered.consumed
            }
            // Those of partitions go to them.
            JobResult::Judged(_) | JobResult::TimeFound(_) => return CompactionStep::Waiting,
        };
        match consumed {
            Ok(Consumed::Batches { bytes, next_offset }) => {
                self.reader.advance(length(bytes), next_offset);
            }
            Ok(Consumed::Needs(bytes)) => {
                self.read_on(length(bytes), disk);
                return CompactionStep::Waiting;
            }
            Err(error) => {
                let segment = self.reader.sources.front().map(|source| source.base_offset);
                return CompactionStep::Damaged { segment: segment.unwrap_or_default(), error };
            }
        }
        if self.waiting.is_empty() { self.go_on(log, disk) } else { CompactionStep::Waiting }
    }

    /// Has what was read looked at.
    fn take_chunk(&mut self, bytes: bytes::Bytes, disk: &mut Disk<'_>) -> CompactionStep {
        let Some(source) = self.reader.sources.front() else { return CompactionStep::Waiting };
        let (Some(keys), Some(segment_end)) =
            (self.keys.take(), source.size_bytes.checked_sub(self.reader.byte))
        else {
            return CompactionStep::Waiting;
        };
        if length(bytes.len()) < self.reader.asked {
            let (segment, error) = (source.base_offset, BatchError::Incomplete);
            return CompactionStep::Damaged { segment, error };
        }
        let is_last = length(bytes.len()) >= segment_end;
        let offsets = self.reader.offset.max(source.base_offset)..source.offsets_end();
        let chunk = Chunk { bytes, is_last, offsets };
        let job = match self.stage {
            Stage::Indexing => Job::IndexKeys(IndexKeys { chunk, keys, from: self.from }),
            Stage::Copying { .. }
            | Stage::Indexed { .. }
            | Stage::Syncing { .. }
            | Stage::Replacing { .. } => {
                let Some(rules) = self.rules.take() else { return CompactionStep::Waiting };
                Job::Filter(Filter { chunk, keys, rules })
            }
        };
        self.waiting.insert(disk.compute(job).number);
        CompactionStep::Waiting
    }

    /// Asks for the next chunk, if there is one.
    fn read_on(&mut self, wanted: u32, disk: &mut Disk<'_>) -> bool {
        let Some(read) = self.reader.next(wanted) else { return false };
        self.waiting.insert(disk.submit(read).number);
        true
    }

    /// Everything asked for has come: what is next?
    fn go_on(&mut self, log: &mut Log, disk: &mut Disk<'_>) -> CompactionStep {
        if self.is_reading() && self.read_on(CHUNK_BYTES, disk) {
            return CompactionStep::Waiting;
        }
        match core::mem::replace(&mut self.stage, Stage::Indexing) {
            Stage::Indexing => {
                let limit = self.rules.as_ref().map_or(self.from, |rules| rules.limit);
                self.groups = log.groups(limit);
                self.copy_next_group(log, disk)
            }
            Stage::Copying { group, copy } => self.write_indexes(group, copy, log, disk),
            Stage::Indexed { group, copy } => self.sync(group, copy, log, disk),
            Stage::Syncing { group, copy } => self.begin_replacing(&group, copy, log, disk),
            Stage::Replacing { next, .. } => self.go_on_replacing(next, log, disk),
        }
    }

    fn copy_next_group(&mut self, log: &mut Log, disk: &mut Disk<'_>) -> CompactionStep {
        let Some(group) = self.groups.pop_front() else {
            let limit = self.rules.as_ref().map_or(self.from, |rules| rules.limit);
            log.cleaned_to = log.cleaned_to.max(limit);
            return CompactionStep::Done(self.report);
        };
        let Some(copy) = log.copy_for(&group) else { return CompactionStep::Abandoned };
        for file in copy.files() {
            self.waiting.insert(disk.submit(DiskOp::Create(file)).number);
        }
        self.reader = Reader::new(group.iter().copied().collect());
        self.stage = Stage::Copying { group, copy };
        CompactionStep::Waiting
    }

    /// Everything of the group has been copied.
    fn write_indexes(
        &mut self,
        group: Vec<Source>,
        mut copy: Segment,
        log: &Log,
        disk: &mut Disk<'_>,
    ) -> CompactionStep {
        copy.push_time_entry();
        let writes = [copy.offset_index.write(disk), copy.time_index.write(disk)];
        self.waiting.extend(writes.into_iter().flatten().map(|io| io.number));
        if self.waiting.is_empty() {
            return self.sync(group, copy, log, disk);
        }
        self.stage = Stage::Indexed { group, copy };
        CompactionStep::Waiting
    }

    fn sync(
        &mut self,
        group: Vec<Source>,
        mut copy: Segment,
        log: &Log,
        disk: &mut Disk<'_>,
    ) -> CompactionStep {
        copy.offset_index.written();
        copy.time_index.written();
        let mut files: Vec<_> = copy.files().into();
        if planted(Mutant::CompactionNotSynced) {
            files.clear();
        }
        let directories = [log.directory].into();
        self.waiting.insert(disk.submit(DiskOp::Sync { files, directories }).number);
        self.stage = Stage::Syncing { group, copy };
        CompactionStep::Waiting
    }
}

impl Reader {
    fn new(sources: VecDeque<Source>) -> Self {
        Self { sources, byte: 0, offset: Offset::ZERO, asked: 0 }
    }

    fn next(&mut self, wanted: u32) -> Option<DiskOp> {
        while let Some(source) = self.sources.front() {
            if self.byte < source.size_bytes {
                self.asked = wanted.min(source.size_bytes - self.byte);
                let (file, position) = (source.file, u64::from(self.byte));
                return Some(DiskOp::Read { file, position, length: self.asked });
            }
            self.sources.pop_front();
            self.byte = 0;
        }
        None
    }

    const fn advance(&mut self, bytes: u32, next_offset: Offset) {
        self.byte += bytes;
        self.offset = next_offset;
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("no more was read than a segment holds")
}
