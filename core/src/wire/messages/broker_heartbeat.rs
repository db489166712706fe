//! BrokerHeartbeat (API key 63), after Apache Kafka 4.3.1's schemas: what a broker tells the controller of itself.

use alloc::vec::Vec;

use crate::{types::Uuid, wire::message::message};

message! {
    /// The request, API key 63.
    BrokerHeartbeatRequest {
        /// The broker ID.
        [0..] broker_id: i32,
        /// The broker epoch.
        [0..] broker_epoch: i64 = -1,
        /// The highest metadata offset which the broker has reached.
        [0..] current_metadata_offset: i64,
        /// True if the broker wants to be fenced, false otherwise.
        [0..] want_fence: bool,
        /// True if the broker wants to be shut down, false otherwise.
        [0..] want_shut_down: bool,
        tagged {
            /// Log directories that failed and went offline.
            [0, 1..] offline_log_dirs: Vec<Uuid>,
            /// List of log directories that are cordoned. This is null before the broker reaches the
            /// RECOVERY state.
            [1, 2..] cordoned_log_dirs: Option<Vec<Uuid>>,
        }
    }

    /// The response, API key 63.
    BrokerHeartbeatResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [0..] throttle_time_ms: i32,
        /// The error code, or 0 if there was no error.
        [0..] error_code: i16,
        /// True if the broker has approximately caught up with the latest metadata.
        [0..] is_caught_up: bool,
        /// True if the broker is fenced.
        [0..] is_fenced: bool = true,
        /// True if the broker should proceed with its shutdown.
        [0..] should_shut_down: bool,
    }
}
