//! Making sure that what is about to be served is intact.
//!
//! Every batch that is read from disk is verified before it is sent, once for each range since its segment was opened; then
//! the range is named, and its bytes go from the disk to the socket without passing through here again.

use super::{Log, LogPosition};
use crate::{
    disk::{Disk, DiskOp, FileRange, IoId},
    mutants::{Mutant, planted},
    records::{
        BATCH_HEADER_BYTES, BatchHeader,
        batch::{self, BatchError},
    },
    types::Offset,
};

/// How much is read at once to be verified.
const VERIFY_BYTES: u32 = 1 << 20;

/// What is to be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The beginning of a batch.
    pub from: LogPosition,
    /// Nothing from here on.
    pub limit: LogPosition,
    /// How many bytes.
    pub bytes_max: u32,
    /// Serve the first batch whole even if it is larger than that.
    pub at_least_one: bool,
}

/// A preparation that is under way.
#[derive(Debug, Clone)]
pub struct Prepare {
    wanted: Wanted,
    segment: Offset,
    /// Where the wanted bytes begin, and where they end: first as far as the segment and the limit allow.
    start: u32,
    end: u32,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Reading the first batch's header, to learn how long it is.
    FirstHeader,
    /// Verifying the batches from this byte on, of which so many bytes are being read.
    Verify { from: u32, asked: u32 },
}

/// How a preparation goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrepareStep {
    /// A read is under way.
    Reading(IoId),
    /// This may be served. It may end within a batch; a reader asks for the rest again.
    Ready(FileRange),
    /// A batch is damaged.
    Damaged {
        /// The segment.
        segment: Offset,
        /// The byte where the batch begins.
        byte: u32,
        /// What is wrong with it; nothing if it cannot be told.
        error: Option<BatchError>,
    },
    /// The segment was deleted or replaced meanwhile: locate again.
    Moved,
}

impl Log {
    /// How many bytes may be served from `from` on, in its segment and up to `limit`; at a segment's end, of the next one.
    pub fn available(&self, from: LogPosition, limit: LogPosition) -> Option<(LogPosition, u32)> {
        let segment = self.segment(from.segment)?;
        let end = if limit.segment == from.segment { limit.byte } else { segment.size_bytes };
        if from.byte < end || limit.segment <= from.segment {
            return Some((from, end.saturating_sub(from.byte)));
        }
        let next = self.segment_after(from.segment)?;
        let from =
            LogPosition { offset: from.offset, ..LogPosition::segment_start(next.base_offset) };
        self.available(from, limit)
    }

    /// Prepares bytes to be served.
    pub fn prepare(&self, wanted: Wanted, disk: &mut Disk<'_>) -> (Option<Prepare>, PrepareStep) {
        let Some((from, available)) = self.available(wanted.from, wanted.limit) else {
            return (None, PrepareStep::Moved);
        };
        let mut prepare = Prepare {
            wanted,
            segment: from.segment,
            start: from.byte,
            end: from.byte + available,
            stage: Stage::FirstHeader,
        };
        let step = if available > wanted.bytes_max {
            prepare.read_first_header(self, disk)
        } else {
            prepare.verify_from(from.byte, self, disk)
        };
        (Some(prepare), step)
    }
}

impl Prepare {
    /// The segment that is being read.
    pub const fn segment(&self) -> Offset {
        self.segment
    }

    /// Goes on with what was read.
    pub fn step(&mut self, log: &mut Log, bytes: &[u8], disk: &mut Disk<'_>) -> PrepareStep {
        if log.segment(self.segment).is_none() {
            return PrepareStep::Moved;
        }
        match self.stage {
            Stage::FirstHeader => self.take_first_header(log, bytes, disk),
            // The file is shorter than it was.
            Stage::Verify { from, asked } if length(bytes.len()) < asked => {
                self.damaged(from, None)
            }
            Stage::Verify { from, .. } => self.take_batches(from, log, bytes, disk),
        }
    }

    fn read_first_header(&self, log: &Log, disk: &mut Disk<'_>) -> PrepareStep {
        let Some(segment) = log.segment(self.segment) else { return PrepareStep::Moved };
        PrepareStep::Reading(disk.submit(DiskOp::Read {
            file: segment.file,
            position: u64::from(self.start),
            length: HEADER_BYTES,
        }))
    }

    fn read_to_verify(
        &mut self,
        from: u32,
        wanted: u32,
        log: &Log,
        disk: &mut Disk<'_>,
    ) -> PrepareStep {
        let Some(segment) = log.segment(self.segment) else { return PrepareStep::Moved };
        let asked = wanted.min(segment.size_bytes - from);
        self.stage = Stage::Verify { from, asked };
        PrepareStep::Reading(disk.submit(DiskOp::Read {
            file: segment.file,
            position: u64::from(from),
            length: asked,
        }))
    }

    /// The first batch decides whether it is cut off, and what happens then.
    fn take_first_header(&mut self, log: &Log, bytes: &[u8], disk: &mut Disk<'_>) -> PrepareStep {
        let header = match BatchHeader::parse(bytes) {
            Ok(header) => header,
            Err(error) => return self.damaged(self.start, Some(error)),
        };
        let first_bytes = u32::try_from(header.size_bytes).unwrap_or(u32::MAX);
        let length = if first_bytes <= self.wanted.bytes_max {
            self.wanted.bytes_max
        } else if self.wanted.at_least_one {
            first_bytes
        } else {
            0
        };
        self.end = self.end.min(self.start.saturating_add(length));
        self.verify_from(self.start, log, disk)
    }

    fn verify_from(&mut self, from: u32, log: &Log, disk: &mut Disk<'_>) -> PrepareStep {
        let Some(segment) = log.segment(self.segment) else { return PrepareStep::Moved };
        let verified = if from == self.end { None } else { segment.verified.end_from(from) };
        let from = verified.unwrap_or(from);
        if from >= self.end || planted(Mutant::DamagedBatchServed) {
            return PrepareStep::Ready(FileRange {
                file: segment.file,
                position: u64::from(self.start),
                length: u64::from(self.end - self.start),
            });
        }
        self.read_to_verify(from, VERIFY_BYTES.min(self.end - from).max(HEADER_BYTES), log, disk)
    }

    fn take_batches(
        &mut self,
        from: u32,
        log: &mut Log,
        bytes: &[u8],
        disk: &mut Disk<'_>,
    ) -> PrepareStep {
        let mut intact = 0;
        // Base offsets are not under the checksums.
        let end = log.segment_after(self.segment).map_or(log.end.offset, |next| next.base_offset);
        let mut earliest = self.segment;
        loop {
            let rest = &bytes[intact..];
            match batch::verify(rest) {
                Ok(header) if !(earliest..end).contains(&header.base_offset) => {
                    return self.damaged(from + length(intact), Some(BatchError::Count));
                }
                Ok(header) => {
                    intact += header.size_bytes;
                    earliest = header.next_offset();
                }
                Err(BatchError::Incomplete) => break,
                Err(error) => return self.damaged(from + length(intact), Some(error)),
            }
        }
        if intact > 0 {
            let to = from + length(intact);
            let Some(segment) = log.segment_mut(self.segment) else { return PrepareStep::Moved };
            segment.verified.insert(from..to);
            return self.verify_from(to, log, disk);
        }
        // Not even one batch: it is longer than what was read, or than what there is.
        match BatchHeader::parse(bytes) {
            Ok(header) if header.size_bytes > bytes.len() => {
                let Some(segment) = log.segment(self.segment) else { return PrepareStep::Moved };
                let whole = u32::try_from(header.size_bytes).unwrap_or(u32::MAX);
                if whole > segment.size_bytes - from {
                    return self.damaged(from, Some(BatchError::Incomplete));
                }
                self.read_to_verify(from, whole, log, disk)
            }
            Ok(_) => self.damaged(from, None),
            Err(error) => self.damaged(from, Some(error)),
        }
    }

    const fn damaged(&self, byte: u32, error: Option<BatchError>) -> PrepareStep {
        PrepareStep::Damaged { segment: self.segment, byte, error }
    }
}

/// The length of a batch's header.
const HEADER_BYTES: u32 = 61;
const _: () = assert!(HEADER_BYTES as usize == BATCH_HEADER_BYTES);

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("no more was read than a segment holds")
}
