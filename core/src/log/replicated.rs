//! The log as a replica of a partition has it: appended to as its leader says, and cut off where it differs.

use bytes::Bytes;

use super::{Log, LogPosition, PreparedBatch, epochs::Epochs};
use crate::{
    disk::Disk,
    machine::Now,
    mutants::{Mutant, planted},
    records::batch::{self, BatchError, BatchHeader},
    replica::{Corrupt, ReplicaLog},
    types::{LeaderEpoch, Offset},
};

/// Batches that have come from the leader.
#[derive(Debug)]
pub struct Arriving<'a> {
    /// One after the other; the last may be cut off.
    pub batches: Bytes,
    /// When they came.
    pub now: Now,
    /// Where they go.
    pub disk: Disk<'a>,
}

/// What is to be cut off. The log's owner has it done: see [`Partition`](crate::partition::Partition).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Everything at or above this goes.
    pub to: Offset,
    /// Everything below goes as well, and the next record gets this offset.
    pub begin_at: Option<Offset>,
}

impl Log {
    /// What is to be cut off.
    pub const fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// Nothing is to be cut off any more.
    pub fn cut_ended(&mut self) {
        if let Some(Cut { to, .. }) = self.cut.take()
            && !planted(Mutant::EpochsOutliveCut)
        {
            self.epochs.truncate_from_end(to);
        }
    }

    /// Where recovery has to begin. If something is to be cut off, that is where the newest snapshot below it is, or where the log
    /// begins.
    pub fn point_to_recover_from(&self) -> Offset {
        let Some(Cut { to, .. }) = self.cut else { return self.recovery_point };
        let below = self.snapshots.newest_to(self.recovery_point.min(Offset(to.0 - 1)));
        let first = self.segments.first().map_or(self.end.offset, |first| first.base_offset);
        below.unwrap_or(first).min(self.recovery_point)
    }

    /// Nothing is there: the next record gets offset `start`.
    pub(super) fn begin_anew(&mut self, start: Offset) {
        let config = self.config;
        *self = Self::new(self.directory, self.topic, config);
        self.end = LogPosition::segment_start(start);
        (self.written, self.durable, self.in_files) = (self.end, self.end, self.end);
        (self.start_offset, self.recovery_point, self.cleaned_to) = (start, start, start);
        self.cut = Some(Cut { to: start, begin_at: Some(start) });
    }

    /// Has happen what is to, where there is nothing on disk.
    pub fn cut_nothing(&mut self) {
        match self.cut {
            Some(Cut { begin_at: Some(start), .. }) => self.begin_anew(start),
            Some(Cut { begin_at: None, .. }) | None => self.cut_ended(),
        }
    }

    /// Whether nothing that it has asked for is under way.
    pub fn is_settled(&self) -> bool {
        self.is_quiet() && self.writes.is_empty() && self.syncing.is_none() && !self.is_replacing
    }
}

impl ReplicaLog for Log {
    type Records<'a> = Arriving<'a>;

    fn start_offset(&self) -> Offset {
        self.start_offset
    }

    fn end_offset(&self) -> Offset {
        self.end.offset
    }

    fn acknowledgeable(&self) -> Offset {
        Self::acknowledgeable(self).offset
    }

    fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    fn begin_epoch(&mut self, epoch: LeaderEpoch) {
        Self::begin_epoch(self, epoch);
    }

    /// All batches are looked at before the first is appended. Compaction may have left gaps between them.
    fn append_replicated(&mut self, records: Arriving<'_>) -> Result<(), Corrupt> {
        let Arriving { batches, now, mut disk } = records;
        let mut prepared = alloc::vec::Vec::new();
        let mut next = self.end.offset;
        let mut epoch = self.epochs.latest();
        let mut rest = batches;
        while !rest.is_empty() {
            let header = match batch::verify(&rest) {
                Ok(header) => header,
                Err(BatchError::Incomplete) => break,
                Err(BatchError::Checksum { .. }) if planted(Mutant::ReplicatedUnverified) => {
                    BatchHeader::parse(&rest).map_err(|_| Corrupt)?
                }
                Err(_) => return Err(Corrupt),
            };
            let goes_back = header.base_offset < next || Some(header.leader_epoch) < epoch;
            if goes_back && !planted(Mutant::ReplicatedOverlaps) {
                return Err(Corrupt);
            }
            next = header.next_offset();
            epoch = Some(header.leader_epoch);
            prepared.push(PreparedBatch::new(header, &rest));
            rest = rest.slice(header.size_bytes..);
        }
        for batch in prepared {
            self.append_placed(batch, now, &mut disk);
        }
        Ok(())
    }

    fn truncate(&mut self, to: Offset) {
        self.cut = Some(Cut { to, begin_at: None });
    }

    fn reset(&mut self, start: Offset) {
        self.cut = Some(Cut { to: Offset::ZERO, begin_at: Some(start) });
    }

    fn is_truncating(&self) -> bool {
        self.cut.is_some()
    }
}
