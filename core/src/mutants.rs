//! Known ways to lose data, planted on demand: what shows that a checker would notice.
//!
//! Each mutant removes one rule. With the feature `mutants`, which only the checkers' builds have, a process may `plant` one
//! before it starts anything; without it, `planted` is a constant, and the compiler removes what stands behind it.

macro_rules! mutants {
    ($($(#[doc = $what:literal])+ $name:ident = $id:literal),* $(,)?) => {
        /// A rule that can be removed. The ids are those of the table in the simulator's and the model's README.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mutant {
            $($(#[doc = $what])+ $name,)*
        }

        impl Mutant {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its short name.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }

            /// What it does.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($what,)+).trim_ascii(),)*
                }
            }

            /// The mutant of this short name.
            pub fn from_id(id: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|mutant| mutant.id().eq_ignore_ascii_case(id))
            }
        }
    };
}

mutants! {
    /// The recovery points move before what lies below them is synced (KAFKA-10101).
    RecoveryPointTooEarly = "S1",
    /// What recovery found at the end of a log is served before it is synced.
    RecoveredTailUnsynced = "S2",
    /// The names of new segments are not synced (KAFKA-15572).
    DirectoryNotSynced = "S3",
    /// The producers in a log's snapshot are not loaded at a restart (KAFKA-12520).
    SnapshotNotLoaded = "S5",
    /// Compaction removes a tombstone at once, without its delete horizon (KAFKA-4529).
    TombstoneTooEarly = "S6",
    /// Retention goes by records' timestamps alone: one from the future keeps its segment (KAFKA-18929).
    FutureTimestampPins = "S9",
    /// A record is acknowledged when it is appended, not when it is durable.
    AcknowledgeBeforeSync = "S11",
    /// Records count as durable, for answers and for the high watermark, when they are written.
    ShownWhenWritten = "S12",
    /// Recovery does not verify the checksums of what it finds.
    RecoveryTrustsChecksums = "S13",
    /// Recovery leaves the damaged tail of the log in its file.
    TailNotCutOff = "S14",
    /// The name of a new partition's directory is not synced.
    ParentNotSynced = "S15",
    /// DeleteRecords is answered before the new start offset is durable.
    StartOffsetNotSynced = "S16",
    /// Compaction drops the newest record of a key as well.
    CompactionDropsNewest = "S17",
    /// A compacted segment takes the place of the old ones before it is synced.
    CompactionNotSynced = "S18",
    /// The marker of a clean stop is not removed at the start.
    CleanMarkerStays = "S19",
    /// An entry of the offset index leads behind its batch.
    IndexEntryMisplaced = "S20",
    /// Where readers were is believed although compaction has moved the records.
    StalePlaceAfterCompaction = "S21",
    /// A search that is under way is not begun anew when segments go or are replaced.
    LayoutNotCounted = "S22",
    /// A write for which there was no space counts as written.
    FullDiskTakenForWritten = "S23",
    /// After a failed sync the partition goes on as if the next one made up for it (fsyncgate).
    FailedSyncBelieved = "S24",
    /// Checkpoints, votes and snapshots take the place of the old ones before they are synced.
    ReplacedWithoutSync = "S25",
    /// Recovery goes on behind a gap.
    GapAccepted = "S26",
    /// The directory of a deleted topic is taken for that of a new one of its name.
    OldTopicAdopted = "S27",
    /// The indexes of the old segment stay when a compacted one takes its name.
    OldIndexesStay = "S28",
    /// Batches are not verified before they are served.
    DamagedBatchServed = "S29",
    /// What is left of a log without its first segment is taken for the whole.
    LostBeginningOverlooked = "S30",
    /// A checkpoint whose name a killed broker had not synced is believed as if it were durable.
    CheckpointBelievedUnsynced = "S31",
    /// What a round wrote to the journal is acknowledged before the journal is synced.
    JournalNotSynced = "S32",
    /// A half of the journal is written to anew before the segments of what it holds are durable.
    HalfReusedTooEarly = "S33",
    /// A start takes records of the journal that were never finished, and what lies behind them.
    TornRecordReplayed = "S34",
    /// A start appends what the journal has of a log, wherever that ends.
    ReplayedAnywhere = "S35",
    /// A producer's new epoch may begin at any sequence.
    AnySequenceInNewEpoch = "P2",
    /// What is known of producers goes when old segments do (KIP-360).
    StateGoesWithRetention = "P3",
    /// What is known of producers goes when a new segment begins.
    StateGoesAtRoll = "P4",
    /// A duplicate is answered with the end of the log (redpanda#5356).
    DuplicateGetsEndOffset = "P5",
    /// Only the last batch of each producer is known (KAFKA-5494).
    OneBatchRemembered = "P8",
    /// A producer's old incarnation may go on writing.
    StaleEpochAccepted = "P9",
    /// Batches whose predecessors are missing are accepted.
    GapInSequenceAccepted = "P10",
    /// A duplicate is acknowledged although the first one is not durable yet.
    DuplicateAnsweredEarly = "P11",
    /// A block of producer ids is given out twice.
    ProducerIdsReused = "P12",
    /// Recovery takes no note of the producers' batches behind the snapshot.
    TailNotNoted = "P13",
    /// A snapshot knows batches that were not written yet.
    SnapshotAheadOfLog = "P14",
    /// Offsets of a group with members expire as those of one without (KAFKA-13636).
    LiveOffsetsExpire = "G2",
    /// An offset that was loaded expires at once when nobody is in the group (KAFKA-8069).
    ExpiryBeginsAnew = "G3",
    /// Offsets that were deleted are back after a restart.
    OffsetTombstonesIgnored = "G4",
    /// Committed offsets are not loaded at a restart.
    OffsetsNotLoaded = "G6",
    /// Commits of an old generation are accepted (KAFKA-2555).
    GenerationNotChecked = "G7",
    /// Commits of the process that a static member has replaced are accepted (KIP-345).
    StaticMemberNotFenced = "G8",
    /// Members get what they had before while the leader is still assigning (KAFKA-12984).
    AssignedFromLastTime = "G9",
    /// A member that sends no heartbeats stays.
    DeadMemberStays = "G10",
    /// A coordinator answers while it is still reading its partition.
    ServesWhileLoading = "G11",
    /// A commit is answered before it is durable.
    CommitAnsweredEarly = "G13",
    /// Members learn of their assignment before it is durable.
    AssignedBeforeDurable = "G14",
    /// A rebalance does not begin a new generation.
    GenerationStays = "G15",
    /// Of the commits that are loaded at a restart the oldest counts.
    OldestCommitWins = "G16",
    /// Fetch shows what is not durable yet (KAFKA-725).
    AboveHighWatermark = "F1",
    /// A new topic inherits the offsets committed for an old one of its name (KAFKA-12257).
    OffsetsByNameAlone = "F2",
    /// A fetch session leaves out a partition whose high watermark has not changed (redpanda#11748).
    SessionOmitsRecords = "F3",
    /// Any leader epoch of a client is taken for the current one (KIP-320).
    AnyEpochAccepted = "F5",
    /// A reader is not told that its last record is not in the log any more (KIP-595).
    DivergenceNotTold = "F6",
    /// ListOffsets tells the end of the log, not the high watermark.
    EndAboveHighWatermark = "F7",
    /// A fetch that waits is not woken when records come.
    WaitingFetchNotWoken = "F8",
    /// The leader epoch is the same after a restart (KAFKA-10527).
    EpochStays = "Q1",
    /// The vote is not synced before it counts.
    VoteNotSynced = "Q2",
    /// Metadata takes effect before it is synced.
    MetadataNotSynced = "Q6",
    /// An answer leaves before that to an earlier request.
    AnswersOutOfOrder = "N1",

    // Replication: core/src/replica.
    /// A follower truncates its log to its own high watermark when it gets a new leader (KIP-101).
    TruncateToHighWatermark = "R1",
    /// A leader does not compare the epoch of the record that a follower fetched last, and a divergent tail stays.
    KeepDivergentTail = "R2",
    /// A follower truncates to the end that the leader names, whatever epoch that end is of (KIP-279).
    EpochLookupWithoutEpoch = "R3",
    /// A leader takes note of its epoch only when it first appends.
    EpochBegunLazily = "R4",
    /// To truncate to the end of the log or beyond does nothing, and leaves epochs that begin there.
    TruncationReturnsEarly = "R5",
    /// A follower that begins anew at the leader's start keeps its high watermark.
    ResetKeepsHighWatermark = "R6",
    /// A leader does not compare the leader epoch of a fetch with its own (KIP-320).
    FetchIgnoresEpoch = "R7",
    /// A replica takes the high watermark of its checkpoint, wherever its log ends.
    CheckpointUnchecked = "R9",
    /// The high watermark goes by the committed in-sync replicas, not by those of the pending change as well.
    CommittedIsrOnly = "I2",
    /// The high watermark is not looked at again when replicas leave the in-sync ones.
    ShrinkDoesNotAdvance = "I3",
    /// A leader forgets its pending change when the partition's state changes in another way.
    PendingForgotten = "I4",
    /// Below `min.insync.replicas`, a follower is caught up once it has reached the high watermark, which stands still.
    CaughtUpByHighWatermark = "I8",
    /// A follower joins before it has reached the start of the leader's epoch (KIP-320).
    ExpandIgnoresEpochStart = "M1",
    /// The high watermark advances below `min.insync.replicas` (KIP-966).
    AdvanceBelowMinInsync = "M2",
    /// A follower takes the answer to a fetch that it has given up.
    AnswerUncorrelated = "M3",
    /// A leader takes the fetch of an earlier incarnation of a follower.
    StaleIncarnationFetch = "M4",
    /// A follower takes the answer to a fetch of its own earlier incarnation.
    AnswerOfDeadIncarnation = "M5",
    /// A follower fetches on, and so reports what it has, before that is durable.
    FollowerReportsUnsynced = "M6",
    /// Replicas of a pending change count towards `min.insync.replicas`.
    PendingCountsAsInsync = "M7",
    /// What a leader knows of its followers outlives its epoch.
    ProgressSurvivesEpoch = "M8",
    /// A replica takes no note of what is agreed on within its leader's epoch.
    StateWithinEpochIgnored = "R11",
    /// An answer that would bring nothing but a high watermark is not given.
    HighWatermarkNotTold = "R12",

    // A partition and its replica: core/src/partition. The core's own tests notice them.
    /// A batch that wants all acknowledgements is taken when too few replicas are in sync.
    AppendBelowMinInsync = "M11",
    /// Who waits for an append of an earlier epoch is not told that it waits in vain.
    AppendsOutliveEpoch = "M12",
    /// What the metadata came to while the log was being opened is never looked at.
    UnseenMetadataForgotten = "M13",
    /// A follower does not verify the checksums of what its leader sends.
    ReplicatedUnverified = "M14",
    /// A follower appends what it has already.
    ReplicatedOverlaps = "M15",
    /// Leader epochs that began where a log is cut off stay known.
    EpochsOutliveCut = "M16",
    /// A log is cut off while the recovery point on disk is beyond the cut.
    CutBelowRecoveryPoint = "M17",
    /// Snapshots stay of what was cut off.
    SnapshotsOutliveCut = "M18",

    // Elections: core/src/controller.
    /// The last in-sync replica may lead again after an unclean shutdown that can have cost it records.
    LastReplicaStanding = "I1",
    /// A fenced replica may join the in-sync ones (KIP-841).
    FencedReplicaJoins = "I5",
    /// A replica may join the in-sync ones by what an earlier incarnation of it has fetched (KIP-903).
    BrokerEpochIgnored = "I6",
    /// An unclean shutdown is taken for a clean one.
    UncleanTakenForClean = "I7",
    /// A change of the in-sync replicas is judged without the partition epoch (KIP-497).
    PartitionEpochIgnored = "I9",
    /// A reassignment may be cancelled though none of the replicas that would be left can lead.
    CancelWithoutLiveness = "I11",
    /// A replica that is shutting down may join the in-sync ones (KIP-841).
    ShuttingDownReplicaJoins = "I12",
    /// A replica whose disk was lost stays in sync, or eligible.
    LostDiskKeepsIsr = "R10",
    /// Replicas stay eligible when there are enough in-sync ones again (KIP-966).
    ElrSurvives = "M9",
    /// Replicas stay eligible when `min.insync.replicas` is lowered to what is in sync.
    MinInsyncLoweredKeepsElr = "M10",
    /// Who is elected leads in the epoch of the leader before.
    LeaderKeepsEpoch = "I13",
}

/// Whether this build can be spoilt.
pub const CAN_BE_PLANTED: bool = cfg!(feature = "mutants");

#[cfg(feature = "mutants")]
mod switch {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::Mutant;

    /// One more than the mutant's number; 0 for none. It is set once, before any machine is made, and so is no state of theirs.
    static PLANTED: AtomicUsize = AtomicUsize::new(0);

    /// Removes a rule, for all machines of this process.
    pub fn plant(mutant: Mutant) {
        PLANTED.store(mutant as usize + 1, Ordering::Relaxed);
    }

    /// Whether a rule was removed.
    #[inline]
    pub fn planted(mutant: Mutant) -> bool {
        PLANTED.load(Ordering::Relaxed) == mutant as usize + 1
    }
}

#[cfg(feature = "mutants")]
pub use switch::{plant, planted};

/// Whether a rule was removed: never, in a build for use.
#[cfg(not(feature = "mutants"))]
#[inline]
pub const fn planted(_: Mutant) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::Mutant;

    #[test]
    fn ids_are_unique() {
        let ids: BTreeSet<_> = Mutant::ALL.iter().map(|mutant| mutant.id()).collect();
        assert_eq!(ids.len(), Mutant::ALL.len());
    }
}
