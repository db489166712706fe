//! Why a measurement came to nothing.

use std::{fmt, io, time::Duration};

use ottla_core::{
    records::BatchError,
    wire::{ApiKey, DecodeError},
};

use crate::client::{Address, ServerError};

/// Why a measurement came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BenchError {
    /// No connection came about.
    Connect {
        /// To whom.
        address: Address,
        /// Why.
        kind: io::ErrorKind,
    },
    /// A connection failed, or could not be waited for.
    Io(io::ErrorKind),
    /// The broker closed a connection.
    Closed,
    /// The broker refuses.
    Refused {
        /// What.
        key: ApiKey,
        /// Why.
        error: ServerError,
    },
    /// The broker's answer cannot be read.
    Malformed {
        /// To what.
        key: ApiKey,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// What the broker gives is not a record batch.
    Batch(BatchError),
    /// The broker answered another request than the next one.
    OutOfOrder,
    /// Nothing has moved for long.
    Stalled(Duration),
    /// Records were acknowledged and not seen again.
    Unseen(u64),
    /// The process to be watched is not there.
    Process(u32),
    /// The topic has nothing to read.
    Empty(String),
    /// The loader itself broke down.
    Ended,
}

impl From<io::Error> for BenchError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { address, kind } => write!(f, "cannot connect to {address}: {kind}"),
            Self::Io(kind) => write!(f, "a connection to the broker failed: {kind}"),
            Self::Closed => f.write_str("the broker closed a connection; see its log for why"),
            Self::Refused { key, error } => write!(f, "{}: {error}", key.name()),
            Self::Malformed { key, error } => {
                write!(f, "the broker's answer to {} cannot be read: {error}", key.name())
            }
            Self::Batch(error) => write!(f, "what the broker gives cannot be read: {error}"),
            Self::OutOfOrder => f.write_str("the broker answered requests out of order"),
            Self::Stalled(after) => write!(f, "the broker has not moved for {after:?}"),
            Self::Unseen(count) => {
                write!(f, "{count} records were acknowledged, but did not reach the consumer")
            }
            Self::Process(pid) => write!(f, "there is no process {pid}; correct --pid"),
            Self::Empty(topic) => {
                write!(f, "topic {topic} has nothing to read; leave out --topic to have one filled")
            }
            Self::Ended => f.write_str("the loader broke down"),
        }
    }
}

impl std::error::Error for BenchError {}
