//! A member of a group.

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use crate::{session::RequestId, types::Instant};

/// An assignor that a member supports, and what the member tells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Protocol {
    /// Its name.
    pub name: String,
    /// What the member tells it: for a consumer, its subscription.
    pub metadata: Bytes,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// Its place, if it keeps it over restarts.
    pub instance_id: Option<String>,
    /// What its program calls itself.
    pub client_id: String,
    /// Where it is.
    pub client_host: String,
    /// How long it may take to join again.
    pub rebalance_timeout_ms: i32,
    /// After how long a silence it is taken for dead.
    pub session_timeout_ms: i32,
    /// The assignors that it supports, in the order of its preference.
    pub protocols: Vec<Protocol>,
    /// What it was assigned.
    pub assignment: Bytes,
    /// Its JoinGroup, while it waits for the answer.
    pub awaiting_join: Option<RequestId>,
    /// Its SyncGroup, while it waits for the answer.
    pub awaiting_sync: Option<RequestId>,
    /// When it is taken for dead.
    pub session_deadline: Instant,
    /// It has joined for the first time, and was not answered yet.
    pub is_new: bool,
}

impl Member {
    /// What it tells an assignor.
    pub fn metadata(&self, protocol: &str) -> Option<&Bytes> {
        let found = self.protocols.iter().find(|known| known.name == protocol);
        found.map(|known| &known.metadata)
    }

    /// Whether its silence may not be held against it: it waits for us.
    pub const fn is_waiting(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }
}
