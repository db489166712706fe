//! CreatePartitions (API key 37), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 37.
    CreatePartitionsRequest {
        /// Each topic that we want to create new partitions inside.
        [0..] topics: Vec<CreatePartitionsTopic>,
        /// The time in ms to wait for the partitions to be created.
        [0..] timeout_ms: i32,
        /// If true, then validate the request, but don't actually increase the number of
        /// partitions.
        [0..] validate_only: bool,
    }

    /// Each topic that we want to create new partitions inside.
    CreatePartitionsTopic {
        /// The topic name.
        [0..] name: String,
        /// The new partition count.
        [0..] count: i32,
        /// The new partition assignments.
        [0..] assignments: Option<Vec<CreatePartitionsAssignment>>,
    }

    /// The new partition assignments.
    CreatePartitionsAssignment {
        /// The assigned broker IDs.
        [0..] broker_ids: Vec<i32>,
    }

    /// The response, API key 37.
    CreatePartitionsResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [0..] throttle_time_ms: i32,
        /// The partition creation results for each topic.
        [0..] results: Vec<CreatePartitionsTopicResult>,
    }

    /// The partition creation results for each topic.
    CreatePartitionsTopicResult {
        /// The topic name.
        [0..] name: String,
        /// The result error, or zero if there was no error.
        [0..] error_code: i16,
        /// The result message, or null if there was no error.
        [0..] error_message: Option<String>,
    }
}
