//! What the replica machine needs of a log.

use crate::{
    log::epochs::Epochs,
    types::{LeaderEpoch, Offset},
};

/// Batches that came from the leader cannot be appended: they are damaged, or do not begin where the log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt;

/// A log, as the replica machine sees it.
pub trait ReplicaLog {
    /// Batches as a leader sends them, with what it takes to append them.
    type Records<'a>;

    /// The first offset.
    fn start_offset(&self) -> Offset;

    /// The offset that the next record gets.
    fn end_offset(&self) -> Offset;

    /// Everything before this may be acknowledged: see [`acknowledgeable`](super::acknowledgeable).
    fn acknowledgeable(&self) -> Offset;

    /// At which offsets leader epochs began.
    fn epochs(&self) -> &Epochs;

    /// Takes note that a leader's epoch begins at the end of the log.
    fn begin_epoch(&mut self, epoch: LeaderEpoch);

    /// Appends batches as the leader has them, with its offsets and epochs.
    fn append_replicated(&mut self, records: Self::Records<'_>) -> Result<(), Corrupt>;

    /// Begins to remove what lies at `to` or after it, and the epochs that begin there. It need not be over, and durable, when
    /// this returns.
    fn truncate(&mut self, to: Offset);

    /// Begins to remove everything; the next record gets offset `start`.
    fn reset(&mut self, start: Offset);

    /// Whether a truncation is under way.
    fn is_truncating(&self) -> bool;
}
