//! DescribeCluster (API key 60), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 60.
    DescribeClusterRequest {
        /// Whether to include cluster authorized operations.
        [0..] include_cluster_authorized_operations: bool,
        /// The endpoint type to describe. 1=brokers, 2=controllers.
        [1..] endpoint_type: i8 = 1,
        /// Whether to include fenced brokers when listing brokers.
        [2..] include_fenced_brokers: bool,
    }

    /// The response, API key 60.
    DescribeClusterResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [0..] throttle_time_ms: i32,
        /// The top-level error code, or 0 if there was no error.
        [0..] error_code: i16,
        /// The top-level error message, or null if there was no error.
        [0..] error_message: Option<String>,
        /// The endpoint type that was described. 1=brokers, 2=controllers.
        [1..] endpoint_type: i8 = 1,
        /// The cluster ID that responding broker belongs to.
        [0..] cluster_id: String,
        /// The ID of the controller. When handled by a controller, returns the current voter leader
        /// ID. When handled by a broker, returns a random alive broker ID as a fallback.
        [0..] controller_id: i32 = -1,
        /// Each broker in the response.
        [0..] brokers: Vec<DescribeClusterBroker>,
        /// 32-bit bitfield to represent authorized operations for this cluster.
        [0..] cluster_authorized_operations: i32 = -2_147_483_648,
    }

    /// Each broker in the response.
    DescribeClusterBroker {
        /// The broker ID.
        [0..] broker_id: i32,
        /// The broker hostname.
        [0..] host: String,
        /// The broker port.
        [0..] port: i32,
        /// The rack of the broker, or null if it has not been assigned to a rack.
        [0..] rack: Option<String>,
        /// Whether the broker is fenced.
        [2..] is_fenced: bool,
    }
}
