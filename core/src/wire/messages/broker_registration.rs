//! BrokerRegistration (API key 62), after Apache Kafka 4.3.1's schemas: a broker begins.

use alloc::{string::String, vec::Vec};

use crate::{types::Uuid, wire::message::message};

message! {
    /// The request, API key 62.
    BrokerRegistrationRequest {
        /// The broker ID.
        [0..] broker_id: i32,
        /// The cluster id of the broker process.
        [0..] cluster_id: String,
        /// The incarnation id of the broker process.
        [0..] incarnation_id: Uuid,
        /// The listeners of this broker.
        [0..] listeners: Vec<Listener>,
        /// The features on this broker. Note: in v0-v3, features with MinSupportedVersion = 0 are
        /// omitted.
        [0..] features: Vec<Feature>,
        /// The rack which this broker is in.
        [0..] rack: Option<String>,
        /// If the required configurations for ZK migration are present, this value is set to true.
        [1..] is_migrating_zk_broker: bool,
        /// Log directories configured in this broker which are available.
        [2..] log_dirs: Vec<Uuid>,
        /// The epoch before a clean shutdown.
        [3..] previous_broker_epoch: i64 = -1,
    }

    /// The listeners of this broker.
    Listener {
        /// The name of the endpoint.
        [0..] name: String,
        /// The hostname.
        [0..] host: String,
        /// The port.
        [0..] port: u16,
        /// The security protocol.
        [0..] security_protocol: i16,
    }

    /// The features on this broker.
    Feature {
        /// The feature name.
        [0..] name: String,
        /// The minimum supported feature level.
        [0..] min_supported_version: i16,
        /// The maximum supported feature level.
        [0..] max_supported_version: i16,
    }

    /// The response, API key 62.
    BrokerRegistrationResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [0..] throttle_time_ms: i32,
        /// The error code, or 0 if there was no error.
        [0..] error_code: i16,
        /// The broker's assigned epoch, or -1 if none was assigned.
        [0..] broker_epoch: i64 = -1,
    }
}
