//! From the producer to the consumer: a replicated partition and the group that reads it, as one system.
//!
//! Both are the models of their own, [`Replication`] and [`Group`]; what joins them is what consumers read: records below the high
//! watermark of whoever leads. The promise is at-least-once delivery, from end to end: when nothing goes wrong any more and
//! nothing is left to be done, each record that was acknowledged has been processed.

pub mod configurations;
mod properties;
mod story;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::{
    group::{self, Group},
    harness::{Model, Property},
    replication::{self, Replication, state::number},
};

/// The model.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The partition.
    pub replication: Replication,
    /// Who reads it.
    pub group: Group,
}

/// A state of both.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The partition.
    pub partition: replication::state::State,
    /// Who reads it.
    pub group: group::State,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// To the partition.
    Partition(replication::action::Action),
    /// To the group.
    Group(group::Action),
    /// Nothing goes wrong from now on.
    Heal,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}\n{:?}", self.partition, self.group)
    }
}

impl State {
    /// Up to where consumers can read.
    fn readable(&self) -> u8 {
        let partition = self.partition.partition();
        let Some(leader) = partition.leader.map(number) else { return 0 };
        let node = self.partition.node(leader);
        let leads = node.is_up
            && node.replica.leader().is_some()
            && node.replica.leader_epoch() == partition.leader_epoch;
        let end = if leads { node.replica.high_watermark().0 } else { 0 };
        u8::try_from(end).expect("logs are short")
    }

    /// Whether a record that was shown at its place was processed.
    fn is_processed(&self, record: u8) -> bool {
        let place = self.partition.shown.iter().position(|shown| shown.payload == record);
        place.is_some_and(|place| self.group.processed[0][place])
    }
}

impl Model for Delivery {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let partition = self.replication.init_states().swap_remove(0);
        let group = self.group.init_states().swap_remove(0);
        vec![State { partition, group }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let mut of_partition = Vec::new();
        self.replication.actions(&state.partition, &mut of_partition);
        let of_partition = of_partition.into_iter();
        let of_partition =
            of_partition.filter(|action| !matches!(action, replication::action::Action::Heal));
        actions.extend(of_partition.map(Action::Partition));
        let mut of_group = Vec::new();
        self.group.actions(&state.group, &mut of_group);
        let readable = state.readable();
        let is_possible = |action: &group::Action| {
            if let group::Action::Poll(number, partition) = action {
                let position = state.group.clients[*number].owned[partition].position;
                position.is_some_and(|position| position < readable)
            } else {
                *action != group::Action::Heal
            }
        };
        actions.extend(of_group.into_iter().filter(is_possible).map(Action::Group));
        if !state.partition.is_healing {
            actions.push(Action::Heal);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let State { partition, group } = last;
        Some(match action {
            Action::Partition(action) => State {
                partition: self.replication.next_state(partition, action)?,
                group: group.clone(),
            },
            Action::Group(action) => {
                State { partition: partition.clone(), group: self.group.next_state(group, action)? }
            }
            Action::Heal => State {
                partition: self
                    .replication
                    .next_state(partition, replication::action::Action::Heal)?,
                group: self.group.next_state(group, group::Action::Heal)?,
            },
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
