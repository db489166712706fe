//! SyncGroup (API key 14), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use crate::wire::message::message;

message! {
    /// The request, API key 14.
    SyncGroupRequest {
        /// The unique group identifier.
        [0..] group_id: String,
        /// The generation of the group.
        [0..] generation_id: i32,
        /// The member ID assigned by the group.
        [0..] member_id: String,
        /// The unique identifier of the consumer instance provided by end user.
        [3..] group_instance_id: Option<String>,
        /// The group protocol type.
        [5..] protocol_type: Option<String>,
        /// The group protocol name.
        [5..] protocol_name: Option<String>,
        /// Each assignment.
        [0..] assignments: Vec<SyncGroupRequestAssignment>,
    }

    /// Each assignment.
    SyncGroupRequestAssignment {
        /// The ID of the member to assign.
        [0..] member_id: String,
        /// The member assignment.
        [0..] assignment: Bytes,
    }

    /// The response, API key 14.
    SyncGroupResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [1..] throttle_time_ms: i32,
        /// The error code, or 0 if there was no error.
        [0..] error_code: i16,
        /// The group protocol type.
        [5..] protocol_type: Option<String>,
        /// The group protocol name.
        [5..] protocol_name: Option<String>,
        /// The member assignment.
        [0..] assignment: Bytes,
    }
}
