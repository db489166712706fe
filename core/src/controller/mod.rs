//! What the controller decides: who is in sync, who leads.
//!
//! All of it is judged when a command of the metadata log is applied, against the image that it is applied to, and so alike on
//! every node: a controller that does not know yet that another has taken its place cannot do harm, for what it proposes is
//! judged by those who commit it.
//!
//! - `brokers` register, are fenced and let in, and stop.
//! - `in_sync` judges the changes that leaders ask for.
//! - `election` finds leaders, and draws the consequences of every change.
//! - `reassignment` moves replicas.
//! - `messages`: how brokers and the controller say it to each other.
//! - `sessions` turns the requests of brokers, and their silence, into commands.

mod brokers;
mod election;
mod in_sync;
mod messages;
mod reassignment;
mod rules;
pub mod sessions;
#[cfg(test)]
mod tests;

pub use rules::Rules;

use crate::{
    metadata::{Image, Outcome, PartitionState, Refusal},
    types::{BrokerId, ErrorCode, PartitionIndex, TopicId},
};
use election::Change;

impl Image {
    /// The rules that a topic is replicated by.
    pub fn rules(&self, topic: TopicId) -> Rules {
        self.topic(topic).map_or_else(Rules::default, |topic| Rules::of(&self.configs, &topic.name))
    }

    /// Changes a partition, and draws the consequences.
    fn change_partition(
        &mut self,
        topic: TopicId,
        partition: PartitionIndex,
        act: impl FnOnce(&mut Change<'_>) -> Result<(), Refusal>,
    ) -> Result<Outcome, Refusal> {
        let topic = self.topics.get_mut(&topic).ok_or(ErrorCode::UnknownTopicId)?;
        let rules = Rules::of(&self.configs, &topic.name);
        let index = usize::try_from(partition.0).ok();
        let state = index.and_then(|index| topic.partitions.get_mut(index));
        let state = state.ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let mut change = Change::begin(state, &self.brokers, rules);
        act(&mut change)?;
        *state = change.end();
        Ok(Outcome::Applied)
    }

    /// Changes all partitions that have a replica on `broker`, and draws the consequences.
    fn change_partitions_of(&mut self, broker: BrokerId, act: impl Fn(&mut Change<'_>)) {
        self.change_partitions(|state| state.replicas.contains(&broker), act);
    }

    /// Changes partitions, and draws the consequences.
    pub(crate) fn change_partitions(
        &mut self,
        which: impl Fn(&PartitionState) -> bool,
        act: impl Fn(&mut Change<'_>),
    ) {
        for topic in self.topics.values_mut() {
            let mut rules = None;
            for state in topic.partitions.iter_mut().filter(|state| which(state)) {
                let rules = *rules.get_or_insert_with(|| Rules::of(&self.configs, &topic.name));
                let mut change = Change::begin(state, &self.brokers, rules);
                act(&mut change);
                *state = change.end();
            }
        }
    }

    /// Settings have changed, and with them perhaps how many replicas must be in sync, or who may lead.
    pub(crate) fn reconsider_partitions(&mut self) {
        self.change_partitions(|_| true, |_| {});
    }
}
