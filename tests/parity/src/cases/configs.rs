//! What the cases of the three configuration APIs share.

use ottla_core::wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource,
};

/// The kinds of resources.
pub(super) mod resource {
    pub(crate) const UNKNOWN: i8 = 0;
    pub(crate) const TOPIC: i8 = 2;
    pub(crate) const BROKER: i8 = 4;
    pub(crate) const BROKER_LOGGER: i8 = 8;
    pub(crate) const CLIENT_METRICS: i8 = 16;
    pub(crate) const GROUP: i8 = 32;
}

/// The only broker's name as a resource.
pub(super) const BROKER_NAME: &str = "1";

/// A request for some keys of a resource; none are all.
pub(super) fn describe(
    resource_type: i8,
    resource_name: &str,
    keys: Option<&[&str]>,
) -> DescribeConfigsRequest {
    let keys = keys.map(|keys| keys.iter().map(|&key| key.to_owned()).collect());
    DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type,
            resource_name: resource_name.to_owned(),
            configuration_keys: keys,
        }],
        ..Default::default()
    }
}
