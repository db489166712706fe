//! Metadata and DescribeTopicPartitions.

use alloc::{collections::BTreeSet, string::String, vec::Vec};

use crate::{
    api::{
        Proposed,
        produce::OFFSETS_TOPIC,
        topic_rules::{
            CLUSTER_OPERATIONS, TOPIC_OPERATIONS, all_operations, check_topic_name, is_internal,
        },
    },
    machine::CloseReason,
    metadata::{
        Command, PartitionState, Topic,
        command::{ConfigEntry, CreateTopic},
    },
    shard::{Incoming, Shard, Step},
    types::{BrokerId, ErrorCode, TopicId, Uuid},
    wire::messages::{
        describe_topic_partitions::{
            Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
            DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
        },
        metadata::{
            MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
            MetadataResponsePartition, MetadataResponseTopic,
        },
    },
    wire::{ApiKey, DecodeError},
};

/// How many partitions one DescribeTopicPartitions tells of at the most: `max.request.partition.size.limit`.
const PARTITIONS_DESCRIBED_MAX: i32 = 2_000;

fn ids(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}

impl Shard {
    pub(super) fn metadata(
        &mut self,
        asked: &Incoming,
        request: MetadataRequest,
        step: &mut Step<'_>,
    ) {
        if asked.version < 10 && has_nameless(&request) {
            let (key, version) = (ApiKey::Metadata, asked.version);
            let error = DecodeError::NullNotAllowed;
            let reason = CloseReason::Malformed { key, version, error };
            self.close(asked.id.connection, reason, step);
            return;
        }
        if let Err(error) = check_metadata(&request, asked.version) {
            self.answer(asked.id, refuse_metadata(request, error), step);
            return;
        }
        let commands = self.auto_created_topics(asked, &request);
        // As with Kafka, whoever asks is not kept waiting: the topics are not there, and who asks again finds them.
        self.answer_metadata(asked, request, step);
        if !commands.is_empty() {
            self.propose(commands, Proposed::AutoCreate, step);
        }
    }

    /// The topics that are asked for, could be made, and are to be.
    fn auto_created_topics(&mut self, asked: &Incoming, request: &MetadataRequest) -> Vec<Command> {
        let wanted = request.allow_auto_topic_creation || asked.version < 4;
        if !wanted || !self.settings.auto_create_topics || names_ids(request) {
            return Vec::new();
        }
        let topics = request.topics.iter().flatten();
        let names: BTreeSet<&String> = topics.filter_map(|topic| topic.name.as_ref()).collect();
        let missing: Vec<_> = names
            .into_iter()
            .filter(|name| self.check_new_topic_name(name).is_ok())
            .cloned()
            .collect();
        let commands = missing.into_iter().filter_map(|name| self.auto_created_topic(name));
        commands.collect()
    }

    fn auto_created_topic(&mut self, name: String) -> Option<Command> {
        let (partitions, factor, configs) = if name == OFFSETS_TOPIC {
            (
                self.settings.offsets_topic_partitions,
                self.settings.offsets_topic_replication_factor,
                self.offsets_topic_configs(),
            )
        } else {
            let factor = i16::try_from(self.settings.default_replication_factor).ok()?;
            (self.settings.num_partitions, factor, Vec::new())
        };
        let count = usize::try_from(partitions).ok()?;
        let assignments = self.assign_replicas(0, count, factor).ok()?;
        let topic_id = self.new_uuid();
        Some(CreateTopic { name, topic_id, assignments, configs }.into())
    }

    /// The topic that holds the groups' state, if it is yet to be made.
    pub(crate) fn missing_offsets_topic(&mut self) -> Option<Command> {
        if self.image.topic_id(OFFSETS_TOPIC).is_some() {
            return None;
        }
        self.auto_created_topic(OFFSETS_TOPIC.into())
    }

    fn offsets_topic_configs(&self) -> Vec<ConfigEntry> {
        let segment_bytes = alloc::format!("{}", self.settings.offsets_topic_segment_bytes);
        let entry = |key: &str, value: &str| ConfigEntry { key: key.into(), value: value.into() };
        [
            entry("cleanup.policy", "compact"),
            entry("compression.type", "producer"),
            entry("segment.bytes", &segment_bytes),
        ]
        .into()
    }

    fn answer_metadata(&mut self, asked: &Incoming, request: MetadataRequest, step: &mut Step<'_>) {
        let operations =
            all_operations(request.include_topic_authorized_operations, TOPIC_OPERATIONS);
        let describe = |id, topic| describe_topic(id, topic, operations);
        let by_id = names_ids(&request);
        let topics = match request.topics {
            // Version 0 has no null: the empty list stands for all.
            Some(topics) if asked.version > 0 || !topics.is_empty() => {
                self.find_topics(topics, by_id, operations)
            }
            Some(_) | None => self.image.topics().map(|(id, topic)| describe(id, topic)).collect(),
        };
        let brokers = self.image.brokers().iter().map(|(id, broker)| MetadataResponseBroker {
            node_id: id.0,
            host: broker.host.clone(),
            port: i32::from(broker.port),
            rack: broker.rack.clone(),
        });
        let response = MetadataResponse {
            brokers: brokers.collect(),
            cluster_id: Some(self.cluster_id.clone()),
            controller_id: self.broker_id.0,
            topics,
            cluster_authorized_operations: all_operations(
                request.include_cluster_authorized_operations,
                CLUSTER_OPERATIONS,
            ),
            ..Default::default()
        };
        self.answer(asked.id, response, step);
    }

    /// The topics by their ids or by their names, each once.
    fn find_topics(
        &self,
        topics: Vec<MetadataRequestTopic>,
        by_id: bool,
        operations: i32,
    ) -> Vec<MetadataResponseTopic> {
        let topics = topics.into_iter().filter(|topic| !by_id || topic.topic_id != Uuid::ZERO);
        let mut seen = BTreeSet::new();
        let topics = topics
            .map(|topic| if by_id { MetadataRequestTopic { name: None, ..topic } } else { topic });
        topics
            .filter(|topic| seen.insert((topic.topic_id, topic.name.clone())))
            .map(|topic| self.find_topic(topic, operations))
            .collect()
    }

    fn find_topic(&self, wanted: MetadataRequestTopic, operations: i32) -> MetadataResponseTopic {
        let failed = |error: ErrorCode, name: Option<String>, topic_id| MetadataResponseTopic {
            error_code: error.code(),
            name,
            topic_id,
            ..Default::default()
        };
        let Some(name) = wanted.name else {
            let id = TopicId(wanted.topic_id);
            return match self.image.topic(id) {
                Some(topic) => describe_topic(id, topic, operations),
                None => failed(ErrorCode::UnknownTopicId, None, wanted.topic_id),
            };
        };
        match self.image.topic_by_name(&name) {
            Some((id, topic)) => describe_topic(id, topic, operations),
            None if check_topic_name(&name).is_err() => {
                failed(ErrorCode::InvalidTopic, Some(name), Uuid::ZERO)
            }
            None => MetadataResponseTopic {
                is_internal: is_internal(&name),
                ..failed(ErrorCode::UnknownTopicOrPartition, Some(name), Uuid::ZERO)
            },
        }
    }

    pub(super) fn describe_topic_partitions(
        &mut self,
        asked: &Incoming,
        request: DescribeTopicPartitionsRequest,
        step: &mut Step<'_>,
    ) {
        if let Some(response) = refuse_cursor(&request) {
            self.answer(asked.id, response, step);
            return;
        }
        let mut names: BTreeSet<String> = if request.topics.is_empty() {
            self.image.topics().map(|(_, topic)| topic.name.clone()).collect()
        } else {
            request.topics.into_iter().map(|topic| topic.name).collect()
        };
        let mut first_index = 0;
        if let Some(cursor) = &request.cursor {
            names = names.split_off(&cursor.topic_name);
            if names.first() == Some(&cursor.topic_name) {
                first_index = usize::try_from(cursor.partition_index).unwrap_or_default();
            }
        }
        let limit = request.response_partition_limit.clamp(1, PARTITIONS_DESCRIBED_MAX);
        let mut left = usize::try_from(limit).unwrap_or(1);
        let mut response = DescribeTopicPartitionsResponse::default();
        for name in names {
            let first = core::mem::take(&mut first_index);
            if left == 0 {
                response.next_cursor = Some(Cursor { topic_name: name, partition_index: 0 });
                break;
            }
            let Some((id, topic)) = self.image.topic_by_name(&name) else {
                response.topics.push(unknown_topic(name));
                continue;
            };
            let count = topic.partitions.len();
            let upto = count.min(first.saturating_add(left));
            let partitions: Vec<_> = (first..upto)
                .map(|index| describe_partition(index, &topic.partitions[index]))
                .collect();
            left -= partitions.len();
            response.topics.push(DescribeTopicPartitionsResponseTopic {
                name: Some(name.clone()),
                topic_id: id.0,
                is_internal: is_internal(&name),
                partitions,
                topic_authorized_operations: all_operations(true, TOPIC_OPERATIONS),
                ..Default::default()
            });
            if upto < count {
                let partition_index = partition_number(upto);
                response.next_cursor = Some(Cursor { topic_name: name, partition_index });
                break;
            }
        }
        self.answer(asked.id, response, step);
    }
}

/// Whether topics are asked for by their ids; names beside them count for nothing.
fn names_ids(request: &MetadataRequest) -> bool {
    request.topics.iter().flatten().any(|topic| topic.topic_id != Uuid::ZERO)
}

fn has_nameless(request: &MetadataRequest) -> bool {
    request.topics.iter().flatten().any(|topic| topic.name.is_none())
}

/// Before version 12 topics have names, ids or not; from then on one of the two.
fn check_metadata(request: &MetadataRequest, version: i16) -> Result<(), ErrorCode> {
    let by_id = names_ids(request);
    let nameless = has_nameless(request);
    match version {
        ..12 if by_id || nameless => Err(ErrorCode::InvalidRequest),
        12.. if nameless && !by_id => Err(ErrorCode::UnknownServerError),
        _ => Ok(()),
    }
}

fn refuse_metadata(request: MetadataRequest, error: ErrorCode) -> MetadataResponse {
    let topics = request.topics.into_iter().flatten().map(|topic| MetadataResponseTopic {
        error_code: error.code(),
        name: Some(topic.name.unwrap_or_default()),
        topic_id: topic.topic_id,
        ..Default::default()
    });
    MetadataResponse { topics: topics.collect(), error_code: error.code(), ..Default::default() }
}

fn partition_number(index: usize) -> i32 {
    i32::try_from(index).expect("partitions are counted in 31 bits")
}

fn describe_topic(id: TopicId, topic: &Topic, operations: i32) -> MetadataResponseTopic {
    let describe = |(partition_index, state): (i32, &PartitionState)| MetadataResponsePartition {
        error_code: match state.leader {
            Some(_) => ErrorCode::None.code(),
            None => ErrorCode::LeaderNotAvailable.code(),
        },
        partition_index,
        leader_id: state.leader.map_or(-1, |leader| leader.0),
        leader_epoch: state.leader_epoch.0,
        replica_nodes: ids(&state.replicas),
        isr_nodes: ids(&state.isr),
        offline_replicas: Vec::new(),
    };
    MetadataResponseTopic {
        name: Some(topic.name.clone()),
        topic_id: id.0,
        is_internal: is_internal(&topic.name),
        partitions: (0..).zip(&topic.partitions).map(describe).collect(),
        topic_authorized_operations: operations,
        ..Default::default()
    }
}

fn describe_partition(
    index: usize,
    state: &PartitionState,
) -> DescribeTopicPartitionsResponsePartition {
    DescribeTopicPartitionsResponsePartition {
        partition_index: partition_number(index),
        leader_id: state.leader.map_or(-1, |leader| leader.0),
        leader_epoch: state.leader_epoch.0,
        replica_nodes: ids(&state.replicas),
        isr_nodes: ids(&state.isr),
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        ..Default::default()
    }
}

/// A cursor points at a partition of one of the topics that are asked for.
fn refuse_cursor(
    request: &DescribeTopicPartitionsRequest,
) -> Option<DescribeTopicPartitionsResponse> {
    let cursor = request.cursor.as_ref()?;
    let is_asked = |topic: &str| request.topics.iter().any(|asked| asked.name == topic);
    let fits = request.topics.is_empty() || is_asked(&cursor.topic_name);
    if fits && cursor.partition_index >= 0 {
        return None;
    }
    let topics = request.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::InvalidRequest.code(),
        name: Some(topic.name.clone()),
        ..Default::default()
    });
    Some(DescribeTopicPartitionsResponse { topics: topics.collect(), ..Default::default() })
}

fn unknown_topic(name: String) -> DescribeTopicPartitionsResponseTopic {
    let error = if check_topic_name(&name).is_err() {
        ErrorCode::InvalidTopic
    } else {
        ErrorCode::UnknownTopicOrPartition
    };
    DescribeTopicPartitionsResponseTopic {
        error_code: error.code(),
        is_internal: is_internal(&name),
        name: Some(name),
        topic_authorized_operations: all_operations(true, TOPIC_OPERATIONS),
        ..Default::default()
    }
}
