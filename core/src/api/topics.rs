//! CreateTopics, DeleteTopics and CreatePartitions.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

use crate::{
    api::{
        Proposed,
        topic_rules::{PARTITIONS_AT_ONCE_MAX, check_configs},
    },
    config::topic,
    metadata::{
        Command, Outcome, Refusal,
        command::{Assignment, ConfigEntry, CreatePartitions, CreateTopic, DeleteTopic},
    },
    session::RequestId,
    shard::{Incoming, Shard, Step},
    types::{ErrorCode, TopicId, Uuid},
    wire::messages::{
        create_partitions::{
            CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
            CreatePartitionsTopicResult,
        },
        create_topics::{
            CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest,
            CreateTopicsResponse,
        },
        delete_topics::{
            DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
        },
    },
};

/// A CreateTopics that waits for the quorum.
#[derive(Debug)]
pub(crate) struct ProposedTopics {
    request: RequestId,
    response: CreateTopicsResponse,
    /// Where in the response each proposed topic stands.
    places: Vec<usize>,
}

/// A DeleteTopics that waits for the quorum.
#[derive(Debug)]
pub(crate) struct ProposedDeletions {
    request: RequestId,
    response: DeleteTopicsResponse,
    places: Vec<usize>,
}

/// What is to become of a topic that a DeleteTopics names.
#[derive(Debug)]
struct Deletion {
    name: Option<String>,
    id: Uuid,
    planned: Result<DeleteTopic, Refusal>,
}

/// A CreatePartitions that waits for the quorum.
#[derive(Debug)]
pub(crate) struct ProposedPartitions {
    request: RequestId,
    response: CreatePartitionsResponse,
    places: Vec<usize>,
}

/// What became of a proposed command: none is known if the quorum cannot decide.
fn refusal_of(outcomes: Option<&[Outcome]>, index: usize) -> Option<Refusal> {
    match outcomes.and_then(|outcomes| outcomes.get(index)) {
        Some(Outcome::Applied | Outcome::ProducerIds { .. } | Outcome::BrokerEpoch(_)) => None,
        Some(Outcome::Refused(refusal)) => Some(refusal.clone()),
        None => Some(Refusal::new(
            ErrorCode::RequestTimedOut,
            "The metadata quorum did not decide in time.",
        )),
    }
}

impl Shard {
    pub(super) fn create_topics(
        &mut self,
        asked: &Incoming,
        request: CreateTopicsRequest,
        step: &mut Step<'_>,
    ) {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for topic in &request.topics {
            *counts.entry(topic.name.clone()).or_default() += 1;
        }
        let mut response = CreateTopicsResponse::default();
        let mut commands = Vec::new();
        let mut places = Vec::new();
        let mut told = BTreeSet::new();
        for topic in request.topics {
            let name = topic.name.clone();
            let is_duplicate = counts[&name] > 1;
            if !told.insert(name.clone()) {
                continue;
            }
            let planned = if request.timeout_ms <= 0 {
                Err(Refusal::silent(ErrorCode::RequestTimedOut))
            } else if is_duplicate {
                Err(Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
            } else {
                self.plan_topic(topic)
            };
            match planned {
                Err(refusal) => response.topics.push(refused_topic(name, refusal)),
                Ok(command) => {
                    let result = self.describe_new_topic(&command);
                    places.push(response.topics.len());
                    response.topics.push(result);
                    commands.push(command.into());
                }
            }
        }
        if request.validate_only || commands.is_empty() {
            self.answer(asked.id, response, step);
            return;
        }
        let proposed = ProposedTopics { request: asked.id, response, places };
        self.propose(commands, Proposed::CreateTopics(proposed), step);
    }

    fn plan_topic(&mut self, topic: CreatableTopic) -> Result<CreateTopic, Refusal> {
        self.check_new_topic_name(&topic.name)?;
        let configs: Vec<_> =
            topic.configs.into_iter().map(|config| (config.name, config.value)).collect();
        let assignments = if topic.assignments.is_empty() {
            self.plan_partitions(topic.num_partitions, topic.replication_factor)?
        } else {
            if topic.replication_factor != -1 {
                return Err(Refusal::new(
                    ErrorCode::InvalidRequest,
                    "A manual partition assignment was specified, but replication factor was not set to -1.",
                ));
            }
            if topic.num_partitions != -1 {
                return Err(Refusal::new(
                    ErrorCode::InvalidRequest,
                    "A manual partition assignment was specified, but numPartitions was not set to -1.",
                ));
            }
            let chosen: Vec<_> = topic
                .assignments
                .into_iter()
                .map(|assignment| (assignment.partition_index, assignment.broker_ids))
                .collect();
            self.manual_assignments(&chosen)?
        };
        let configs = check_configs(&configs)?;
        let configs = configs.into_iter().map(|(key, value)| ConfigEntry { key, value }).collect();
        let topic_id = self.new_uuid();
        Ok(CreateTopic { name: topic.name, topic_id, assignments, configs })
    }

    fn plan_partitions(
        &self,
        num_partitions: i32,
        replication_factor: i16,
    ) -> Result<Vec<Assignment>, Refusal> {
        if num_partitions < -1 || num_partitions == 0 {
            return Err(Refusal::new(
                ErrorCode::InvalidPartitions,
                "Number of partitions was set to an invalid non-positive value.",
            ));
        }
        if replication_factor < -1 || replication_factor == 0 {
            return Err(Refusal::new(
                ErrorCode::InvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            ));
        }
        let count =
            if num_partitions == -1 { self.settings.num_partitions } else { num_partitions };
        if count > PARTITIONS_AT_ONCE_MAX {
            return Err(Refusal::new(
                ErrorCode::PolicyViolation,
                "Excessively large number of partitions per request.",
            ));
        }
        let factor = if replication_factor == -1 {
            i16::try_from(self.settings.default_replication_factor).unwrap_or(i16::MAX)
        } else {
            replication_factor
        };
        self.assign_replicas(0, usize::try_from(count).unwrap_or_default(), factor)
    }

    fn describe_new_topic(&self, command: &CreateTopic) -> CreatableTopicResult {
        let own: BTreeMap<String, String> =
            command.configs.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
        let layers = crate::config::Layers { topic: Some(&own), ..self.layers(None) };
        let configs = topic::DEFINITIONS.iter().filter(|known| !known.is_internal());
        let configs = configs.map(|definition| {
            let resolved = layers.resolve(definition);
            CreatableTopicConfigs {
                name: definition.key.into(),
                value: resolved.value,
                config_source: resolved.source.code(),
                ..Default::default()
            }
        });
        let factor = command.assignments.first().map_or(0, |first| first.replicas.len());
        CreatableTopicResult {
            name: command.name.clone(),
            topic_id: command.topic_id,
            num_partitions: i32::try_from(command.assignments.len()).unwrap_or(i32::MAX),
            replication_factor: i16::try_from(factor).unwrap_or(i16::MAX),
            configs: Some(configs.collect()),
            ..Default::default()
        }
    }

    /// The quorum has decided on new topics.
    pub(crate) fn topics_created(
        &mut self,
        proposed: ProposedTopics,
        outcomes: Option<&[Outcome]>,
        step: &mut Step<'_>,
    ) {
        let ProposedTopics { request, mut response, places } = proposed;
        for (index, place) in places.into_iter().enumerate() {
            if let Some(refusal) = refusal_of(outcomes, index) {
                let result = &mut response.topics[place];
                *result = refused_topic(core::mem::take(&mut result.name), refusal);
            }
        }
        self.answer(request, response, step);
    }

    pub(super) fn delete_topics(
        &mut self,
        asked: &Incoming,
        request: DeleteTopicsRequest,
        step: &mut Step<'_>,
    ) {
        let by_name = request.topic_names.into_iter();
        let by_name =
            by_name.map(|name| DeleteTopicState { name: Some(name), ..Default::default() });
        let wanted: Vec<_> = by_name.chain(request.topics).collect();
        let mut response = DeleteTopicsResponse::default();
        let mut commands: Vec<Command> = Vec::new();
        let mut places = Vec::new();
        for deletion in self.plan_deletions(wanted) {
            let Deletion { name, id, planned } = deletion;
            let planned = match planned {
                Ok(_) if request.timeout_ms <= 0 => {
                    Err(Refusal::silent(ErrorCode::RequestTimedOut))
                }
                planned => planned,
            };
            let topic_id = if request.timeout_ms <= 0 { Uuid::ZERO } else { id };
            let mut result = DeletableTopicResult { name, topic_id, ..Default::default() };
            match planned {
                Ok(command) => {
                    places.push(response.responses.len());
                    commands.push(command.into());
                }
                Err(refusal) => {
                    result.error_code = refusal.code.code();
                    result.error_message = refusal.told();
                }
            }
            response.responses.push(result);
        }
        if commands.is_empty() {
            self.answer(asked.id, response, step);
            return;
        }
        let proposed = ProposedDeletions { request: asked.id, response, places };
        self.propose(commands, Proposed::DeleteTopics(proposed), step);
    }

    /// One deletion for each topic that was named. What is named twice is not deleted: whoever asks so is in error.
    fn plan_deletions(&self, wanted: Vec<DeleteTopicState>) -> Vec<Deletion> {
        let mut counts: BTreeMap<(Option<String>, Uuid), usize> = BTreeMap::new();
        for topic in &wanted {
            *counts.entry((topic.name.clone(), topic.topic_id)).or_default() += 1;
        }
        let mut told = BTreeSet::new();
        let mut taken: BTreeMap<TopicId, usize> = BTreeMap::new();
        let mut deletions: Vec<Deletion> = Vec::new();
        for topic in wanted {
            let key = (topic.name.clone(), topic.topic_id);
            let is_duplicate = counts[&key] > 1;
            if !told.insert(key) {
                continue;
            }
            let invalid = |message: &str| Refusal::new(ErrorCode::InvalidRequest, message);
            let (name, id, planned) = match self.find_topic_to_delete(&topic) {
                _ if is_duplicate => {
                    let what = if topic.name.is_some() { "name" } else { "id" };
                    let message = format!("Duplicate topic {what}.");
                    (topic.name, topic.topic_id, Err(invalid(&message)))
                }
                Err(refusal) => (topic.name, topic.topic_id, Err(refusal)),
                Ok((id, name)) => {
                    if let Some(&place) = taken.get(&id) {
                        deletions[place].planned = Err(invalid(
                            "The provided topic name maps to an ID that was already supplied.",
                        ));
                        continue;
                    }
                    taken.insert(id, deletions.len());
                    (Some(name), id.0, Ok(DeleteTopic { topic_id: id.0 }))
                }
            };
            deletions.push(Deletion { name, id, planned });
        }
        deletions
    }

    fn find_topic_to_delete(&self, topic: &DeleteTopicState) -> Result<(TopicId, String), Refusal> {
        if !self.settings.delete_topics {
            return Err(ErrorCode::TopicDeletionDisabled.into());
        }
        match &topic.name {
            Some(_) if topic.topic_id != Uuid::ZERO => Err(Refusal::new(
                ErrorCode::InvalidRequest,
                "You may not specify both topic name and topic id.",
            )),
            None if topic.topic_id == Uuid::ZERO => Err(Refusal::new(
                ErrorCode::InvalidRequest,
                "Neither topic name nor id were specified.",
            )),
            Some(name) => self
                .image
                .topic_id(name)
                .map(|id| (id, name.clone()))
                .ok_or_else(|| ErrorCode::UnknownTopicOrPartition.into()),
            None => {
                let id = TopicId(topic.topic_id);
                let topic = self.image.topic(id).ok_or(ErrorCode::UnknownTopicId)?;
                Ok((id, topic.name.clone()))
            }
        }
    }

    /// The quorum has decided on deletions.
    pub(crate) fn topics_deleted(
        &mut self,
        proposed: ProposedDeletions,
        outcomes: Option<&[Outcome]>,
        step: &mut Step<'_>,
    ) {
        let ProposedDeletions { request, mut response, places } = proposed;
        for (index, place) in places.into_iter().enumerate() {
            if let Some(refusal) = refusal_of(outcomes, index) {
                let result = &mut response.responses[place];
                result.error_code = refusal.code.code();
                result.error_message = Some(refusal.message);
            }
        }
        self.answer(request, response, step);
    }

    pub(super) fn create_partitions(
        &mut self,
        asked: &Incoming,
        request: CreatePartitionsRequest,
        step: &mut Step<'_>,
    ) {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for topic in &request.topics {
            *counts.entry(topic.name.clone()).or_default() += 1;
        }
        let mut response = CreatePartitionsResponse::default();
        let mut commands: Vec<Command> = Vec::new();
        let mut places = Vec::new();
        let mut told = BTreeSet::new();
        for topic in request.topics {
            let name = topic.name.clone();
            if !told.insert(name.clone()) {
                continue;
            }
            let planned = if request.timeout_ms <= 0 {
                Err(Refusal::silent(ErrorCode::RequestTimedOut))
            } else if counts[&name] > 1 {
                Err(Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
            } else {
                self.plan_more_partitions(topic)
            };
            let mut result = CreatePartitionsTopicResult { name, ..Default::default() };
            match planned {
                Ok(command) => {
                    places.push(response.results.len());
                    commands.push(command.into());
                }
                Err(refusal) => {
                    result.error_code = refusal.code.code();
                    result.error_message = refusal.told();
                }
            }
            response.results.push(result);
        }
        if request.validate_only || commands.is_empty() {
            self.answer(asked.id, response, step);
            return;
        }
        let proposed = ProposedPartitions { request: asked.id, response, places };
        self.propose(commands, Proposed::CreatePartitions(proposed), step);
    }

    fn plan_more_partitions(
        &self,
        wanted: CreatePartitionsTopic,
    ) -> Result<CreatePartitions, Refusal> {
        let invalid = |message: String| Refusal::new(ErrorCode::InvalidPartitions, message);
        let unknown = Refusal::silent(ErrorCode::UnknownTopicOrPartition);
        let (id, topic) = self.image.topic_by_name(&wanted.name).ok_or(unknown)?;
        let existing = topic.partitions.len();
        let existing_count = i32::try_from(existing).unwrap_or(i32::MAX);
        if wanted.count == existing_count {
            return Err(invalid(format!("Topic already has {existing} partition(s).")));
        }
        if wanted.count < existing_count {
            return Err(invalid(format!(
                "The topic {} currently has {existing} partition(s); {} would not be an increase.",
                wanted.name, wanted.count
            )));
        }
        let added = usize::try_from(wanted.count - existing_count).unwrap_or_default();
        if wanted.count - existing_count > PARTITIONS_AT_ONCE_MAX {
            return Err(Refusal::new(
                ErrorCode::PolicyViolation,
                "Excessively large number of partitions per request.",
            ));
        }
        let assignments = match wanted.assignments {
            None => {
                let factor = topic.partitions.first().map_or(1, |first| first.replicas.len());
                self.assign_replicas(existing, added, i16::try_from(factor).unwrap_or(1))?
            }
            Some(assignments) if assignments.len() != added => {
                return Err(Refusal::new(
                    ErrorCode::InvalidReplicaAssignment,
                    format!(
                        "Attempted to add {added} additional partition(s), but only {} assignment(s) were specified.",
                        assignments.len()
                    ),
                ));
            }
            Some(assignments) => {
                let mut checked = Vec::with_capacity(added);
                for assignment in assignments {
                    self.check_replicas(&assignment.broker_ids)?;
                    checked.push(Assignment { replicas: assignment.broker_ids });
                }
                checked
            }
        };
        Ok(CreatePartitions { topic_id: id.0, existing: existing_count, assignments })
    }

    /// The quorum has decided on new partitions.
    pub(crate) fn partitions_created(
        &mut self,
        proposed: ProposedPartitions,
        outcomes: Option<&[Outcome]>,
        step: &mut Step<'_>,
    ) {
        let ProposedPartitions { request, mut response, places } = proposed;
        for (index, place) in places.into_iter().enumerate() {
            if let Some(refusal) = refusal_of(outcomes, index) {
                let result = &mut response.results[place];
                result.error_code = refusal.code.code();
                result.error_message = Some(refusal.message);
            }
        }
        self.answer(request, response, step);
    }
}

fn refused_topic(name: String, refusal: Refusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code: refusal.code.code(),
        error_message: refusal.told(),
        configs: Some(Vec::new()),
        ..Default::default()
    }
}
