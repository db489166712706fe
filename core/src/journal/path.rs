//! How a round of syncs makes durable what was written: the one decision.

use super::Journal;
use crate::config::Settings;

/// The way that a round goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// Every file that was written to is synced.
    Files,
    /// What was written is written to the journal as well, and that is synced.
    Journal,
    /// As [`Path::Journal`], when the round that is under way there has ended.
    JournalNext,
}

impl Journal {
    /// Whether a round over so many logs may go by the journal at all, whatever they have written.
    pub const fn may_be_of_use(&self, logs: usize, settings: &Settings) -> bool {
        settings.journal_bytes > 0 && (self.is_busy || logs >= settings.journal_partitions_min)
    }

    /// Whether a log with so many bytes that are not durable may go by the journal: not so many that they weigh on all others.
    pub const fn takes(&self, bytes: u64, settings: &Settings) -> bool {
        bytes <= settings.journal_partition_bytes_max.saturating_mul(4)
    }

    /// Whether a round that would make `bytes` of so many logs durable has little of each: the journal writes them twice.
    pub const fn suits(&self, logs: usize, bytes: u64, settings: &Settings) -> bool {
        bytes <= settings.journal_partition_bytes_max.saturating_mul(logs as u64)
    }

    /// How a round goes that would make `bytes` of so many logs durable. A sync costs about the same for each file, so that it
    /// is the number of files that decides. Whoever comes while the journal is being synced goes with its next round.
    pub fn path(&self, logs: usize, bytes: u64, settings: &Settings) -> Path {
        if !self.has_room(super::RecordBuilder::size_of(logs, bytes)) {
            Path::Files
        } else if self.is_busy {
            Path::JournalNext
        } else if logs >= settings.journal_partitions_min {
            Path::Journal
        } else {
            Path::Files
        }
    }
}
