//! DeleteGroups (API key 42), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 42.
    DeleteGroupsRequest {
        /// The group names to delete.
        [0..] groups_names: Vec<String>,
    }

    /// The response, API key 42.
    DeleteGroupsResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [0..] throttle_time_ms: i32,
        /// The deletion results.
        [0..] results: Vec<DeletableGroupResult>,
    }

    /// The deletion results.
    DeletableGroupResult {
        /// The group id.
        [0..] group_id: String,
        /// The deletion error, or 0 if the deletion succeeded.
        [0..] error_code: i16,
    }
}
