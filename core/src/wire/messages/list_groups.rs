//! ListGroups (API key 16), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 16.
    ListGroupsRequest {
        /// The states of the groups we want to list. If empty, all groups are returned with their
        /// state.
        [4..] states_filter: Vec<String>,
        /// The types of the groups we want to list. If empty, all groups are returned with their
        /// type.
        [5..] types_filter: Vec<String>,
    }

    /// The response, API key 16.
    ListGroupsResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [1..] throttle_time_ms: i32,
        /// The error code, or 0 if there was no error.
        [0..] error_code: i16,
        /// Each group in the response.
        [0..] groups: Vec<ListedGroup>,
    }

    /// Each group in the response.
    ListedGroup {
        /// The group ID.
        [0..] group_id: String,
        /// The group protocol type.
        [0..] protocol_type: String,
        /// The group state name.
        [4..] group_state: String,
        /// The group type name.
        [5..] group_type: String,
    }
}
