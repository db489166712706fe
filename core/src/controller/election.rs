//! Who leads, and what follows from a change of a partition's state.

use alloc::{collections::BTreeMap, vec::Vec};

use super::Rules;
use crate::{
    metadata::{Broker, BrokerStatus, PartitionState},
    mutants::{Mutant, planted},
    types::BrokerId,
};

/// Which leader is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Election {
    /// The one there is, as long as it may lead.
    Any,
    /// The first of the replicas, if it may lead.
    Preferred,
    /// Whoever is there, even at the price of records.
    Unclean,
}

/// A change of a partition's state that is being made.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(super) before: &'a PartitionState,
    pub(super) state: PartitionState,
    brokers: &'a BTreeMap<BrokerId, Broker>,
    pub(super) rules: Rules,
    pub(super) election: Election,
    /// Replicas that may have lost what they had.
    lost: Vec<BrokerId>,
    /// The leader is another process than before, even if it is the same broker.
    is_new_incarnation: bool,
}

impl<'a> Change<'a> {
    pub(super) fn begin(
        before: &'a PartitionState,
        brokers: &'a BTreeMap<BrokerId, Broker>,
        rules: Rules,
    ) -> Self {
        Self {
            before,
            state: before.clone(),
            brokers,
            rules,
            election: Election::Any,
            lost: Vec::new(),
            is_new_incarnation: false,
        }
    }

    /// Whether a broker serves.
    pub(super) fn is_active(&self, broker: BrokerId) -> bool {
        self.brokers.get(&broker).is_some_and(|broker| broker.status == BrokerStatus::Active)
    }

    /// The broker is in sync no more.
    pub(super) fn remove_from_isr(&mut self, broker: BrokerId) {
        self.state.isr.retain(|&member| member != broker);
    }

    /// The broker may have lost records that it had: it is neither in sync nor eligible. Where there is no other replica
    /// nobody has them, and nothing is gained by waiting.
    pub(super) fn note_loss(&mut self, broker: BrokerId) {
        if self.state.replicas == [broker] {
            self.state.is_recovering = true;
            return;
        }
        let was_last = self.before.isr.iter().all(|&member| member == broker);
        if planted(Mutant::LastReplicaStanding) && was_last {
            return;
        }
        self.remove_from_isr(broker);
        self.state.elr.retain(|&member| member != broker);
        self.lost.push(broker);
    }

    /// The broker runs as a new process.
    pub(super) fn note_new_incarnation(&mut self, broker: BrokerId) {
        self.is_new_incarnation |= self.before.leader == Some(broker);
    }

    /// Draws the consequences, and returns the state that comes of it.
    pub(super) fn end(mut self) -> PartitionState {
        self.update_elr();
        self.elect();
        // Whoever was elected out of those that were eligible is in sync now.
        let isr = &self.state.isr;
        self.state.elr.retain(|member| !isr.contains(member));
        self.count();
        self.state
    }

    /// Those that were in sync when there were too few stay eligible until there are enough: meanwhile the high watermark
    /// stands still, so they have all that was ever acknowledged (KIP-966).
    fn update_elr(&mut self) {
        let state = &mut self.state;
        let enough = self.rules.effective_min_insync(state.replicas.len());
        if state.isr.len() >= enough {
            let was_enough = self.before.isr.len() >= enough;
            let is_kept = planted(Mutant::ElrSurvives)
                || planted(Mutant::MinInsyncLoweredKeepsElr) && was_enough;
            if !is_kept {
                state.elr.clear();
            }
            return;
        }
        let eligible = |broker: &&BrokerId| {
            let had_all = self.before.isr.contains(broker) || state.elr.contains(broker);
            had_all && !state.isr.contains(broker) && !self.lost.contains(broker)
        };
        state.elr = state.replicas.iter().filter(eligible).copied().collect();
    }

    fn elect(&mut self) {
        let keeps = self.state.leader.filter(|&leader| self.may_lead(leader));
        if self.election == Election::Any && keeps.is_some() {
            return;
        }
        let replicas = &self.state.replicas;
        let in_sync = replicas.iter().copied().find(|&replica| self.may_lead(replica));
        let preferred = replicas.first().copied().filter(|&replica| self.may_lead(replica));
        let clean = match self.election {
            Election::Preferred => preferred.or(keeps).or(in_sync),
            Election::Any | Election::Unclean => keeps.or(in_sync),
        };
        if clean.is_some() {
            self.state.leader = clean;
            return;
        }
        let elr = &self.state.elr;
        let eligible = |broker: &BrokerId| elr.contains(broker) && self.is_active(*broker);
        if let Some(leader) = replicas.iter().copied().find(eligible) {
            self.state.leader = Some(leader);
            self.state.isr = [leader].into();
            return;
        }
        self.elect_uncleanly();
    }

    /// The last resort: a replica that may lack records. It has to be asked for, and is declared.
    fn elect_uncleanly(&mut self) {
        let mut replicas = self.state.replicas.iter().copied();
        let may_lose = self.rules.may_lose || self.election == Election::Unclean;
        self.state.leader = replicas.find(|&replica| may_lose && self.is_active(replica));
        if let Some(leader) = self.state.leader {
            self.state.isr = [leader].into();
            self.state.elr.clear();
            self.state.is_recovering = true;
        }
    }

    fn may_lead(&self, broker: BrokerId) -> bool {
        self.state.isr.contains(&broker) && self.is_active(broker)
    }

    /// Each leader has an epoch of its own, and each state a number.
    fn count(&mut self) {
        let is_new_incarnation = self.is_new_incarnation && !planted(Mutant::EpochStays);
        let is_another = self.state.leader != self.before.leader;
        let is_new_leader = is_another && !planted(Mutant::LeaderKeepsEpoch) || is_new_incarnation;
        self.state.leader_epoch.0 += i32::from(is_new_leader);
        self.state.partition_epoch += i32::from(self.state != *self.before);
    }
}
