//! Who is in sync, and who is to be: a leader asks the controller, one change at a time (KIP-497).

use alloc::vec::Vec;

use super::{Leader, Replica, ReplicaLog, Role, Want};
use crate::{
    metadata::command::{AlterPartition, IsrMember},
    mutants::{Mutant, planted},
    types::{BrokerEpoch, BrokerId, ErrorCode, LeaderEpoch, TopicPartition},
};

/// A change of the in-sync replicas that a leader asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proposal {
    /// The leader.
    pub leader: BrokerId,
    /// The leader's incarnation.
    pub broker_epoch: BrokerEpoch,
    /// The epoch that it leads in.
    pub leader_epoch: LeaderEpoch,
    /// The state of the partition that it has seen.
    pub partition_epoch: i32,
    /// Who is to be in sync, and in which incarnations.
    pub isr: Vec<(BrokerId, BrokerEpoch)>,
}

impl Proposal {
    /// As an entry of the metadata log.
    pub fn to_command(&self, id: TopicPartition) -> AlterPartition {
        let member = |&(broker, epoch): &(BrokerId, BrokerEpoch)| IsrMember {
            broker_id: broker.0,
            broker_epoch: epoch.0,
        };
        AlterPartition {
            broker_id: self.leader.0,
            broker_epoch: self.broker_epoch.0,
            topic_id: id.topic.0,
            partition: id.partition.0,
            leader_epoch: self.leader_epoch.0,
            partition_epoch: self.partition_epoch,
            isr: self.isr.iter().map(member).collect(),
        }
    }
}

impl Replica {
    /// The replicas that the high watermark waits for: those in sync, and those that will be if the pending change is agreed on.
    pub fn maximal_isr(&self) -> impl Iterator<Item = BrokerId> {
        let pending = self.leader().and_then(Leader::pending);
        let pending = pending.filter(|_| !planted(Mutant::CommittedIsrOnly));
        let added = pending.into_iter().flat_map(|proposal| &proposal.isr);
        let added =
            added.map(|&(member, _)| member).filter(|member| !self.view.isr.contains(member));
        self.view.isr.iter().copied().chain(added)
    }

    /// A follower has not caught up for `replica.lag.time.max.ms`: it is to leave.
    pub fn lags<L: ReplicaLog>(&mut self, follower: BrokerId, log: &L, wants: &mut Vec<Want>) {
        let Some(leader) = self.leader() else { return };
        let end = leader.progress(follower).map(|progress| progress.end);
        let is_caught_up = end.is_some_and(|end| end >= log.acknowledgeable());
        if follower == self.broker || is_caught_up || !self.view.isr.contains(&follower) {
            return;
        }
        self.propose(|isr| isr.retain(|&member| member != follower), wants);
    }

    /// A follower has come this far: it may join.
    pub(super) fn consider<L: ReplicaLog>(
        &mut self,
        follower: BrokerId,
        log: &L,
        wants: &mut Vec<Want>,
    ) {
        if !self.may_join(follower, log) {
            return;
        }
        let replicas = self.view.replicas.clone();
        let position = |broker: &BrokerId| replicas.iter().position(|replica| replica == broker);
        self.propose(
            |isr| {
                isr.push(follower);
                isr.sort_by_key(position);
            },
            wants,
        );
    }

    /// Whether a follower has what all that are in sync have, and has come to the start of this epoch: before, what it has may
    /// differ from what the leader has.
    fn may_join<L: ReplicaLog>(&self, follower: BrokerId, log: &L) -> bool {
        let Some(leader) = self.leader() else { return false };
        let Some(progress) = leader.progress(follower) else { return false };
        let is_new = self.maximal_isr().all(|member| member != follower);
        let is_replica = self.view.replicas.contains(&follower);
        let is_fit = self
            .view
            .peers
            .get(&follower)
            .is_some_and(|peer| peer.is_active && peer.epoch == progress.broker_epoch);
        let epoch_start = leader.epoch_start();
        let has_epoch = progress.end >= epoch_start || planted(Mutant::ExpandIgnoresEpochStart);
        // Where too few are in sync the high watermark stands still, and to have reached that says nothing (KAFKA-19996).
        let safe = self.safe_offset(log).filter(|_| !planted(Mutant::CaughtUpByHighWatermark));
        let wanted = safe.map_or(self.high_watermark, |safe| safe.max(self.high_watermark));
        is_new && is_replica && is_fit && has_epoch && progress.end >= wanted
    }

    /// Asks for another set of in-sync replicas, unless a change is pending.
    pub(super) fn propose(
        &mut self,
        change: impl FnOnce(&mut Vec<BrokerId>),
        wants: &mut Vec<Want>,
    ) {
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.pending().is_some() {
            return;
        }
        let mut isr = self.view.isr.clone();
        change(&mut isr);
        let peers = &self.view.peers;
        // A replica that has fetched is known by the incarnation that fetched; others by what the metadata say.
        let epoch = |member: BrokerId| {
            let fetched = leader.progress(member).map(|progress| progress.broker_epoch);
            fetched.or_else(|| peers.get(&member).map(|peer| peer.epoch))
        };
        let own = (self.broker, self.broker_epoch);
        let member = |member: BrokerId| match epoch(member) {
            _ if member == own.0 => Some(own),
            epoch => Some((member, epoch?)),
        };
        let proposal = Proposal {
            leader: self.broker,
            broker_epoch: self.broker_epoch,
            leader_epoch: self.view.leader_epoch,
            partition_epoch: self.view.partition_epoch,
            isr: isr.into_iter().filter_map(member).collect(),
        };
        leader.begin_change(proposal.clone());
        wants.push(Want::Alter(proposal));
    }

    /// The controller has refused a change, for good: what was asked for will never be. An answer that does not say so, or none,
    /// leaves the change pending, for it may have been agreed on; the leader asks again, by [`Self::ask_again`].
    pub fn alter_refused<L: ReplicaLog>(&mut self, proposal: &Proposal, error: ErrorCode, log: &L) {
        let is_final = matches!(
            error,
            ErrorCode::IneligibleReplica
                | ErrorCode::InvalidRequest
                | ErrorCode::UnknownTopicOrPartition
                | ErrorCode::UnknownTopicId
        );
        if let Role::Leader(leader) = &mut self.role
            && is_final
            && leader.pending() == Some(proposal)
        {
            leader.end_change();
            self.advance(log);
        }
    }

    /// No answer has come: the same change is asked for again.
    pub fn ask_again(&self, wants: &mut Vec<Want>) {
        let pending = self.leader().and_then(Leader::pending);
        wants.extend(pending.cloned().map(Want::Alter));
    }

    /// The partition's state has changed under the same leader.
    pub(super) fn state_changed<L: ReplicaLog>(&mut self, log: &L, wants: &mut Vec<Want>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let settles = |proposal: &Proposal| proposal.partition_epoch < self.view.partition_epoch;
        if leader.pending().is_some_and(settles) || planted(Mutant::PendingForgotten) {
            // Agreed on, or outrun by another change: what was asked for meant an earlier state.
            leader.end_change();
        }
        if !planted(Mutant::ShrinkDoesNotAdvance) {
            self.advance(log);
        }
        if self.view.is_recovering {
            self.propose(|_| {}, wants);
        }
        // Who had to wait for the change, or for its own registration to be known, may join now.
        for follower in self.view.replicas.clone() {
            self.consider(follower, log, wants);
        }
    }
}
