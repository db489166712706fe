//! AlterConfigs (API key 33), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 33.
    AlterConfigsRequest {
        /// The updates for each resource.
        [0..] resources: Vec<AlterConfigsResource>,
        /// True if we should validate the request, but not change the configurations.
        [0..] validate_only: bool,
    }

    /// The updates for each resource.
    AlterConfigsResource {
        /// The resource type.
        [0..] resource_type: i8,
        /// The resource name.
        [0..] resource_name: String,
        /// The configurations.
        [0..] configs: Vec<AlterableConfig>,
    }

    /// The configurations.
    AlterableConfig {
        /// The configuration key name.
        [0..] name: String,
        /// The value to set for the configuration key.
        [0..] value: Option<String>,
    }

    /// The response, API key 33.
    AlterConfigsResponse {
        /// Duration in milliseconds for which the request was throttled due to a quota violation,
        /// or zero if the request did not violate any quota.
        [0..] throttle_time_ms: i32,
        /// The responses for each resource.
        [0..] responses: Vec<AlterConfigsResourceResponse>,
    }

    /// The responses for each resource.
    AlterConfigsResourceResponse {
        /// The resource error code.
        [0..] error_code: i16,
        /// The resource error message, or null if there was no error.
        [0..] error_message: Option<String>,
        /// The resource type.
        [0..] resource_type: i8,
        /// The resource name.
        [0..] resource_name: String,
    }
}
