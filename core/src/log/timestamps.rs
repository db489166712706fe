//! Finding records by time.

use core::cmp::Ordering;

use bytes::Bytes;

use super::{
    Log, Segment,
    index::{Floor, IndexSearch, OffsetEntry, SearchStep, TimeEntry},
};
use crate::{
    disk::{Disk, DiskOp, IoId},
    job::Job,
    records::{BATCH_HEADER_BYTES, BatchHeader, Compression, Records, batch},
    types::{LeaderEpoch, Offset, Timestamp},
};

/// How much is read at once to go from batch to batch.
const SCAN_BYTES: u32 = 8 << 10;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeTarget {
    /// The first record of this time or later.
    AtLeast(Timestamp),
    /// The first record of the latest time of all.
    Latest,
}

/// A record that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedRecord {
    /// Its time.
    pub timestamp: Timestamp,
    /// Where it is.
    pub offset: Offset,
    /// The epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
}

/// A search that is under way.
#[derive(Debug, Clone)]
pub struct TimeSearch {
    /// Looked for is the first record that is at least this late,
    timestamp: Timestamp,
    /// and not before this offset.
    from: Offset,
    segment: Offset,
    /// What the time index says of a batch that is still to come. Were it not so, records before it would be passed by.
    time_claim: Option<TimeEntry>,
    stage: Stage,
}

#[derive(Debug, Clone)]
enum Stage {
    TimeIndex(IndexSearch<TimeEntry>),
    OffsetIndex(IndexSearch<OffsetEntry>),
    Scan {
        byte: u32,
        claim: Option<OffsetEntry>,
    },
    Batch {
        byte: u32,
    },
    /// A batch is being looked into; the next one begins at this byte.
    Decompressing {
        next: u32,
    },
}

/// Looks for a record in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindInBatch {
    /// The batch.
    pub batch: Bytes,
    /// Wanted is the first record that is at least this late,
    pub timestamp: Timestamp,
    /// and not before this offset.
    pub from: Offset,
}

/// The batch is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

impl FindInBatch {
    /// Carries it out.
    pub fn run(&self) -> Result<Option<TimedRecord>, Damaged> {
        let header = BatchHeader::parse(&self.batch).map_err(|_| Damaged)?;
        let codec = header.attributes.compression().ok_or(Damaged)?;
        let body = self.batch.get(BATCH_HEADER_BYTES..header.size_bytes).ok_or(Damaged)?;
        let body = codec.decompress(body).map_err(|_| Damaged)?;
        for record in Records::new(&body) {
            let record = record.map_err(|_| Damaged)?;
            let offset = header.base_offset + i64::from(record.offset_delta);
            let timestamp = header.timestamp_of(record.timestamp_delta);
            if timestamp >= self.timestamp && offset >= self.from {
                let leader_epoch = header.leader_epoch;
                return Ok(Some(TimedRecord { timestamp, offset, leader_epoch }));
            }
        }
        Ok(None)
    }
}

/// How a search goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeStep {
    /// A read or a computation is under way.
    Reading(IoId),
    /// The record, if there is one.
    Found(Option<TimedRecord>),
    /// The segment is damaged.
    Damaged,
    /// The segment was deleted or replaced meanwhile: search again.
    Moved,
}

impl Log {
    /// Finds a record by time. What lies above the log's acknowledgeable end may be found as well.
    pub fn find_time(
        &self,
        target: TimeTarget,
        disk: &mut Disk<'_>,
    ) -> (Option<TimeSearch>, TimeStep) {
        let timestamp = match target {
            TimeTarget::AtLeast(timestamp) => timestamp,
            TimeTarget::Latest => {
                let served = &self.segments()[self.first_served()..];
                let latest = served.iter().filter_map(|segment| segment.max_timestamp);
                match latest.map(|entry| entry.timestamp).max() {
                    Some(latest) if latest >= Timestamp(0) => latest,
                    Some(_) | None => return (None, TimeStep::Found(None)),
                }
            }
        };
        let mut search = TimeSearch {
            timestamp,
            from: self.start_offset(),
            segment: Offset::ZERO,
            time_claim: None,
            stage: Stage::Scan { byte: 0, claim: None },
        };
        let first = self.segments().get(self.first_served());
        let before = first.map_or(Offset(-1), |first| first.base_offset + -1);
        let step = search.enter(self, before, disk);
        (Some(search), step)
    }

    /// The place of the first segment of which anything is served.
    fn first_served(&self) -> usize {
        self.segment_index(self.start_offset()).unwrap_or(0)
    }
}

impl TimeSearch {
    /// The segment that is being read.
    pub const fn segment(&self) -> Offset {
        self.segment
    }

    /// Goes to the first segment after `after` that has a record late enough.
    fn enter(&mut self, log: &Log, after: Offset, disk: &mut Disk<'_>) -> TimeStep {
        let late = |segment: &&Segment| {
            segment.base_offset > after
                && segment.max_timestamp.is_some_and(|max| max.timestamp >= self.timestamp)
        };
        let Some(segment) = log.segments().iter().find(late) else { return TimeStep::Found(None) };
        self.segment = segment.base_offset;
        match segment.time_index.floor(self.timestamp) {
            Floor::Found(entry) => self.seek_offset(entry, log, segment, disk),
            Floor::OnDisk(search) => {
                let io = search.read(disk);
                self.stage = Stage::TimeIndex(search);
                TimeStep::Reading(io)
            }
        }
    }

    /// Goes on with what was read.
    pub fn step(&mut self, log: &Log, bytes: &Bytes, disk: &mut Disk<'_>) -> TimeStep {
        let Some(segment) = log.segment(self.segment) else { return TimeStep::Moved };
        match &mut self.stage {
            Stage::TimeIndex(search) => match search.step(bytes, disk) {
                SearchStep::Reading(io) => TimeStep::Reading(io),
                SearchStep::Found(entry) => self.seek_offset(entry, log, segment, disk),
                SearchStep::Damaged => self.read_all(log, segment, disk),
            },
            Stage::OffsetIndex(search) => match search.step(bytes, disk) {
                SearchStep::Reading(io) => TimeStep::Reading(io),
                SearchStep::Found(entry) => self.scan_from(entry, log, segment, disk),
                SearchStep::Damaged => self.read_all(log, segment, disk),
            },
            &mut Stage::Scan { claim: Some(claim), .. } if !segment.honours(claim, bytes) => {
                self.read_all(log, segment, disk)
            }
            &mut Stage::Scan { byte, .. } => self.scan(byte, log, segment, bytes, disk),
            &mut Stage::Batch { byte } => self.take_batch(byte, log, bytes, disk),
            Stage::Decompressing { .. } => TimeStep::Damaged,
        }
    }

    /// A batch was looked into.
    pub fn searched(
        &mut self,
        log: &Log,
        found: Result<Option<TimedRecord>, Damaged>,
        disk: &mut Disk<'_>,
    ) -> TimeStep {
        let Some(segment) = log.segment(self.segment) else { return TimeStep::Moved };
        match (found, &self.stage) {
            (Ok(Some(record)), _) => TimeStep::Found(Some(record)),
            (Ok(None), &Stage::Decompressing { next }) => {
                self.read_at(next, None, log, segment, disk)
            }
            (Ok(None) | Err(Damaged), _) => TimeStep::Damaged,
        }
    }

    /// All records before the entry's are too early.
    fn seek_offset(
        &mut self,
        entry: Option<TimeEntry>,
        log: &Log,
        segment: &Segment,
        disk: &mut Disk<'_>,
    ) -> TimeStep {
        let from = segment.base_offset + entry.map_or(0, |entry| i64::from(entry.offset_delta));
        self.time_claim = entry.filter(|_| from > self.from);
        match segment.offset_index.floor(segment.delta(from.max(self.from))) {
            Floor::Found(entry) => self.scan_from(entry, log, segment, disk),
            Floor::OnDisk(search) => {
                let io = search.read(disk);
                self.stage = Stage::OffsetIndex(search);
                TimeStep::Reading(io)
            }
        }
    }

    /// Reads the whole segment, for its indexes are not what they should be.
    fn read_all(&mut self, log: &Log, segment: &Segment, disk: &mut Disk<'_>) -> TimeStep {
        self.time_claim = None;
        self.read_at(0, None, log, segment, disk)
    }

    fn scan_from(
        &mut self,
        entry: Option<OffsetEntry>,
        log: &Log,
        segment: &Segment,
        disk: &mut Disk<'_>,
    ) -> TimeStep {
        let claim = entry.filter(|entry| entry.byte < segment.size_bytes);
        self.read_at(claim.map_or(0, |entry| entry.byte), claim, log, segment, disk)
    }

    fn read_at(
        &mut self,
        byte: u32,
        claim: Option<OffsetEntry>,
        log: &Log,
        segment: &Segment,
        disk: &mut Disk<'_>,
    ) -> TimeStep {
        // What is being written cannot be read yet.
        let end = match segment.base_offset.cmp(&log.written().segment) {
            Ordering::Less => segment.size_bytes,
            Ordering::Equal => log.written().byte,
            Ordering::Greater => 0,
        };
        if byte >= end && (self.time_claim.is_some() || claim.is_some()) {
            return self.read_all(log, segment, disk);
        }
        if byte >= end {
            return self.enter(log, segment.base_offset, disk);
        }
        self.stage = Stage::Scan { byte, claim };
        TimeStep::Reading(disk.submit(DiskOp::Read {
            file: segment.file,
            position: u64::from(byte),
            length: SCAN_BYTES.min(end - byte),
        }))
    }

    fn scan(
        &mut self,
        start: u32,
        log: &Log,
        segment: &Segment,
        bytes: &[u8],
        disk: &mut Disk<'_>,
    ) -> TimeStep {
        let mut byte = start;
        while let Some(rest) = bytes.get((byte - start) as usize..)
            && rest.len() >= BATCH_HEADER_BYTES
        {
            let Ok(header) = BatchHeader::parse(rest) else { return TimeStep::Damaged };
            let Ok(size_bytes) = u32::try_from(header.size_bytes) else {
                return TimeStep::Damaged;
            };
            let is_late = header.max_timestamp >= self.timestamp;
            // Were the time index right, nothing before the batch that it names would be late enough.
            if self.contradicts(&header, segment) || is_late && self.time_claim.is_some() {
                return self.read_all(log, segment, disk);
            }
            if is_late && header.last_offset() >= self.from {
                self.stage = Stage::Batch { byte };
                return TimeStep::Reading(disk.submit(DiskOp::Read {
                    file: segment.file,
                    position: u64::from(byte),
                    length: size_bytes,
                }));
            }
            byte = byte.saturating_add(size_bytes);
        }
        if byte == start {
            return TimeStep::Damaged;
        }
        self.read_at(byte, None, log, segment, disk)
    }

    /// Whether a batch shows that what the time index said is not so.
    fn contradicts(&mut self, header: &BatchHeader, segment: &Segment) -> bool {
        let offset = |claim: &TimeEntry| segment.base_offset + i64::from(claim.offset_delta);
        let claim = self.time_claim.take_if(|claim| header.last_offset() >= offset(claim));
        claim.is_some_and(|claim| claim.timestamp != header.max_timestamp)
    }

    fn take_batch(&mut self, byte: u32, log: &Log, bytes: &Bytes, disk: &mut Disk<'_>) -> TimeStep {
        let Ok(header) = batch::verify(bytes) else { return TimeStep::Damaged };
        let next = byte + u32::try_from(header.size_bytes).unwrap_or(u32::MAX - byte);
        let batch = bytes.slice(..header.size_bytes);
        let job = FindInBatch { batch, timestamp: self.timestamp, from: self.from };
        self.stage = Stage::Decompressing { next };
        if header.attributes.compression() == Some(Compression::None) {
            return self.searched(log, job.run(), disk);
        }
        TimeStep::Reading(disk.compute(Job::FindInBatch(job)))
    }
}
