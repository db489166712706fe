//! OffsetFetch (API key 9), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::{types::Uuid, wire::message::message};

message! {
    /// The request, API key 9.
    OffsetFetchRequest {
        /// The group to fetch offsets for.
        [0..=7] group_id: String,
        /// Each topic we would like to fetch offsets for, or null to fetch offsets for all topics.
        [0..=7] topics: Option<Vec<OffsetFetchRequestTopic>>,
        /// Each group we would like to fetch offsets for.
        [8..] groups: Vec<OffsetFetchRequestGroup>,
        /// Whether broker should hold on returning unstable offsets but set a retriable error code
        /// for the partitions.
        [7..] require_stable: bool,
    }

    /// Each topic we would like to fetch offsets for, or null to fetch offsets for all topics.
    OffsetFetchRequestTopic {
        /// The topic name.
        [0..=7] name: String,
        /// The partition indexes we would like to fetch offsets for.
        [0..=7] partition_indexes: Vec<i32>,
    }

    /// Each group we would like to fetch offsets for.
    OffsetFetchRequestGroup {
        /// The group ID.
        [8..] group_id: String,
        /// The member id.
        [9..] member_id: Option<String>,
        /// The member epoch if using the new consumer protocol (KIP-848).
        [9..] member_epoch: i32 = -1,
        /// Each topic we would like to fetch offsets for, or null to fetch offsets for all topics.
        [8..] topics: Option<Vec<OffsetFetchRequestTopics>>,
    }

    /// Each topic we would like to fetch offsets for, or null to fetch offsets for all topics.
    OffsetFetchRequestTopics {
        /// The topic name.
        [8..=9] name: String,
        /// The topic ID.
        [10..] topic_id: Uuid,
        /// The partition indexes we would like to fetch offsets for.
        [8..] partition_indexes: Vec<i32>,
    }

    /// The response, API key 9.
    OffsetFetchResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [3..] throttle_time_ms: i32,
        /// The responses per topic.
        [0..=7] topics: Vec<OffsetFetchResponseTopic>,
        /// The top-level error code, or 0 if there was no error.
        [2..=7] error_code: i16,
        /// The responses per group id.
        [8..] groups: Vec<OffsetFetchResponseGroup>,
    }

    /// The responses per topic.
    OffsetFetchResponseTopic {
        /// The topic name.
        [0..=7] name: String,
        /// The responses per partition.
        [0..=7] partitions: Vec<OffsetFetchResponsePartition>,
    }

    /// The responses per partition.
    OffsetFetchResponsePartition {
        /// The partition index.
        [0..=7] partition_index: i32,
        /// The committed message offset.
        [0..=7] committed_offset: i64,
        /// The leader epoch.
        [5..=7] committed_leader_epoch: i32 = -1,
        /// The partition metadata.
        [0..=7] metadata: Option<String>,
        /// The error code, or 0 if there was no error.
        [0..=7] error_code: i16,
    }

    /// The responses per group id.
    OffsetFetchResponseGroup {
        /// The group ID.
        [8..] group_id: String,
        /// The responses per topic.
        [8..] topics: Vec<OffsetFetchResponseTopics>,
        /// The group-level error code, or 0 if there was no error.
        [8..] error_code: i16,
    }

    /// The responses per topic.
    OffsetFetchResponseTopics {
        /// The topic name.
        [8..=9] name: String,
        /// The topic ID.
        [10..] topic_id: Uuid,
        /// The responses per partition.
        [8..] partitions: Vec<OffsetFetchResponsePartitions>,
    }

    /// The responses per partition.
    OffsetFetchResponsePartitions {
        /// The partition index.
        [8..] partition_index: i32,
        /// The committed message offset.
        [8..] committed_offset: i64,
        /// The leader epoch.
        [8..] committed_leader_epoch: i32 = -1,
        /// The partition metadata.
        [8..] metadata: Option<String>,
        /// The partition-level error code, or 0 if there was no error.
        [8..] error_code: i16,
    }
}
