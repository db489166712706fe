//! DescribeTopicPartitions (API key 75), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::{types::Uuid, wire::message::message};

message! {
    /// The request, API key 75.
    DescribeTopicPartitionsRequest {
        /// The topics to fetch details for.
        [0..] topics: Vec<TopicRequest>,
        /// The maximum number of partitions included in the response.
        [0..] response_partition_limit: i32 = 2000,
        /// The first topic and partition index to fetch details for.
        [0..] cursor: Option<Cursor>,
    }

    /// The topics to fetch details for.
    TopicRequest {
        /// The topic name.
        [0..] name: String,
    }

    /// The first topic and partition index to fetch details for.
    Cursor {
        /// The name for the first topic to process.
        [0..] topic_name: String,
        /// The partition index to start with.
        [0..] partition_index: i32,
    }

    /// The response, API key 75.
    DescribeTopicPartitionsResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [0..] throttle_time_ms: i32,
        /// Each topic in the response.
        [0..] topics: Vec<DescribeTopicPartitionsResponseTopic>,
        /// The next topic and partition index to fetch details for.
        [0..] next_cursor: Option<Cursor>,
    }

    /// Each topic in the response.
    DescribeTopicPartitionsResponseTopic {
        /// The topic error, or 0 if there was no error.
        [0..] error_code: i16,
        /// The topic name.
        [0..] name: Option<String>,
        /// The topic id.
        [0..] topic_id: Uuid,
        /// True if the topic is internal.
        [0..] is_internal: bool,
        /// Each partition in the topic.
        [0..] partitions: Vec<DescribeTopicPartitionsResponsePartition>,
        /// 32-bit bitfield to represent authorized operations for this topic.
        [0..] topic_authorized_operations: i32 = -2_147_483_648,
    }

    /// Each partition in the topic.
    DescribeTopicPartitionsResponsePartition {
        /// The partition error, or 0 if there was no error.
        [0..] error_code: i16,
        /// The partition index.
        [0..] partition_index: i32,
        /// The ID of the leader broker.
        [0..] leader_id: i32,
        /// The leader epoch of this partition.
        [0..] leader_epoch: i32 = -1,
        /// The set of all nodes that host this partition.
        [0..] replica_nodes: Vec<i32>,
        /// The set of nodes that are in sync with the leader for this partition.
        [0..] isr_nodes: Vec<i32>,
        /// The new eligible leader replicas otherwise.
        [0..] eligible_leader_replicas: Option<Vec<i32>>,
        /// The last known ELR.
        [0..] last_known_elr: Option<Vec<i32>>,
        /// The set of offline replicas of this partition.
        [0..] offline_replicas: Vec<i32>,
    }
}
