//! The cluster's metadata: what the quorum has agreed on.
//!
//! A [`Command`] is an entry of the metadata log; the [`Image`] is what all of them come to. Every node applies the same
//! commands in the same order, and judges each alike: a command that has become impossible by the time it is applied is refused
//! everywhere.

mod apply;
pub mod command;
mod image;
pub mod log;
pub mod snapshot;

pub use apply::{Outcome, Refusal};
pub use command::Command;
pub use image::{Broker, BrokerStatus, ConfigResource, Image, PartitionState, ResourceKind, Topic};

/// Names what was proposed in its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProposalId(pub u64);
