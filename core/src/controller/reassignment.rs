//! Moving replicas (KIP-455), and electing leaders on demand (KIP-460).

use alloc::{collections::BTreeSet, vec::Vec};

use super::election::{Change, Election};
use crate::{
    metadata::{
        Image, Outcome, Refusal,
        command::{ElectLeader, ReassignPartition},
    },
    mutants::{Mutant, planted},
    types::{BrokerId, ErrorCode, PartitionIndex, TopicId},
};

impl Image {
    /// Replicas are to move, or to move no more.
    pub(crate) fn reassign_partition(
        &mut self,
        command: &ReassignPartition,
    ) -> Result<Outcome, Refusal> {
        let (topic, partition) = (TopicId(command.topic_id), PartitionIndex(command.partition));
        let target: Option<Vec<_>> =
            command.replicas.as_ref().map(|ids| ids.iter().copied().map(BrokerId).collect());
        if let Some(target) = &target {
            let distinct: BTreeSet<_> = target.iter().collect();
            let are_known = target.iter().all(|broker| self.brokers.contains_key(broker));
            if target.is_empty() || distinct.len() != target.len() || !are_known {
                return Err(ErrorCode::InvalidReplicaAssignment.into());
            }
        }
        self.change_partition(topic, partition, |change| match target {
            Some(target) => {
                change.begin_reassignment(&target);
                change.require_leader()
            }
            None if change.before.adding.is_empty() && change.before.removing.is_empty() => {
                Err(ErrorCode::NoReassignmentInProgress.into())
            }
            None => {
                change.cancel_reassignment();
                change.require_leader()
            }
        })
    }

    /// A leader is wanted: the preferred one, or any at all.
    pub(crate) fn elect_leader(&mut self, command: &ElectLeader) -> Result<Outcome, Refusal> {
        let (topic, partition) = (TopicId(command.topic_id), PartitionIndex(command.partition));
        self.change_partition(topic, partition, |change| {
            let state = change.before;
            match command.election {
                0 if state.leader == state.replicas.first().copied() => {
                    return Err(ErrorCode::ElectionNotNeeded.into());
                }
                0 => {
                    let preferred = state.replicas.first().copied().filter(|&replica| {
                        state.isr.contains(&replica) && change.is_active(replica)
                    });
                    if preferred.is_none() {
                        return Err(ErrorCode::PreferredLeaderNotAvailable.into());
                    }
                    change.election = Election::Preferred;
                }
                1 if state.leader.is_some() => return Err(ErrorCode::ElectionNotNeeded.into()),
                1 => change.election = Election::Unclean,
                _ => return Err(ErrorCode::InvalidRequest.into()),
            }
            Ok(())
        })
    }
}

impl Change<'_> {
    /// The replicas are those of before and after, until those that come are in sync.
    fn begin_reassignment(&mut self, target: &[BrokerId]) {
        let state = &mut self.state;
        let earlier = core::mem::take(&mut state.adding);
        let mut original = core::mem::take(&mut state.replicas);
        original.retain(|broker| !earlier.contains(broker));
        let added = target.iter().filter(|broker| !original.contains(broker));
        state.adding = added.copied().collect();
        original.retain(|broker| !target.contains(broker));
        state.removing = original;
        state.replicas = target.iter().chain(&state.removing).copied().collect();
        let in_sync = state.replicas.iter().filter(|broker| state.isr.contains(broker));
        state.isr = in_sync.copied().collect();
        let replicas = &state.replicas;
        state.elr.retain(|broker| replicas.contains(broker));
        self.complete_reassignment();
    }

    /// Whoever was to come goes, and whoever was to go stays.
    fn cancel_reassignment(&mut self) {
        let state = &mut self.state;
        let adding = core::mem::take(&mut state.adding);
        state.removing.clear();
        for members in [&mut state.replicas, &mut state.isr, &mut state.elr] {
            members.retain(|broker| !adding.contains(broker));
        }
    }

    /// Once all that are to stay are in sync, the others go.
    pub(super) fn complete_reassignment(&mut self) {
        let state = &mut self.state;
        if state.adding.is_empty() && state.removing.is_empty() {
            return;
        }
        let removing = &state.removing;
        let is_done = state
            .replicas
            .iter()
            .all(|broker| removing.contains(broker) || state.isr.contains(broker));
        if !is_done {
            return;
        }
        let removing = core::mem::take(&mut state.removing);
        state.adding.clear();
        for members in [&mut state.replicas, &mut state.isr, &mut state.elr] {
            members.retain(|broker| !removing.contains(broker));
        }
    }

    /// Refuses what would leave the partition without anybody who may lead it, though there is somebody now.
    fn require_leader(&self) -> Result<(), Refusal> {
        let state = &self.state;
        let mut candidates = state.isr.iter().chain(&state.elr);
        let can_lead = candidates.any(|&broker| self.is_active(broker));
        if can_lead || self.before.leader.is_none() || planted(Mutant::CancelWithoutLiveness) {
            return Ok(());
        }
        let message = "None of the replicas that would be left can lead.";
        Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message))
    }
}
