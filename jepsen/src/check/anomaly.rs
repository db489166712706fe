//! What can be wrong with a history.

use std::{collections::BTreeMap, fmt};

macro_rules! kinds {
    ($($(#[doc = $what:literal])+ $kind:ident = $name:literal),* $(,)?) => {
        /// A promise that was broken. Where Jepsen's checker for Kafka has the same, it has the same name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[doc = $what])+ $kind,)*
        }

        impl Kind {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// What it means.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!($($what,)+).trim_ascii(),)*
                }
            }
        }
    };
}

kinds! {
    /// A record was acknowledged, and is not there.
    LostWrite = "lost-write",
    /// A record was acknowledged, nobody read it, and nobody looked to the end.
    Unseen = "unseen",
    /// A record was shown that is not there any more.
    DirtyRead = "dirty-read",
    /// Two records have the same offset.
    InconsistentOffsets = "inconsistent-offsets",
    /// A record is there more often than it can have been sent.
    Duplicate = "duplicate",
    /// A record was read that nobody sent.
    PhantomRead = "phantom-read",
    /// A record was read whose sender was told that it failed.
    AbortedRead = "aborted-read",
    /// A record was read that is damaged.
    CorruptRead = "corrupt-read",
    /// A record was read in a partition that it was not sent to.
    StrayRead = "stray-read",
    /// A consumer went on reading behind a record that it had not read.
    PollSkip = "poll-skip",
    /// A consumer went back, or read a record twice.
    NonmonotonicPoll = "nonmonotonic-poll",
    /// A record is missing within one answer.
    IntPollSkip = "int-poll-skip",
    /// Within one answer records are not in order.
    IntNonmonotonicPoll = "int-nonmonotonic-poll",
    /// A consumer read at or above the high watermark that it was told.
    ReadAboveHighWatermark = "read-above-high-watermark",
    /// A consumer was given records that had been deleted.
    DeletedRead = "deleted-read",
    /// A producer's batches are not in the order of their sequences.
    NonmonotonicSend = "nonmonotonic-send",
    /// A batch of a producer's past epoch was accepted.
    ZombieSend = "zombie-send",
    /// A batch was accepted, and none that could stand before it was ever sent.
    SequenceGap = "sequence-gap",
    /// A batch's records do not follow each other.
    IntNonmonotonicSend = "int-nonmonotonic-send",
    /// A record that was sent after another was acknowledged lies before it.
    RealtimeOrder = "realtime-order",
    /// The high watermark went back.
    HighWatermarkWentBack = "high-watermark-went-back",
    /// The high watermark is not above what was acknowledged by all.
    HighWatermarkBehindAck = "high-watermark-behind-ack",
    /// The leader's epoch went back.
    LeaderEpochWentBack = "leader-epoch-went-back",
    /// The start of the log went back.
    LogStartWentBack = "log-start-went-back",
    /// Not: start of the log, high watermark, end of the log, in this order.
    BoundsOutOfOrder = "bounds-out-of-order",
    /// The start of the log moved, and nothing that was asked for or configured moves it so far.
    DeletedTooMuch = "deleted-too-much",
    /// A group's offset is past a record that the group has not processed.
    CommitPastUnprocessed = "commit-past-unprocessed",
    /// Within a generation an offset was set lower than before.
    CommitWentBack = "commit-went-back",
    /// A commit of a past generation was accepted.
    ZombieCommit = "zombie-commit",
    /// A group's offset was read that is older than one that was acknowledged.
    LostCommit = "lost-commit",
    /// A group's offset was read that nobody set.
    PhantomOffset = "phantom-offset",
    /// A committed offset was gone, and is there again.
    OffsetCameBack = "offset-came-back",
    /// A group is at rest, and has not processed a record.
    Unprocessed = "unprocessed",
    /// Two members own a partition in one generation.
    TwoOwners = "two-owners",
    /// A group's generation went back.
    GenerationWentBack = "generation-went-back",
    /// Below the high watermark two replicas are not alike.
    ReplicasDiffer = "replicas-differ",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A promise that was broken, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// Which promise.
    pub kind: Kind,
    /// How.
    pub text: String,
    /// The events that show it, as places in the history, in ascending order.
    pub witnesses: Vec<usize>,
}

/// More of one kind are counted only.
const KEPT_MAX: usize = 8;

/// The anomalies that were found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Anomalies {
    kept: BTreeMap<Kind, Vec<Anomaly>>,
    counts: BTreeMap<Kind, u64>,
}

impl Anomalies {
    /// Notes one. The text is made only if it is kept.
    pub fn add(
        &mut self,
        kind: Kind,
        witnesses: impl IntoIterator<Item = usize>,
        text: impl FnOnce() -> String,
    ) {
        *self.counts.entry(kind).or_default() += 1;
        let kept = self.kept.entry(kind).or_default();
        if kept.len() < KEPT_MAX {
            let mut witnesses: Vec<_> = witnesses.into_iter().collect();
            witnesses.sort_unstable();
            witnesses.dedup();
            kept.push(Anomaly { kind, text: text(), witnesses });
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many there are of each kind that there is.
    pub const fn counts(&self) -> &BTreeMap<Kind, u64> {
        &self.counts
    }

    /// The kinds that there are.
    pub fn kinds(&self) -> Vec<Kind> {
        self.counts.keys().copied().collect()
    }

    /// The first ones of each kind.
    pub fn iter(&self) -> impl Iterator<Item = &Anomaly> {
        self.kept.values().flatten()
    }

    /// The one that shows itself first in the history.
    pub fn first(&self) -> Option<&Anomaly> {
        self.iter().min_by_key(|anomaly| anomaly.witnesses.last().copied().unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn few_are_kept_and_all_are_counted() {
        let mut anomalies = Anomalies::default();
        for number in 0..20 {
            anomalies.add(Kind::Duplicate, [30 - number, 1], || format!("{number}"));
        }
        assert_eq!(anomalies.counts()[&Kind::Duplicate], 20);
        assert_eq!(anomalies.iter().count(), KEPT_MAX);
        assert_eq!(anomalies.first().map(|first| &first.witnesses[..]), Some(&[1, 23][..]));
    }
}
