//! A consumer group: members that come, crash and are slow, and a coordinator that moves, over the core's own [`Coordinator`].
//!
//! The log that is consumed is abstract: each partition has a few records, all committed. What is not abstract is the broker's
//! side of the group: JoinGroup, SyncGroup, Heartbeat, OffsetCommit and OffsetFetch go to the core, and what it writes down
//! goes, as its own records, to a log from which the next coordinator loads. The members are small clients that do what
//! Kafka's do.
//!
//! Time stands still. Each timer of the core is an action of its own that may come whenever it is set: free of charge if it
//! hits the dead, out of a budget if it hits the living. So no instant is in a state.

mod client;
pub mod configurations;
mod coordinator;
mod properties;
mod state;
mod steps;
mod story;

pub use client::{Client, Phase};
pub use coordinator::{Broker, CommitRequest};
use ottla_core::group::Coordinator;
pub(crate) use properties::committed_implies_processed;
pub use state::{Action, Budgets, State};

use crate::harness::{Model, Property};

/// When members commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Commits {
    /// What was processed.
    AfterProcessing,
    /// What was fetched, and it is processed when the commit was answered.
    BeforeProcessing,
    /// What was handed out to be processed, now and then.
    Auto,
}

/// How members go through a rebalance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// They give everything back, then join.
    Eager,
    /// They keep what they own until they are told to give it back (KIP-429).
    Cooperative,
}

/// A group and its bounds.
#[derive(Debug, Clone)]
pub struct Group {
    /// How many members there are.
    pub clients: usize,
    /// They all have the same `group.instance.id`.
    pub one_instance: bool,
    /// How many records each partition has.
    pub records: Vec<u8>,
    /// When members commit.
    pub commits: Commits,
    /// How members go through a rebalance.
    pub protocol: Protocol,
    /// It is asked for the advisor: what is skipped and what is repeated is looked for.
    pub is_advised: bool,
    /// The coordinator's log is not compacted.
    pub keeps_all: bool,
    /// What may go wrong, and how often.
    pub budgets: Budgets,
    /// The member ids that each client may be given: see [`Group::prepared`].
    ids: Vec<Vec<String>>,
}

impl Group {
    /// A group of two members over one partition, in which nothing goes wrong.
    pub fn calm(records: &[u8]) -> Self {
        Self {
            clients: 2,
            one_instance: false,
            records: records.into(),
            commits: Commits::AfterProcessing,
            protocol: Protocol::Eager,
            is_advised: false,
            keeps_all: false,
            budgets: Budgets::default(),
            ids: Vec::new(),
        }
        .prepared()
    }

    /// Finds out which ids the core will give: they come out of its random numbers, and are to be few.
    #[must_use]
    pub fn prepared(mut self) -> Self {
        self.ids = coordinator::ids(&self);
        self
    }
}

impl Model for Group {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::first(self)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.offer(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        Some(self.step(state, &action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}

/// The slot of the coordinator's partition, of which there is one.
const SLOT: u32 = 0;

/// The group's name.
const GROUP: &str = "g";

/// The topic's name.
const TOPIC: &str = "t";

fn new_coordinator() -> Coordinator {
    Coordinator::new(SLOT)
}
