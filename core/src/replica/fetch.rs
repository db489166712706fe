//! A follower's fetch and its answer, as the messages carry them.

use crate::{
    types::{BrokerEpoch, BrokerId, ErrorCode, LeaderEpoch, Offset},
    wire::messages::fetch::{EpochEndOffset, FetchPartition, PartitionData, ReplicaState},
};

/// A follower's fetch of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaFetch {
    /// Who fetches.
    pub replica: BrokerId,
    /// In which incarnation.
    pub broker_epoch: BrokerEpoch,
    /// From the leader of which epoch.
    pub leader_epoch: LeaderEpoch,
    /// From where on. Everything before it is durable on the follower, or as durable as its topic wants it.
    pub offset: Offset,
    /// The epoch of the last record before that, if there is one.
    pub last_epoch: Option<LeaderEpoch>,
    /// Where the follower's log begins.
    pub start_offset: Offset,
    /// The high watermark that the follower knows.
    pub high_watermark: Offset,
}

/// Names a fetch in its answer. On the wire the connection and the correlation id stand for it: whoever sends the request keeps
/// the name with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId {
    /// The incarnation of the follower.
    pub broker_epoch: BrokerEpoch,
    /// The epoch of the leader.
    pub leader_epoch: LeaderEpoch,
    /// Counts the fetches of this epoch that were given up.
    pub attempt: u32,
}

/// A leader's answer to a fetch, with the records that it brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchAnswer<R> {
    /// Why there are none.
    pub error: ErrorCode,
    /// The leader's high watermark when it answered.
    pub high_watermark: Offset,
    /// Where the leader's log begins.
    pub start_offset: Offset,
    /// The follower's log differs from the leader's after the end of this epoch.
    pub diverging: Option<(LeaderEpoch, Offset)>,
    /// What comes next.
    pub records: R,
}

/// What a leader answers, before the records are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// The answer without them.
    pub answer: FetchAnswer<()>,
    /// From where on there are records to be added.
    pub records_from: Option<Offset>,
}

impl FetchAnswer<()> {
    /// With records.
    pub fn with<R>(self, records: R) -> FetchAnswer<R> {
        let Self { error, high_watermark, start_offset, diverging, records: () } = self;
        FetchAnswer { error, high_watermark, start_offset, diverging, records }
    }

    /// The answer of a leader that cannot serve the fetch.
    pub(super) const fn refusal(error: ErrorCode) -> Self {
        let nowhere = Offset(-1);
        Self { error, high_watermark: nowhere, start_offset: nowhere, diverging: None, records: () }
    }
}

impl Served {
    /// Nothing is served.
    pub(crate) const fn refusal(error: ErrorCode) -> Self {
        Self { answer: FetchAnswer::refusal(error), records_from: None }
    }
}

impl ReplicaFetch {
    /// Out of a request. None, if it is a consumer's.
    pub fn from_request(replica: &ReplicaState, partition: &FetchPartition) -> Option<Self> {
        let last_epoch = LeaderEpoch(partition.last_fetched_epoch);
        (replica.replica_id >= 0).then_some(Self {
            replica: BrokerId(replica.replica_id),
            broker_epoch: BrokerEpoch(replica.replica_epoch),
            leader_epoch: LeaderEpoch(partition.current_leader_epoch),
            offset: Offset(partition.fetch_offset),
            last_epoch: (last_epoch.0 >= 0).then_some(last_epoch),
            start_offset: Offset(partition.log_start_offset),
            high_watermark: Offset(partition.high_watermark),
        })
    }

    /// The two parts of a request that carry it.
    pub fn to_request(&self, partition: i32, max_bytes: i32) -> (ReplicaState, FetchPartition) {
        let replica =
            ReplicaState { replica_id: self.replica.0, replica_epoch: self.broker_epoch.0 };
        let partition = FetchPartition {
            partition,
            current_leader_epoch: self.leader_epoch.0,
            fetch_offset: self.offset.0,
            last_fetched_epoch: self.last_epoch.map_or(-1, |epoch| epoch.0),
            log_start_offset: self.start_offset.0,
            partition_max_bytes: max_bytes,
            high_watermark: self.high_watermark.0,
            ..Default::default()
        };
        (replica, partition)
    }
}

impl FetchAnswer<()> {
    /// Out of a response, save the records.
    pub fn from_response(data: &PartitionData) -> Self {
        let diverging = data.diverging_epoch.epoch;
        Self {
            error: ErrorCode::from_code(data.error_code).unwrap_or(ErrorCode::UnknownServerError),
            high_watermark: Offset(data.high_watermark),
            start_offset: Offset(data.log_start_offset),
            diverging: (diverging >= 0)
                .then_some((LeaderEpoch(diverging), Offset(data.diverging_epoch.end_offset))),
            records: (),
        }
    }

    /// The part of a response that carries it, save the records.
    pub fn to_response(&self, partition_index: i32) -> PartitionData {
        let diverging_epoch =
            self.diverging.map_or_else(EpochEndOffset::default, |(epoch, end)| EpochEndOffset {
                epoch: epoch.0,
                end_offset: end.0,
            });
        PartitionData {
            partition_index,
            error_code: self.error.code(),
            high_watermark: self.high_watermark.0,
            log_start_offset: self.start_offset.0,
            diverging_epoch,
            ..Default::default()
        }
    }
}
