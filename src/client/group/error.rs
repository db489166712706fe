//! Why a group, or a membership in it, does not work.

use std::fmt;

use ottla_core::wire::{ApiKey, DecodeError};

use crate::client::{
    CallError, MetadataError, ServerError, TopicPartition, consumer::ConsumeError,
};

/// Why a group, or a membership in it, does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupError {
    /// The coordinator did not answer.
    Call(CallError),
    /// A topic that the group is about is not known.
    Metadata(MetadataError),
    /// The partitions that are assigned cannot be read.
    Consume(ConsumeError),
    /// The coordinator refuses.
    Refused {
        /// What was asked.
        key: ApiKey,
        /// Of which group.
        group: String,
        /// Why.
        error: ServerError,
    },
    /// The coordinator refuses for a partition.
    Partition {
        /// What was asked.
        key: ApiKey,
        /// For which.
        partition: TopicPartition,
        /// Why.
        error: ServerError,
    },
    /// The coordinator's answer does not mention what was asked for.
    Missing {
        /// What was asked.
        key: ApiKey,
    },
    /// What another member says cannot be read.
    Malformed(DecodeError),
}

impl GroupError {
    /// The coordinator's refusal, if it is one.
    pub fn refusal(&self) -> Option<&ServerError> {
        match self {
            Self::Refused { error, .. } | Self::Partition { error, .. } => Some(error),
            Self::Call(_)
            | Self::Metadata(_)
            | Self::Consume(_)
            | Self::Missing { .. }
            | Self::Malformed(_) => None,
        }
    }

    /// Whether another attempt, perhaps at another coordinator, may succeed.
    pub(super) fn is_retriable(&self) -> bool {
        match self {
            Self::Call(error) => error.is_retriable(),
            Self::Metadata(error) => error.is_retriable(),
            Self::Refused { error, .. } | Self::Partition { error, .. } => error.is_retriable(),
            Self::Consume(_) | Self::Missing { .. } | Self::Malformed(_) => false,
        }
    }
}

impl From<CallError> for GroupError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::Metadata(error) => error.fmt(f),
            Self::Consume(error) => error.fmt(f),
            Self::Refused { key, group, error } => {
                write!(f, "group {group}: {} answers {error}", key.name())
            }
            Self::Partition { key, partition, error } => {
                write!(f, "{partition}: {} answers {error}", key.name())
            }
            Self::Missing { key } => {
                write!(f, "the coordinator's answer to {} does not mention the group", key.name())
            }
            Self::Malformed(error) => {
                write!(f, "what another member of the group says cannot be read: {error}")
            }
        }
    }
}

impl std::error::Error for GroupError {}
