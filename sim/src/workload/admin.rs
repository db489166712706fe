//! A client that administers: topics, records, groups, and questions of all kinds.

use std::collections::BTreeMap;

use ottla_core::{
    types::ErrorCode,
    wire::{
        ApiKey,
        messages::{
            create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic},
            create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
            delete_groups::DeleteGroupsRequest,
            delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic},
            delete_topics::{DeleteTopicState, DeleteTopicsRequest},
            incremental_alter_configs::{
                AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
            },
            offset_delete::{
                OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
            },
        },
    },
};
use ottla_jepsen::history::{Answer, Call};

use super::{
    client::{Client, REQUEST_LIMIT, Topic, error_name},
    connection::Unanswered,
    plan::{GroupPlan, TopicKind, TopicPlan},
    recorder::Begun,
};
use crate::dice::MILLION;

/// The most partitions that a topic gets.
const PARTITIONS_MAX: i32 = 6;

/// A client that administers.
#[derive(Debug)]
pub struct Admin {
    pub(super) client: Client,
    pub(super) groups: Vec<GroupPlan>,
}

impl Admin {
    /// One that knows these groups.
    pub fn new(client: Client, groups: Vec<GroupPlan>) -> Self {
        Self { client, groups }
    }

    /// Makes all topics that are not there.
    pub async fn make_topics(&mut self) {
        loop {
            let known = self.client.refresh().await.is_ok();
            let plans = self.client.plans.clone();
            let missing: Vec<TopicPlan> = plans
                .into_iter()
                .filter(|plan| !self.client.topics.contains_key(&plan.name))
                .collect();
            if known && missing.is_empty() {
                return;
            }
            for plan in missing {
                self.create(&plan).await;
            }
            self.client.back_off().await;
        }
    }

    /// Works until the world is whole. In the end all topics are there.
    pub async fn run(mut self) {
        while !self.client.phases.is_healed() {
            self.client.rest().await;
            if self.client.refresh().await.is_err() {
                self.client.back_off().await;
                continue;
            }
            match self.client.dice.below(20) {
                0..2 => self.delete_or_create().await,
                2..4 => self.alter().await,
                4 => self.add_partitions().await,
                5..9 => self.delete_records().await,
                9 => self.delete_group().await,
                10 => self.delete_offset().await,
                11..14 => self.keep_an_offset().await,
                _ => self.ask().await,
            }
            let wait = self.client.dice.magnitude(20..3_000);
            self.client.sleep_ms(wait).await;
        }
        self.make_topics().await;
    }

    /// What became of an operation, by the error that was told.
    pub(super) fn conclude(
        &self,
        begun: Begun,
        told: Result<i16, Unanswered>,
        refusals: &[ErrorCode],
        answer: Answer,
    ) {
        match told {
            Ok(0) => self.client.recorder.ok(begun, answer),
            Ok(code) => {
                let is_refused = refusals.iter().any(|refusal| refusal.code() == code);
                if is_refused {
                    self.client.recorder.fail(begun, error_name(code));
                } else {
                    self.client.recorder.info(begun, error_name(code));
                }
            }
            Err(why) if why.never_sent => self.client.recorder.fail(begun, why.reason),
            Err(why) => self.client.recorder.info(begun, why.reason),
        }
    }

    async fn create(&mut self, plan: &TopicPlan) {
        let configs = plan.settings.iter().map(|(name, value)| CreatableTopicConfig {
            name: name.clone(),
            value: Some(value.clone()),
        });
        let request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: plan.name.clone(),
                num_partitions: plan.partitions,
                replication_factor: -1,
                configs: configs.collect(),
                ..Default::default()
            }],
            timeout_ms: 5_000,
            validate_only: false,
        };
        let call = Call::CreateTopic { topic: plan.name.clone(), settings: plan.settings.clone() };
        let begun = self.client.invoke(call);
        let version = self.client.version(ApiKey::CreateTopics, 4);
        let response = self.client.call(&request, version, REQUEST_LIMIT).await;
        let told = response.map(|response| {
            let topic = response.topics.first();
            if let Some(topic) = topic.filter(|topic| topic.error_code != 0) {
                let message = topic.error_message.as_deref().unwrap_or_default();
                self.client.recorder.count(&format!("create-topic {message}"));
            }
            topic.map_or(-1, |topic| topic.error_code)
        });
        let refusals = [
            ErrorCode::TopicAlreadyExists,
            ErrorCode::InvalidConfig,
            ErrorCode::InvalidTopic,
            ErrorCode::InvalidPartitions,
            ErrorCode::InvalidReplicationFactor,
        ];
        self.conclude(begun, told, &refusals, Answer::Done);
    }

    async fn delete_or_create(&mut self) {
        let plan = self.client.plans.iter().find(|plan| plan.kind == TopicKind::Fleeting);
        let Some(plan) = plan.cloned() else {
            // One that is there cannot be made again.
            let plan = self.client.dice.pick(&self.client.plans.clone()).clone();
            return self.create(&plan).await;
        };
        let Some(topic) = self.client.topics.get(&plan.name).cloned() else {
            return self.create(&plan).await;
        };
        let by_id = self.client.dice.coin();
        let version = self.client.version(ApiKey::DeleteTopics, if by_id { 6 } else { 1 });
        let by_id = by_id && version >= 6;
        let call =
            Call::DeleteTopic { topic: plan.name.clone(), id: by_id.then(|| topic.id.to_string()) };
        let begun = self.client.invoke(call);
        let state = DeleteTopicState {
            name: (!by_id).then(|| plan.name.clone()),
            topic_id: if by_id { topic.id } else { ottla_core::types::Uuid::ZERO },
        };
        let request = DeleteTopicsRequest {
            topics: vec![state],
            topic_names: vec![plan.name.clone()],
            timeout_ms: 5_000,
        };
        let response = self.client.call(&request, version, REQUEST_LIMIT).await;
        let code = response
            .map(|response| response.responses.first().map_or(-1, |topic| topic.error_code));
        let refusals = [ErrorCode::UnknownTopicOrPartition, ErrorCode::UnknownTopicId];
        self.conclude(begun, code, &refusals, Answer::Done);
    }

    async fn alter(&mut self) {
        let Some((plan, topic)) = self.client.any_topic(|_| true) else { return };
        let dice = &mut self.client.dice;
        let number = |number: u64| number.to_string();
        let (name, value) = match (plan.kind, dice.below(4)) {
            (TopicKind::Brief, 0..2) => ("retention.bytes", number(dice.magnitude(2_000..200_000))),
            (TopicKind::Brief, 2) => ("retention.ms", number(dice.magnitude(1_000..30_000))),
            (TopicKind::Keyed, 0) => {
                ("cleanup.policy", dice.pick(&["compact", "compact,delete"]).to_string())
            }
            (TopicKind::Keyed, 1) => {
                let ratios = ["0.01", "0.3", "0.9"];
                ("min.cleanable.dirty.ratio", dice.pick(&ratios).to_string())
            }
            (_, 3) => {
                let types = ["CreateTime", "LogAppendTime"];
                ("message.timestamp.type", dice.pick(&types).to_string())
            }
            (_, 2) => ("segment.ms", number(dice.magnitude(500..20_000))),
            _ => ("internal.segment.bytes", number(dice.magnitude(400..64 << 10))),
        };
        // Now and then what cannot be.
        let is_wrong = dice.chance(MILLION / 12);
        let value = if is_wrong { "never".to_owned() } else { value };
        let settings: BTreeMap<_, _> = [(name.to_owned(), value.clone())].into();
        let call = Call::AlterTopic { topic: topic.name.clone(), settings };
        let begun = self.client.invoke(call);
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: 2,
                resource_name: topic.name,
                configs: vec![AlterableConfig {
                    name: name.into(),
                    config_operation: 0,
                    value: Some(value),
                }],
            }],
            validate_only: false,
        };
        let version = self.client.version(ApiKey::IncrementalAlterConfigs, 0);
        let response = self.client.call(&request, version, REQUEST_LIMIT).await;
        let code = response
            .map(|response| response.responses.first().map_or(-1, |resource| resource.error_code));
        let refusals = [
            ErrorCode::InvalidConfig,
            ErrorCode::InvalidRequest,
            ErrorCode::UnknownTopicOrPartition,
        ];
        self.conclude(begun, code, &refusals, Answer::Done);
    }

    async fn add_partitions(&mut self) {
        let Some((_, topic)) = self.client.any_topic(|plan| plan.kind != TopicKind::Fleeting)
        else {
            return;
        };
        // Or one that it has already, which is refused.
        let more = i32::try_from(self.client.dice.below(2)).unwrap_or(0);
        let count = (topic.partitions() + more).min(PARTITIONS_MAX);
        let begun = self.client.invoke(Call::Other("create-partitions".into()));
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic { name: topic.name, count, assignments: None }],
            timeout_ms: 5_000,
            validate_only: false,
        };
        let version = self.client.version(ApiKey::CreatePartitions, 0);
        let response = self.client.call(&request, version, REQUEST_LIMIT).await;
        let code = response
            .map(|response| response.results.first().map_or(-1, |result| result.error_code));
        self.conclude(begun, code, &[ErrorCode::InvalidPartitions], Answer::Done);
    }

    async fn delete_records(&mut self) {
        let Some((_, topic)) = self.client.any_topic(|plan| plan.kind == TopicKind::Trimmed) else {
            return;
        };
        let index = self.client.any_partition(&topic);
        let end = self.client.offset_at(&topic, index, super::offsets::LATEST).await;
        let Ok(end) = end else { return };
        let end = u64::try_from(end).unwrap_or(0);
        let offset = match self.client.dice.below(8) {
            0 => -1,
            1 => i64::try_from(end + 100).unwrap_or(0),
            _ => i64::try_from(self.client.dice.below(end + 1)).unwrap_or(0),
        };
        let partition = self.client.partition(&topic, index);
        let begun = self.client.invoke(Call::DeleteRecords { partition, offset });
        let request = DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: topic.name,
                partitions: vec![DeleteRecordsPartition { partition_index: index, offset }],
            }],
            timeout_ms: 5_000,
        };
        let version = self.client.version(ApiKey::DeleteRecords, 0);
        let response = self.client.call(&request, version, REQUEST_LIMIT).await;
        let mut low = 0;
        let code = response.map(|response| {
            let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
            partitions.into_iter().next().map_or(-1, |partition| {
                low = partition.low_watermark;
                partition.error_code
            })
        });
        let refusals = [ErrorCode::OffsetOutOfRange];
        self.conclude(begun, code, &refusals, Answer::LogStart(low));
    }

    async fn delete_group(&mut self) {
        if self.groups.is_empty() {
            return;
        }
        let group = self.client.dice.pick(&self.groups).name.clone();
        let begun = self.client.invoke(Call::DeleteGroup { group: group.clone() });
        let request = DeleteGroupsRequest { groups_names: vec![group] };
        let version = self.client.version(ApiKey::DeleteGroups, 0);
        let response = self.client.call(&request, version, REQUEST_LIMIT).await;
        let code = response
            .map(|response| response.results.first().map_or(-1, |result| result.error_code));
        let refusals = [ErrorCode::NonEmptyGroup, ErrorCode::GroupIdNotFound];
        self.conclude(begun, code, &refusals, Answer::Done);
    }

    async fn delete_offset(&mut self) {
        if self.groups.is_empty() {
            return;
        }
        let group = self.client.dice.pick(&self.groups).clone();
        let topic = *self.client.dice.pick(&group.topics);
        let name = self.client.plans[topic].name.clone();
        let Some(topic) = self.client.topics.get(&name).cloned() else { return };
        let index = self.client.any_partition(&topic);
        self.delete_offset_of(group.name, &topic, index).await;
    }

    /// Deletes a group's offset.
    pub(super) async fn delete_offset_of(&mut self, group: String, topic: &Topic, index: i32) {
        let partition = self.client.partition(topic, index);
        let begun = self.client.invoke(Call::DeleteOffset { group: group.clone(), partition });
        let request = OffsetDeleteRequest {
            group_id: group,
            topics: vec![OffsetDeleteRequestTopic {
                name: topic.name.clone(),
                partitions: vec![OffsetDeleteRequestPartition { partition_index: index }],
            }],
        };
        let response = self.client.call(&request, 0, REQUEST_LIMIT).await;
        let code = response.map(|response| {
            let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
            let inner = partitions.into_iter().next().map_or(0, |partition| partition.error_code);
            if response.error_code == 0 { inner } else { response.error_code }
        });
        let refusals = [
            ErrorCode::GroupSubscribedToTopic,
            ErrorCode::GroupIdNotFound,
            ErrorCode::NonEmptyGroup,
            ErrorCode::UnknownTopicOrPartition,
        ];
        self.conclude(begun, code, &refusals, Answer::Done);
    }
}
