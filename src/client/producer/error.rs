//! Why a record was not acknowledged.

use std::{fmt, time::Duration};

use crate::client::{CallError, MetadataError, ServerError, TopicPartition};

/// Why a record was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProduceError {
    /// The topic, the partition or its leader is not known.
    Metadata(MetadataError),
    /// The leader could not be asked, or its answer could not be read.
    Call(CallError),
    /// No id for an idempotent producer was given out.
    ProducerId(ServerError),
    /// The leader refuses the batch.
    Refused {
        /// Of which partition.
        partition: TopicPartition,
        /// Why.
        error: ServerError,
    },
    /// The leader's answer leaves the partition out.
    Missing(TopicPartition),
    /// The batch was not acknowledged in the time for its delivery. It may be in the log.
    TimedOut {
        /// How long was tried.
        after: Duration,
        /// What the last attempt met.
        last: Box<Self>,
    },
    /// A batch before this one was given up, and whether this one is in the log cannot be told: to send it again might
    /// write it twice.
    OutcomeUnknown(TopicPartition),
    /// The topic has no partition.
    NoPartitions(String),
    /// The producer ended before it got to the record.
    Ended,
}

impl ProduceError {
    /// Whether another attempt may succeed.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Metadata(error) => error.is_retriable(),
            Self::Call(error) => error.is_retriable(),
            Self::ProducerId(error) | Self::Refused { error, .. } => error.is_retriable(),
            Self::Missing(_) => true,
            Self::TimedOut { .. }
            | Self::OutcomeUnknown(_)
            | Self::NoPartitions(_)
            | Self::Ended => false,
        }
    }
}

impl fmt::Display for ProduceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metadata(error) => error.fmt(f),
            Self::Call(error) => error.fmt(f),
            Self::ProducerId(error) => write!(f, "no producer id: {error}"),
            Self::Refused { partition, error } => write!(f, "{partition}: {error}"),
            Self::Missing(partition) => {
                write!(f, "the broker's answer does not mention {partition}")
            }
            Self::TimedOut { after, last } => {
                write!(f, "not acknowledged within {after:?}; at last: {last}")
            }
            Self::OutcomeUnknown(partition) => write!(
                f,
                "{partition}: may or may not be written, for an earlier batch was given up"
            ),
            Self::NoPartitions(topic) => write!(f, "topic {topic} has no partitions"),
            Self::Ended => f.write_str("the producer ended before it was sent"),
        }
    }
}

impl std::error::Error for ProduceError {}
