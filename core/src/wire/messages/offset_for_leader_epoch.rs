//! OffsetForLeaderEpoch (API key 23), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 23.
    OffsetForLeaderEpochRequest {
        /// The broker ID of the follower, of -1 if this request is from a consumer.
        [3..] replica_id: i32 = -2,
        /// Each topic to get offsets for.
        [0..] topics: Vec<OffsetForLeaderTopic>,
    }

    /// Each topic to get offsets for.
    OffsetForLeaderTopic {
        /// The topic name.
        [0..] topic: String,
        /// Each partition to get offsets for.
        [0..] partitions: Vec<OffsetForLeaderPartition>,
    }

    /// Each partition to get offsets for.
    OffsetForLeaderPartition {
        /// The partition index.
        [0..] partition: i32,
        /// An epoch used to fence consumers/replicas with old metadata. If the epoch provided by
        /// the client is larger than the current epoch known to the broker, then the
        /// UNKNOWN_LEADER_EPOCH error code will be returned. If the provided epoch is smaller, then
        /// the FENCED_LEADER_EPOCH error code will be returned.
        [2..] current_leader_epoch: i32 = -1,
        /// The epoch to look up an offset for.
        [0..] leader_epoch: i32,
    }

    /// The response, API key 23.
    OffsetForLeaderEpochResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [2..] throttle_time_ms: i32,
        /// Each topic we fetched offsets for.
        [0..] topics: Vec<OffsetForLeaderTopicResult>,
    }

    /// Each topic we fetched offsets for.
    OffsetForLeaderTopicResult {
        /// The topic name.
        [0..] topic: String,
        /// Each partition in the topic we fetched offsets for.
        [0..] partitions: Vec<EpochEndOffset>,
    }

    /// Each partition in the topic we fetched offsets for.
    EpochEndOffset {
        /// The error code 0, or if there was no error.
        [0..] error_code: i16,
        /// The partition index.
        [0..] partition: i32,
        /// The leader epoch of the partition.
        [1..] leader_epoch: i32 = -1,
        /// The end offset of the epoch.
        [0..] end_offset: i64 = -1,
    }
}
