//! DescribeProducers (API key 61), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 61.
    DescribeProducersRequest {
        /// The topics to list producers for.
        [0..] topics: Vec<TopicRequest>,
    }

    /// The topics to list producers for.
    TopicRequest {
        /// The topic name.
        [0..] name: String,
        /// The indexes of the partitions to list producers for.
        [0..] partition_indexes: Vec<i32>,
    }

    /// The response, API key 61.
    DescribeProducersResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [0..] throttle_time_ms: i32,
        /// Each topic in the response.
        [0..] topics: Vec<TopicResponse>,
    }

    /// Each topic in the response.
    TopicResponse {
        /// The topic name.
        [0..] name: String,
        /// Each partition in the response.
        [0..] partitions: Vec<PartitionResponse>,
    }

    /// Each partition in the response.
    PartitionResponse {
        /// The partition index.
        [0..] partition_index: i32,
        /// The partition error code, or 0 if there was no error.
        [0..] error_code: i16,
        /// The partition error message, which may be null if no additional details are available.
        [0..] error_message: Option<String>,
        /// The active producers for the partition.
        [0..] active_producers: Vec<ProducerState>,
    }

    /// The active producers for the partition.
    ProducerState {
        /// The producer id.
        [0..] producer_id: i64,
        /// The producer epoch.
        [0..] producer_epoch: i32,
        /// The last sequence number sent by the producer.
        [0..] last_sequence: i32 = -1,
        /// The last timestamp sent by the producer.
        [0..] last_timestamp: i64 = -1,
        /// The current epoch of the producer group.
        [0..] coordinator_epoch: i32,
        /// The current transaction start offset of the producer.
        [0..] current_txn_start_offset: i64 = -1,
    }
}
