//! The log of a partition: segments of batches on disk, as Kafka lays them out.
//!
//! - [`append`](Log::append) gives offsets and writes; [`begin_sync`](Log::begin_sync) makes durable what has been written.
//! - [`locate`] finds the batch of an offset, [`prepare`] makes sure that what is about to be served is intact,
//!   [`timestamps`] finds records by time. Each goes on by reads that the log's owner feeds back.
//! - [`open`] brings a log back after a restart.
//! - [`retention`] and [`cleaner`] make it shorter.

mod append;
pub mod checkpoint;
pub mod checkpoint_file;
pub mod cleaner;
pub mod config;
pub mod epochs;
pub mod index;
pub mod locate;
pub mod open;
mod position;
pub mod prepare;
pub mod producers;
mod ranges;
mod replicated;
pub mod retention;
mod scan;
pub mod segment;
pub mod snapshot;
mod snapshots;
mod sync;
pub mod timestamps;
mod unsynced;

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

pub use append::{PreparedBatch, WriteEnd};
pub use config::{LogConfig, TimestampType};
pub use position::LogPosition;
pub use replicated::{Arriving, Cut};
pub use sync::SyncSet;

use self::{epochs::Epochs, index::TimeEntry, producers::Producers, segment::Segment};
use crate::{
    disk::{DirectoryId, IoError},
    replica::acknowledgeable,
    types::{Instant, Offset, TopicId},
};

/// A partition's log.
///
/// Invariants (see [`Self::check`]): segments ascend and do not overlap; `in files ≤ durable ≤ written ≤ end`; the last segment
/// is the one that is appended to, and `end` lies in it.
#[derive(Debug, Clone)]
pub struct Log {
    directory: DirectoryId,
    topic: TopicId,
    config: LogConfig,
    /// The first offset that is served.
    start_offset: Offset,
    /// In ascending order. Empty until the first append: an empty partition has no directory.
    segments: Vec<Segment>,
    /// Where the next batch goes.
    end: LogPosition,
    /// All writes before this have ended.
    written: LogPosition,
    /// The greatest timestamp of its segment up to there.
    written_max_timestamp: Option<TimeEntry>,
    /// Everything before this is on disk: in the log's files, or in the journal.
    durable: LogPosition,
    /// Everything before this is on disk in the log's files.
    in_files: LogPosition,
    /// What has been written and is not durable.
    unsynced: unsynced::Unsynced,
    /// What the sync of everything that is under way makes durable: up to where, and which names.
    everything: Option<(LogPosition, Option<u64>)>,
    /// Everything below this is on disk with its indexes, and the snapshot of this offset as well: recovery begins here.
    recovery_point: Offset,
    /// The snapshots on disk.
    snapshots: snapshots::Snapshots,
    /// The writes that have not ended, and those that have but come after one that has not.
    writes: VecDeque<append::PendingWrite>,
    /// Index writes that have not ended: by operation, the segment and which of its indexes.
    index_writes: BTreeMap<u64, (Offset, append::WhichIndex)>,
    /// Directories and files that are being made.
    setup: Vec<u64>,
    /// One of them, or a write to what they are to make, has failed.
    failure: Option<IoError>,
    /// Which directories have names that a power failure would take.
    unsynced_names: sync::UnsyncedNames,
    /// The end that the sync under way makes durable.
    syncing: Option<(LogPosition, crate::journal::path::Path)>,
    /// How many records have been appended since the last sync began, and since when.
    unflushed_records: u64,
    unflushed_since: Option<Instant>,
    /// How many bytes were appended since it was opened, and read then to find its end.
    appended_bytes: u64,
    producers: Producers,
    epochs: Epochs,
    /// Ends of ranges that were served: the next fetch most often begins at one.
    served_to: [Option<LogPosition>; SERVED_REMEMBERED],
    served_next: usize,
    /// How far compaction has come: what is above has not been looked at.
    cleaned_to: Offset,
    /// The files of compacted segments are about to get their names: no segment may go meanwhile.
    is_replacing: bool,
    /// Nothing more is appended: see [`Self::freeze`].
    is_frozen: bool,
    /// What is to be cut off, once nothing is under way.
    cut: Option<Cut>,
}

/// How many places are remembered where readers went on last.
const SERVED_REMEMBERED: usize = 8;

impl Log {
    /// The log of a partition that has never been written to.
    pub fn new(directory: DirectoryId, topic: TopicId, config: LogConfig) -> Self {
        let start = LogPosition::segment_start(Offset::ZERO);
        Self {
            directory,
            topic,
            config,
            start_offset: Offset::ZERO,
            segments: Vec::new(),
            end: start,
            written: start,
            written_max_timestamp: None,
            durable: start,
            in_files: start,
            unsynced: unsynced::Unsynced::default(),
            everything: None,
            recovery_point: Offset::ZERO,
            snapshots: snapshots::Snapshots::default(),
            writes: VecDeque::new(),
            index_writes: BTreeMap::new(),
            setup: Vec::new(),
            failure: None,
            unsynced_names: sync::UnsyncedNames::default(),
            syncing: None,
            unflushed_records: 0,
            unflushed_since: None,
            appended_bytes: 0,
            producers: Producers::default(),
            epochs: Epochs::default(),
            served_to: [None; SERVED_REMEMBERED],
            served_next: 0,
            cleaned_to: Offset::ZERO,
            is_replacing: false,
            is_frozen: false,
            cut: None,
        }
    }

    /// The partition's directory.
    pub const fn directory(&self) -> DirectoryId {
        self.directory
    }

    /// The settings.
    pub const fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Changes the settings.
    pub const fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// The first offset that is served.
    pub const fn start_offset(&self) -> Offset {
        self.start_offset
    }

    /// The offset that the next record gets.
    pub const fn end_offset(&self) -> Offset {
        self.end.offset
    }

    /// Where the next batch goes, unless a new segment is begun.
    pub const fn end(&self) -> LogPosition {
        self.end
    }

    /// All writes before this have ended.
    pub const fn written(&self) -> LogPosition {
        self.written
    }

    /// Everything before this is on disk.
    pub const fn durable(&self) -> LogPosition {
        self.durable
    }

    /// What may be acknowledged and shown: what is on disk, or, where the topic's `flush.messages` says that this is not
    /// needed, what has been written.
    pub fn acknowledgeable(&self) -> LogPosition {
        acknowledgeable(self.config.is_durable(), self.durable, self.written)
    }

    /// Where recovery would begin.
    pub const fn recovery_point(&self) -> Offset {
        self.recovery_point
    }

    /// How far compaction has come.
    pub const fn cleaned_to(&self) -> Offset {
        self.cleaned_to
    }

    /// The segments, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// How many bytes of batches there are.
    pub fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.size_bytes)).sum()
    }

    /// The idempotent producers.
    pub const fn producers(&self) -> &Producers {
        &self.producers
    }

    /// The idempotent producers.
    pub const fn producers_mut(&mut self) -> &mut Producers {
        &mut self.producers
    }

    /// The leader epochs.
    pub const fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// Takes note that an epoch begins at the end of the log.
    pub fn begin_epoch(&mut self, epoch: crate::types::LeaderEpoch) {
        self.epochs.begin(epoch, self.end.offset);
    }

    /// Takes note of where a reader will most likely go on.
    pub const fn note_served(&mut self, to: LogPosition) {
        self.served_to[self.served_next] = Some(to);
        self.served_next = (self.served_next + 1) % SERVED_REMEMBERED;
    }

    /// Whether all its directories and files have been made.
    pub fn has_its_files(&self) -> bool {
        self.setup.is_empty()
    }

    /// Ends the log where its writes have, as far as they are known to have ended well: what was to follow will never be
    /// there. From now on it can be read, and what is too old be deleted, but for the last segment.
    pub fn freeze(&mut self) {
        self.is_frozen = true;
        self.end = self.written;
        while self.segments.pop_if(|last| last.base_offset > self.end.segment).is_some() {}
        if let Some(last) = self.segments.last_mut() {
            last.cut_back(self.end.byte, self.written_max_timestamp);
        }
        self.epochs.truncate_from_end(self.end.offset);
        self.start_offset = self.start_offset.min(self.end.offset);
        self.served_to = [None; SERVED_REMEMBERED];
    }

    /// The place of the segment that an offset lies in, from the start of the log to its end.
    fn segment_index(&self, offset: Offset) -> Option<usize> {
        let after = self.segments.partition_point(|segment| segment.base_offset <= offset);
        after.checked_sub(1)
    }

    /// The segment with this base offset.
    pub fn segment(&self, base_offset: Offset) -> Option<&Segment> {
        self.segment_index(base_offset)
            .map(|index| &self.segments[index])
            .filter(|segment| segment.base_offset == base_offset)
    }

    fn segment_mut(&mut self, base_offset: Offset) -> Option<&mut Segment> {
        self.segment_index(base_offset)
            .map(|index| &mut self.segments[index])
            .filter(|segment| segment.base_offset == base_offset)
    }

    /// The segment after the one with this base offset.
    pub fn segment_after(&self, base_offset: Offset) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.base_offset <= base_offset);
        self.segments.get(after)
    }

    /// Asserts the invariants.
    pub fn check(&self) {
        assert!(self.in_files.offset <= self.durable.offset, "what is in the files is durable");
        assert!(self.durable.offset <= self.written.offset, "what is durable has been written");
        assert!(self.written.offset <= self.end.offset, "what has been written has an offset");
        assert!(self.start_offset <= self.end.offset, "the log does not begin after its end");
        if let Some(active) = self.segments.last() {
            assert!(active.base_offset == self.end.segment, "the end lies in the last segment");
            assert!(active.size_bytes == self.end.byte, "the end is where the last batch ends");
        }
    }

    /// Asserts the invariants that take a while to check.
    pub fn check_thoroughly(&self) {
        self.check();
        let ascending =
            self.segments.windows(2).all(|pair| pair[0].base_offset < pair[1].base_offset);
        assert!(ascending, "segments ascend");
        assert!(self.recovery_point <= self.in_files.offset, "recovery begins at what is in files");
    }
}
