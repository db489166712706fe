//! LeaveGroup (API key 13), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 13.
    LeaveGroupRequest {
        /// The ID of the group to leave.
        [0..] group_id: String,
        /// The member ID to remove from the group.
        [0..=2] member_id: String,
        /// List of leaving member identities.
        [3..] members: Vec<MemberIdentity>,
    }

    /// List of leaving member identities.
    MemberIdentity {
        /// The member ID to remove from the group.
        [3..] member_id: String,
        /// The group instance ID to remove from the group.
        [3..] group_instance_id: Option<String>,
        /// The reason why the member left the group.
        [5..] reason: Option<String>,
    }

    /// The response, API key 13.
    LeaveGroupResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [1..] throttle_time_ms: i32,
        /// The error code, or 0 if there was no error.
        [0..] error_code: i16,
        /// List of leaving member responses.
        [3..] members: Vec<MemberResponse>,
    }

    /// List of leaving member responses.
    MemberResponse {
        /// The member ID to remove from the group.
        [3..] member_id: String,
        /// The group instance ID to remove from the group.
        [3..] group_instance_id: Option<String>,
        /// The error code, or 0 if there was no error.
        [3..] error_code: i16,
    }
}
