//! The log as a replica of a partition has it: appended to as its leader says, and cut off where it differs.

use bytes::Bytes;

use super::{Log, PreparedBatch, epochs::Epochs};
use crate::{
    disk::Disk,
    machine::Now,
    records::batch::{self, BatchError},
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
    pub const fn cut_ended(&mut self) {
        self.cut = None;
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
                Err(_) => return Err(Corrupt),
            };
            if header.base_offset < next || Some(header.leader_epoch) < epoch {
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
