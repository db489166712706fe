//! DeleteTopics (API key 20), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::{types::Uuid, wire::message::message};

message! {
    /// The request, API key 20.
    DeleteTopicsRequest {
        /// The name or topic ID of the topic.
        [6..] topics: Vec<DeleteTopicState>,
        /// The names of the topics to delete.
        [0..=5] topic_names: Vec<String>,
        /// The length of time in milliseconds to wait for the deletions to complete.
        [0..] timeout_ms: i32,
    }

    /// The name or topic ID of the topic.
    DeleteTopicState {
        /// The topic name.
        [6..] name: Option<String>,
        /// The unique topic ID.
        [6..] topic_id: Uuid,
    }

    /// The response, API key 20.
    DeleteTopicsResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [1..] throttle_time_ms: i32,
        /// The results for each topic we tried to delete.
        [0..] responses: Vec<DeletableTopicResult>,
    }

    /// The results for each topic we tried to delete.
    DeletableTopicResult {
        /// The topic name.
        [0..] name: Option<String>,
        /// The unique topic ID.
        [6..] topic_id: Uuid,
        /// The deletion error, or 0 if the deletion succeeded.
        [0..] error_code: i16,
        /// The error message, or null if there was no error.
        [5..] error_message: Option<String>,
    }
}
