//! What must hold in every state, and what must be reached in some.

use ottla_core::{metadata::BrokerStatus, replica::ReplicaLog, types::Offset};

use crate::harness::Property;

use super::{
    Replication,
    state::{Log, Record, Seen, State, id, number},
};

type Condition = fn(&Replication, &State) -> bool;

/// What must hold, whatever the settings.
const ALWAYS: &[(&str, Condition)] = &[
    ("LogMatching", log_matching),
    ("SingleLeaderPerEpoch", single_leader_per_epoch),
    ("ReplicationQuorumSuperset", replication_quorum_superset),
    ("MetadataLogMatching", metadata_log_matching),
    ("HighWatermarkWithinLog", high_watermark_within_log),
    ("EpochCacheMatchesLog", epoch_cache_matches_log),
    ("ProducerSequence", producer_sequence),
    ("InSyncAreActive", in_sync_are_active),
    ("SafeIsSaid", safe_is_said),
    ("CancelKeepsLeader", |_, state| !state.seen.has(Seen::LEADERLESS)),
    ("FollowersAppend", |_, state| !state.seen.has(Seen::CORRUPT)),
    ("JoinsCaughtUp", |_, state| !state.seen.has(Seen::JOINED_BEHIND)),
];

/// What must hold if the settings promise it.
const SAFE: &[(&str, Condition)] = &[
    ("LeaderCompleteness", leader_completeness),
    ("AckedRecordsAreServed", acked_records_are_served),
    ("LeaderCandidateCompleteness", leader_candidate_completeness),
    ("NoAckedRecordLostGlobally", no_acked_record_lost_globally),
    ("ConsistentRead", |_, state| !state.seen.has(Seen::CONFLICT)),
    ("CommittedPrefixBelowHw", committed_prefix_below_hw),
    ("SafeRecordsStay", |_, state| !state.seen.has(Seen::LOST_SAFE)),
];

/// What must be reached, lest nothing was looked at.
const MARKS: &[(&str, Condition)] = &[
    ("acknowledged after a leader change", |_, state| state.seen.has(Seen::ACKED_LATER)),
    ("a log cut off", |_, state| state.seen.has(Seen::TRUNCATED)),
    ("a crash that takes records", |_, state| state.seen.has(Seen::LOSSY_CRASH)),
    ("a replica back in sync", |_, state| state.seen.has(Seen::REJOINED)),
    ("an eligible replica elected", |_, state| state.seen.has(Seen::ELECTED_ELIGIBLE)),
    ("a change refused", |_, state| state.seen.has(Seen::REFUSED)),
    ("a duplicate found", |_, state| state.seen.has(Seen::DUPLICATE)),
    ("everything everywhere", everything_everywhere),
];

impl Replication {
    pub(super) fn all_properties(&self) -> Vec<Property<Self>> {
        let always = |&(name, condition)| Property::always(name, condition);
        let mark = |&(name, condition)| Property::sometimes(name, condition);
        let mut properties: Vec<_> = ALWAYS.iter().chain(SAFE).map(always).collect();
        properties.extend(MARKS.iter().map(mark));
        if self.bounds.grain.heals {
            properties.push(Property::always("QuiescentMeansAllReplicated", |model, state| {
                model.is_quiet_and_good(state)
            }));
            properties.push(Property::sometimes("quiescent", |model, state| model.is_quiet(state)));
        }
        if self.bounds.grain.recovers {
            properties
                .push(Property::always("RecoversFairly", |model, state| model.recovers(state)));
        }
        properties
    }
}

/// The record at an offset.
fn at(log: &Log, offset: usize) -> Option<&Record> {
    let offset = Offset(i64::try_from(offset).expect("logs are short"));
    let place = usize::try_from(offset - log.start_offset()).ok()?;
    log.batches().get(place)
}

/// Whether a log has what was shown, as far as it has not been deleted.
fn has_shown(log: &Log, shown: &[Record], to: usize) -> bool {
    let start = usize::try_from(log.start_offset().0).expect("offsets are not negative");
    to <= shown.len() && (start..to).all(|offset| at(log, offset) == Some(&shown[offset]))
}

fn has_acked(log: &Log, state: &State) -> bool {
    // Deleted records were shown before.
    let deleted = usize::try_from(log.start_offset().0).expect("offsets are not negative");
    let mut acked = state.acked.iter();
    acked.all(|record| {
        log.batches().iter().any(|batch| batch.payload == record)
            || state.shown.iter().take(deleted).any(|batch| batch.payload == record)
    })
}

/// Whoever leads has what was shown and what was acknowledged.
fn leader_completeness(_: &Replication, state: &State) -> bool {
    let Some(leader) = state.partition().leader.map(number) else { return true };
    let node = state.node(leader);
    !node.is_up
        || has_shown(&node.log, &state.shown, state.shown.len()) && has_acked(&node.log, state)
}

/// Whoever leads, and knows it, has what was acknowledged.
fn acked_records_are_served(_: &Replication, state: &State) -> bool {
    let Some(leader) = state.partition().leader.map(number) else { return true };
    let node = state.node(leader);
    let serves = node.is_up
        && node.replica.leader().is_some()
        && node.replica.leader_epoch() == state.partition().leader_epoch;
    !serves || has_acked(&node.log, state)
}

/// Whoever may be elected has what was shown.
fn leader_candidate_completeness(model: &Replication, state: &State) -> bool {
    let partition = state.partition();
    let mut candidates = partition.isr.iter().chain(&partition.elr).map(|&id| number(id));
    candidates.all(|candidate| {
        let node = state.node(candidate);
        // Who is down is judged when it comes back: it may have lost what it had, and then has to say so.
        let counts =
            node.is_up || model.settings.is_durable && disk_of(state, candidate) == node.disk;
        !counts || has_shown(&node.log, &state.shown, state.shown.len())
    })
}

/// The disk that the controller knows a broker by.
fn disk_of(state: &State, broker: u8) -> u8 {
    let known = state.broker(broker).directory;
    let is = |disk: &u8| {
        let bits = u128::from(*disk) << 8 | u128::from(broker);
        known == ottla_core::types::Uuid::from_random(bits)
    };
    (0..=u8::MAX).find(is).expect("each disk has a number")
}

/// What was acknowledged is somewhere.
pub(crate) fn no_acked_record_lost_globally(_: &Replication, state: &State) -> bool {
    let deleted = state.nodes.iter().map(|node| node.log.start_offset().0).max();
    let deleted = usize::try_from(deleted.unwrap_or_default()).expect("it is not negative");
    state.acked.iter().all(|record| {
        let is_it = |batch: &Record| batch.payload == record;
        state.nodes.iter().any(|node| node.log.batches().iter().any(is_it))
            || state.shown.iter().take(deleted).any(is_it)
    })
}

/// What a replica takes for safe is what was shown.
fn committed_prefix_below_hw(_: &Replication, state: &State) -> bool {
    state.nodes.iter().filter(|node| node.is_up).all(|node| {
        let safe = usize::try_from(node.replica.high_watermark().0);
        has_shown(&node.log, &state.shown, safe.expect("it is not negative"))
    })
}

/// Two logs that have a record of one epoch at one offset are the same up to it.
fn log_matching(_: &Replication, state: &State) -> bool {
    let logs: Vec<_> = state.nodes.iter().map(|node| &node.log).collect();
    (0..logs.len()).all(|one| (0..one).all(|other| match_each_other(logs[one], logs[other])))
}

fn match_each_other(one: &Log, other: &Log) -> bool {
    let start = one.start_offset().max(other.start_offset()).0;
    let end = one.end_offset().min(other.end_offset()).0;
    let range = usize::try_from(start).expect("positive")..usize::try_from(end).expect("positive");
    let meets = range.clone().rev().find(|&offset| {
        at(one, offset).map(|batch| batch.epoch) == at(other, offset).map(|batch| batch.epoch)
    });
    meets.is_none_or(|meets| {
        (range.start..=meets).all(|offset| at(one, offset) == at(other, offset))
    })
}

/// No two brokers lead in one epoch.
fn single_leader_per_epoch(_: &Replication, state: &State) -> bool {
    let leads =
        |node: &&std::sync::Arc<super::state::Node>| node.is_up && node.replica.leader().is_some();
    let epochs: Vec<_> =
        state.nodes.iter().filter(leads).map(|node| node.replica.leader_epoch()).collect();
    (0..epochs.len()).all(|one| !epochs[..one].contains(&epochs[one]))
}

/// A leader that moves its high watermark waits for all that may be elected.
fn replication_quorum_superset(_: &Replication, state: &State) -> bool {
    let partition = state.partition();
    let Some(leader) = partition.leader else { return true };
    let node = state.node(number(leader));
    let replica = &node.replica;
    let leads = node.is_up
        && replica.leader().is_some()
        && replica.leader_epoch() == partition.leader_epoch;
    if !leads || replica.view().isr.len() < replica.view().min_insync {
        return true;
    }
    let waits_for: Vec<_> = replica.maximal_isr().collect();
    partition.isr.iter().chain(&partition.elr).all(|member| waits_for.contains(member))
}

/// What a broker knows is a state that was agreed on, and no other than the one at its place.
fn metadata_log_matching(_: &Replication, state: &State) -> bool {
    state.nodes.iter().filter(|node| node.is_up).all(|node| {
        let known = state.views.len().checked_sub(1 + usize::from(node.behind));
        known.is_none_or(|place| *state.views[place] == *node.replica.view())
    })
}

/// Whoever is in sync serves.
fn in_sync_are_active(_: &Replication, state: &State) -> bool {
    let mut members = state.partition().isr.iter();
    members.all(|&member| state.broker(number(member)).status == BrokerStatus::Active)
}

/// A leader takes for safe whatever is.
fn safe_is_said(_: &Replication, state: &State) -> bool {
    state.nodes.iter().filter(|node| node.is_up).all(|node| {
        let safe = node.replica.safe_offset(&node.log);
        let is_said = safe.is_none_or(|safe| safe <= node.replica.high_watermark());
        is_said || !node.replica.has_enough_in_sync()
    })
}

fn high_watermark_within_log(_: &Replication, state: &State) -> bool {
    state.nodes.iter().all(|node| {
        let safe = node.replica.high_watermark();
        node.log.start_offset() <= safe && safe <= node.log.end_offset()
    })
}

/// The epochs that a log knows of are those of its records.
fn epoch_cache_matches_log(_: &Replication, state: &State) -> bool {
    state.nodes.iter().all(|node| {
        let epochs = node.log.epochs();
        let knows = |batch: &Record| epochs.epoch_of(batch.base_offset) == Some(batch.epoch);
        let ends =
            epochs.entries().last().is_none_or(|last| last.start_offset <= node.log.end_offset());
        let latest = node
            .log
            .batches()
            .last()
            .is_none_or(|batch| epochs.latest().is_some_and(|latest| latest >= batch.epoch));
        node.log.batches().iter().all(knows) && ends && latest
    })
}

/// A producer's records are in a log in their order, without a gap, and once.
fn producer_sequence(model: &Replication, state: &State) -> bool {
    let producers = u8::try_from(model.bounds.producers.len()).expect("there are few");
    state.nodes.iter().all(|node| {
        (0..producers).all(|producer| {
            let batches = node.log.batches().iter().map(|batch| batch.payload);
            let owned = batches.map(|record| model.bounds.producer_of(record));
            let sequences: Vec<_> = owned
                .filter(|&(owner, _)| owner == producer)
                .map(|(_, sequence)| sequence)
                .collect();
            let starts = node.log.start_offset() > Offset::ZERO
                || sequences.first().is_none_or(|&first| first == 0);
            starts && sequences.windows(2).all(|pair| pair[0] + 1 == pair[1])
        })
    })
}

/// All records were acknowledged, and every replica has them, and knows it.
fn everything_everywhere(model: &Replication, state: &State) -> bool {
    let count = usize::from(model.bounds.records());
    state.acked.len() as usize == count
        && model.brokers().filter(|&broker| state.partition().replicas.contains(&id(broker))).all(
            |broker| {
                let node = state.node(broker);
                usize::try_from(node.replica.high_watermark().0) == Ok(count)
                    && has_shown(&node.log, &state.shown, count)
            },
        )
}
