//! Why an exchange with a broker failed.

use std::{fmt, io, ops::RangeInclusive, time::Duration};

use ottla_core::{
    types::{BrokerId, ErrorCode},
    wire::{ApiKey, DecodeError},
};

use super::Address;

/// An error code that a broker answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// The code as it stood on the wire; it may be one that is unknown here.
    pub code: i16,
    /// The broker's own words, where the API carries any.
    pub message: Option<String>,
}

impl ServerError {
    /// An error unless the code is that of success.
    pub fn check(code: i16, message: Option<&str>) -> Result<(), Self> {
        if code == ErrorCode::None.code() {
            Ok(())
        } else {
            Err(Self { code, message: message.map(str::to_owned) })
        }
    }

    /// The code, if it is known here.
    pub fn known(&self) -> Option<ErrorCode> {
        ErrorCode::from_code(self.code)
    }

    /// Whether it is this error.
    pub fn is(&self, code: ErrorCode) -> bool {
        self.code == code.code()
    }

    /// Whether the broker that was asked no longer leads the partition, or the topic is not what it was: fresh metadata
    /// may help.
    pub fn is_stale_metadata(&self) -> bool {
        matches!(
            self.known(),
            Some(
                ErrorCode::UnknownTopicOrPartition
                    | ErrorCode::LeaderNotAvailable
                    | ErrorCode::NotLeaderOrFollower
                    | ErrorCode::ReplicaNotAvailable
                    | ErrorCode::FencedLeaderEpoch
                    | ErrorCode::UnknownLeaderEpoch
                    | ErrorCode::UnknownTopicId
                    | ErrorCode::InconsistentTopicId
                    | ErrorCode::OffsetNotAvailable
                    | ErrorCode::KafkaStorageError
            )
        )
    }

    /// Whether the group's coordinator is not, or not yet, where it was looked for.
    pub fn is_coordinator_moved(&self) -> bool {
        matches!(
            self.known(),
            Some(
                ErrorCode::CoordinatorLoadInProgress
                    | ErrorCode::CoordinatorNotAvailable
                    | ErrorCode::NotCoordinator
            )
        )
    }

    /// Whether the same request may succeed a little later.
    pub fn is_retriable(&self) -> bool {
        self.is_stale_metadata()
            || self.is_coordinator_moved()
            || matches!(
                self.known(),
                Some(
                    ErrorCode::RequestTimedOut
                        | ErrorCode::NotEnoughReplicas
                        | ErrorCode::NotEnoughReplicasAfterAppend
                        | ErrorCode::NotController
                        | ErrorCode::ThrottlingQuotaExceeded
                        | ErrorCode::ConcurrentTransactions
                        | ErrorCode::UnstableOffsetCommit
                )
            )
    }
}

impl From<ErrorCode> for ServerError {
    fn from(code: ErrorCode) -> Self {
        Self { code: code.code(), message: None }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(known) = self.known() else {
            write!(f, "error code {}", self.code)?;
            return self.message.as_ref().map_or(Ok(()), |message| write!(f, " ({message})"));
        };
        write!(f, "{known} ({})", self.message.as_deref().unwrap_or(known.message()))
    }
}

impl std::error::Error for ServerError {}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// The broker closed it.
    Closed,
    /// The network failed.
    Io(io::ErrorKind),
    /// A response came that no request asked for.
    UnexpectedResponse {
        /// What the response claims to answer.
        correlation_id: i32,
    },
    /// A response's length is negative or more than is allowed.
    ResponseLength(i32),
    /// An earlier request was not answered in time: the answers after it are not waited for either.
    TimedOut,
}

impl fmt::Display for ConnectionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the broker closed the connection"),
            Self::Io(kind) => write!(f, "{kind}"),
            Self::UnexpectedResponse { correlation_id } => {
                write!(f, "the broker answered request {correlation_id}, which is not outstanding")
            }
            Self::ResponseLength(bytes) => {
                write!(f, "the broker announced a response of {bytes} bytes")
            }
            Self::TimedOut => f.write_str("an earlier request was not answered in time"),
        }
    }
}

/// Why a call did not bring an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// No connection came about.
    Connect {
        /// To whom.
        address: Address,
        /// Why.
        kind: io::ErrorKind,
    },
    /// No connection came about in time.
    ConnectTimedOut {
        /// To whom.
        address: Address,
        /// How long was waited.
        after: Duration,
    },
    /// No address to connect to was given.
    NoBootstrap,
    /// The broker does not say which APIs it speaks.
    Versions {
        /// Who.
        address: Address,
        /// What it says instead.
        error: ServerError,
    },
    /// The metadata does not name the broker.
    UnknownBroker(BrokerId),
    /// The broker and this client have no version of the API in common.
    Unsupported {
        /// Who.
        address: Address,
        /// The API.
        key: ApiKey,
        /// The versions that the broker offers, if it has the API at all.
        offered: Option<RangeInclusive<i16>>,
    },
    /// The connection ended before the answer came. The request may have been carried out.
    Lost {
        /// To whom.
        address: Address,
        /// Why.
        end: ConnectionEnd,
    },
    /// The answer did not come in time. The request may have been carried out.
    TimedOut {
        /// Whose.
        address: Address,
        /// The API.
        key: ApiKey,
        /// How long was waited.
        after: Duration,
    },
    /// The answer is not one.
    Malformed {
        /// Whose.
        address: Address,
        /// The API.
        key: ApiKey,
        /// In which version.
        version: i16,
        /// What is wrong with it.
        error: DecodeError,
    },
}

impl CallError {
    /// Whether the request may have reached the broker.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::Lost { .. } | Self::TimedOut { .. } | Self::Malformed { .. } => true,
            Self::Connect { .. }
            | Self::ConnectTimedOut { .. }
            | Self::NoBootstrap
            | Self::Versions { .. }
            | Self::UnknownBroker(_)
            | Self::Unsupported { .. } => false,
        }
    }

    /// Whether another attempt may succeed.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::ConnectTimedOut { .. }
            | Self::UnknownBroker(_)
            | Self::Lost { .. }
            | Self::TimedOut { .. } => true,
            Self::NoBootstrap
            | Self::Versions { .. }
            | Self::Unsupported { .. }
            | Self::Malformed { .. } => false,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { address, kind } => write!(f, "cannot connect to {address}: {kind}"),
            Self::ConnectTimedOut { address, after } => {
                write!(f, "cannot connect to {address}: no answer within {after:?}")
            }
            Self::NoBootstrap => f.write_str("no broker's address was given"),
            Self::Versions { address, error } => {
                write!(f, "{address} does not say which versions it speaks: {error}")
            }
            Self::UnknownBroker(id) => write!(f, "the cluster has no broker {id} at present"),
            Self::Unsupported { address, key, offered: None } => {
                write!(f, "{address} does not offer {}", key.name())
            }
            Self::Unsupported { address, key, offered: Some(offered) } => write!(
                f,
                "{address} offers {} in versions {} to {}, of which none is understood here",
                key.name(),
                offered.start(),
                offered.end()
            ),
            Self::Lost { address, end } => write!(f, "lost the connection to {address}: {end}"),
            Self::TimedOut { address, key, after } => {
                write!(f, "{address} did not answer {} within {after:?}", key.name())
            }
            Self::Malformed { address, key, version, error } => {
                write!(f, "{address} answered {} v{version} with: {error}", key.name())
            }
        }
    }
}

impl std::error::Error for CallError {}
