//! One segment of a log: a file of batches with its two indexes.

use core::cmp::Ordering;

use super::{
    config::LogConfig,
    index::{Entry, Index, OffsetEntry, TimeEntry},
    ranges::Ranges,
};
use crate::{
    disk::{DirectoryId, FileName, FileRef},
    mutants::{Mutant, planted},
    records::BatchHeader,
    types::{Offset, Timestamp},
};

/// The extension of a segment's batches.
pub const LOG: &str = "log";
/// The extension of a segment's offset index.
pub const INDEX: &str = "index";
/// The extension of a segment's time index.
pub const TIME_INDEX: &str = "timeindex";

/// A segment.
#[derive(Debug, Clone)]
pub struct Segment {
    /// The offset that names it: no record in it has a smaller one.
    pub base_offset: Offset,
    /// Its batches.
    pub file: FileRef,
    /// How many bytes of batches it has, those included that are being written.
    pub size_bytes: u32,
    /// Offset to byte.
    pub offset_index: Index<OffsetEntry>,
    /// Timestamp to offset.
    pub time_index: Index<TimeEntry>,
    /// The greatest timestamp, and the last offset of the batch that has it.
    pub max_timestamp: Option<TimeEntry>,
    /// The timestamp of the first batch, if the segment began in the life of this process.
    pub first_timestamp: Option<Timestamp>,
    /// By the broker's clock, when the last batch was appended, or the segment was made.
    pub last_append: Timestamp,
    /// Which bytes are known to be intact.
    pub verified: Ranges,
    /// How many bytes follow the last entry of the index.
    bytes_since_entry: u32,
}

impl Segment {
    /// A new segment, whose files are to be made.
    pub fn new(directory: DirectoryId, base_offset: Offset, now: Timestamp) -> Self {
        let file =
            |extension| FileRef { directory, name: FileName::segment(base_offset, extension) };
        Self {
            base_offset,
            file: file(LOG),
            size_bytes: 0,
            offset_index: Index::empty(file(INDEX)),
            time_index: Index::empty(file(TIME_INDEX)),
            max_timestamp: None,
            first_timestamp: None,
            last_append: now,
            verified: Ranges::default(),
            bytes_since_entry: 0,
        }
    }

    /// The segment's files.
    pub fn files(&self) -> [FileRef; 3] {
        [self.file, self.offset_index.file(), self.time_index.file()]
    }

    /// An offset of this segment, less the base offset.
    pub fn delta(&self, offset: Offset) -> u32 {
        u32::try_from(offset - self.base_offset).expect("the offset lies in the segment")
    }

    /// Takes note of a batch at the segment's end: it is there now, and intact.
    pub fn push(
        &mut self,
        header: &BatchHeader,
        size_bytes: u32,
        now: Timestamp,
        config: &LogConfig,
    ) {
        if self.bytes_since_entry > config.index_interval_bytes {
            let behind = if planted(Mutant::IndexEntryMisplaced) { size_bytes } else { 0 };
            self.offset_index.push(OffsetEntry {
                offset_delta: self.delta(header.last_offset()),
                byte: self.size_bytes + behind,
            });
            self.push_time_entry();
            self.bytes_since_entry = 0;
        }
        let start = self.size_bytes;
        self.size_bytes += size_bytes;
        self.bytes_since_entry += size_bytes;
        self.verified.insert(start..self.size_bytes);
        self.first_timestamp.get_or_insert(header.max_timestamp);
        self.last_append = self.last_append.max(now);
        if self.max_timestamp.is_none_or(|max| header.max_timestamp > max.timestamp) {
            self.max_timestamp = Some(TimeEntry {
                timestamp: header.max_timestamp,
                offset_delta: self.delta(header.last_offset()),
            });
        }
    }

    /// Adds the greatest timestamp so far to the time index, if it has grown.
    pub fn push_time_entry(&mut self) {
        if let Some(max) = self.max_timestamp
            && max.timestamp >= Timestamp(0)
            && self.time_index.last().is_none_or(|last| last.timestamp < max.timestamp)
        {
            self.time_index.push(max);
        }
    }

    /// Forgets the batches from `size_bytes` on, which are not there.
    pub fn cut_back(&mut self, size_bytes: u32, max_timestamp: Option<TimeEntry>) {
        self.size_bytes = size_bytes;
        self.max_timestamp = max_timestamp;
        self.verified.truncate(size_bytes);
        self.offset_index.cut_back(|entry| entry.byte < size_bytes);
        let latest = max_timestamp.map(|entry| entry.timestamp);
        self.time_index.cut_back(|entry| Some(entry.timestamp) <= latest);
    }

    /// Whether one of the indexes has no room for another entry.
    pub fn index_is_full(&self, config: &LogConfig) -> bool {
        // The last place of the time index is kept for the entry that closes the segment.
        self.offset_index.size_bytes() + OffsetEntry::BYTES > config.segment_index_bytes
            || self.time_index.size_bytes() + 2 * TimeEntry::BYTES > config.segment_index_bytes
    }

    /// The age that retention goes by: the greatest timestamp, but never later than the broker's own clock said when the last
    /// batch came. A record from the future would otherwise keep the segment for ever (KAFKA-18929).
    pub fn retention_timestamp(&self) -> Timestamp {
        match self.max_timestamp {
            Some(max) if planted(Mutant::FutureTimestampPins) => max.timestamp,
            Some(max) if max.timestamp >= Timestamp(0) => max.timestamp.min(self.last_append),
            Some(_) | None => self.last_append,
        }
    }

    /// Where this segment lies as seen from `offset`, given the base offset of the next one.
    pub fn contains(&self, offset: Offset, next_base: Offset) -> Ordering {
        if offset < self.base_offset {
            Ordering::Greater
        } else if offset >= next_base {
            Ordering::Less
        } else {
            Ordering::Equal
        }
    }
}
