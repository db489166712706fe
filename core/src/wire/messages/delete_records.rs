//! DeleteRecords (API key 21), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 21.
    DeleteRecordsRequest {
        /// Each topic that we want to delete records from.
        [0..] topics: Vec<DeleteRecordsTopic>,
        /// How long to wait for the deletion to complete, in milliseconds.
        [0..] timeout_ms: i32,
    }

    /// Each topic that we want to delete records from.
    DeleteRecordsTopic {
        /// The topic name.
        [0..] name: String,
        /// Each partition that we want to delete records from.
        [0..] partitions: Vec<DeleteRecordsPartition>,
    }

    /// Each partition that we want to delete records from.
    DeleteRecordsPartition {
        /// The partition index.
        [0..] partition_index: i32,
        /// The deletion offset. -1 means that records should be truncated to the high watermark.
        [0..] offset: i64,
    }

    /// The response, API key 21.
    DeleteRecordsResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [0..] throttle_time_ms: i32,
        /// Each topic that we wanted to delete records from.
        [0..] topics: Vec<DeleteRecordsTopicResult>,
    }

    /// Each topic that we wanted to delete records from.
    DeleteRecordsTopicResult {
        /// The topic name.
        [0..] name: String,
        /// Each partition that we wanted to delete records from.
        [0..] partitions: Vec<DeleteRecordsPartitionResult>,
    }

    /// Each partition that we wanted to delete records from.
    DeleteRecordsPartitionResult {
        /// The partition index.
        [0..] partition_index: i32,
        /// The partition low water mark.
        [0..] low_watermark: i64,
        /// The deletion error code, or 0 if the deletion succeeded.
        [0..] error_code: i16,
    }
}
