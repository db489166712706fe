//! Replication: a partition on several brokers, their controller, and producers.
//!
//! Each broker is the core's [`Replica`](ottla_core::replica::Replica) over a list of batch descriptors, the controller is the
//! core's [`Image`](ottla_core::metadata::Image), to which the commands of the metadata log are applied. What lies between
//! them is the model's: the messages under way, the metadata that have not reached everybody, what a crash leaves of a log, and
//! producers that repeat what was not acknowledged.
//!
//! - [`settings`]: what is asked of the topic, and how much goes wrong.
//! - [`state`]: what there is; [`action`]: what may happen; [`step`]: what it does.
//! - [`messages`]: which messages can still do something.
//! - [`properties`]: what must hold; [`heal`]: what must come of it in the end.
//! - [`configurations`]: the bounds that are searched.

pub mod action;
pub mod configurations;
pub mod heal;
pub mod messages;
pub mod properties;
pub mod settings;
pub mod state;
pub mod step;
mod story;

use std::sync::Arc;

pub(crate) use properties::no_acked_record_lost_globally;

use crate::harness::{Model, Property};

use self::{
    action::Action,
    settings::{Bounds, Settings},
    state::State,
};

/// The model.
#[derive(Debug, Clone)]
pub struct Replication {
    /// What is asked of the topic.
    pub settings: Settings,
    /// How much goes wrong, and how finely it is looked at.
    pub bounds: Bounds,
}

impl Replication {
    /// The brokers' numbers.
    fn brokers(&self) -> std::ops::Range<u8> {
        0..self.settings.replicas
    }
}

impl Model for Replication {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.begin()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.possible(state, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.take(&mut state, action);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        self.all_properties()
    }

    fn format_action(&self, action: &Action) -> String {
        format!("{action:?}")
    }
}

/// A node that is about to change.
fn change<T: Clone>(shared: &mut Arc<T>) -> &mut T {
    Arc::make_mut(shared)
}
