//! JoinGroup (API key 11), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use crate::wire::message::message;

message! {
    /// The request, API key 11.
    JoinGroupRequest {
        /// The group identifier.
        [0..] group_id: String,
        /// The coordinator considers the consumer dead if it receives no heartbeat after this
        /// timeout in milliseconds.
        [0..] session_timeout_ms: i32,
        /// The maximum time in milliseconds that the coordinator will wait for each member to
        /// rejoin when rebalancing the group.
        [1..] rebalance_timeout_ms: i32 = -1,
        /// The member id assigned by the group coordinator.
        [0..] member_id: String,
        /// The unique identifier of the consumer instance provided by end user.
        [5..] group_instance_id: Option<String>,
        /// The unique name the for class of protocols implemented by the group we want to join.
        [0..] protocol_type: String,
        /// The list of protocols that the member supports.
        [0..] protocols: Vec<JoinGroupRequestProtocol>,
        /// The reason why the member (re-)joins the group.
        [8..] reason: Option<String>,
    }

    /// The list of protocols that the member supports.
    JoinGroupRequestProtocol {
        /// The protocol name.
        [0..] name: String,
        /// The protocol metadata.
        [0..] metadata: Bytes,
    }

    /// The response, API key 11.
    JoinGroupResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [2..] throttle_time_ms: i32,
        /// The error code, or 0 if there was no error.
        [0..] error_code: i16,
        /// The generation ID of the group.
        [0..] generation_id: i32 = -1,
        /// The group protocol name.
        [7..] protocol_type: Option<String>,
        /// The group protocol selected by the coordinator.
        [0..] protocol_name: Option<String>,
        /// The leader of the group.
        [0..] leader: String,
        /// True if the leader must skip running the assignment.
        [9..] skip_assignment: bool,
        /// The member ID assigned by the group coordinator.
        [0..] member_id: String,
        /// The group members.
        [0..] members: Vec<JoinGroupResponseMember>,
    }

    /// The group members.
    JoinGroupResponseMember {
        /// The group member ID.
        [0..] member_id: String,
        /// The unique identifier of the consumer instance provided by end user.
        [5..] group_instance_id: Option<String>,
        /// The group member metadata.
        [0..] metadata: Bytes,
    }
}

impl JoinGroupResponse {
    /// Puts an empty name in the place of none: before version 7 (KIP-559) there is no null for it.
    pub fn fit(&mut self, version: i16) {
        if version < 7 {
            self.protocol_name.get_or_insert_default();
        }
    }
}
