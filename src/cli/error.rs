//! What the operator is told when a command fails: one sentence, with what to do about it where that is known.

use std::{fmt, io, process::ExitCode};

use ottla_core::types::ErrorCode;

use super::bench::BenchError;
use crate::client::{
    CallError, MetadataError, ServerError, admin::AdminError, consumer::ConsumeError,
    group::GroupError, offsets::OffsetsError,
};

/// Why a command failed.
#[derive(Debug)]
pub(super) enum CliError {
    /// The arguments contradict each other or the cluster.
    Usage(String),
    /// A broker could not be asked.
    Call(CallError),
    /// A topic is not known.
    Metadata(MetadataError),
    /// Offsets are not known.
    Offsets(OffsetsError),
    /// A change of a topic came to nothing.
    Admin(AdminError),
    /// Records could not be read.
    Consume(ConsumeError),
    /// Something about a group failed.
    Group(GroupError),
    /// A measurement came to nothing.
    Bench(BenchError),
    /// A file or a stream failed.
    Io {
        /// Which.
        what: String,
        /// Why.
        kind: io::ErrorKind,
    },
    /// Part of the work failed, as it says.
    Failed(String),
}

impl CliError {
    pub(super) fn io(what: impl Into<String>, error: &io::Error) -> Self {
        Self::Io { what: what.into(), kind: error.kind() }
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(super::USAGE),
            Self::Call(_)
            | Self::Metadata(_)
            | Self::Offsets(_)
            | Self::Admin(_)
            | Self::Consume(_)
            | Self::Group(_)
            | Self::Bench(_)
            | Self::Io { .. }
            | Self::Failed(_) => ExitCode::FAILURE,
        }
    }

    /// What the operator can do about it.
    fn fix(&self) -> Option<&'static str> {
        match self {
            Self::Call(error)
            | Self::Metadata(MetadataError::Call(error))
            | Self::Offsets(
                OffsetsError::Call(error) | OffsetsError::Metadata(MetadataError::Call(error)),
            )
            | Self::Admin(AdminError::Call(error))
            | Self::Consume(
                ConsumeError::Call(error) | ConsumeError::Metadata(MetadataError::Call(error)),
            )
            | Self::Group(GroupError::Call(error)) => fix_call(error),
            Self::Admin(error) if error.is(ErrorCode::UnknownTopicOrPartition) => {
                Some("see `ottla topic list`")
            }
            Self::Metadata(MetadataError::Topic { error, .. })
            | Self::Offsets(OffsetsError::Partition { error, .. })
            | Self::Admin(AdminError::Refused { error, .. })
            | Self::Consume(ConsumeError::Refused { error, .. })
            | Self::Group(
                GroupError::Refused { error, .. } | GroupError::Partition { error, .. },
            ) => fix_server(error),
            Self::Usage(_)
            | Self::Metadata(_)
            | Self::Offsets(_)
            | Self::Admin(_)
            | Self::Consume(_)
            | Self::Group(_)
            | Self::Bench(_)
            | Self::Io { .. }
            | Self::Failed(_) => None,
        }
    }
}

fn fix_call(error: &CallError) -> Option<&'static str> {
    match error {
        CallError::Connect { .. } | CallError::ConnectTimedOut { .. } => {
            Some("start the broker, or name another one with --bootstrap")
        }
        CallError::Lost { .. } | CallError::Malformed { .. } | CallError::Versions { .. } => {
            Some("check that it is a Kafka listener without TLS or authentication")
        }
        CallError::TimedOut { .. } => Some("see the broker's log for what it is busy with"),
        CallError::NoBootstrap | CallError::UnknownBroker(_) | CallError::Unsupported { .. } => {
            None
        }
    }
}

/// What the operator can do about a broker's refusal.
pub(super) fn fix_server(error: &ServerError) -> Option<&'static str> {
    let known = error.known()?;
    let fixes = [
        (ErrorCode::UnknownTopicOrPartition, "create it with `ottla topic create`"),
        (ErrorCode::TopicAlreadyExists, "add --if-not-exists if that is as it should be"),
        (ErrorCode::NonEmptyGroup, "stop its members first"),
        (ErrorCode::UnknownMemberId, "stop the group's members first"),
        (ErrorCode::GroupIdNotFound, "see `ottla group list`"),
        (ErrorCode::MessageTooLarge, "raise max.message.bytes of the topic"),
        (ErrorCode::RecordListTooLarge, "raise segment.bytes of the topic"),
        (ErrorCode::OffsetOutOfRange, "begin with --from-beginning, or another --offset"),
        (ErrorCode::InconsistentGroupProtocol, "use a group whose members assign by range"),
        (ErrorCode::TopicDeletionDisabled, "set delete.topic.enable=true on the brokers"),
    ];
    fixes.iter().find(|(code, _)| *code == known).map(|(_, fix)| *fix)
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Failed(text) => f.write_str(text)?,
            Self::Call(error) => error.fmt(f)?,
            Self::Metadata(error) => error.fmt(f)?,
            Self::Offsets(error) => error.fmt(f)?,
            Self::Admin(error) => error.fmt(f)?,
            Self::Consume(error) => error.fmt(f)?,
            Self::Group(error) => error.fmt(f)?,
            Self::Bench(error) => error.fmt(f)?,
            Self::Io { what, kind } => write!(f, "{what}: {kind}")?,
        }
        self.fix().map_or(Ok(()), |fix| write!(f, "; {fix}"))
    }
}

impl std::error::Error for CliError {}

macro_rules! from {
    ($($error:ident => $variant:ident,)*) => {$(
        impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

from! {
    CallError => Call,
    MetadataError => Metadata,
    OffsetsError => Offsets,
    AdminError => Admin,
    ConsumeError => Consume,
    GroupError => Group,
    BenchError => Bench,
}
