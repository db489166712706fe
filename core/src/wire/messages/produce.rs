//! Produce (API key 0), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use crate::{types::Uuid, wire::message::message};

message! {
    /// The request, API key 0.
    ProduceRequest {
        /// The transactional ID, or null if the producer is not transactional.
        [3..] transactional_id: Option<String>,
        /// The number of acknowledgments the producer requires the leader to have received before
        /// considering a request complete. Allowed values: 0 for no acknowledgments, 1 for only the
        /// leader and -1 for the full ISR.
        [0..] acks: i16,
        /// The timeout to await a response in milliseconds.
        [0..] timeout_ms: i32,
        /// Each topic to produce to.
        [0..] topic_data: Vec<TopicProduceData>,
    }

    /// Each topic to produce to.
    TopicProduceData {
        /// The topic name.
        [0..=12] name: String,
        /// The unique topic ID.
        [13..] topic_id: Uuid,
        /// Each partition to produce to.
        [0..] partition_data: Vec<PartitionProduceData>,
    }

    /// Each partition to produce to.
    PartitionProduceData {
        /// The partition index.
        [0..] index: i32,
        /// The record data to be produced.
        [0..] records: Option<Bytes>,
    }

    /// The response, API key 0.
    ProduceResponse {
        /// Each produce response.
        [0..] responses: Vec<TopicProduceResponse>,
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [1..] throttle_time_ms: i32,
        tagged {
            /// Endpoints for all current-leaders enumerated in PartitionProduceResponses, with
            /// errors NOT_LEADER_OR_FOLLOWER.
            [0, 10..] node_endpoints: Vec<NodeEndpoint>,
        }
    }

    /// Each produce response.
    TopicProduceResponse {
        /// The topic name.
        [0..=12] name: String,
        /// The unique topic ID.
        [13..] topic_id: Uuid,
        /// Each partition that we produced to within the topic.
        [0..] partition_responses: Vec<PartitionProduceResponse>,
    }

    /// Each partition that we produced to within the topic.
    PartitionProduceResponse {
        /// The partition index.
        [0..] index: i32,
        /// The error code, or 0 if there was no error.
        [0..] error_code: i16,
        /// The base offset.
        [0..] base_offset: i64,
        /// The timestamp returned by broker after appending the messages. If CreateTime is used for
        /// the topic, the timestamp will be -1.  If LogAppendTime is used for the topic, the
        /// timestamp will be the broker local time when the messages are appended.
        [2..] log_append_time_ms: i64 = -1,
        /// The log start offset.
        [5..] log_start_offset: i64 = -1,
        /// The batch indices of records that caused the batch to be dropped.
        [8..] record_errors: Vec<BatchIndexAndErrorMessage>,
        /// The global error message summarizing the common root cause of the records that caused
        /// the batch to be dropped.
        [8..] error_message: Option<String>,
        tagged {
            /// The leader broker that the producer should use for future requests.
            [0, 10..] current_leader: LeaderIdAndEpoch,
        }
    }

    /// The batch indices of records that caused the batch to be dropped.
    BatchIndexAndErrorMessage {
        /// The batch index of the record that caused the batch to be dropped.
        [8..] batch_index: i32,
        /// The error message of the record that caused the batch to be dropped.
        [8..] batch_index_error_message: Option<String>,
    }

    /// The leader broker that the producer should use for future requests.
    LeaderIdAndEpoch {
        /// The ID of the current leader or -1 if the leader is unknown.
        [10..] leader_id: i32 = -1,
        /// The latest known leader epoch.
        [10..] leader_epoch: i32 = -1,
    }

    /// Endpoints for all current-leaders enumerated in PartitionProduceResponses, with errors
    /// NOT_LEADER_OR_FOLLOWER.
    NodeEndpoint {
        /// The ID of the associated node.
        [10..] node_id: i32,
        /// The node's hostname.
        [10..] host: String,
        /// The node's port.
        [10..] port: i32,
        /// The rack of the node, or null if it has not been assigned to a rack.
        [10..] rack: Option<String>,
    }
}
