//! Replicas learn what the metadata have come to, and ask the controller for other in-sync replicas.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Shard, Step, Timer};
use crate::{
    api::Proposed,
    metadata::Outcome,
    replica::{Proposal, View},
    types::{BrokerEpoch, ErrorCode, PartitionIndex, TopicId, TopicPartition},
};

/// How long it takes until a change is asked for again that was not decided, as in Kafka.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Changes of in-sync replicas that replicas ask for.
#[derive(Debug, Default)]
pub(super) struct Alterations {
    /// They go to the controller together.
    gathered: Vec<(u32, Proposal)>,
    /// Nothing was decided on what these asked for.
    undecided: Vec<u32>,
}

impl Shard {
    /// This broker's incarnation.
    pub(super) fn broker_epoch(&self) -> BrokerEpoch {
        self.image.brokers().get(&self.broker_id).map_or(BrokerEpoch(-1), |broker| broker.epoch)
    }

    /// Brokers have come or gone: any partition may have changed.
    pub(super) fn partitions_changed(&mut self, step: &mut Step<'_>) {
        for id in self.slots.keys().copied().collect::<Vec<_>>() {
            self.partition_changed(id, step);
        }
    }

    /// What the metadata say of a topic's partitions may have changed.
    pub(super) fn topic_changed(&mut self, topic: TopicId, step: &mut Step<'_>) {
        let partitions = self.image.topic(topic).map_or(0, |topic| topic.partitions.len());
        for index in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
            self.partition_changed(
                TopicPartition { topic, partition: PartitionIndex(index) },
                step,
            );
        }
    }

    /// What the metadata say of a partition may have changed.
    pub(super) fn partition_changed(&mut self, id: TopicPartition, step: &mut Step<'_>) {
        let Some(slot) = self.slot(id) else { return };
        let Some(view) = View::of(&self.image, id) else { return };
        self.with_partition(slot, step, |partition, context| {
            partition.metadata_changed(view, context);
        });
    }

    /// A leader wants other in-sync replicas.
    pub(super) fn gather_alteration(&mut self, slot: u32, proposal: Proposal) {
        self.alterations.gathered.push((slot, proposal));
    }

    /// What has gathered goes to the controller, as one entry of the metadata log.
    pub(super) fn propose_alterations(&mut self, step: &mut Step<'_>) {
        if self.alterations.gathered.is_empty() {
            return;
        }
        let gathered = core::mem::take(&mut self.alterations.gathered);
        let command = |(slot, proposal): &(u32, Proposal)| {
            let partition = self.partition(*slot)?;
            Some(proposal.to_command(partition.id()).into())
        };
        let commands = gathered.iter().filter_map(command).collect::<Vec<_>>();
        if commands.len() == gathered.len() {
            self.propose(commands, Proposed::Alterations(gathered), step);
        }
    }

    /// The controller has decided; or it could not, and is asked again.
    pub(crate) fn alterations_decided(
        &mut self,
        proposals: Vec<(u32, Proposal)>,
        outcomes: Option<&[Outcome]>,
        step: &mut Step<'_>,
    ) {
        let Some(outcomes) = outcomes else {
            self.alterations.undecided.extend(proposals.into_iter().map(|(slot, _)| slot));
            self.set_timer(Timer::Alterations, step.now.instant + ASK_AGAIN_AFTER);
            return;
        };
        for ((slot, proposal), outcome) in proposals.into_iter().zip(outcomes) {
            let Outcome::Refused(refusal) = outcome else { continue };
            let code: ErrorCode = refusal.code;
            self.with_partition(slot, step, |partition, context| {
                partition.alter_refused(&proposal, code, context);
            });
        }
    }

    /// Asks again for what was not decided.
    pub(super) fn ask_for_alterations_again(&mut self, step: &mut Step<'_>) {
        for slot in core::mem::take(&mut self.alterations.undecided) {
            self.with_partition(slot, step, |partition, context| partition.ask_again(context));
        }
    }
}
