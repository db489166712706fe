//! FindCoordinator (API key 10), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 10.
    FindCoordinatorRequest {
        /// The coordinator key.
        [0..=3] key: String,
        /// The coordinator key type. (group, transaction, share).
        [1..] key_type: i8,
        /// The coordinator keys.
        [4..] coordinator_keys: Vec<String>,
    }

    /// The response, API key 10.
    FindCoordinatorResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [1..] throttle_time_ms: i32,
        /// The error code, or 0 if there was no error.
        [0..=3] error_code: i16,
        /// The error message, or null if there was no error.
        [1..=3] error_message: Option<String>,
        /// The node id.
        [0..=3] node_id: i32,
        /// The host name.
        [0..=3] host: String,
        /// The port.
        [0..=3] port: i32,
        /// Each coordinator result in the response.
        [4..] coordinators: Vec<Coordinator>,
    }

    /// Each coordinator result in the response.
    Coordinator {
        /// The coordinator key.
        [4..] key: String,
        /// The node id.
        [4..] node_id: i32,
        /// The host name.
        [4..] host: String,
        /// The port.
        [4..] port: i32,
        /// The error code, or 0 if there was no error.
        [4..] error_code: i16,
        /// The error message, or null if there was no error.
        [4..] error_message: Option<String>,
    }
}
