//! Metadata (API key 3), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::{types::Uuid, wire::message::message};

message! {
    /// The request, API key 3.
    MetadataRequest {
        /// The topics to fetch metadata for.
        [0..] topics: Option<Vec<MetadataRequestTopic>>,
        /// If this is true, the broker may auto-create topics that we requested which do not
        /// already exist, if it is configured to do so.
        [4..] allow_auto_topic_creation: bool = true,
        /// Whether to include cluster authorized operations.
        [8..=10] include_cluster_authorized_operations: bool,
        /// Whether to include topic authorized operations.
        [8..] include_topic_authorized_operations: bool,
    }

    /// The topics to fetch metadata for.
    MetadataRequestTopic {
        /// The topic id.
        [10..] topic_id: Uuid,
        /// The topic name.
        [0..] name: Option<String>,
    }

    /// The response, API key 3.
    MetadataResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [3..] throttle_time_ms: i32,
        /// A list of brokers present in the cluster.
        [0..] brokers: Vec<MetadataResponseBroker>,
        /// The cluster ID that responding broker belongs to.
        [2..] cluster_id: Option<String>,
        /// The ID of the controller broker.
        [1..] controller_id: i32 = -1,
        /// Each topic in the response.
        [0..] topics: Vec<MetadataResponseTopic>,
        /// 32-bit bitfield to represent authorized operations for this cluster.
        [8..=10] cluster_authorized_operations: i32 = -2_147_483_648,
        /// The top-level error code, or 0 if there was no error.
        [13..] error_code: i16,
    }

    /// A list of brokers present in the cluster.
    MetadataResponseBroker {
        /// The broker ID.
        [0..] node_id: i32,
        /// The broker hostname.
        [0..] host: String,
        /// The broker port.
        [0..] port: i32,
        /// The rack of the broker, or null if it has not been assigned to a rack.
        [1..] rack: Option<String>,
    }

    /// Each topic in the response.
    MetadataResponseTopic {
        /// The topic error, or 0 if there was no error.
        [0..] error_code: i16,
        /// The topic name. Null for non-existing topics queried by ID. This is never null when
        /// ErrorCode is zero. One of Name and TopicId is always populated.
        [0..] name: Option<String>,
        /// The topic id. Zero for non-existing topics queried by name. This is never zero when
        /// ErrorCode is zero. One of Name and TopicId is always populated.
        [10..] topic_id: Uuid,
        /// True if the topic is internal.
        [1..] is_internal: bool,
        /// Each partition in the topic.
        [0..] partitions: Vec<MetadataResponsePartition>,
        /// 32-bit bitfield to represent authorized operations for this topic.
        [8..] topic_authorized_operations: i32 = -2_147_483_648,
    }

    /// Each partition in the topic.
    MetadataResponsePartition {
        /// The partition error, or 0 if there was no error.
        [0..] error_code: i16,
        /// The partition index.
        [0..] partition_index: i32,
        /// The ID of the leader broker.
        [0..] leader_id: i32,
        /// The leader epoch of this partition.
        [7..] leader_epoch: i32 = -1,
        /// The set of all nodes that host this partition.
        [0..] replica_nodes: Vec<i32>,
        /// The set of nodes that are in sync with the leader for this partition.
        [0..] isr_nodes: Vec<i32>,
        /// The set of offline replicas of this partition.
        [5..] offline_replicas: Vec<i32>,
    }
}
