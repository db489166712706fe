//! DescribeCluster.

use alloc::format;

use crate::{
    api::topic_rules::{CLUSTER_OPERATIONS, all_operations},
    shard::{Incoming, Shard, Step},
    types::ErrorCode,
    wire::messages::describe_cluster::{
        DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
    },
};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

impl Shard {
    pub(super) fn describe_cluster(
        &mut self,
        asked: &Incoming,
        request: &DescribeClusterRequest,
        step: &mut Step<'_>,
    ) {
        let problem = match request.endpoint_type {
            BROKERS => None,
            CONTROLLERS => Some((
                ErrorCode::MismatchedEndpointType,
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                    .into(),
            )),
            other => Some((
                ErrorCode::UnsupportedEndpointType,
                format!("Unsupported endpoint type {other}"),
            )),
        };
        if let Some((error, message)) = problem {
            let response = DescribeClusterResponse {
                error_code: error.code(),
                error_message: Some(message),
                ..Default::default()
            };
            self.answer(asked.id, response, step);
            return;
        }
        let brokers = self.image.brokers().iter().map(|(id, broker)| DescribeClusterBroker {
            broker_id: id.0,
            host: broker.host.clone(),
            port: i32::from(broker.port),
            rack: broker.rack.clone(),
            is_fenced: false,
        });
        let response = DescribeClusterResponse {
            cluster_id: self.cluster_id.clone(),
            controller_id: self.broker_id.0,
            brokers: brokers.collect(),
            cluster_authorized_operations: all_operations(
                request.include_cluster_authorized_operations,
                CLUSTER_OPERATIONS,
            ),
            ..Default::default()
        };
        self.answer(asked.id, response, step);
    }
}
