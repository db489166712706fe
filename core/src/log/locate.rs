//! Finding the batch of an offset.

use super::{
    Log, LogPosition, Segment,
    index::{Floor, IndexSearch, OffsetEntry, SearchStep},
};
use crate::{
    disk::{Disk, DiskOp, IoId},
    records::{BATCH_HEADER_BYTES, BatchHeader},
    types::Offset,
};

/// How much is read at once to go from batch to batch.
const SCAN_BYTES: u32 = 8 << 10;

/// A search that is under way.
#[derive(Debug, Clone)]
pub struct Locate {
    offset: Offset,
    segment: Offset,
    stage: Stage,
}

#[derive(Debug, Clone)]
enum Stage {
    Index(IndexSearch<OffsetEntry>),
    /// Going from batch to batch, from the one that begins at this byte.
    /// An index that is damaged may have led there; then what it claimed of the batch does not hold.
    Scan {
        byte: u32,
        claim: Option<OffsetEntry>,
    },
}

/// How a search goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocateStep {
    /// A read is under way.
    Reading(IoId),
    /// The batch that holds the offset, or the first one after it, begins here.
    Found(LogPosition),
    /// The segment is damaged here.
    Damaged,
    /// The segment was deleted or replaced meanwhile: search again.
    Moved,
}

impl Log {
    /// Where `offset` is, if that is known without a look at the disk.
    fn known_position(&self, offset: Offset) -> Option<LogPosition> {
        let ends = [Some(self.end), Some(self.written), Some(self.durable)];
        ends.iter()
            .chain(&self.served_to)
            .flatten()
            .copied()
            // One at the end of a segment that was deleted since leads nowhere, and whoever asks again would get it again.
            .find(|position| position.offset == offset && self.segment(position.segment).is_some())
    }

    /// Finds the batch that holds `offset`, which must not lie below the log's start or above its end.
    pub fn locate(&self, offset: Offset, disk: &mut Disk<'_>) -> (Option<Locate>, LocateStep) {
        if let Some(position) = self.known_position(offset) {
            return (None, LocateStep::Found(position));
        }
        let Some(index) = self.segment_index(offset) else {
            // Compaction or deletion may have left the first segment with a greater base offset than the log's start.
            let first = self
                .segments
                .first()
                .map_or(self.end, |segment| LogPosition::segment_start(segment.base_offset));
            return (None, LocateStep::Found(first));
        };
        let segment = &self.segments[index];
        if segment.base_offset == offset && segment.size_bytes > 0 {
            return (None, LocateStep::Found(LogPosition::segment_start(offset)));
        }
        let mut search = Locate {
            offset,
            segment: segment.base_offset,
            stage: Stage::Scan { byte: 0, claim: None },
        };
        let step = match segment.offset_index.floor(segment.delta(offset)) {
            Floor::Found(entry) => search.scan_from(entry, self, segment, disk),
            Floor::OnDisk(index) => {
                let io = index.read(disk);
                search.stage = Stage::Index(index);
                LocateStep::Reading(io)
            }
        };
        (Some(search), step)
    }
}

impl Segment {
    /// Whether the batch that `bytes` begin with can be the one that an entry of the index names. It begins no later than the
    /// entry says it ends; an entry of Kafka's may name the end of a batch behind it.
    pub(super) fn honours(&self, claim: OffsetEntry, bytes: &[u8]) -> bool {
        let last = self.base_offset + i64::from(claim.offset_delta);
        BatchHeader::parse(bytes)
            .is_ok_and(|header| (self.base_offset..=last).contains(&header.base_offset))
    }
}

impl Locate {
    /// The segment that is being read.
    pub const fn segment(&self) -> Offset {
        self.segment
    }

    /// Goes on with what was read.
    pub fn step(&mut self, log: &Log, bytes: &[u8], disk: &mut Disk<'_>) -> LocateStep {
        let Some(segment) = log.segment(self.segment) else { return LocateStep::Moved };
        match &mut self.stage {
            Stage::Index(search) => match search.step(bytes, disk) {
                SearchStep::Reading(io) => LocateStep::Reading(io),
                SearchStep::Found(entry) => self.scan_from(entry, log, segment, disk),
                // An index can be done without.
                SearchStep::Damaged => self.scan_from(None, log, segment, disk),
            },
            &mut Stage::Scan { claim: Some(claim), .. } if !segment.honours(claim, bytes) => {
                self.read_at(0, None, log, segment, disk)
            }
            &mut Stage::Scan { byte, .. } => self.scan(byte, log, segment, bytes, disk),
        }
    }

    fn scan_from(
        &mut self,
        entry: Option<OffsetEntry>,
        log: &Log,
        segment: &Segment,
        disk: &mut Disk<'_>,
    ) -> LocateStep {
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
    ) -> LocateStep {
        if byte >= segment.size_bytes {
            // Compaction may leave a gap at the end of a segment.
            return log.segment_after(segment.base_offset).map_or(LocateStep::Damaged, |next| {
                LocateStep::Found(LogPosition {
                    offset: self.offset,
                    ..LogPosition::segment_start(next.base_offset)
                })
            });
        }
        self.stage = Stage::Scan { byte, claim };
        let length = SCAN_BYTES.min(segment.size_bytes - byte);
        LocateStep::Reading(disk.submit(DiskOp::Read {
            file: segment.file,
            position: u64::from(byte),
            length,
        }))
    }

    fn scan(
        &mut self,
        start: u32,
        log: &Log,
        segment: &Segment,
        bytes: &[u8],
        disk: &mut Disk<'_>,
    ) -> LocateStep {
        let mut byte = start;
        let has_header = |rest: &&[u8]| rest.len() >= BATCH_HEADER_BYTES;
        while let Some(rest) = bytes.get((byte - start) as usize..).filter(has_header) {
            let Ok(header) = BatchHeader::parse(rest) else { return LocateStep::Damaged };
            if header.last_offset() >= self.offset {
                return self.found(byte);
            }
            let Some(next) =
                u32::try_from(header.size_bytes).ok().and_then(|size| byte.checked_add(size))
            else {
                return LocateStep::Damaged;
            };
            byte = next;
        }
        // A read that brought not even one header means that the file is shorter than it should be.
        if byte == start && segment.size_bytes > byte {
            return LocateStep::Damaged;
        }
        self.read_at(byte, None, log, segment, disk)
    }

    const fn found(&self, byte: u32) -> LocateStep {
        LocateStep::Found(LogPosition { offset: self.offset, segment: self.segment, byte })
    }
}
