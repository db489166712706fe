//! OffsetCommit (API key 8), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::{types::Uuid, wire::message::message};

message! {
    /// The request, API key 8.
    OffsetCommitRequest {
        /// The unique group identifier.
        [0..] group_id: String,
        /// The generation of the group if using the classic group protocol or the member epoch if
        /// using the consumer protocol.
        [1..] generation_id_or_member_epoch: i32 = -1,
        /// The member ID assigned by the group coordinator.
        [1..] member_id: String,
        /// The unique identifier of the consumer instance provided by end user.
        [7..] group_instance_id: Option<String>,
        /// The time period in ms to retain the offset.
        [2..=4] retention_time_ms: i64 = -1,
        /// The topics to commit offsets for.
        [0..] topics: Vec<OffsetCommitRequestTopic>,
    }

    /// The topics to commit offsets for.
    OffsetCommitRequestTopic {
        /// The topic name.
        [0..=9] name: String,
        /// The topic ID.
        [10..] topic_id: Uuid,
        /// Each partition to commit offsets for.
        [0..] partitions: Vec<OffsetCommitRequestPartition>,
    }

    /// Each partition to commit offsets for.
    OffsetCommitRequestPartition {
        /// The partition index.
        [0..] partition_index: i32,
        /// The message offset to be committed.
        [0..] committed_offset: i64,
        /// The leader epoch of this partition.
        [6..] committed_leader_epoch: i32 = -1,
        /// Any associated metadata the client wants to keep.
        [0..] committed_metadata: Option<String>,
    }

    /// The response, API key 8.
    OffsetCommitResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [3..] throttle_time_ms: i32,
        /// The responses for each topic.
        [0..] topics: Vec<OffsetCommitResponseTopic>,
    }

    /// The responses for each topic.
    OffsetCommitResponseTopic {
        /// The topic name.
        [0..=9] name: String,
        /// The topic ID.
        [10..] topic_id: Uuid,
        /// The responses for each partition in the topic.
        [0..] partitions: Vec<OffsetCommitResponsePartition>,
    }

    /// The responses for each partition in the topic.
    OffsetCommitResponsePartition {
        /// The partition index.
        [0..] partition_index: i32,
        /// The error code, or 0 if there was no error.
        [0..] error_code: i16,
    }
}
