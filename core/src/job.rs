//! Pure computations that take too long to hold up a shard: the shell runs them wherever it likes.

/// A computation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {}

/// What a computation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobResult {}
