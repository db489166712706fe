//! The bounds that are searched, what is expected of them, and which mutants they must notice.

use ottla_core::{
    mutants::Mutant::{
        self, AdvanceBelowMinInsync, AnswerOfDeadIncarnation, AnswerUncorrelated,
        BrokerEpochIgnored, CancelWithoutLiveness, CaughtUpByHighWatermark, CheckpointUnchecked,
        CommittedIsrOnly, ElrSurvives, EpochBegunLazily, EpochLookupWithoutEpoch, EpochStays,
        ExpandIgnoresEpochStart, FencedReplicaJoins, FetchIgnoresEpoch, FollowerReportsUnsynced,
        HighWatermarkNotTold, KeepDivergentTail, LastReplicaStanding, LeaderKeepsEpoch,
        LostDiskKeepsIsr, MinInsyncLoweredKeepsElr, PartitionEpochIgnored, PendingCountsAsInsync,
        PendingForgotten, ProgressSurvivesEpoch, ResetKeepsHighWatermark, ShownWhenWritten,
        ShrinkDoesNotAdvance, ShuttingDownReplicaJoins, StaleIncarnationFetch,
        StateWithinEpochIgnored, TailNotNoted, TruncateToHighWatermark, TruncationReturnsEarly,
        UncleanTakenForClean,
    },
    replica::Acks,
};

use super::{
    Replication,
    settings::{Bounds, Budget, Grain, Settings},
};
use crate::harness::{Caught, Configuration, Size};

/// A line of the table below.
struct Row {
    name: &'static str,
    /// Its bounds, in words.
    words: &'static str,
    size: Size,
    settings: Settings,
    bounds: Bounds,
    unique: Option<usize>,
    unreachable: &'static [&'static str],
    mutants: &'static [Caught],
}

const NOTHING: Budget = Budget {
    produces: 0,
    kills: 0,
    power_losses: 0,
    disk_losses: 0,
    zombies: 0,
    lags: 0,
    moves: 0,
    given_up_fetches: 0,
    given_up_produces: 0,
    lost_requests: 0,
    shutdowns: 0,
    deletions: 0,
    lowered: 0,
    reassignments: 0,
    cancellations: 0,
};

const ONE: Budget = Budget { produces: 1, ..NOTHING };

const BOUNDS: Bounds = Bounds {
    producers: &[1],
    budget: NOTHING,
    leader_epoch_max: 2,
    assigned: 3,
    grain: Grain::METADATA,
};

const ROW: Row = Row {
    name: "",
    words: "",
    size: Size::Small,
    settings: Settings::SAFE,
    bounds: BOUNDS,
    unique: None,
    unreachable: &[],
    mutants: &[],
};

const REFUSED: &str = "a change refused";
const LOSSY: &str = "a crash that takes records";
const DUPLICATE: &str = "a duplicate found";
const ELIGIBLE: &str = "an eligible replica elected";
const CUT_OFF: &str = "a log cut off";
const REJOINED: &str = "a replica back in sync";
const LATER: &str = "acknowledged after a leader change";

const CANDIDATE: &str = "LeaderCandidateCompleteness";
const LOST: &str = "NoAckedRecordLostGlobally";
const SERVED: &str = "AckedRecordsAreServed";
const BELOW: &str = "CommittedPrefixBelowHw";

const fn caught(mutant: Mutant, property: &'static str) -> Caught {
    Caught { mutant, property }
}

const ROWS: &[Row] = &[
    Row {
        name: "replication-messages",
        words: "each message by itself; 1 record, 1 moved leadership, 1 power loss that takes any suffix, flush by the system",
        settings: Settings::RELAXED,
        bounds: Bounds {
            budget: Budget { moves: 1, power_losses: 1, ..ONE },
            grain: Grain::MESSAGES,
            leader_epoch_max: 1,
            ..BOUNDS
        },
        unique: Some(116_773),
        unreachable: &[REFUSED, DUPLICATE, ELIGIBLE],
        mutants: &[
            caught(StaleIncarnationFetch, CANDIDATE),
            caught(StaleIncarnationFetch, LOST),
            caught(StaleIncarnationFetch, SERVED),
        ],
        ..ROW
    },
    Row {
        name: "replication-messages-durable",
        words: "each message and each sync by itself; 1 record, 1 moved leadership, 1 power loss that takes what is not synced",
        bounds: Bounds {
            budget: Budget { moves: 1, power_losses: 1, ..ONE },
            grain: Grain { async_sync: true, ..Grain::MESSAGES },
            leader_epoch_max: 1,
            ..BOUNDS
        },
        unique: Some(201_969),
        unreachable: &[REFUSED, DUPLICATE, ELIGIBLE],
        mutants: &[caught(ShownWhenWritten, CANDIDATE), caught(FollowerReportsUnsynced, CANDIDATE)],
        ..ROW
    },
    Row {
        name: "replication-late-answers",
        words: "each message by itself; 2 records, 1 moved leadership, 1 fetch given up",
        bounds: Bounds {
            producers: &[1, 1],
            budget: Budget { produces: 2, moves: 1, given_up_fetches: 1, ..NOTHING },
            grain: Grain::MESSAGES,
            leader_epoch_max: 1,
            ..BOUNDS
        },
        unique: Some(51_987),
        unreachable: &[REFUSED, LOSSY, REJOINED, ELIGIBLE],
        mutants: &[caught(AnswerUncorrelated, "FollowersAppend")],
        ..ROW
    },
    Row {
        name: "replication-dead-answers",
        words: "each message by itself; 2 records, 2 replicas, 1 moved leadership, 1 process killed, 1 follower that lags",
        settings: Settings { replicas: 2, min_insync: 1, ..Settings::SAFE },
        bounds: Bounds {
            producers: &[1, 1],
            budget: Budget { produces: 2, moves: 1, kills: 1, lags: 1, ..NOTHING },
            grain: Grain::MESSAGES,
            leader_epoch_max: 1,
            assigned: 2,
        },
        unique: Some(26_047),
        unreachable: &[LOSSY],
        mutants: &[caught(AnswerOfDeadIncarnation, "FollowersAppend")],
        ..ROW
    },
    Row {
        name: "replication-two-records",
        words: "2 records, 2 moved leaderships, metadata by themselves",
        settings: Settings::RELAXED,
        bounds: Bounds {
            producers: &[1, 1],
            budget: Budget { produces: 2, moves: 2, ..NOTHING },
            ..BOUNDS
        },
        unique: Some(38_075),
        unreachable: &[REFUSED, LOSSY, REJOINED, ELIGIBLE],
        mutants: &[
            caught(TruncateToHighWatermark, CANDIDATE),
            caught(TruncateToHighWatermark, "ConsistentRead"),
            caught(TruncateToHighWatermark, "SafeRecordsStay"),
            caught(TruncateToHighWatermark, BELOW),
            caught(KeepDivergentTail, "EpochCacheMatchesLog"),
            caught(KeepDivergentTail, "ConsistentRead"),
            caught(KeepDivergentTail, BELOW),
            caught(EpochBegunLazily, CANDIDATE),
            caught(EpochBegunLazily, "SafeRecordsStay"),
            caught(FetchIgnoresEpoch, "EpochCacheMatchesLog"),
        ],
        ..ROW
    },
    Row {
        name: "replication-three-records",
        words: "3 records, 2 moved leaderships, metadata by themselves",
        settings: Settings::RELAXED,
        bounds: Bounds {
            producers: &[1, 1, 1],
            budget: Budget { produces: 3, moves: 2, ..NOTHING },
            ..BOUNDS
        },
        unique: Some(227_171),
        unreachable: &[REFUSED, LOSSY, REJOINED, ELIGIBLE],
        mutants: &[caught(EpochLookupWithoutEpoch, "LogMatching")],
        ..ROW
    },
    Row {
        name: "replication-last-in-sync",
        words: "1 record, 2 followers that lag, 1 power loss that takes any suffix, flush by the system",
        settings: Settings::RELAXED,
        bounds: Bounds {
            budget: Budget { power_losses: 1, lags: 2, ..ONE },
            grain: Grain::COARSE,
            ..BOUNDS
        },
        unique: Some(19_508),
        unreachable: &[DUPLICATE],
        mutants: &[
            caught(LastReplicaStanding, "LeaderCompleteness"),
            caught(LastReplicaStanding, SERVED),
            caught(UncleanTakenForClean, CANDIDATE),
            caught(UncleanTakenForClean, LOST),
            caught(AdvanceBelowMinInsync, CANDIDATE),
            caught(AdvanceBelowMinInsync, LOST),
            caught(AdvanceBelowMinInsync, SERVED),
            caught(CaughtUpByHighWatermark, "JoinsCaughtUp"),
        ],
        ..ROW
    },
    Row {
        name: "replication-eligible",
        words: "2 records, 2 followers that lag, 1 process killed",
        bounds: Bounds {
            producers: &[1, 1],
            budget: Budget { produces: 2, kills: 1, lags: 2, ..NOTHING },
            grain: Grain::COARSE,
            ..BOUNDS
        },
        unique: Some(44_756),
        unreachable: &[LOSSY],
        mutants: &[caught(ElrSurvives, CANDIDATE), caught(PendingCountsAsInsync, CANDIDATE)],
        ..ROW
    },
    Row {
        name: "replication-lowered",
        words: "1 record, 2 followers that lag, 1 process killed, min.insync.replicas lowered",
        bounds: Bounds {
            budget: Budget { lags: 2, lowered: 1, kills: 1, ..ONE },
            grain: Grain::COARSE,
            ..BOUNDS
        },
        unique: Some(21_044),
        unreachable: &[LOSSY, DUPLICATE],
        mutants: &[caught(MinInsyncLoweredKeepsElr, CANDIDATE)],
        ..ROW
    },
    Row {
        name: "replication-rejoin",
        words: "2 records, 2 moved leaderships, 1 follower that lags",
        settings: Settings::RELAXED,
        bounds: Bounds {
            producers: &[1, 1],
            budget: Budget { produces: 2, moves: 2, lags: 1, ..NOTHING },
            grain: Grain::COARSE,
            leader_epoch_max: 3,
            ..BOUNDS
        },
        unique: Some(50_555),
        unreachable: &[REFUSED, LOSSY, ELIGIBLE],
        mutants: &[
            caught(ExpandIgnoresEpochStart, CANDIDATE),
            caught(ExpandIgnoresEpochStart, "ConsistentRead"),
            caught(ExpandIgnoresEpochStart, "SafeRecordsStay"),
        ],
        ..ROW
    },
    // A leader that sees each state of the metadata follows in between, and has forgotten; one that sees only the last does not.
    Row {
        name: "replication-skipped-metadata",
        words: "2 records, 2 moved leaderships, metadata by themselves, of which a broker may skip some",
        settings: Settings::RELAXED,
        bounds: Bounds {
            producers: &[1, 1],
            budget: Budget { produces: 2, moves: 2, ..NOTHING },
            grain: Grain { skips: true, ..Grain::METADATA },
            ..BOUNDS
        },
        unique: Some(41_708),
        unreachable: &[REFUSED, LOSSY, REJOINED, ELIGIBLE],
        mutants: &[caught(ProgressSurvivesEpoch, CANDIDATE)],
        ..ROW
    },
    Row {
        name: "replication-crash-and-lag",
        words: "1 record, 1 moved leadership, 1 follower that lags, 1 power loss that takes any suffix, flush by the system",
        settings: Settings::RELAXED,
        bounds: Bounds {
            budget: Budget { moves: 1, power_losses: 1, lags: 1, ..ONE },
            grain: Grain::COARSE,
            ..BOUNDS
        },
        unique: Some(46_976),
        unreachable: &[DUPLICATE, ELIGIBLE],
        mutants: &[
            caught(CommittedIsrOnly, CANDIDATE),
            caught(CheckpointUnchecked, "HighWatermarkWithinLog"),
            caught(CheckpointUnchecked, BELOW),
        ],
        ..ROW
    },
    Row {
        name: "replication-lost-disk",
        words: "1 record, 1 follower that lags, 1 lost disk, metadata by themselves",
        bounds: Bounds { budget: Budget { lags: 1, disk_losses: 1, ..ONE }, ..BOUNDS },
        unique: Some(97_094),
        unreachable: &[DUPLICATE, ELIGIBLE],
        mutants: &[caught(LostDiskKeepsIsr, CANDIDATE), caught(BrokerEpochIgnored, CANDIDATE)],
        ..ROW
    },
    Row {
        name: "replication-zombie",
        words: "1 record, 2 replicas of which 1 is fenced while it runs, 1 follower that lags, metadata by themselves",
        settings: Settings { replicas: 2, min_insync: 1, ..Settings::SAFE },
        bounds: Bounds { budget: Budget { zombies: 1, lags: 1, ..ONE }, assigned: 2, ..BOUNDS },
        unique: Some(1_558),
        unreachable: &[LOSSY, DUPLICATE],
        mutants: &[
            caught(PendingForgotten, "ReplicationQuorumSuperset"),
            caught(FencedReplicaJoins, "InSyncAreActive"),
            caught(StateWithinEpochIgnored, "MetadataLogMatching"),
        ],
        ..ROW
    },
    Row {
        name: "replication-fenced-leader",
        words: "1 record, 2 replicas, both needed, of which 1 stops in order and starts again and 1 is fenced while it runs, \
                metadata by themselves",
        settings: Settings { replicas: 2, ..Settings::SAFE },
        bounds: Bounds {
            budget: Budget { zombies: 1, shutdowns: 1, ..ONE },
            assigned: 2,
            ..BOUNDS
        },
        unique: Some(6_271),
        unreachable: &[LOSSY, DUPLICATE],
        mutants: &[caught(LeaderKeepsEpoch, "SingleLeaderPerEpoch")],
        ..ROW
    },
    Row {
        name: "replication-shutdown",
        words: "1 record, 1 broker that stops in order and starts again, 1 follower that lags, metadata by themselves",
        bounds: Bounds { budget: Budget { shutdowns: 1, lags: 1, ..ONE }, ..BOUNDS },
        unique: Some(81_085),
        unreachable: &[LOSSY, DUPLICATE, ELIGIBLE],
        mutants: &[
            caught(ShuttingDownReplicaJoins, "InSyncAreActive"),
            caught(PartitionEpochIgnored, "ReplicationQuorumSuperset"),
        ],
        ..ROW
    },
    Row {
        name: "replication-reassignment",
        words: "1 record, from 1 broker to 2 others, cancelled once, 1 process killed, metadata by themselves",
        settings: Settings { min_insync: 1, ..Settings::SAFE },
        bounds: Bounds {
            budget: Budget { reassignments: 1, cancellations: 1, kills: 1, ..ONE },
            assigned: 1,
            ..BOUNDS
        },
        unique: Some(148_885),
        unreachable: &[LOSSY, DUPLICATE],
        mutants: &[caught(CancelWithoutLiveness, "CancelKeepsLeader")],
        ..ROW
    },
    Row {
        name: "replication-deletion",
        words: "1 producer with 2 records, which are deleted once, 1 follower that lags",
        bounds: Bounds {
            producers: &[2],
            budget: Budget { produces: 2, deletions: 1, lags: 1, ..NOTHING },
            grain: Grain::COARSE,
            leader_epoch_max: 1,
            ..BOUNDS
        },
        unique: Some(666),
        unreachable: &[REFUSED, LOSSY, DUPLICATE, CUT_OFF, LATER, ELIGIBLE],
        mutants: &[caught(ResetKeepsHighWatermark, "HighWatermarkWithinLog")],
        ..ROW
    },
    Row {
        name: "replication-repetitions",
        words: "1 producer with 2 records, 4 requests of which 1 is given up, 2 moved leaderships, 1 process killed",
        bounds: Bounds {
            producers: &[2],
            budget: Budget { produces: 4, moves: 2, given_up_produces: 1, kills: 1, ..NOTHING },
            grain: Grain::COARSE,
            ..BOUNDS
        },
        unique: Some(457_683),
        unreachable: &[REFUSED, LOSSY, ELIGIBLE],
        mutants: &[caught(TailNotNoted, "ProducerSequence")],
        ..ROW
    },
    Row {
        name: "replication-same-leader",
        words: "2 records, 2 replicas, 1 follower that lags, 1 power loss that takes what is not synced",
        settings: Settings { replicas: 2, min_insync: 1, ..Settings::SAFE },
        bounds: Bounds {
            producers: &[1, 1],
            budget: Budget { produces: 2, lags: 1, power_losses: 1, ..NOTHING },
            grain: Grain { async_sync: true, ..Grain::COARSE },
            assigned: 2,
            ..BOUNDS
        },
        unique: Some(4_311),
        mutants: &[caught(EpochStays, "LogMatching")],
        ..ROW
    },
    Row {
        name: "replication-quiescence",
        words: "1 record, 1 moved leadership, 1 follower that lags, 1 lost request, then nothing goes wrong any more",
        bounds: Bounds {
            budget: Budget { moves: 1, lags: 1, lost_requests: 1, ..ONE },
            grain: Grain { heals: true, ..Grain::METADATA },
            leader_epoch_max: 1,
            ..BOUNDS
        },
        unique: Some(70_894),
        unreachable: &[REFUSED, LOSSY, ELIGIBLE],
        mutants: &[
            caught(ShrinkDoesNotAdvance, "SafeIsSaid"),
            caught(HighWatermarkNotTold, "QuiescentMeansAllReplicated"),
        ],
        ..ROW
    },
    Row {
        name: "replication-recovery",
        words: "1 record, 2 moved leaderships, 1 process killed; a fair schedule from every state",
        bounds: Bounds {
            budget: Budget { moves: 2, kills: 1, ..ONE },
            grain: Grain { recovers: true, ..Grain::COARSE },
            ..BOUNDS
        },
        unique: Some(10_480),
        unreachable: &[REFUSED, LOSSY, DUPLICATE, ELIGIBLE],
        mutants: &[caught(TruncationReturnsEarly, "RecoversFairly")],
        ..ROW
    },
    Row {
        name: "replication-night",
        words: "each message by itself; 2 records, 2 moved leaderships, 1 power loss that takes any suffix, flush by the system",
        size: Size::Large,
        settings: Settings::RELAXED,
        bounds: Bounds {
            producers: &[1, 1],
            budget: Budget { produces: 2, moves: 2, power_losses: 1, ..NOTHING },
            grain: Grain::MESSAGES,
            ..BOUNDS
        },
        unique: Some(13_026_752),
        unreachable: &[REFUSED, ELIGIBLE],
        ..ROW
    },
    Row {
        name: "replication-night-lag",
        words: "each message by itself; 2 records, 1 moved leadership, 1 follower that lags, 1 power loss that takes any suffix, \
                flush by the system",
        size: Size::Large,
        settings: Settings::RELAXED,
        bounds: Bounds {
            producers: &[1, 1],
            budget: Budget { produces: 2, moves: 1, lags: 1, power_losses: 1, ..NOTHING },
            grain: Grain::MESSAGES,
            leader_epoch_max: 1,
            ..BOUNDS
        },
        unique: Some(28_655_847),
        unreachable: &[ELIGIBLE],
        ..ROW
    },
    Row {
        name: "replication-night-moves-and-lag",
        words: "each message by itself; 1 record, 2 moved leaderships, 1 follower that lags, 1 power loss that takes any suffix, \
                flush by the system",
        size: Size::Large,
        settings: Settings::RELAXED,
        bounds: Bounds {
            budget: Budget { moves: 2, lags: 1, power_losses: 1, ..ONE },
            grain: Grain::MESSAGES,
            ..BOUNDS
        },
        unique: Some(17_400_344),
        unreachable: &[DUPLICATE, ELIGIBLE],
        ..ROW
    },
    Row {
        name: "replication-night-durable",
        words: "each message and each sync by itself; 2 records, 2 moved leaderships, 1 power loss that takes what is not synced",
        size: Size::Large,
        bounds: Bounds {
            producers: &[1, 1],
            budget: Budget { produces: 2, moves: 2, power_losses: 1, ..NOTHING },
            grain: Grain { async_sync: true, ..Grain::MESSAGES },
            ..BOUNDS
        },
        unique: Some(24_988_028),
        unreachable: &[REFUSED, ELIGIBLE],
        ..ROW
    },
];

/// All configurations of this model.
pub fn all() -> Vec<Configuration> {
    ROWS.iter().map(configuration).collect()
}

fn configuration(row: &Row) -> Configuration {
    debug_assert!(row.settings.acks == Acks::All, "what is lost with acks=1 is for the advisor");
    Configuration {
        name: row.name,
        bounds: row.words,
        size: row.size,
        unique: row.unique,
        unreachable: row.unreachable,
        mutants: row.mutants,
        subject: Box::new(Replication { settings: row.settings, bounds: row.bounds }),
    }
}
