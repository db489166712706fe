//! Reading a log batch by batch: to recover what a crash left, or to make lost indexes anew.

use alloc::{collections::VecDeque, vec::Vec};

use super::{
    Log, LogPosition, Segment,
    cleaner::{CLEANED_INDEX, CLEANED_TIME_INDEX},
    index::{Entry, Index},
    segment::{INDEX, TIME_INDEX},
    snapshot::Place,
};
use crate::{
    disk::{Disk, DiskOp, FileName, FileRef, IoId},
    mutants::{Mutant, planted},
    records::batch::{self, BatchError, BatchHeader},
    types::Offset,
};

/// How much is read at once.
const CHUNK_BYTES: u32 = 1 << 20;

/// A scan that is under way.
#[derive(Debug)]
pub(super) struct Scan {
    purpose: Purpose,
    segment: Offset,
    /// Where the segment's file ends.
    file_bytes: u32,
    /// The next batch begins at this byte, with this offset or a later one.
    byte: u32,
    offset: Offset,
    limits: Limits,
    /// How many bytes are being read.
    asked: u32,
    end: ScanEnd,
}

/// Between what the log's end is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Everything below this is on disk; compaction may have left gaps there.
    pub(super) gaps_end: Offset,
    /// Nothing at or above this is to stay.
    pub(super) end: Offset,
}

impl Limits {
    const NONE: Self = Self { gaps_end: Offset(i64::MAX), end: Offset(i64::MAX) };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Find the end of the log. What is not intact is cut off, with everything after it.
    Recover,
    /// Make the indexes of one segment anew, and find whether it holds what later ones hold as well.
    Reindex,
}

/// What a scan leaves to be done.
#[derive(Debug, Default)]
pub(super) struct ScanEnd {
    /// How many bytes were read and verified.
    pub(super) scanned_bytes: u64,
    /// How many bytes were cut off.
    pub(super) truncated_bytes: u64,
    /// Operations that have to end.
    pub(super) operations: Vec<IoId>,
    /// What is to be done after that, each to begin when the one before has ended.
    pub(super) steps: VecDeque<DiskOp>,
    /// Files to be synced after that.
    pub(super) touched: Vec<FileRef>,
}

/// How a scan goes on.
#[derive(Debug)]
pub(super) enum ScanStep {
    Reading(IoId),
    End(ScanEnd),
}

impl Purpose {
    /// The extensions of the indexes that are being made. Those of the log's end are made anew after every crash; others get
    /// their names when they are whole.
    const fn index_extensions(self) -> [&'static str; 2] {
        match self {
            Self::Recover => [INDEX, TIME_INDEX],
            Self::Reindex => [CLEANED_INDEX, CLEANED_TIME_INDEX],
        }
    }
}

impl Scan {
    fn new(purpose: Purpose, from: LogPosition) -> Self {
        Self {
            purpose,
            segment: from.segment,
            file_bytes: 0,
            byte: from.byte,
            offset: from.offset,
            limits: Limits::NONE,
            asked: 0,
            end: ScanEnd::default(),
        }
    }

    /// Makes the indexes of a segment that has none.
    pub(super) fn reindex(segment: Offset, log: &mut Log, disk: &mut Disk<'_>) -> (Self, ScanStep) {
        let mut scan = Self::new(Purpose::Reindex, LogPosition::segment_start(segment));
        let step = scan.enter(log, disk);
        (scan, step)
    }

    /// Finds the end of the log, which is at `from` or later; if that is within a segment, `place` says what its indexes hold
    /// below that.
    pub(super) fn recover(
        log: &mut Log,
        from: LogPosition,
        place: Option<Place>,
        limits: Limits,
        disk: &mut Disk<'_>,
    ) -> (Self, ScanStep) {
        let mut scan = Self { limits, ..Self::new(Purpose::Recover, from) };
        log.epochs.truncate_from_end(from.offset.max(log.start_offset));
        if let Some(place) = place.filter(|_| from.byte > 0)
            && let Some(segment) = log.segment_mut(from.segment)
        {
            let index = &mut segment.offset_index;
            scan.cut_index(index, place.offset_entries, None, disk);
            let index = &mut segment.time_index;
            scan.cut_index(index, place.time_entries, place.last_time_entry, disk);
            segment.max_timestamp = place.max_timestamp;
        }
        let step = scan.enter(log, disk);
        (scan, step)
    }

    /// Leaves so many entries in an index, the last of which is `last` if that is known.
    fn cut_index<E: Entry>(
        &mut self,
        index: &mut Index<E>,
        entries: u32,
        last: Option<E>,
        disk: &mut Disk<'_>,
    ) {
        self.end.operations.push(disk.submit(DiskOp::Truncate {
            file: index.file(),
            length: u64::from(entries) * u64::from(E::BYTES),
        }));
        *index = Index::existing(index.file(), entries, last);
    }

    fn enter(&mut self, log: &mut Log, disk: &mut Disk<'_>) -> ScanStep {
        let Some(segment) = log.segment_mut(self.segment) else { return self.finish(log) };
        self.file_bytes = segment.size_bytes;
        segment.size_bytes = self.byte;
        disk.submit(DiskOp::DropCache(segment.file));
        if self.byte == 0 {
            let [index, time_index] = self.purpose.index_extensions();
            let file = |extension| FileRef {
                name: FileName::segment(segment.base_offset, extension),
                ..segment.file
            };
            segment.offset_index = Index::empty(file(index));
            segment.time_index = Index::empty(file(time_index));
            segment.max_timestamp = None;
            for file in [segment.offset_index.file(), segment.time_index.file()] {
                self.end.operations.push(disk.submit(DiskOp::Create(file)));
            }
        }
        if self.purpose == Purpose::Recover {
            self.end.touched.extend(segment.files());
        }
        self.read(log, CHUNK_BYTES, disk)
    }

    fn read(&mut self, log: &mut Log, wanted: u32, disk: &mut Disk<'_>) -> ScanStep {
        if self.byte >= self.file_bytes {
            return self.leave(log, disk);
        }
        let Some(segment) = log.segment(self.segment) else { return self.finish(log) };
        self.asked = wanted.min(self.file_bytes - self.byte);
        ScanStep::Reading(disk.submit(DiskOp::Read {
            file: segment.file,
            position: u64::from(self.byte),
            length: self.asked,
        }))
    }

    /// What was asked for since this was last called, beside the read, and has to end.
    pub(super) fn take_operations(&mut self) -> Vec<IoId> {
        core::mem::take(&mut self.end.operations)
    }

    /// Goes on with what was read.
    pub(super) fn step(&mut self, log: &mut Log, bytes: &[u8], disk: &mut Disk<'_>) -> ScanStep {
        let mut taken = 0;
        let problem = loop {
            match self.take_batch(log, &bytes[taken..], disk) {
                Ok(size) => taken += size,
                Err(problem) => break problem,
            }
        };
        self.end.scanned_bytes += taken as u64;
        if problem != BatchError::Incomplete {
            return self.cut(log, disk);
        }
        if taken > 0 {
            return self.read(log, CHUNK_BYTES, disk);
        }
        // Not one batch: either it is longer than what was read, or the file ends within it.
        let whole = BatchHeader::parse(bytes).ok();
        let whole = whole.and_then(|header| u32::try_from(header.size_bytes).ok());
        match whole {
            Some(whole) if self.asked < whole && whole <= self.file_bytes - self.byte => {
                self.read(log, whole, disk)
            }
            Some(_) | None => self.cut(log, disk),
        }
    }

    /// Takes the batch that `bytes` begin with into the log, and returns its length.
    fn take_batch(
        &mut self,
        log: &mut Log,
        bytes: &[u8],
        disk: &mut Disk<'_>,
    ) -> Result<usize, BatchError> {
        let header = verify(bytes)?;
        let config = log.config;
        let Some(segment) = log.segment_mut(self.segment) else { return Err(BatchError::Count) };
        let size_bytes = u32::try_from(header.size_bytes).map_err(|_| BatchError::TooSmall)?;
        let base_offset = segment.base_offset;
        // A batch that goes back is told first: its distance may not fit a number.
        let is_in_reach = |offset| offset - base_offset <= i64::from(i32::MAX);
        if !self.can_follow(header.base_offset)
            || !is_in_reach(header.last_offset())
            || header.last_offset() >= self.limits.end
        {
            return Err(BatchError::Count);
        }
        let last_append = segment.last_append;
        segment.push(&header, size_bytes, last_append, &config);
        self.byte += size_bytes;
        self.offset = header.next_offset();
        if self.purpose == Purpose::Recover {
            log.epochs.assign(header.leader_epoch, header.base_offset);
            if let Some(producer) = header.producer
                && !header.attributes.is_control()
                && !planted(Mutant::TailNotNoted)
            {
                let record_count = header.last_offset_delta + 1;
                let last_write = header.max_timestamp.min(last_append);
                let max_timestamp = header.max_timestamp;
                log.producers.note(
                    producer,
                    header.last_offset(),
                    record_count,
                    max_timestamp,
                    last_write,
                );
            }
        }
        if log.segment(self.segment).is_some_and(|segment| segment.offset_index.wants_writing()) {
            self.write_indexes(log, disk);
        }
        Ok(header.size_bytes)
    }

    /// Whether a batch or a segment with this base offset may come next. Nothing goes back, or beyond the end; and a gap above the recovery point
    /// means that what was there is lost, and what lies behind it came later.
    fn can_follow(&self, base_offset: Offset) -> bool {
        let gaps_end =
            if planted(Mutant::GapAccepted) { Offset(i64::MAX) } else { self.limits.gaps_end };
        let follows =
            base_offset == self.offset || base_offset > self.offset && base_offset <= gaps_end;
        follows && base_offset < self.limits.end
    }

    fn write_indexes(&mut self, log: &mut Log, disk: &mut Disk<'_>) {
        let Some(segment) = log.segment_mut(self.segment) else { return };
        // The log is not served before these writes have ended, so their entries need not be kept.
        self.end.operations.extend(segment.offset_index.write(disk));
        segment.offset_index.written();
        self.end.operations.extend(segment.time_index.write(disk));
        segment.time_index.written();
    }

    /// The segment has been read to its end.
    fn leave(&mut self, log: &mut Log, disk: &mut Disk<'_>) -> ScanStep {
        let next = log.segment_after(self.segment).map(|segment| segment.base_offset);
        if next.is_some()
            && let Some(segment) = log.segment_mut(self.segment)
        {
            segment.push_time_entry();
        }
        self.write_indexes(log, disk);
        match (self.purpose, next) {
            (Purpose::Reindex, _) => self.finish_reindexing(log),
            (Purpose::Recover, None) => self.finish(log),
            (Purpose::Recover, Some(next)) if !self.can_follow(next) => self.cut(log, disk),
            (Purpose::Recover, Some(next)) => {
                self.segment = next;
                self.offset = next;
                self.byte = 0;
                self.enter(log, disk)
            }
        }
    }

    /// The indexes are whole: they are made durable before they get their names, for those of a segment below the recovery point
    /// are taken as they are. Compaction may have put the records of later segments into this one; these go first.
    fn finish_reindexing(&mut self, log: &mut Log) -> ScanStep {
        let (from, to) = (self.segment, self.offset);
        let Some(segment) = log.segment_mut(from) else { return self.finish(log) };
        let directory = segment.file.directory;
        let indexes = [segment.offset_index.file(), segment.time_index.file()];
        let named = [INDEX, TIME_INDEX]
            .map(|extension| FileRef { name: FileName::segment(from, extension), directory });
        segment.offset_index.renamed(indexes[0], named[0]);
        segment.time_index.renamed(indexes[1], named[1]);
        let sync_names = || DiskOp::Sync { files: Vec::new(), directories: [directory].into() };
        self.end.steps.push_back(DiskOp::Sync { files: indexes.into(), directories: Vec::new() });
        // The older ones go first: were a tombstone gone before what it deletes, that would be back.
        let is_covered =
            |segment: &mut Segment| segment.base_offset > from && segment.base_offset < to;
        let covered: Vec<_> = log.segments.extract_if(.., is_covered).collect();
        self.remove(covered);
        for (file, to) in indexes.into_iter().zip(named) {
            self.end.steps.push_back(DiskOp::Rename { file, name: to.name });
        }
        self.end.steps.push_back(sync_names());
        self.finish(log)
    }

    /// Removes the files of segments that were taken out of the log, one after the other.
    fn remove(&mut self, segments: impl IntoIterator<Item = Segment>) {
        for segment in segments {
            let directories = [segment.file.directory].into();
            self.end.truncated_bytes += u64::from(segment.size_bytes);
            self.end.steps.extend(segment.files().map(DiskOp::Remove));
            self.end.steps.push_back(DiskOp::Sync { files: Vec::new(), directories });
            self.end.touched.retain(|file| !segment.files().contains(file));
        }
    }

    /// Something is not intact: the log ends before it. A segment that is only being indexed keeps it, for it may have been
    /// acknowledged; whoever reads it will be told.
    ///
    /// What is latest goes first, and what is not intact last: wherever this is cut short, no hole is left, and the next recovery
    /// ends the log at the same place.
    fn cut(&mut self, log: &mut Log, disk: &mut Disk<'_>) -> ScanStep {
        if self.purpose == Purpose::Reindex {
            if let Some(segment) = log.segment_mut(self.segment) {
                segment.size_bytes = self.file_bytes;
            }
            self.write_indexes(log, disk);
            return self.finish_reindexing(log);
        }
        let from = self.segment;
        let later: Vec<_> =
            log.segments.extract_if(.., |segment| segment.base_offset > from).collect();
        self.remove(later.into_iter().rev());
        if self.byte < self.file_bytes
            && !planted(Mutant::TailNotCutOff)
            && let Some(segment) = log.segment(self.segment)
        {
            self.end.truncated_bytes += u64::from(self.file_bytes - self.byte);
            let length = u64::from(self.byte);
            self.end.steps.push_back(DiskOp::Truncate { file: segment.file, length });
        }
        self.write_indexes(log, disk);
        self.finish(log)
    }

    fn finish(&mut self, log: &mut Log) -> ScanStep {
        if self.purpose == Purpose::Recover {
            log.end = LogPosition { offset: self.offset, segment: self.segment, byte: self.byte };
        }
        ScanStep::End(core::mem::take(&mut self.end))
    }
}

/// Checks the batch that `bytes` begin with, and returns its header.
fn verify(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
    if planted(Mutant::RecoveryTrustsChecksums) {
        let is_whole = |header: &BatchHeader| header.size_bytes <= bytes.len();
        return BatchHeader::parse(bytes)
            .and_then(|header| Some(header).filter(is_whole).ok_or(BatchError::Incomplete));
    }
    batch::verify(bytes)
}
