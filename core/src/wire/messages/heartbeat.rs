//! Heartbeat (API key 12), after Apache Kafka 4.3.1's schemas.

use alloc::string::String;

use crate::wire::message::message;

message! {
    /// The request, API key 12.
    HeartbeatRequest {
        /// The group id.
        [0..] group_id: String,
        /// The generation of the group.
        [0..] generation_id: i32,
        /// The member ID.
        [0..] member_id: String,
        /// The unique identifier of the consumer instance provided by end user.
        [3..] group_instance_id: Option<String>,
    }

    /// The response, API key 12.
    HeartbeatResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [1..] throttle_time_ms: i32,
        /// The error code, or 0 if there was no error.
        [0..] error_code: i16,
    }
}
