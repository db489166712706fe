//! DescribeGroups (API key 15), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use crate::wire::message::message;

message! {
    /// The request, API key 15.
    DescribeGroupsRequest {
        /// The names of the groups to describe.
        [0..] groups: Vec<String>,
        /// Whether to include authorized operations.
        [3..] include_authorized_operations: bool,
    }

    /// The response, API key 15.
    DescribeGroupsResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [1..] throttle_time_ms: i32,
        /// Each described group.
        [0..] groups: Vec<DescribedGroup>,
    }

    /// Each described group.
    DescribedGroup {
        /// The describe error, or 0 if there was no error.
        [0..] error_code: i16,
        /// The describe error message, or null if there was no error.
        [6..] error_message: Option<String>,
        /// The group ID string.
        [0..] group_id: String,
        /// The group state string, or the empty string.
        [0..] group_state: String,
        /// The group protocol type, or the empty string.
        [0..] protocol_type: String,
        /// The group protocol data, or the empty string.
        [0..] protocol_data: String,
        /// The group members.
        [0..] members: Vec<DescribedGroupMember>,
        /// 32-bit bitfield to represent authorized operations for this group.
        [3..] authorized_operations: i32 = -2_147_483_648,
    }

    /// The group members.
    DescribedGroupMember {
        /// The member id.
        [0..] member_id: String,
        /// The unique identifier of the consumer instance provided by end user.
        [4..] group_instance_id: Option<String>,
        /// The client ID used in the member's latest join group request.
        [0..] client_id: String,
        /// The client host.
        [0..] client_host: String,
        /// The metadata corresponding to the current group protocol in use.
        [0..] member_metadata: Bytes,
        /// The current assignment provided by the group leader.
        [0..] member_assignment: Bytes,
    }
}
