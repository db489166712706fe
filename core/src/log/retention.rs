//! Deleting what is too old or too much.

use alloc::vec::Vec;

use super::{Log, Segment};
use crate::{
    disk::{Disk, DiskOp},
    machine::Now,
    mutants::{Mutant, planted},
    types::{Offset, Timestamp},
};

/// Why a segment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// `retention.ms`
    Time,
    /// `retention.bytes`
    Size,
    /// All its records lie below the start of the log.
    BelowStart,
}

impl Log {
    /// How many segments, from the first on, are to be deleted, and why the first of them. Nothing at or above `limit` goes,
    /// nor what no snapshot covers.
    pub fn expired(&self, now: Timestamp, limit: Offset) -> Option<(usize, Expired)> {
        // What is known of producers must not go with their batches. And a snapshot shows that a log that does not begin at
        // zero has lost nothing.
        let limit = self.snapshots.newest_to(self.recovery_point)?.min(limit);
        if self.is_replacing || self.cut.is_some() {
            return None;
        }
        let mut excess = self.size_bytes().saturating_sub(self.config.retention_bytes);
        let mut reason = None;
        let mut count = 0;
        for (index, segment) in self.segments.iter().enumerate() {
            let end = self.segments.get(index + 1).map_or(self.end.offset, |next| next.base_offset);
            let stays = segment.size_bytes == 0 || self.is_frozen;
            if end > limit || index + 1 == self.segments.len() && stays {
                break;
            }
            let Some(why) = self.why_expired(segment, end, excess, now) else { break };
            excess = excess.saturating_sub(u64::from(segment.size_bytes));
            reason = reason.or(Some(why));
            count += 1;
        }
        reason.map(|reason| (count, reason))
    }

    fn why_expired(
        &self,
        segment: &Segment,
        end: Offset,
        excess: u64,
        now: Timestamp,
    ) -> Option<Expired> {
        let age = now.0.saturating_sub(segment.retention_timestamp().0);
        if end <= self.start_offset {
            Some(Expired::BelowStart)
        } else if self.config.delete && age > self.config.retention_ms {
            Some(Expired::Time)
        } else if self.config.delete && excess >= u64::from(segment.size_bytes) && excess > 0 {
            Some(Expired::Size)
        } else {
            None
        }
    }

    /// Takes the first `count` segments out of the log, and returns the operations that remove them from disk, each to begin
    /// when the one before has ended: were a later segment gone and an earlier one still there after a crash, the log would
    /// have a hole.
    pub fn delete_segments(&mut self, count: usize, now: Now, disk: &mut Disk<'_>) -> Vec<DiskOp> {
        let directory = self.directory;
        let sync_names = || DiskOp::Sync { files: Vec::new(), directories: [directory].into() };
        let mut operations = Vec::new();
        if count == self.segments.len() {
            // Were all segments gone and no new one there after a crash, offsets would be given anew from zero.
            operations.push(sync_names());
            self.roll(now.timestamp, disk);
        }
        if planted(Mutant::StateGoesWithRetention) {
            self.producers.clear();
        }
        for segment in self.segments.drain(..count) {
            operations.extend(segment.files().map(DiskOp::Remove));
            operations.push(sync_names());
            self.index_writes.retain(|_, (base, _)| *base != segment.base_offset);
        }
        if let Some(first) = self.segments.first() {
            self.raise_start(first.base_offset);
        }
        operations
    }

    /// Moves the start of the log up to `offset`.
    pub fn raise_start(&mut self, offset: Offset) {
        if offset > self.start_offset {
            self.start_offset = offset;
            self.epochs.truncate_from_start(offset);
        }
    }
}
