//! Judging the changes of the in-sync replicas that leaders ask for (KIP-497, KIP-841, KIP-903).

use alloc::vec::Vec;

use super::election::Change;
use crate::{
    metadata::{BrokerStatus, Image, Outcome, Refusal, command::AlterPartition},
    mutants::{Mutant, planted},
    types::{BrokerEpoch, BrokerId, ErrorCode, PartitionIndex, TopicId},
};

impl Image {
    /// A leader asks for other in-sync replicas.
    pub(crate) fn alter_partition(&mut self, command: &AlterPartition) -> Result<Outcome, Refusal> {
        let leader = BrokerId(command.broker_id);
        let known = self.brokers.get(&leader).ok_or(ErrorCode::BrokerIdNotRegistered)?;
        if known.epoch != BrokerEpoch(command.broker_epoch) {
            return Err(ErrorCode::StaleBrokerEpoch.into());
        }
        self.judge_members(command)?;
        let topic = TopicId(command.topic_id);
        let partition = PartitionIndex(command.partition);
        self.change_partition(topic, partition, |change| {
            judge_change(change, command)?;
            let wanted = |broker: &&BrokerId| is_wanted(command, **broker);
            change.state.isr = change.state.replicas.iter().filter(wanted).copied().collect();
            change.state.is_recovering = false;
            change.complete_reassignment();
            Ok(())
        })
    }

    /// Whether those who are to be in sync can be.
    fn judge_members(&self, command: &AlterPartition) -> Result<(), Refusal> {
        let is_eligible = command.isr.iter().all(|member| {
            let Some(broker) = self.brokers.get(&BrokerId(member.broker_id)) else { return false };
            let status = match broker.status {
                BrokerStatus::Active => true,
                BrokerStatus::Fenced => planted(Mutant::FencedReplicaJoins),
                BrokerStatus::ShuttingDown => planted(Mutant::ShuttingDownReplicaJoins),
            };
            let epoch = broker.epoch == BrokerEpoch(member.broker_epoch)
                || planted(Mutant::BrokerEpochIgnored);
            status && epoch
        });
        if is_eligible { Ok(()) } else { Err(ErrorCode::IneligibleReplica.into()) }
    }
}

/// Whether who asks is the leader, and has seen the partition's state as it is.
fn judge_change(change: &Change<'_>, command: &AlterPartition) -> Result<(), Refusal> {
    let state = change.before;
    if command.leader_epoch > state.leader_epoch.0 {
        return Err(ErrorCode::NotController.into());
    }
    if command.leader_epoch < state.leader_epoch.0 {
        return Err(ErrorCode::FencedLeaderEpoch.into());
    }
    if state.leader != Some(BrokerId(command.broker_id)) {
        return Err(ErrorCode::InvalidRequest.into());
    }
    if command.partition_epoch > state.partition_epoch {
        return Err(ErrorCode::NotController.into());
    }
    if command.partition_epoch < state.partition_epoch && !planted(Mutant::PartitionEpochIgnored) {
        return Err(ErrorCode::InvalidUpdateVersion.into());
    }
    let mut members: Vec<i32> = command.isr.iter().map(|member| member.broker_id).collect();
    members.sort_unstable();
    members.dedup();
    let are_replicas = members.iter().all(|&member| state.replicas.contains(&BrokerId(member)));
    let is_well_formed = members.len() == command.isr.len()
        && are_replicas
        && is_wanted(command, BrokerId(command.broker_id));
    if is_well_formed { Ok(()) } else { Err(ErrorCode::InvalidRequest.into()) }
}

fn is_wanted(command: &AlterPartition, broker: BrokerId) -> bool {
    command.isr.iter().any(|member| member.broker_id == broker.0)
}
