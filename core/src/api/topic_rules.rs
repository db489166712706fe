//! What topics may be called, and who may have their partitions.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::produce::OFFSETS_TOPIC;
use crate::{
    config::{ConfigError, topic},
    metadata::{Refusal, command::Assignment},
    shard::Shard,
    types::{BrokerId, ErrorCode, PartitionIndex},
};

/// The longest name that a topic can have: with a partition's number it must fit a directory's name.
const NAME_BYTES_MAX: usize = 249;

/// How many partitions one request may make, as in Kafka.
pub(crate) const PARTITIONS_AT_ONCE_MAX: i32 = 10_000;

/// Whether a topic may be called so; why not, in Kafka's words.
pub(crate) fn check_topic_name(name: &str) -> Result<(), String> {
    let is_legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    if name.is_empty() {
        return Err("Topic name is invalid: the empty string is not allowed".into());
    }
    if name == "." || name == ".." {
        return Err(format!("Topic name is invalid: '{name}' is not allowed"));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(format!(
            "Topic name is invalid: the length of '{name}' is longer than the max allowed length {NAME_BYTES_MAX}"
        ));
    }
    if !name.bytes().all(is_legal) {
        return Err(format!(
            "Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ));
    }
    Ok(())
}

/// Whether a topic belongs to the broker itself.
pub(crate) fn is_internal(name: &str) -> bool {
    name == OFFSETS_TOPIC || name == "__transaction_state"
}

impl Shard {
    /// Whether a topic can be made under this name.
    pub(crate) fn check_new_topic_name(&self, name: &str) -> Result<(), Refusal> {
        check_topic_name(name).map_err(|message| Refusal::new(ErrorCode::InvalidTopic, message))?;
        if self.image.topic_id(name).is_some() {
            let message = format!("Topic '{name}' already exists.");
            return Err(Refusal::new(ErrorCode::TopicAlreadyExists, message));
        }
        // Names that differ in '.' and '_' alone would be one in the names of metrics.
        let plain = name.replace('.', "_");
        let other = self.image.topics().find(|(_, topic)| topic.name.replace('.', "_") == plain);
        other.map_or(Ok(()), |(_, topic)| {
            let message = format!("Topic '{name}' collides with existing topic: {}", topic.name);
            Err(Refusal::new(ErrorCode::InvalidTopic, message))
        })
    }

    /// Replicas for `count` new partitions, of which the first has the index `first`.
    pub(crate) fn assign_replicas(
        &self,
        first: usize,
        count: usize,
        replication_factor: i16,
    ) -> Result<Vec<Assignment>, Refusal> {
        let brokers: Vec<i32> = self.image.brokers().keys().map(|broker| broker.0).collect();
        let wanted = usize::try_from(replication_factor).unwrap_or_default();
        if replication_factor <= 0 {
            return Err(Refusal::new(
                ErrorCode::InvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            ));
        }
        if wanted > brokers.len() {
            return Err(Refusal::new(
                ErrorCode::InvalidReplicationFactor,
                format!(
                    "Unable to replicate the partition {wanted} time(s): The target replication factor of {wanted} cannot be reached because only {} broker(s) are registered or some brokers have all their log directories cordoned.",
                    brokers.len()
                ),
            ));
        }
        let assignment = |partition: usize| {
            let replicas =
                (0..wanted).map(|replica| brokers[(partition + replica) % brokers.len()]);
            Assignment { replicas: replicas.collect() }
        };
        Ok((first..first + count).map(assignment).collect())
    }

    /// Checks the replicas that a client chose for a partition.
    pub(crate) fn check_replicas(&self, replicas: &[i32]) -> Result<(), Refusal> {
        let invalid =
            |message: &str| Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
        if replicas.is_empty() {
            return invalid("The manual partition assignment includes an empty replica list.");
        }
        let mut sorted = replicas.to_vec();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return invalid(&format!(
                "The manual partition assignment includes the broker {} more than once.",
                pair[0]
            ));
        }
        for broker in replicas {
            if !self.image.brokers().contains_key(&BrokerId(*broker)) {
                return invalid(&format!(
                    "The manual partition assignment includes broker {broker}, but no such broker is registered."
                ));
            }
        }
        Ok(())
    }

    /// The replicas of a topic's partitions as a client chose them: in the order of the partitions, which have no gaps.
    pub(crate) fn manual_assignments(
        &self,
        chosen: &[(i32, Vec<i32>)],
    ) -> Result<Vec<Assignment>, Refusal> {
        let invalid = |message: String| Refusal::new(ErrorCode::InvalidReplicaAssignment, message);
        let mut by_index = BTreeMap::new();
        for (index, replicas) in chosen {
            if by_index.insert(PartitionIndex(*index), replicas.clone()).is_some() {
                return Err(invalid(format!(
                    "Found multiple manual partition assignments for partition {index}"
                )));
            }
            self.check_replicas(replicas)?;
        }
        let consecutive =
            (0..).zip(by_index.keys()).all(|(index, key)| PartitionIndex(index) == *key);
        if !consecutive {
            return Err(invalid(
                "partitions should be a consecutive 0-based integer sequence".to_string(),
            ));
        }
        let lengths: Vec<usize> = by_index.values().map(Vec::len).collect();
        if let [first, rest @ ..] = &lengths[..]
            && let Some(other) = rest.iter().find(|length| *length != first)
        {
            return Err(invalid(format!(
                "The manual partition assignment includes a partition with {other} replica(s), but this is not consistent with previous partitions, which have {first} replica(s)."
            )));
        }
        Ok(by_index.into_values().map(|replicas| Assignment { replicas }).collect())
    }
}

/// Checks the settings of a new topic.
pub(crate) fn check_configs(
    configs: &[(String, Option<String>)],
) -> Result<BTreeMap<String, String>, Refusal> {
    let mut checked = BTreeMap::new();
    for (key, value) in configs {
        let Some(value) = value else {
            let message = format!("Null value not supported for topic configs: {key}");
            return Err(Refusal::new(ErrorCode::InvalidConfig, message));
        };
        topic::validate(key, value).map_err(config_refusal)?;
        checked.insert(key.clone(), value.clone());
    }
    topic::validate_together(&checked)
        .map_err(|message| Refusal::new(ErrorCode::InvalidConfig, message))?;
    Ok(checked)
}

/// Why a topic's setting is not possible, in Kafka's words.
pub(crate) fn config_refusal(error: ConfigError) -> Refusal {
    let message = match &error {
        ConfigError::UnknownKey { key, .. } => format!("Unknown topic config name: {key}"),
        ConfigError::InvalidValue { .. } => error.to_string(),
    };
    Refusal::new(ErrorCode::InvalidConfig, message)
}

/// The bits that say that a client may do everything with a resource: there are no ACLs yet.
pub(crate) fn all_operations(requested: bool, operations: &[u8]) -> i32 {
    if !requested {
        return i32::MIN;
    }
    operations.iter().fold(0, |bits, operation| bits | 1 << operation)
}

/// What can be done with a topic, by Kafka's numbers: read, write, create, delete, alter, describe, describe and alter its
/// settings.
pub(crate) const TOPIC_OPERATIONS: &[u8] = &[3, 4, 5, 6, 7, 8, 10, 11];
/// What can be done with the cluster.
pub(crate) const CLUSTER_OPERATIONS: &[u8] = &[5, 7, 8, 9, 10, 11, 12];
/// What can be done with a group: read, delete, describe, describe and alter its settings.
pub(crate) const GROUP_OPERATIONS: &[u8] = &[3, 6, 8, 10, 11];
