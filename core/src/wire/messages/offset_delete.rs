//! OffsetDelete (API key 47), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 47.
    OffsetDeleteRequest {
        /// The unique group identifier.
        [0..] group_id: String,
        /// The topics to delete offsets for.
        [0..] topics: Vec<OffsetDeleteRequestTopic>,
    }

    /// The topics to delete offsets for.
    OffsetDeleteRequestTopic {
        /// The topic name.
        [0..] name: String,
        /// Each partition to delete offsets for.
        [0..] partitions: Vec<OffsetDeleteRequestPartition>,
    }

    /// Each partition to delete offsets for.
    OffsetDeleteRequestPartition {
        /// The partition index.
        [0..] partition_index: i32,
    }

    /// The response, API key 47.
    OffsetDeleteResponse {
        /// The top-level error code, or 0 if there was no error.
        [0..] error_code: i16,
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [0..] throttle_time_ms: i32,
        /// The responses for each topic.
        [0..] topics: Vec<OffsetDeleteResponseTopic>,
    }

    /// The responses for each topic.
    OffsetDeleteResponseTopic {
        /// The topic name.
        [0..] name: String,
        /// The responses for each partition in the topic.
        [0..] partitions: Vec<OffsetDeleteResponsePartition>,
    }

    /// The responses for each partition in the topic.
    OffsetDeleteResponsePartition {
        /// The partition index.
        [0..] partition_index: i32,
        /// The error code, or 0 if there was no error.
        [0..] error_code: i16,
    }
}
