//! At-least-once delivery, and what must be reached lest that mean nothing.

use super::{Delivery, State};
use crate::{
    group,
    harness::{Model, Property},
    replication::{self, state::Seen},
};

pub(super) fn all() -> Vec<Property<Delivery>> {
    vec![
        Property::always("AckedIsProcessed", acked_is_processed),
        Property::always("CommittedImpliesProcessed", |model: &Delivery, state: &State| {
            group::committed_implies_processed(&model.group, &state.group)
        }),
        Property::always("NoAckedRecordLostGlobally", |model: &Delivery, state: &State| {
            replication::no_acked_record_lost_globally(&model.replication, &state.partition)
        }),
        Property::sometimes("quiescent", is_quiescent),
        Property::sometimes("processed after a leader change", |_, state: &State| {
            let epoch = state.partition.partition().leader_epoch.0;
            epoch > 0 && state.partition.acked.iter().any(|record| state.is_processed(record))
        }),
        Property::sometimes("a crash that takes records", |_, state: &State| {
            state.partition.seen.has(Seen::LOSSY_CRASH)
        }),
        Property::sometimes("committed", |_, state: &State| state.group.broker.committed(0) > 0),
    ]
}

fn is_quiescent(model: &Delivery, state: &State) -> bool {
    let mut actions = Vec::new();
    model.actions(state, &mut actions);
    actions.is_empty()
}

/// Where nothing goes wrong any more and nothing is left to be done, what was acknowledged was processed and committed.
fn acked_is_processed(model: &Delivery, state: &State) -> bool {
    let processed = state.partition.acked.iter().all(|record| state.is_processed(record));
    let is_good = processed && state.group.broker.committed(0) >= i64::from(state.readable());
    is_good || !is_quiescent(model, state)
}
