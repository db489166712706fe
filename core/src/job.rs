//! Pure computations that take too long to hold up a shard: the shell runs them wherever it likes.

use alloc::boxed::Box;

use crate::{
    log::{
        PreparedBatch,
        cleaner::filter::{Filter, Filtered, IndexKeys, KeysIndexed},
        timestamps::{Damaged, FindInBatch, TimedRecord},
    },
    partition::{ProduceError, judge::Judge},
};

/// A computation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Take note of the keys of a part of a log.
    IndexKeys(IndexKeys),
    /// Leave out of a part of a log what compaction does not keep.
    Filter(Filter),
    /// Whether a producer's batch may be appended, and in what form.
    Judge(Box<Judge>),
    /// Find a record of a batch by its time.
    FindInBatch(FindInBatch),
}

/// What a computation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobResult {
    /// See [`Job::IndexKeys`].
    KeysIndexed(KeysIndexed),
    /// See [`Job::Filter`].
    Filtered(Filtered),
    /// See [`Job::Judge`].
    Judged(Result<PreparedBatch, ProduceError>),
    /// See [`Job::FindInBatch`].
    TimeFound(Result<Option<TimedRecord>, Damaged>),
}

impl Job {
    /// Carries it out.
    pub fn run(self) -> JobResult {
        match self {
            Self::IndexKeys(job) => JobResult::KeysIndexed(job.run()),
            Self::Filter(job) => JobResult::Filtered(job.run()),
            Self::Judge(job) => JobResult::Judged(job.run()),
            Self::FindInBatch(job) => JobResult::TimeFound(job.run()),
        }
    }
}
