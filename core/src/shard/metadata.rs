//! What the metadata quorum has agreed on takes effect here.

use alloc::vec::Vec;

use super::{Shard, Step};
use crate::{
    api::Proposed,
    machine::Effect,
    metadata::{
        Command, Outcome, ProposalId, ResourceKind,
        command::{AlterPartition, ElectLeader, ReassignPartition},
    },
    notice::Notice,
    types::{PartitionIndex, TopicId, TopicPartition},
};

impl Shard {
    /// Has the quorum decide on commands, as one entry of its log.
    pub(crate) fn propose(&mut self, commands: Vec<Command>, then: Proposed, step: &mut Step<'_>) {
        self.next_proposal += 1;
        let proposal = ProposalId(self.next_proposal);
        self.proposals.insert(proposal, then);
        step.effects.push(Effect::Propose { proposal, commands });
    }

    pub(super) fn committed(
        &mut self,
        proposal: Option<ProposalId>,
        commands: &[Command],
        step: &mut Step<'_>,
    ) {
        let outcomes: Vec<_> = commands.iter().map(|command| self.apply(command, step)).collect();
        if let Some(then) = proposal.and_then(|proposal| self.proposals.remove(&proposal)) {
            self.proposal_decided(then, Some(&outcomes), step);
        }
    }

    pub(super) fn proposal_failed(&mut self, proposal: ProposalId, step: &mut Step<'_>) {
        if let Some(then) = self.proposals.remove(&proposal) {
            self.proposal_decided(then, None, step);
        }
    }

    fn apply(&mut self, command: &Command, step: &mut Step<'_>) -> Outcome {
        // A topic's name is gone from the image once it is deleted.
        let deleted = match command {
            Command::DeleteTopic(delete) => {
                let id = TopicId(delete.topic_id);
                self.image.topic(id).map(|topic| (id, topic.clone()))
            }
            Command::RegisterBroker(_)
            | Command::CreateTopic(_)
            | Command::CreatePartitions(_)
            | Command::ChangeConfigs(_)
            | Command::AllocateProducerIds(_)
            | Command::FenceBroker(_)
            | Command::UnfenceBroker(_)
            | Command::ShutDownBroker(_)
            | Command::AlterPartition(_)
            | Command::ElectLeader(_)
            | Command::ReassignPartition(_) => None,
        };
        let outcome = self.image.apply(command);
        if matches!(outcome, Outcome::Refused(_)) {
            return outcome;
        }
        match command {
            Command::RegisterBroker(_)
            | Command::FenceBroker(_)
            | Command::UnfenceBroker(_)
            | Command::ShutDownBroker(_) => self.partitions_changed(step),
            Command::AlterPartition(AlterPartition { topic_id, partition, .. })
            | Command::ElectLeader(ElectLeader { topic_id, partition, .. })
            | Command::ReassignPartition(ReassignPartition { topic_id, partition, .. }) => {
                let (topic, partition) = (TopicId(*topic_id), PartitionIndex(*partition));
                self.partition_changed(TopicPartition { topic, partition }, step);
            }
            Command::CreateTopic(create) => {
                let id = TopicId(create.topic_id);
                self.make_missing_partitions(id, step);
                let (name, partitions) = (create.name.clone(), create.assignments.len());
                step.effects.push(Effect::Notice(Notice::TopicCreated { name, id, partitions }));
            }
            Command::CreatePartitions(create) => {
                self.make_missing_partitions(TopicId(create.topic_id), step);
            }
            Command::DeleteTopic(_) => {
                if let Some((id, topic)) = deleted {
                    for (index, _) in (0..).zip(&topic.partitions) {
                        let partition = PartitionIndex(index);
                        self.drop_partition(TopicPartition { topic: id, partition }, step);
                    }
                    self.topic_deleted(&topic.name, step);
                    let notice = Notice::TopicDeleted { name: topic.name, id };
                    step.effects.push(Effect::Notice(notice));
                }
            }
            Command::ChangeConfigs(change) => match ResourceKind::from_code(change.resource_kind) {
                Some(ResourceKind::Topic) => {
                    self.reconfigure_topic(&change.resource_name, step);
                }
                Some(ResourceKind::Broker) => self.reconfigure_all(step),
                None => {}
            },
            Command::AllocateProducerIds(_) => {}
        }
        outcome
    }

    fn make_missing_partitions(&mut self, topic: TopicId, step: &mut Step<'_>) {
        let Some(state) = self.image.topic(topic) else { return };
        let name = state.name.clone();
        let own = self.broker_id;
        let led = (0..).zip(&state.partitions).filter(|(_, state)| state.leader == Some(own));
        let led: Vec<_> = led.map(|(index, _)| index).collect();
        for index in led {
            let id = TopicPartition { topic, partition: PartitionIndex(index) };
            if self.slot(id).is_none() {
                let slot = self.make_partition(id, &name, None, step);
                self.partition_made(slot, step);
            }
        }
    }
}
