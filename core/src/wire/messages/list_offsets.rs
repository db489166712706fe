//! ListOffsets (API key 2), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 2.
    ListOffsetsRequest {
        /// The broker ID of the requester, or -1 if this request is being made by a normal
        /// consumer.
        [0..] replica_id: i32,
        /// This setting controls the visibility of transactional records. Using READ_UNCOMMITTED
        /// (isolation_level = 0) makes all records visible. With READ_COMMITTED (isolation_level =
        /// 1), non-transactional and COMMITTED transactional records are visible. To be more
        /// concrete, READ_COMMITTED returns all data from offsets smaller than the current LSO
        /// (last stable offset), and enables the inclusion of the list of aborted transactions in
        /// the result, which allows consumers to discard ABORTED transactional records.
        [2..] isolation_level: i8,
        /// Each topic in the request.
        [0..] topics: Vec<ListOffsetsTopic>,
        /// The timeout to await a response in milliseconds for requests that require reading from
        /// remote storage for topics enabled with tiered storage.
        [10..] timeout_ms: i32,
    }

    /// Each topic in the request.
    ListOffsetsTopic {
        /// The topic name.
        [0..] name: String,
        /// Each partition in the request.
        [0..] partitions: Vec<ListOffsetsPartition>,
    }

    /// Each partition in the request.
    ListOffsetsPartition {
        /// The partition index.
        [0..] partition_index: i32,
        /// The current leader epoch.
        [4..] current_leader_epoch: i32 = -1,
        /// The current timestamp.
        [0..] timestamp: i64,
    }

    /// The response, API key 2.
    ListOffsetsResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [2..] throttle_time_ms: i32,
        /// Each topic in the response.
        [0..] topics: Vec<ListOffsetsTopicResponse>,
    }

    /// Each topic in the response.
    ListOffsetsTopicResponse {
        /// The topic name.
        [0..] name: String,
        /// Each partition in the response.
        [0..] partitions: Vec<ListOffsetsPartitionResponse>,
    }

    /// Each partition in the response.
    ListOffsetsPartitionResponse {
        /// The partition index.
        [0..] partition_index: i32,
        /// The partition error code, or 0 if there was no error.
        [0..] error_code: i16,
        /// The timestamp associated with the returned offset.
        [1..] timestamp: i64 = -1,
        /// The returned offset.
        [1..] offset: i64 = -1,
        /// The leader epoch associated with the returned offset.
        [4..] leader_epoch: i32 = -1,
    }
}
