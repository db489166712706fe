//! Which messages can still do something. One that never can is taken away, lest states differ in what does not matter; which
//! those are is what the core's rules say, so that a mutant that lifts a rule keeps its messages alive.

use ottla_core::{
    mutants::{Mutant, planted},
    replica::{FetchId, Proposal, Replica, ReplicaFetch, ReplicaLog},
};

use super::{
    Replication,
    state::{Message, Node, State, number},
};

/// What comes of a message if it is delivered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It changes something.
    Acts,
    /// It would change nothing now, but may later.
    Waits,
    /// It will never change anything.
    Dead,
}

impl Replication {
    /// What comes of a message.
    pub(super) fn fate(&self, state: &State, message: &Message) -> Fate {
        match message {
            Message::Fetch { to, fetch, .. } => fetch_fate(state.node(*to), fetch),
            Message::Answer { to, id, .. } => answer_fate(state.node(*to), *id),
            Message::Alter(proposal) => alter_fate(state, proposal),
        }
    }

    /// Whether what a follower has asked is under way, or its answer.
    pub(super) fn is_fetch_alive(&self, state: &State, follower: u8) -> bool {
        let Some(expected) = expected(state.node(follower)) else { return false };
        state.net.iter().any(|message| match message {
            Message::Fetch { id, fetch, .. } => {
                number(fetch.replica) == follower && *id == expected
            }
            Message::Answer { to, id, .. } => *to == follower && *id == expected,
            Message::Alter(_) => false,
        })
    }

    /// Whether a round of fetch and answer would change anything.
    pub(super) fn can_round(&self, state: &State, follower: &Node, leader: u8) -> bool {
        let leader = state.node(leader);
        let mut replica = follower.replica.clone();
        let Some((_, fetch)) = replica.next_fetch(&follower.log) else { return false };
        fetch_fate(leader, &fetch) == Fate::Acts
    }
}

/// The answer that a follower waits for.
pub(super) fn expected(node: &Node) -> Option<FetchId> {
    let replica = &node.replica;
    let follower = replica.follower().filter(|follower| node.is_up && follower.is_fetching())?;
    Some(FetchId {
        broker_epoch: replica.broker_epoch(),
        leader_epoch: replica.leader_epoch(),
        attempt: follower.attempt(),
    })
}

fn fetch_fate(leader: &Node, fetch: &ReplicaFetch) -> Fate {
    let replica = &leader.replica;
    let is_fenced = !planted(Mutant::FetchIgnoresEpoch);
    if is_fenced && replica.leader_epoch() > fetch.leader_epoch {
        return Fate::Dead;
    }
    let Some(known) = replica.leader().filter(|_| leader.is_up) else { return Fate::Waits };
    if is_fenced && replica.leader_epoch() < fetch.leader_epoch {
        return Fate::Waits;
    }
    let registered = replica.view().peers.get(&fetch.replica).map(|peer| peer.epoch);
    let progress = known.progress(fetch.replica);
    let newest = registered.max(progress.map(|progress| progress.broker_epoch));
    let is_stale = newest.is_some_and(|newest| fetch.broker_epoch < newest);
    if is_stale && !planted(Mutant::StaleIncarnationFetch) {
        return Fate::Dead;
    }
    let is_known = progress.is_some_and(|progress| {
        progress.end == fetch.offset && progress.broker_epoch == fetch.broker_epoch
    });
    if is_known && !tells_anything(leader, fetch) { Fate::Waits } else { Fate::Acts }
}

/// Whether the answer would be worth one.
fn tells_anything(leader: &Node, fetch: &ReplicaFetch) -> bool {
    if leader.log.end_offset() > fetch.offset {
        return true;
    }
    let mut replica = leader.replica.clone();
    let served = replica.fetched(fetch, &leader.log, &mut Vec::new());
    replica != leader.replica || Replica::is_worth_answering(fetch, &served)
}

fn answer_fate(follower: &Node, id: FetchId) -> Fate {
    let replica = &follower.replica;
    let any_process = planted(Mutant::AnswerOfDeadIncarnation);
    if !follower.is_up {
        return if any_process { Fate::Waits } else { Fate::Dead };
    }
    let is_own = id.broker_epoch == replica.broker_epoch() || any_process;
    if !is_own || id.leader_epoch != replica.leader_epoch() {
        return Fate::Dead;
    }
    let Some(known) = replica.follower() else { return Fate::Dead };
    if planted(Mutant::AnswerUncorrelated) || known.is_fetching() && id.attempt == known.attempt() {
        return Fate::Acts;
    }
    // Answers come in the order of the fetches: what was given up is not waited for again.
    if any_process && id.attempt >= known.attempt() { Fate::Waits } else { Fate::Dead }
}

fn alter_fate(state: &State, proposal: &Proposal) -> Fate {
    let partition = state.partition();
    let leader = state.broker(number(proposal.leader));
    let is_outrun = proposal.partition_epoch < partition.partition_epoch
        && !planted(Mutant::PartitionEpochIgnored);
    let is_fenced =
        proposal.leader_epoch < partition.leader_epoch || proposal.broker_epoch < leader.epoch;
    if is_outrun || is_fenced { Fate::Dead } else { Fate::Acts }
}
