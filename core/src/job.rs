//! Pure computations that take too long to hold up a shard: the shell runs them wherever it likes.

use crate::log::cleaner::filter::{Filter, Filtered, IndexKeys, KeysIndexed};

/// A computation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Take note of the keys of a part of a log.
    IndexKeys(IndexKeys),
    /// Leave out of a part of a log what compaction does not keep.
    Filter(Filter),
}

/// What a computation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobResult {
    /// See [`Job::IndexKeys`].
    KeysIndexed(KeysIndexed),
    /// See [`Job::Filter`].
    Filtered(Filtered),
}

impl Job {
    /// Carries it out.
    pub fn run(self) -> JobResult {
        match self {
            Self::IndexKeys(job) => JobResult::KeysIndexed(job.run()),
            Self::Filter(job) => JobResult::Filtered(job.run()),
        }
    }
}
