//! Appending batches.

use bytes::Bytes;

use super::{Log, LogPosition, Segment, config::LogConfig, index::TimeEntry};
use crate::{
    disk::{Disk, DiskOp, DiskResult, FileName, FileRef, IoError, IoId, WriteData},
    machine::Now,
    mutants::{Mutant, planted},
    records::{BATCH_HEADER_BYTES, BatchHeader, batch::CHECKSUMMED_FROM},
    types::{LeaderEpoch, Offset, Timestamp},
};

/// The file that says which topic a partition's directory belongs to.
pub(super) const PARTITION_METADATA: &str = "partition.metadata";

/// A batch that was found acceptable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedBatch {
    header: BatchHeader,
    bytes: [u8; BATCH_HEADER_BYTES],
    body: Bytes,
}

impl PreparedBatch {
    /// Out of the bytes that hold exactly the batch of this header.
    pub fn new(header: BatchHeader, batch: &Bytes) -> Self {
        let bytes = *batch.first_chunk().expect("a batch is longer than its header");
        Self { header, bytes, body: batch.slice(BATCH_HEADER_BYTES..header.size_bytes) }
    }

    /// The same in memory of its own, not a part of what a connection received.
    pub fn copied(&self) -> Self {
        Self { body: Bytes::copy_from_slice(&self.body), ..self.clone() }
    }

    /// The header.
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Stamps all its records with the broker's clock, and seals it anew: these bytes are under the checksum.
    pub fn stamp(&mut self, timestamp: Timestamp) {
        self.header.attributes = self.header.attributes.with_log_append_time();
        self.header.max_timestamp = timestamp;
        self.bytes[21..23].copy_from_slice(&self.header.attributes.0.to_be_bytes());
        self.bytes[35..43].copy_from_slice(&timestamp.0.to_be_bytes());
        self.seal();
    }

    /// Leaves the producer's timestamps, and sets right what it may have said wrongly: that the broker stamped them, and the
    /// greatest one.
    pub fn keep_create_time(&mut self) {
        self.header.attributes = self.header.attributes.without_log_append_time();
        let attributes = self.header.attributes.0.to_be_bytes();
        let truth = self.header.max_timestamp.0.to_be_bytes();
        if self.bytes[21..23] != attributes || self.bytes[35..43] != truth {
            self.bytes[21..23].copy_from_slice(&attributes);
            self.bytes[35..43].copy_from_slice(&truth);
            self.seal();
        }
    }

    fn seal(&mut self) {
        let checksum = crc32c::crc32c(&self.bytes[CHECKSUMMED_FROM..]);
        self.header.checksum = crc32c::crc32c_append(checksum, &self.body);
        self.bytes[17..21].copy_from_slice(&self.header.checksum.to_be_bytes());
    }

    /// Gives the batch its place. Neither field is under the checksum.
    fn place(&mut self, base_offset: Offset, epoch: LeaderEpoch) {
        self.header.base_offset = base_offset;
        self.header.leader_epoch = epoch;
        self.bytes[0..8].copy_from_slice(&base_offset.0.to_be_bytes());
        self.bytes[12..16].copy_from_slice(&epoch.0.to_be_bytes());
    }
}

/// A write that has not ended, or waits for one before it.
#[derive(Debug, Clone)]
pub(super) struct PendingWrite {
    number: u64,
    end: LogPosition,
    /// The greatest timestamp of the segment up to there.
    max_timestamp: Option<TimeEntry>,
    ended: bool,
}

/// One of a segment's indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhichIndex {
    Offset,
    Time,
}

/// What the end of an operation means to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteEnd {
    /// Nothing new.
    Nothing,
    /// More has been written.
    Written,
    /// The log cannot go on as it is.
    Failed(IoError),
}

impl Log {
    /// Appends a batch of the leader's: gives it the next offsets, and writes it. Returns its base offset.
    pub fn append(
        &mut self,
        mut batch: PreparedBatch,
        epoch: LeaderEpoch,
        now: Now,
        disk: &mut Disk<'_>,
    ) -> Offset {
        let base_offset = self.end.offset;
        batch.place(base_offset, epoch);
        self.append_placed(batch, now, disk);
        base_offset
    }

    /// Appends a batch that has its offsets and epoch.
    pub(super) fn append_placed(&mut self, batch: PreparedBatch, now: Now, disk: &mut Disk<'_>) {
        let size_bytes = u32::try_from(batch.header.size_bytes).expect("a batch fits a segment");
        if self.must_roll(&batch.header, size_bytes, now.timestamp) {
            self.roll(now.timestamp, disk);
        }
        let PreparedBatch { header, bytes, body } = batch;
        self.epochs.assign(header.leader_epoch, header.base_offset);
        if let Some(producer) = header.producer {
            let last_offset = header.last_offset();
            let max_timestamp = header.max_timestamp;
            self.producers.note(
                producer,
                last_offset,
                header.last_offset_delta + 1,
                max_timestamp,
                now.timestamp,
            );
        }
        let active = self.segments.last_mut().expect("a log that is appended to has a segment");
        let io = disk.submit(DiskOp::Write {
            file: active.file,
            position: u64::from(self.end.byte),
            data: WriteData::Batch { header: bytes, body: body.clone() },
        });
        active.push(&header, size_bytes, now.timestamp, &self.config);
        self.end.offset = header.next_offset();
        self.end.byte += size_bytes;
        self.appended_bytes += u64::from(size_bytes);
        let (end, max_timestamp) = (self.end, active.max_timestamp);
        if self.config.is_durable() && self.config.has_journal {
            self.unsynced.push(header.base_offset, end.offset, bytes, body);
        }
        self.writes.push_back(PendingWrite { number: io.number, end, max_timestamp, ended: false });
        if active.offset_index.wants_writing() {
            self.write_indexes(disk);
        }
        self.unflushed_records += u64::from(header.record_count.cast_unsigned());
        self.unflushed_since.get_or_insert(now.instant);
    }

    /// Whether the batch must go to a new segment.
    fn must_roll(&self, header: &BatchHeader, size_bytes: u32, now: Timestamp) -> bool {
        let Some(active) = self.segments.last() else { return true };
        let config: &LogConfig = &self.config;
        if active.size_bytes == 0 {
            return false;
        }
        let span = header.last_offset() - active.base_offset;
        active.size_bytes > config.segment_bytes.saturating_sub(size_bytes)
            || active.index_is_full(config)
            || span > i64::from(i32::MAX)
            || self.active_is_old(header.max_timestamp, now)
    }

    /// Whether the active segment has been open for `segment.ms`, as Kafka reckons: from the timestamp of its first batch to
    /// that of the next, or by the clock where there is none.
    fn active_is_old(&self, timestamp: Timestamp, now: Timestamp) -> bool {
        let Some(active) = self.segments.last() else { return false };
        let age = match active.first_timestamp {
            Some(first) if first.0 >= 0 && timestamp.0 >= 0 => {
                timestamp.min(now).0.saturating_sub(first.0)
            }
            Some(_) | None => now.0.saturating_sub(active.last_append.0),
        };
        age > self.config.segment_ms
    }

    /// Closes the active segment and opens a new one at the end of the log.
    pub(super) fn roll(&mut self, now: Timestamp, disk: &mut Disk<'_>) {
        if let Some(active) = self.segments.last_mut() {
            active.push_time_entry();
            self.write_indexes(disk);
        } else {
            self.create_directory(disk);
        }
        if planted(Mutant::StateGoesAtRoll) {
            self.producers.clear();
        }
        let segment = Segment::new(self.directory, self.end.offset, now);
        for file in segment.files() {
            self.setup.push(disk.submit(DiskOp::Create(file)).number);
        }
        self.unsynced_names.add_own();
        self.end = LogPosition::segment_start(self.end.offset);
        self.segments.push(segment);
    }

    fn create_directory(&mut self, disk: &mut Disk<'_>) {
        let file = FileRef { directory: self.directory, name: FileName::Fixed(PARTITION_METADATA) };
        let text = alloc::format!("version: 0\ntopic_id: {}\n", self.topic);
        for op in [
            DiskOp::CreateDirectory(self.directory),
            DiskOp::Create(file),
            DiskOp::Write { file, position: 0, data: WriteData::Bytes(text.into()) },
        ] {
            self.setup.push(disk.submit(op).number);
        }
        self.unsynced_names.add_directory(file);
    }

    /// Writes what the indexes of the active segment have in memory only.
    pub fn write_indexes(&mut self, disk: &mut Disk<'_>) {
        if let Some(active) = self.segments.last() {
            self.write_indexes_of(active.base_offset, disk);
        }
    }

    fn write_indexes_of(&mut self, base: Offset, disk: &mut Disk<'_>) {
        let Some(segment) = self.segment_mut(base) else { return };
        let offset_index = segment.offset_index.write(disk);
        let time_index = segment.time_index.write(disk);
        if let Some(io) = offset_index {
            self.index_writes.insert(io.number, (base, WhichIndex::Offset));
        }
        if let Some(io) = time_index {
            self.index_writes.insert(io.number, (base, WhichIndex::Time));
        }
    }

    /// Takes the end of an operation that the log asked for.
    pub fn operation_ended(
        &mut self,
        io: IoId,
        result: &DiskResult,
        disk: &mut Disk<'_>,
    ) -> WriteEnd {
        let is_overlooked = |error: &IoError| {
            planted(Mutant::FullDiskTakenForWritten) && *error == IoError::NoSpace
        };
        if let Some(error) = result.failure().filter(|error| !is_overlooked(error)) {
            return self.operation_failed(io, error);
        }
        if let Some((base, which)) = self.index_writes.remove(&io.number) {
            if let Some(segment) = self.segment_mut(base) {
                match which {
                    WhichIndex::Offset => segment.offset_index.written(),
                    WhichIndex::Time => segment.time_index.written(),
                }
            }
            // A segment may have been closed meanwhile: nobody else writes its last entries.
            if self.segments.last().is_some_and(|active| active.base_offset != base) {
                self.write_indexes_of(base, disk);
            }
            return WriteEnd::Nothing;
        }
        self.setup.retain(|&number| number != io.number);
        if let Some(error) = self.failure.filter(|_| self.setup.is_empty()) {
            return WriteEnd::Failed(error);
        }
        let Some(write) = self.writes.iter_mut().find(|write| write.number == io.number) else {
            return WriteEnd::Nothing;
        };
        write.ended = true;
        let before = self.written;
        while let Some(write) = self.writes.pop_front_if(|write| write.ended) {
            self.written = write.end;
            self.written_max_timestamp = write.max_timestamp;
        }
        if self.written == before { WriteEnd::Nothing } else { WriteEnd::Written }
    }

    /// What is to lie in a directory or a file that could not be made is not found. The reason is told by the end of another
    /// operation, which may come later.
    fn operation_failed(&mut self, io: IoId, error: IoError) -> WriteEnd {
        self.setup.retain(|&number| number != io.number);
        if error == IoError::NotFound && !self.setup.is_empty() {
            self.failure = Some(error);
            return WriteEnd::Nothing;
        }
        WriteEnd::Failed(error)
    }
}
