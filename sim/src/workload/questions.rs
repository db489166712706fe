//! Questions that change nothing: each must be answered, whatever the answer is.

use ottla_core::{
    types::ErrorCode,
    wire::{
        ApiKey,
        api::RequestMessage,
        messages::{
            api_versions::ApiVersionsRequest,
            describe_cluster::DescribeClusterRequest,
            describe_configs::{DescribeConfigsRequest, DescribeConfigsResource},
            describe_groups::DescribeGroupsRequest,
            describe_log_dirs::DescribeLogDirsRequest,
            describe_producers::{DescribeProducersRequest, TopicRequest},
            describe_topic_partitions::DescribeTopicPartitionsRequest,
            list_groups::ListGroupsRequest,
            offset_for_leader_epoch::{
                OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
            },
        },
    },
};
use ottla_jepsen::history::{Answer, Call};

use super::{
    admin::Admin,
    client::{Client, REQUEST_LIMIT},
};

impl Client {
    /// Asks something of which only that it is answered counts.
    async fn question<R: RequestMessage>(&mut self, request: R) {
        let key: ApiKey = R::KEY;
        let begun = self.invoke(Call::Other(key.name().to_ascii_lowercase()));
        let version = self.version(key, 0);
        match self.call(&request, version, REQUEST_LIMIT).await {
            Ok(_) => {
                self.recorder.count(&format!("{} answered", key.name()));
                self.recorder.ok(begun, Answer::Done);
            }
            Err(why) => self.recorder.fail(begun, why.reason),
        }
    }

    /// What a group is said to be: its state, and how many members it has.
    pub async fn describe_group(&mut self, group: &str) -> Option<(String, usize)> {
        let request =
            DescribeGroupsRequest { groups: vec![group.to_owned()], ..Default::default() };
        let version = self.version(ApiKey::DescribeGroups, 0);
        let response = self.call(&request, version, REQUEST_LIMIT).await.ok()?;
        let group = response.groups.into_iter().next()?;
        (group.error_code == ErrorCode::None.code())
            .then_some((group.group_state, group.members.len()))
    }
}

impl Admin {
    /// Asks one thing.
    pub(super) async fn ask(&mut self) {
        let groups: Vec<String> = self.groups.iter().map(|group| group.name.clone()).collect();
        let Some((_, topic)) = self.client.any_topic(|_| true) else { return };
        let index = self.client.any_partition(&topic);
        let client = &mut self.client;
        match client.dice.below(9) {
            0 => client.question(ListGroupsRequest::default()).await,
            1 => {
                client.question(DescribeGroupsRequest { groups, ..Default::default() }).await;
            }
            2 => {
                let resource = DescribeConfigsResource {
                    resource_type: 2,
                    resource_name: topic.name,
                    configuration_keys: None,
                };
                let request =
                    DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
                client.question(request).await;
            }
            3 => client.question(DescribeClusterRequest::default()).await,
            4 => client.question(DescribeLogDirsRequest::default()).await,
            5 => {
                let topics =
                    vec![TopicRequest { name: topic.name, partition_indexes: vec![index] }];
                client.question(DescribeProducersRequest { topics }).await;
            }
            6 => client.question(DescribeTopicPartitionsRequest::default()).await,
            7 => {
                let partition = OffsetForLeaderPartition {
                    partition: index,
                    current_leader_epoch: -1,
                    leader_epoch: i32::try_from(client.dice.below(5)).unwrap_or(0),
                };
                let topic = OffsetForLeaderTopic { topic: topic.name, partitions: vec![partition] };
                let request = OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic] };
                client.question(request).await;
            }
            _ => client.question(ApiVersionsRequest::default()).await,
        }
    }
}
