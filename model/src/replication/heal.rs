//! What must come of it once nothing goes wrong any more. Liveness is checked as safety: a state in which nothing is left to be
//! done must be a good one; and from every state a fair schedule must come to such a state.

use ottla_core::replica::ReplicaLog;

use super::{
    Replication,
    state::{State, number},
};

/// How many steps a fair schedule may take.
pub const STEPS_MAX: usize = 400;

impl Replication {
    /// Whether nothing goes wrong any more, and nothing is left to be done.
    pub(super) fn is_quiet(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        state.is_healing && {
            self.possible(state, &mut actions);
            actions.is_empty()
        }
    }

    /// Whether all is well, if nothing is left to be done.
    pub(super) fn is_quiet_and_good(&self, state: &State) -> bool {
        !self.is_quiet(state) || self.is_good(state)
    }

    /// All that was sent was acknowledged, all replicas are in sync, have the same, and know that it is safe.
    pub(super) fn is_good(&self, state: &State) -> bool {
        let partition = state.partition();
        let Some(leader) = partition.leader.map(number) else { return false };
        let end = state.node(leader).log.end_offset();
        partition.isr.len() == partition.replicas.len()
            && state.sent.iter().all(|record| state.acked.has(record))
            && partition.replicas.iter().all(|&replica| {
                let node = state.node(number(replica));
                node.log.end_offset() == end && node.replica.high_watermark() == end
            })
    }

    /// Lets everything happen in turn from `state` on, without anything going wrong: whether it comes to a good end.
    pub(super) fn recovers(&self, state: &State) -> bool {
        let mut state = state.clone();
        state.is_healing = true;
        let mut actions = Vec::new();
        for step in 0..STEPS_MAX {
            actions.clear();
            self.possible(&state, &mut actions);
            if actions.is_empty() {
                return self.is_good(&state);
            }
            let next = actions.swap_remove(step % actions.len());
            self.take(&mut state, next);
        }
        false
    }
}
