//! DescribeConfigs (API key 32), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 32.
    DescribeConfigsRequest {
        /// The resources whose configurations we want to describe.
        [0..] resources: Vec<DescribeConfigsResource>,
        /// True if we should include all synonyms.
        [1..] include_synonyms: bool,
        /// True if we should include configuration documentation.
        [3..] include_documentation: bool,
    }

    /// The resources whose configurations we want to describe.
    DescribeConfigsResource {
        /// The resource type.
        [0..] resource_type: i8,
        /// The resource name.
        [0..] resource_name: String,
        /// The configuration keys to list, or null to list all configuration keys.
        [0..] configuration_keys: Option<Vec<String>>,
    }

    /// The response, API key 32.
    DescribeConfigsResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [0..] throttle_time_ms: i32,
        /// The results for each resource.
        [0..] results: Vec<DescribeConfigsResult>,
    }

    /// The results for each resource.
    DescribeConfigsResult {
        /// The error code, or 0 if we were able to successfully describe the configurations.
        [0..] error_code: i16,
        /// The error message, or null if we were able to successfully describe the configurations.
        [0..] error_message: Option<String>,
        /// The resource type.
        [0..] resource_type: i8,
        /// The resource name.
        [0..] resource_name: String,
        /// Each listed configuration.
        [0..] configs: Vec<DescribeConfigsResourceResult>,
    }

    /// Each listed configuration.
    DescribeConfigsResourceResult {
        /// The configuration name.
        [0..] name: String,
        /// The configuration value.
        [0..] value: Option<String>,
        /// True if the configuration is read-only.
        [0..] read_only: bool,
        /// The configuration source.
        [1..] config_source: i8 = -1,
        /// True if this configuration is sensitive.
        [0..] is_sensitive: bool,
        /// The synonyms for this configuration key.
        [1..] synonyms: Vec<DescribeConfigsSynonym>,
        /// The configuration data type. Type can be one of the following values - BOOLEAN, STRING,
        /// INT, SHORT, LONG, DOUBLE, LIST, CLASS, PASSWORD.
        [3..] config_type: i8,
        /// The configuration documentation.
        [3..] documentation: Option<String>,
    }

    /// The synonyms for this configuration key.
    DescribeConfigsSynonym {
        /// The synonym name.
        [1..] name: String,
        /// The synonym value.
        [1..] value: Option<String>,
        /// The synonym source.
        [1..] source: i8,
    }
}
