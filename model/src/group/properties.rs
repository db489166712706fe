//! What must hold in every state, and what must be reached lest that mean nothing.

use std::collections::BTreeMap;

use crate::harness::{Model, Property};

use super::{Group, Phase, Protocol, State};

pub(super) fn all(model: &Group) -> Vec<Property<Group>> {
    let mut all = vec![
        Property::always("CommittedImpliesProcessed", committed_implies_processed),
        Property::always("CommitNeverRegresses", |_, state: &State| !state.seen.regressed),
        Property::always("AnsweredCommitStays", answered_commit_stays),
        Property::always("OneOwnerPerGeneration", one_owner_per_generation),
        Property::always("QuiescentMeansAllProcessed", quiescent_means_all_processed),
        Property::sometimes("a second generation", |_, state: &State| {
            state.broker.group().is_some_and(|group| group.generation() > 1)
        }),
        Property::sometimes("quiescent", |model: &Group, state| is_quiescent(model, state)),
        Property::sometimes("all is done", |_, state: &State| {
            state.all_processed() && state.all_committed()
        }),
        Property::sometimes("goes on after what was committed", goes_on),
        Property::sometimes("a commit comes too late", |_, state: &State| {
            let now = state.broker.group().map(ottla_core::group::Group::generation);
            state.commits.iter().any(|sent| Some(sent.generation) != now)
        }),
    ];
    if model.budgets.moves > 0 {
        all.push(Property::sometimes("the coordinator has moved", |_, state: &State| {
            !state.broker.loaded && !state.broker.log.is_empty()
        }));
    }
    if model.is_advised {
        all.push(Property::always("NothingIsSkipped", nothing_is_skipped));
        all.push(Property::always("ProcessedOnce", |_, state: &State| !state.seen.repeated));
    }
    if model.protocol == Protocol::Cooperative {
        all.push(Property::sometimes("a partition is to be given back", |_, state: &State| {
            let owned = state.clients.iter().flat_map(|client| client.owned.values());
            owned.into_iter().any(|work| work.revoked)
        }));
    }
    all
}

/// Nothing is committed that comes after a record that nobody has processed.
pub(crate) fn committed_implies_processed(_: &Group, state: &State) -> bool {
    state.processed.iter().enumerate().all(|(partition, records)| {
        let committed = usize::try_from(state.broker.committed(partition)).unwrap_or_default();
        records.iter().take(committed).all(|was| *was)
    })
}

/// Where a record is committed that nobody has processed, a consumer has it in hand, or is about to fetch it.
fn nothing_is_skipped(_: &Group, state: &State) -> bool {
    state.processed.iter().enumerate().all(|(partition, records)| {
        let committed = usize::try_from(state.broker.committed(partition)).unwrap_or_default();
        (0..).zip(records.iter().take(committed)).all(|(record, was)| {
            let works = state.clients.iter().filter(|client| client.works());
            let mut works = works.filter_map(|client| client.owned.get(&partition));
            *was || works.any(|work| {
                work.hand == Some(record) || work.position.is_some_and(|next| next <= record)
            })
        })
    })
}

/// What was answered is committed.
fn answered_commit_stays(_: &Group, state: &State) -> bool {
    let mut answered = state.seen.answered.iter().enumerate();
    !state.broker.loaded
        || answered.all(|(partition, offset)| state.broker.committed(partition) >= *offset)
}

/// No two members have one partition by one assignment. Processes of one `group.instance.id` are one member: until the older
/// one asks for something, it cannot know that it was replaced.
fn one_owner_per_generation(model: &Group, state: &State) -> bool {
    if model.one_instance {
        return true;
    }
    let mut owners = BTreeMap::new();
    let stable = state.clients.iter().filter(|client| client.phase == Phase::Stable);
    stable
        .flat_map(|client| client.owned.iter().map(move |owned| (client, owned)))
        .filter(|(_, (_, work))| !work.revoked)
        .all(|(client, (partition, _))| {
            owners.insert((client.owned_since, *partition), client).is_none()
        })
}

/// A member has taken over a partition, and goes on where another has stopped.
fn goes_on(_: &Group, state: &State) -> bool {
    state.clients.iter().filter(|client| client.owned_since > 1).any(|client| {
        client.owned.iter().any(|(partition, work)| {
            let position = work.position.map(i64::from);
            position > Some(0) && position == Some(state.broker.committed(*partition))
        })
    })
}

fn is_quiescent(model: &Group, state: &State) -> bool {
    let mut actions = Vec::new();
    model.actions(state, &mut actions);
    actions.is_empty()
}

/// Where nothing goes wrong any more and nothing is left to do, everything is done.
fn quiescent_means_all_processed(model: &Group, state: &State) -> bool {
    let rests = |phase| matches!(phase, Phase::Stable | Phase::Fenced | Phase::Dead);
    // A commit that comes late on a connection that was given up may take the place of a later one of the same member.
    let committed = state.all_committed() || model.budgets.disconnects > 0;
    let is_good = state.all_processed()
        && committed
        && state.clients.iter().all(|client| rests(client.phase));
    is_good || !is_quiescent(model, state)
}
