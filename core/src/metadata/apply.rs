//! Applying commands to the image.

use alloc::{format, string::String, vec::Vec};

use super::{
    Command, Image,
    command::{
        AllocateProducerIds, Assignment, ChangeConfigs, CreatePartitions, CreateTopic, DeleteTopic,
    },
    image::{BrokerStatus, ConfigResource, PartitionState, ResourceKind, Topic},
};
use crate::{
    mutants::{Mutant, planted},
    types::{BrokerEpoch, BrokerId, ErrorCode, TopicId},
};

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect.
    Applied,
    /// It took effect: these producer ids are the broker's.
    ProducerIds {
        /// The first.
        first: i64,
        /// How many.
        count: i32,
    },
    /// It took effect: the broker has this epoch.
    BrokerEpoch(BrokerEpoch),
    /// It was impossible.
    Refused(Refusal),
}

/// Why a command was impossible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For the client's program.
    pub code: ErrorCode,
    /// For whoever reads its log; empty where the code says all.
    pub message: String,
}

impl Refusal {
    /// With a message of its own.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// With nothing to say beyond the code.
    pub const fn silent(code: ErrorCode) -> Self {
        Self { code, message: String::new() }
    }

    /// What there is to say.
    pub fn told(self) -> Option<String> {
        Some(self.message).filter(|message| !message.is_empty())
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.message())
    }
}

impl Image {
    /// Applies a command. The same image and the same command give the same outcome on every node.
    pub fn apply(&mut self, command: &Command) -> Outcome {
        let outcome = match command {
            Command::RegisterBroker(command) => self.register_broker(command),
            Command::CreateTopic(command) => self.create_topic(command),
            Command::DeleteTopic(command) => self.delete_topic(command),
            Command::CreatePartitions(command) => self.create_partitions(command),
            Command::ChangeConfigs(command) => self.change_configs(command),
            Command::AllocateProducerIds(command) => self.allocate_producer_ids(command),
            Command::FenceBroker(command) => self.fence_broker(command),
            Command::UnfenceBroker(command) => self.unfence_broker(command),
            Command::ShutDownBroker(command) => self.shut_down_broker(command),
            Command::AlterPartition(command) => self.alter_partition(command),
            Command::ElectLeader(command) => self.elect_leader(command),
            Command::ReassignPartition(command) => self.reassign_partition(command),
        };
        outcome.unwrap_or_else(Outcome::Refused)
    }

    fn create_topic(&mut self, command: &CreateTopic) -> Result<Outcome, Refusal> {
        if self.names.contains_key(&command.name) {
            let message = format!("Topic '{}' already exists.", command.name);
            return Err(Refusal::new(ErrorCode::TopicAlreadyExists, message));
        }
        let id = TopicId(command.topic_id);
        if self.topics.contains_key(&id) {
            return Err(Refusal::new(ErrorCode::TopicAlreadyExists, "The topic id is taken."));
        }
        let partitions = self.new_partitions(&command.assignments)?;
        self.names.insert(command.name.clone(), id);
        self.topics.insert(id, Topic { name: command.name.clone(), partitions });
        if !command.configs.is_empty() {
            let resource = ConfigResource { kind: ResourceKind::Topic, name: command.name.clone() };
            let entries = command.configs.iter();
            let configs = entries.map(|entry| (entry.key.clone(), entry.value.clone())).collect();
            self.configs.insert(resource, configs);
        }
        Ok(Outcome::Applied)
    }

    /// The state that partitions begin with: every replica that is there in sync, the first one leading.
    fn new_partitions(&self, assignments: &[Assignment]) -> Result<Vec<PartitionState>, Refusal> {
        let status = |broker: &BrokerId| self.brokers.get(broker).map(|broker| broker.status);
        let mut partitions = Vec::with_capacity(assignments.len());
        for assignment in assignments {
            let replicas: Vec<_> = assignment.replicas.iter().copied().map(BrokerId).collect();
            let is_active = |broker: &&BrokerId| status(broker) == Some(BrokerStatus::Active);
            let isr: Vec<_> = replicas.iter().filter(is_active).copied().collect();
            if isr.is_empty() || replicas.iter().any(|replica| status(replica).is_none()) {
                return Err(ErrorCode::InvalidReplicaAssignment.into());
            }
            partitions.push(PartitionState::new(replicas, isr));
        }
        Ok(partitions)
    }

    fn delete_topic(&mut self, command: &DeleteTopic) -> Result<Outcome, Refusal> {
        let id = TopicId(command.topic_id);
        let topic = self.topics.remove(&id).ok_or(ErrorCode::UnknownTopicId)?;
        self.names.remove(&topic.name);
        self.configs.remove(&ConfigResource { kind: ResourceKind::Topic, name: topic.name });
        Ok(Outcome::Applied)
    }

    fn create_partitions(&mut self, command: &CreatePartitions) -> Result<Outcome, Refusal> {
        let added = self.new_partitions(&command.assignments)?;
        let id = TopicId(command.topic_id);
        let topic = self.topics.get_mut(&id).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        if i32::try_from(topic.partitions.len()) != Ok(command.existing) {
            let message = format!("Topic already has {} partition(s).", topic.partitions.len());
            return Err(Refusal::new(ErrorCode::InvalidPartitions, message));
        }
        topic.partitions.extend(added);
        Ok(Outcome::Applied)
    }

    fn change_configs(&mut self, command: &ChangeConfigs) -> Result<Outcome, Refusal> {
        let kind =
            ResourceKind::from_code(command.resource_kind).ok_or(ErrorCode::InvalidRequest)?;
        let name = command.resource_name.clone();
        if kind == ResourceKind::Topic && !self.names.contains_key(&name) {
            return Err(ErrorCode::UnknownTopicOrPartition.into());
        }
        let configs = self.configs.entry(ConfigResource { kind, name: name.clone() }).or_default();
        for change in &command.changes {
            match &change.value {
                Some(value) => configs.insert(change.key.clone(), value.clone()),
                None => configs.remove(&change.key),
            };
        }
        if configs.is_empty() {
            self.configs.remove(&ConfigResource { kind, name });
        }
        let is_decisive = command.changes.iter().any(|change| {
            let keys = ["min.insync.replicas", "unclean.leader.election.enable"];
            keys.contains(&change.key.as_str())
        });
        if is_decisive {
            self.reconsider_partitions();
        }
        Ok(Outcome::Applied)
    }

    fn allocate_producer_ids(&mut self, command: &AllocateProducerIds) -> Result<Outcome, Refusal> {
        let first = self.next_producer_id;
        if command.count <= 0 {
            return Err(ErrorCode::InvalidRequest.into());
        }
        if planted(Mutant::ProducerIdsReused) {
            return Ok(Outcome::ProducerIds { first, count: command.count });
        }
        self.next_producer_id = first
            .checked_add(i64::from(command.count))
            .ok_or_else(|| Refusal::new(ErrorCode::UnknownServerError, "Producer ids ran out."))?;
        Ok(Outcome::ProducerIds { first, count: command.count })
    }
}
