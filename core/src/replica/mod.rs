//! One broker's replica of a partition: leader or follower, and up to where records are safe.
//!
//! The machine holds no records. It decides by what its [`ReplicaLog`] says of them: where the log begins and ends, what of it
//! is durable, and at which offsets leader epochs began. The broker's [`Log`](crate::log::Log) is one; a checker's may be a list.
//!
//! What comes in and goes out is what Kafka's messages for replication carry: Fetch and its answer for a partition,
//! OffsetForLeaderEpoch, AlterPartition. On each is who sent it in which incarnation, on answers as well: a message of a process
//! that is dead may arrive after its successor has begun.
//!
//! - `view`: what a replica knows of the metadata.
//! - `leader` answers the fetches of followers; `follower` makes them, and takes what comes.
//! - `high_watermark`: up to where records are safe. `in_sync`: who has to have them.
//! - `reconcile`: where two logs begin to differ.

mod fetch;
mod follower;
mod high_watermark;
mod in_sync;
mod leader;
pub mod list_log;
mod log;
mod reconcile;
#[cfg(test)]
mod tests;
mod view;

use alloc::vec::Vec;

pub use fetch::{FetchAnswer, FetchId, ReplicaFetch, Served};
pub use follower::{Follower, Taken};
pub use high_watermark::acknowledgeable;
pub use in_sync::Proposal;
pub use leader::{Leader, Progress};
pub use log::{Corrupt, ReplicaLog};
pub use reconcile::check_epoch;
pub use view::{Peer, View};

use crate::{
    mutants::{Mutant, planted},
    types::{BrokerEpoch, BrokerId, ErrorCode, LeaderEpoch, Offset},
};

/// One broker's replica of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Replica {
    broker: BrokerId,
    broker_epoch: BrokerEpoch,
    view: View,
    /// Everything before this is safe, and may be shown. It never goes back while the replica is open, save that a follower
    /// begins anew.
    high_watermark: Offset,
    role: Role,
}

/// What a replica does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Role {
    /// It leads.
    Leader(Leader),
    /// It follows.
    Follower(Follower),
    /// There is no leader, or it is no replica any more.
    Idle,
}

/// Which acknowledgement a producer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Acks {
    /// The leader's: `acks=1`.
    Leader,
    /// That of all that are in sync: `acks=all`.
    All,
}

/// What a change of the metadata has done to a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It goes on.
    Same,
    /// It leads, in a new epoch. Whoever waited for an append has to be told that he waits in vain: he can ask again.
    Leads,
    /// It follows, or idles, in a new epoch. Who waited for an append waits in vain.
    Follows,
}

/// What a replica wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// The controller is to be asked for other in-sync replicas.
    Alter(Proposal),
}

impl Replica {
    /// The replica of an empty log.
    pub const fn new(broker: BrokerId, broker_epoch: BrokerEpoch) -> Self {
        Self {
            broker,
            broker_epoch,
            view: View::unknown(),
            high_watermark: Offset::ZERO,
            role: Role::Idle,
        }
    }

    /// The replica of a log that was opened. Its high watermark may have been written down later than the records that it
    /// covered: those may be lost.
    pub fn recover<L: ReplicaLog>(
        broker: BrokerId,
        broker_epoch: BrokerEpoch,
        checkpoint: Offset,
        log: &L,
    ) -> Self {
        let bounded = checkpoint.max(log.start_offset()).min(log.acknowledgeable());
        let high_watermark =
            if planted(Mutant::CheckpointUnchecked) { checkpoint } else { bounded };
        Self { high_watermark, ..Self::new(broker, broker_epoch) }
    }

    /// The log was opened anew, or is open for the first time: what was not durable may be lost. A leader goes on only where nobody
    /// else can have what it has lost.
    pub fn reopened<L: ReplicaLog>(&mut self, log: &mut L, wants: &mut Vec<Want>) {
        let bounded = self.high_watermark.max(log.start_offset());
        self.high_watermark = bounded.min(log.acknowledgeable());
        self.fetch_given_up();
        if matches!(self.role, Role::Leader(_)) {
            self.begin_to_lead(Role::Idle, log, wants);
        }
    }

    /// The broker that it is on.
    pub const fn broker(&self) -> BrokerId {
        self.broker
    }

    /// The incarnation of the broker that it is on.
    pub const fn broker_epoch(&self) -> BrokerEpoch {
        self.broker_epoch
    }

    /// What it knows of the metadata.
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// The epoch of the leader that it knows.
    pub const fn leader_epoch(&self) -> LeaderEpoch {
        self.view.leader_epoch
    }

    /// Everything before this is safe.
    pub const fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// What it does.
    pub const fn role(&self) -> &Role {
        &self.role
    }

    /// What it knows as a leader, if it is one.
    pub const fn leader(&self) -> Option<&Leader> {
        match &self.role {
            Role::Leader(leader) => Some(leader),
            Role::Follower(_) | Role::Idle => None,
        }
    }

    /// What it does as a follower, if it is one.
    pub const fn follower(&self) -> Option<&Follower> {
        match &self.role {
            Role::Follower(follower) => Some(follower),
            Role::Leader(_) | Role::Idle => None,
        }
    }

    /// The metadata have changed. States come in the order in which they were agreed on; one that was seen before means nothing.
    pub fn metadata_changed<L: ReplicaLog>(
        &mut self,
        view: View,
        log: &mut L,
        wants: &mut Vec<Want>,
    ) -> Turn {
        // Who is no replica any more is not among the peers.
        let own = view.peers.get(&self.broker);
        let is_own = own.is_none_or(|own| own.epoch == self.broker_epoch);
        // What was agreed on before this incarnation registered, or after another has, is not for it.
        if !is_own || view.partition_epoch < self.view.partition_epoch {
            return Turn::Same;
        }
        let is_new_epoch = view.leader_epoch > self.view.leader_epoch;
        if !is_new_epoch && planted(Mutant::StateWithinEpochIgnored) {
            return Turn::Same;
        }
        self.view = view;
        // A reassignment makes a broker a replica, or makes it none, in the middle of an epoch.
        let has_part = self.view.leader.is_some() && self.view.replicas.contains(&self.broker);
        let takes_part = !matches!(self.role, Role::Idle);
        if !is_new_epoch && has_part == takes_part {
            self.state_changed(log, wants);
            return Turn::Same;
        }
        let earlier = core::mem::replace(&mut self.role, Role::Idle);
        match self.view.leader {
            Some(leader) if leader == self.broker => {
                self.begin_to_lead(earlier, log, wants);
                Turn::Leads
            }
            Some(leader) if self.view.replicas.contains(&self.broker) => {
                self.begin_to_follow(leader, log);
                Turn::Follows
            }
            Some(_) | None => Turn::Follows,
        }
    }

    /// The end of what may be acknowledged has moved: something was written, or made durable.
    pub fn log_moved<L: ReplicaLog>(&mut self, log: &L) {
        if self.leader().is_some() {
            self.advance(log);
        }
    }

    /// Whether a producer's batch may be appended.
    pub fn judge_append(&self, acks: Acks) -> Result<(), ErrorCode> {
        if self.leader().is_none() {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let too_few = !self.has_enough_in_sync() && !planted(Mutant::AppendBelowMinInsync);
        if acks == Acks::All && too_few {
            return Err(ErrorCode::NotEnoughReplicas);
        }
        Ok(())
    }

    /// Appends that end here or earlier can be answered.
    pub fn acknowledged<L: ReplicaLog>(&self, acks: Acks, log: &L) -> Offset {
        match acks {
            Acks::All => self.high_watermark,
            Acks::Leader => log.acknowledgeable(),
        }
    }

    /// Where an epoch ended, for OffsetForLeaderEpoch: the greatest epoch not after it that is known, and its end.
    pub fn end_of_epoch<L: ReplicaLog>(
        &self,
        current_leader_epoch: i32,
        epoch: LeaderEpoch,
        log: &L,
    ) -> Result<Option<(LeaderEpoch, Offset)>, ErrorCode> {
        check_epoch(current_leader_epoch, self.leader_epoch())?;
        if self.leader().is_none() {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        if epoch.0 == -1 {
            return Ok(None);
        }
        Ok(log.epochs().end_offset_for(epoch, log.end_offset()))
    }

    /// Asserts the invariants.
    pub fn check<L: ReplicaLog>(&self, log: &L) {
        assert!(
            self.high_watermark <= log.end_offset(),
            "the high watermark lies in the log: {} ≤ {}",
            self.high_watermark,
            log.end_offset()
        );
        match &self.role {
            Role::Leader(leader) => {
                assert_eq!(self.view.leader, Some(self.broker), "who leads was elected");
                leader.check(&self.view, log);
            }
            Role::Follower(_) => {
                assert!(self.view.leader.is_some_and(|leader| leader != self.broker));
            }
            Role::Idle => {}
        }
    }
}
