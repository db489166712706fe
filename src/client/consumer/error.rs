//! Why records cannot be read.

use std::fmt;

use ottla_core::{
    records::{BatchError, compression::DecompressError},
    types::Offset,
};

use crate::client::{CallError, MetadataError, ServerError, TopicPartition, offsets::OffsetsError};

/// Why records cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsumeError {
    /// The topic, the partition or its leader is not known, and was not for a while.
    Metadata(MetadataError),
    /// The leader did not answer for a while.
    Call(CallError),
    /// It is not known where to begin.
    Offsets(OffsetsError),
    /// The leader refuses.
    Refused {
        /// To read what; none when it refuses altogether.
        partition: Option<TopicPartition>,
        /// Why.
        error: ServerError,
    },
    /// What the leader sent is not a record batch.
    Corrupt {
        /// From which partition.
        partition: TopicPartition,
        /// Where the reading stopped.
        offset: Offset,
        /// What is wrong.
        error: CorruptRecords,
    },
}

/// What is wrong with record batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CorruptRecords {
    /// The batch itself.
    Batch(BatchError),
    /// Its compressed records.
    Compressed(DecompressError),
    /// No batch comes whole.
    NoProgress,
}

impl ConsumeError {
    /// Whether another attempt may succeed.
    pub(super) fn is_retriable(&self) -> bool {
        match self {
            Self::Metadata(error) => error.is_retriable(),
            Self::Call(error) => error.is_retriable(),
            Self::Refused { error, .. } => error.is_retriable(),
            Self::Offsets(_) | Self::Corrupt { .. } => false,
        }
    }
}

impl fmt::Display for CorruptRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch(error) => error.fmt(f),
            Self::Compressed(error) => error.fmt(f),
            Self::NoProgress => f.write_str("the broker sends only part of a batch"),
        }
    }
}

impl fmt::Display for ConsumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metadata(error) => error.fmt(f),
            Self::Call(error) => error.fmt(f),
            Self::Offsets(error) => error.fmt(f),
            Self::Refused { partition: Some(partition), error } => {
                write!(f, "{partition}: {error}")
            }
            Self::Refused { partition: None, error } => error.fmt(f),
            Self::Corrupt { partition, offset, error } => {
                write!(f, "{partition} from offset {offset} on: {error}")
            }
        }
    }
}

impl std::error::Error for ConsumeError {}
