//! CreateTopics (API key 19), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::{types::Uuid, wire::message::message};

message! {
    /// The request, API key 19.
    CreateTopicsRequest {
        /// The topics to create.
        [0..] topics: Vec<CreatableTopic>,
        /// How long to wait in milliseconds before timing out the request.
        [0..] timeout_ms: i32 = 60000,
        /// If true, check that the topics can be created as specified, but don't create anything.
        [1..] validate_only: bool,
    }

    /// The topics to create.
    CreatableTopic {
        /// The topic name.
        [0..] name: String,
        /// The number of partitions to create in the topic, or -1 if we are either specifying a
        /// manual partition assignment or using the default partitions.
        [0..] num_partitions: i32,
        /// The number of replicas to create for each partition in the topic, or -1 if we are either
        /// specifying a manual partition assignment or using the default replication factor.
        [0..] replication_factor: i16,
        /// The manual partition assignment, or the empty array if we are using automatic
        /// assignment.
        [0..] assignments: Vec<CreatableReplicaAssignment>,
        /// The custom topic configurations to set.
        [0..] configs: Vec<CreatableTopicConfig>,
    }

    /// The manual partition assignment, or the empty array if we are using automatic assignment.
    CreatableReplicaAssignment {
        /// The partition index.
        [0..] partition_index: i32,
        /// The brokers to place the partition on.
        [0..] broker_ids: Vec<i32>,
    }

    /// The custom topic configurations to set.
    CreatableTopicConfig {
        /// The configuration name.
        [0..] name: String,
        /// The configuration value.
        [0..] value: Option<String>,
    }

    /// The response, API key 19.
    CreateTopicsResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [2..] throttle_time_ms: i32,
        /// Results for each topic we tried to create.
        [0..] topics: Vec<CreatableTopicResult>,
    }

    /// Results for each topic we tried to create.
    CreatableTopicResult {
        /// The topic name.
        [0..] name: String,
        /// The unique topic ID.
        [7..] topic_id: Uuid,
        /// The error code, or 0 if there was no error.
        [0..] error_code: i16,
        /// The error message, or null if there was no error.
        [1..] error_message: Option<String>,
        /// Number of partitions of the topic.
        [5..] num_partitions: i32 = -1,
        /// Replication factor of the topic.
        [5..] replication_factor: i16 = -1,
        /// Configuration of the topic.
        [5..] configs: Option<Vec<CreatableTopicConfigs>>,
        tagged {
            /// Optional topic config error returned if configs are not returned in the response.
            [0, 5..] topic_config_error_code: i16,
        }
    }

    /// Configuration of the topic.
    CreatableTopicConfigs {
        /// The configuration name.
        [5..] name: String,
        /// The configuration value.
        [5..] value: Option<String>,
        /// True if the configuration is read-only.
        [5..] read_only: bool,
        /// The configuration source.
        [5..] config_source: i8 = -1,
        /// True if this configuration is sensitive.
        [5..] is_sensitive: bool,
    }
}
