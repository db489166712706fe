//! Consumer groups: the classic protocol, as Kafka's coordinator speaks it.
//!
//! A [`Group`] takes what its members ask and says what to answer, what to write down, and when it wants to be called again.
//! It is owned by the [`coordinator`] of the partition of `__consumer_offsets` that keeps it.

pub mod coordinator;
pub mod describe;
mod heartbeat;
pub mod join;
mod leave;
mod member;
pub mod offsets;
mod rebalance;
pub mod records;
mod requests;
pub mod sync;
#[cfg(test)]
mod tests;
mod timeouts;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use bytes::Bytes;
pub use coordinator::{Coordinator, Coordinators};
pub use member::{Member, Protocol};
pub use offsets::{CommittedOffset, OffsetKey};
pub use requests::Commit;
pub use timeouts::GroupTimer;

use crate::{
    machine::{Now, Random},
    notice::Notice,
    session::RequestId,
    types::{Instant, Timestamp},
    wire::Response,
};

/// What a group is doing.
///
/// | state | its members | goes to |
/// |---|---|---|
/// | `Empty` | none | `PreparingRebalance` when one joins; `Dead` when its offsets have expired or it is deleted |
/// | `PreparingRebalance` | are called to join again | `CompletingRebalance` when all have, or the time is over; `Empty` when none has |
/// | `CompletingRebalance` | wait for the leader's assignment | `Stable` when it is written down; `PreparingRebalance` when members come, go or change |
/// | `Stable` | work | `PreparingRebalance` when members come, go or change |
/// | `Dead` | none, for ever | |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupState {
    /// There are no members; there may be offsets.
    Empty,
    /// The members are called to join again.
    PreparingRebalance,
    /// The leader's assignment is waited for.
    CompletingRebalance,
    /// Everybody has an assignment.
    Stable,
    /// The group is gone.
    Dead,
}

impl GroupState {
    /// Kafka's name of the state.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group {
    id: String,
    state: GroupState,
    /// Counts the assignments.
    generation: i32,
    /// `consumer` for consumers; none for a group that has never had members.
    protocol_type: Option<String>,
    /// The assignor that all members support and most prefer.
    protocol: Option<String>,
    leader: Option<String>,
    members: BTreeMap<String, Member>,
    /// Members that keep their place over restarts, by `group.instance.id` (KIP-345).
    static_members: BTreeMap<String, String>,
    /// Ids that were given to members who have yet to join with them (KIP-394), and until when.
    pending_members: BTreeMap<String, Instant>,
    /// Members of the current generation that have not asked for their assignment.
    pending_sync: BTreeSet<String>,
    /// When the wait for members to join ends.
    join_deadline: Option<JoinDeadline>,
    /// When the wait for members to ask for their assignment ends.
    sync_deadline: Option<Instant>,
    /// A member has joined while the group waited for its first ones.
    new_member_added: bool,
    /// By the broker's clock, when the state changed last.
    state_since: Timestamp,
    offsets: BTreeMap<OffsetKey, CommittedOffset>,
}

/// When the wait for members to join ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct JoinDeadline {
    at: Instant,
    /// While an empty group waits for its first members: for how long it may wait on, in milliseconds.
    initial_remaining_ms: Option<u64>,
}

/// What a group's settings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupSettings {
    /// `group.min.session.timeout.ms`
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`
    pub max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`
    pub initial_rebalance_delay_ms: u64,
    /// `group.max.size`
    pub max_size: usize,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_max_bytes: usize,
    /// `offsets.retention.minutes`, in milliseconds
    pub offsets_retention_ms: i64,
}

/// A record of `__consumer_offsets`: its key, and its value unless it is a tombstone.
pub type GroupRecord = (Bytes, Option<Bytes>);

/// What a group says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// Answers to requests.
    pub answers: Vec<(RequestId, Response)>,
    /// What is to be written down.
    pub writes: Vec<Write>,
    /// What is worth a line in the log.
    pub notices: Vec<Notice>,
}

/// Records to be written down, and what to do when they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Write {
    /// The group.
    pub group: String,
    /// The records.
    pub records: Vec<GroupRecord>,
    /// What to do when they are durable.
    pub then: Then,
}

/// What to do when records are durable, or cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Then {
    /// Nothing.
    Nothing,
    /// Give the members of this generation their assignments.
    Assign {
        /// The generation.
        generation: i32,
        /// By member.
        assignments: BTreeMap<String, Bytes>,
    },
    /// Answer the new process of a static member.
    ReplaceStatic {
        /// Its JoinGroup.
        request: RequestId,
        /// The answer.
        response: crate::wire::messages::join_group::JoinGroupResponse,
    },
    /// Answer an OffsetCommit, and know the offsets.
    Commit {
        /// The request.
        request: RequestId,
        /// The answer.
        response: crate::wire::messages::offset_commit::OffsetCommitResponse,
        /// The offsets.
        offsets: Vec<(OffsetKey, CommittedOffset)>,
    },
    /// Answer a deletion of offsets, and forget them.
    Forget {
        /// The request, if a client asked.
        request: Option<(RequestId, Response)>,
        /// The offsets.
        offsets: Vec<OffsetKey>,
    },
    /// The group is gone.
    Delete {
        /// Names the deletion to the request that asked for it.
        request: Option<(RequestId, usize)>,
    },
}

/// What a group needs to go on.
#[derive(Debug)]
pub struct GroupContext<'a> {
    /// The time.
    pub now: Now,
    /// The settings.
    pub settings: GroupSettings,
    /// Member ids are made of this.
    pub random: &'a mut Random,
    /// What the group says.
    pub out: &'a mut Outbox,
}

impl Group {
    /// A group without members.
    pub const fn new(id: String, now: Timestamp) -> Self {
        Self {
            id,
            state: GroupState::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_members: BTreeMap::new(),
            pending_sync: BTreeSet::new(),
            join_deadline: None,
            sync_deadline: None,
            new_member_added: false,
            state_since: now,
            offsets: BTreeMap::new(),
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is doing.
    pub const fn state(&self) -> GroupState {
        self.state
    }

    /// Counts its assignments.
    pub const fn generation(&self) -> i32 {
        self.generation
    }

    /// Its members.
    pub const fn members(&self) -> &BTreeMap<String, Member> {
        &self.members
    }

    fn go_to(&mut self, state: GroupState, now: Timestamp) {
        self.state = state;
        self.state_since = now;
    }

    /// Asserts the invariants.
    pub fn check(&self) {
        assert!(
            self.leader.as_ref().is_none_or(|leader| self.members.contains_key(leader)),
            "the leader is a member"
        );
        for (instance, member) in &self.static_members {
            let known = self.members.get(member).map(|member| &member.instance_id);
            assert!(
                known == Some(&Some(instance.clone())),
                "a static member is found by its instance id"
            );
        }
        match self.state {
            GroupState::Empty | GroupState::Dead => {
                assert!(self.members.is_empty(), "an empty group has no members");
            }
            GroupState::Stable | GroupState::CompletingRebalance => {
                assert!(!self.members.is_empty(), "a group with an assignment has members");
                assert!(self.protocol.is_some(), "a group with an assignment has an assignor");
            }
            GroupState::PreparingRebalance => {}
        }
        let waits_to_sync = self.members.values().any(|member| member.awaiting_sync.is_some());
        assert!(
            !waits_to_sync || self.state == GroupState::CompletingRebalance,
            "assignments are waited for only while they are made"
        );
    }
}
