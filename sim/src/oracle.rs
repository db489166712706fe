//! The verdict: what clients saw, held against what they were promised.

use std::collections::BTreeMap;

use ottla_jepsen::{
    check::{Kind, check},
    history::History,
};

use crate::workload::{Outcome, Violation};

/// What may be where a disk damages what was durable, and nobody else has it. A write that lands elsewhere brings a batch there
/// that is whole, and of another partition.
const DAMAGE: &[Kind] = &[
    Kind::LostWrite,
    Kind::StrayRead,
    Kind::Unseen,
    Kind::DirtyRead,
    Kind::InconsistentOffsets,
    Kind::Duplicate,
    Kind::PollSkip,
    Kind::IntPollSkip,
    Kind::NonmonotonicSend,
    Kind::RealtimeOrder,
    Kind::ZombieSend,
    Kind::SequenceGap,
    Kind::IntNonmonotonicSend,
    // The checksum of a batch does not cover its base offset.
    Kind::ReadAboveHighWatermark,
    Kind::HighWatermarkWentBack,
    Kind::HighWatermarkBehindAck,
    Kind::LogStartWentBack,
    Kind::CommitPastUnprocessed,
    Kind::CommitWentBack,
    // A generation that is lost comes again.
    Kind::ZombieCommit,
    Kind::TwoOwners,
    Kind::LostCommit,
    Kind::OffsetCameBack,
    Kind::Unprocessed,
    Kind::GenerationWentBack,
    // The starts of logs are written down as Kafka does, in digits without a checksum.
    Kind::DeletedTooMuch,
];

/// What may be besides where a broker has forgotten everything: its topics are made again, and begin anew.
/// What is asked of the one by its name is answered by the other, whose records were deleted or not.
const FORGOTTEN: &[Kind] = &[Kind::LeaderEpochWentBack, Kind::PhantomOffset];

/// What clients notice themselves, and what may be as well then: what is known of a producer goes with its batches.
const DAMAGE_NOTICED: &[&str] =
    &[NEXT_IN_ORDER, REPEATED_IS_KNOWN, KEEPS_OFFSETS, EPOCHS_TELL_APART];

/// What became of what had been durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// It is all there.
    None,
    /// Some of it may be damaged.
    Spoilt,
    /// All of it is gone.
    Wiped,
}

/// The first batch of a producer that is not acknowledged follows those that are.
pub const NEXT_IN_ORDER: &str = "the next batch of a producer is in order";
/// One of the last batches of a producer, sent once more, is known.
pub const REPEATED_IS_KNOWN: &str = "a repeated batch is known";
/// An offset and the epoch of a record's leader name that record for ever.
pub const EPOCHS_TELL_APART: &str = "offset and epoch name one record";
/// No two producers get the same id.
pub const IDS_ARE_UNIQUE: &str = "producer ids are unique";
/// Offsets expire only where nobody lives.
pub const KEEPS_OFFSETS: &str = "a group that lives keeps its offsets";

/// How many events of an anomaly are shown.
const EVENTS_MAX: usize = 6;
const EVENT_CHARS_MAX: usize = 400;

/// Judges a history, and puts together what else was found.
pub fn judge(
    history: History,
    operations: BTreeMap<String, u64>,
    mut violations: Vec<Violation>,
    stalled: Vec<String>,
    damage: Damage,
) -> Outcome {
    let is_damaged = damage != Damage::None;
    let is_wiped = damage == Damage::Wiped;
    violations.retain(|violation| {
        let property = violation.property.as_str();
        !(is_damaged && DAMAGE_NOTICED.contains(&property)
            || is_wiped && property == IDS_ARE_UNIQUE)
    });
    match check(&history) {
        Err(unusable) => violations.push(Violation {
            property: "the history can be judged".into(),
            detail: unusable.to_string(),
            events: Vec::new(),
        }),
        Ok(report) => {
            for anomaly in report.anomalies.iter() {
                // Who did not come to the end has not seen everything.
                let unfinished = !stalled.is_empty() && anomaly.kind == Kind::Unseen;
                let may_be = is_damaged && DAMAGE.contains(&anomaly.kind)
                    || is_wiped && FORGOTTEN.contains(&anomaly.kind);
                if unfinished || may_be {
                    continue;
                }
                let events = anomaly.witnesses.iter().take(EVENTS_MAX);
                let events = events.filter_map(|place| history.events.get(*place));
                let events = events.map(|event| {
                    let text = serde_json::to_string(event).unwrap_or_default();
                    text.chars().take(EVENT_CHARS_MAX).collect()
                });
                violations.push(Violation {
                    property: anomaly.kind.to_string(),
                    detail: anomaly.text.clone(),
                    events: events.collect(),
                });
            }
        }
    }
    let stalled = if is_damaged { Vec::new() } else { stalled };
    Outcome { violations, stalled, operations, history }
}
