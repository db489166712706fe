//! Up to where records are safe: on the disk of every replica that may ever lead.

use super::{Replica, ReplicaLog};
use crate::{
    mutants::{Mutant, planted},
    types::Offset,
};

/// What may be acknowledged of a log, and so counts as there: what is on disk, or, where the topic's `flush.messages` says that
/// this is not needed, what has been written.
pub fn acknowledgeable<P>(is_durable: bool, durable: P, written: P) -> P {
    if is_durable && !planted(Mutant::ShownWhenWritten) { durable } else { written }
}

impl Replica {
    /// Whether as many replicas are in sync as records need to be safe. A pending change does not count before it is decided.
    pub fn has_enough_in_sync(&self) -> bool {
        let pending = self.leader().and_then(|leader| leader.pending());
        let committed = self.view.isr.len();
        let count = match pending {
            Some(proposal) if planted(Mutant::PendingCountsAsInsync) => {
                committed.max(proposal.isr.len())
            }
            Some(_) | None => committed,
        };
        count >= self.view.min_insync
    }

    /// Moves the high watermark up to what every replica has that is in sync, or will be if the pending change is agreed on
    /// (the *maximal* in-sync replicas). While there are too few, it stands still: those that have left stay eligible, and have
    /// nothing that comes after (KIP-966).
    pub(super) fn advance<L: ReplicaLog>(&mut self, log: &L) {
        if !self.has_enough_in_sync() && !planted(Mutant::AdvanceBelowMinInsync) {
            return;
        }
        if let Some(safe) = self.safe_offset(log) {
            self.high_watermark = self.high_watermark.max(safe);
        }
    }

    /// What all of the maximal in-sync replicas have.
    pub fn safe_offset<L: ReplicaLog>(&self, log: &L) -> Option<Offset> {
        let leader = self.leader()?;
        let ends = self.maximal_isr().map(|member| {
            if member == self.broker {
                log.acknowledgeable()
            } else {
                leader.progress(member).map_or(log.start_offset(), |progress| progress.end)
            }
        });
        ends.min()
    }
}
