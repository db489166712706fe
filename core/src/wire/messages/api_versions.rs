//! ApiVersions (API key 18), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 18.
    ApiVersionsRequest {
        /// The name of the client.
        [3..] client_software_name: String,
        /// The version of the client.
        [3..] client_software_version: String,
    }

    /// The response, API key 18.
    ApiVersionsResponse {
        /// The top-level error code.
        [0..] error_code: i16,
        /// The APIs supported by the broker.
        [0..] api_keys: Vec<ApiVersion>,
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [1..] throttle_time_ms: i32,
        tagged {
            /// Features supported by the broker. Note: in v0-v3, features with MinSupportedVersion
            /// = 0 are omitted.
            [0, 3..] supported_features: Vec<SupportedFeatureKey>,
            /// The monotonically increasing epoch for the finalized features information. Valid
            /// values are >= 0. A value of -1 is special and represents unknown epoch.
            [1, 3..] finalized_features_epoch: i64 = -1,
            /// List of cluster-wide finalized features. The information is valid only if
            /// FinalizedFeaturesEpoch >= 0.
            [2, 3..] finalized_features: Vec<FinalizedFeatureKey>,
            /// Set by a KRaft controller if the required configurations for ZK migration are
            /// present.
            [3, 3..] zk_migration_ready: bool,
        }
    }

    /// The APIs supported by the broker.
    ApiVersion {
        /// The API index.
        [0..] api_key: i16,
        /// The minimum supported version, inclusive.
        [0..] min_version: i16,
        /// The maximum supported version, inclusive.
        [0..] max_version: i16,
    }

    /// Features supported by the broker. Note: in v0-v3, features with MinSupportedVersion = 0 are
    /// omitted.
    SupportedFeatureKey {
        /// The name of the feature.
        [3..] name: String,
        /// The minimum supported version for the feature.
        [3..] min_version: i16,
        /// The maximum supported version for the feature.
        [3..] max_version: i16,
    }

    /// List of cluster-wide finalized features. The information is valid only if
    /// FinalizedFeaturesEpoch >= 0.
    FinalizedFeatureKey {
        /// The name of the feature.
        [3..] name: String,
        /// The cluster-wide finalized max version level for the feature.
        [3..] max_version_level: i16,
        /// The cluster-wide finalized min version level for the feature.
        [3..] min_version_level: i16,
    }
}
