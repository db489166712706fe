//! The offsets that a group has committed.

use std::{collections::BTreeMap, sync::Arc};

use ottla_core::{
    types::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, Uuid},
    wire::{
        ApiKey,
        messages::{
            offset_commit::{
                OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
            },
            offset_fetch::{
                OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic,
                OffsetFetchRequestTopics, OffsetFetchResponse,
            },
        },
    },
};

use super::{GroupError, coordinator::Coordinator};
use crate::client::{
    CallOptions, ServerError, TopicPartition, topic_names::TopicNames, topic_partition::by_topic,
};

/// The latest versions that name a topic by its name.
const COMMIT_BY_NAME_MAX: i16 = 9;
const FETCH_BY_NAME_MAX: i16 = 9;

/// Who commits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Committer<'a> {
    pub(super) generation: i32,
    pub(super) member_id: &'a str,
}

impl Committer<'static> {
    /// Somebody who is no member, while the group has none.
    pub(super) const NOBODY: Self = Self { generation: -1, member_id: "" };
}

/// Commits offsets: those of the records that are to be read next.
pub(super) async fn commit(
    coordinator: &Coordinator,
    committer: Committer<'_>,
    offsets: &BTreeMap<TopicPartition, Offset>,
) -> Result<(), GroupError> {
    let topics = by_topic(offsets.iter().map(|(partition, &offset)| (partition.clone(), offset)));
    let names = TopicNames::of(&coordinator.client, topics.keys()).await;
    let topics = topics.into_iter().map(|(name, partitions)| OffsetCommitRequestTopic {
        topic_id: names.id(&name),
        name: name.to_string(),
        partitions: partitions
            .into_iter()
            .map(|(PartitionIndex(partition_index), offset)| OffsetCommitRequestPartition {
                partition_index,
                committed_offset: offset.0,
                committed_leader_epoch: LeaderEpoch(-1).0,
                committed_metadata: Some(String::new()),
            })
            .collect(),
    });
    let request = OffsetCommitRequest {
        group_id: coordinator.group.clone(),
        generation_id_or_member_epoch: committer.generation,
        member_id: committer.member_id.to_owned(),
        topics: topics.collect(),
        ..Default::default()
    };
    let options = names.options(COMMIT_BY_NAME_MAX);
    coordinator
        .ask(&request, options, |response| {
            for topic in response.topics {
                let name = names.name(topic.name, topic.topic_id).unwrap_or_else(|| "?".into());
                for answer in topic.partitions {
                    let partition = TopicPartition::new(Arc::clone(&name), answer.partition_index);
                    check(ApiKey::OffsetCommit, partition, answer.error_code)?;
                }
            }
            Ok(())
        })
        .await
}

fn check(key: ApiKey, partition: TopicPartition, code: i16) -> Result<(), GroupError> {
    ServerError::check(code, None).map_err(|error| GroupError::Partition { key, partition, error })
}

/// The committed offsets of some partitions, or of all that have one. Those without are left out.
pub(super) async fn fetch(
    coordinator: &Coordinator,
    partitions: Option<&[TopicPartition]>,
) -> Result<BTreeMap<TopicPartition, Offset>, GroupError> {
    if partitions.is_some_and(<[_]>::is_empty) {
        return Ok(BTreeMap::new());
    }
    let topics = partitions
        .map(|partitions| by_topic(partitions.iter().map(|partition| (partition.clone(), ()))));
    // The answer about all topics has nothing but ids in the versions that have any.
    let names = match &topics {
        Some(topics) => TopicNames::of(&coordinator.client, topics.keys()).await,
        None => TopicNames::default(),
    };
    let topics: Option<Vec<_>> = topics.map(|topics| {
        let indexes = |partitions: Vec<(PartitionIndex, ())>| {
            partitions.into_iter().map(|(PartitionIndex(index), ())| index).collect::<Vec<_>>()
        };
        topics.into_iter().map(|(name, partitions)| (name, indexes(partitions))).collect()
    });
    let request = request(&coordinator.group, topics, &names);
    coordinator
        .ask(&request, options(&names, partitions.is_some()), |response| {
            read(coordinator, response, &names)
        })
        .await
}

fn options(names: &TopicNames, named: bool) -> CallOptions {
    if named {
        names.options(FETCH_BY_NAME_MAX)
    } else {
        CallOptions { version_max: Some(FETCH_BY_NAME_MAX), ..Default::default() }
    }
}

/// Until version 7 the request is about one group, from version 8 on about several.
fn request(
    group: &str,
    topics: Option<Vec<(Arc<str>, Vec<i32>)>>,
    names: &TopicNames,
) -> OffsetFetchRequest {
    let of_group = topics.as_ref().map(|topics| {
        let topic = |(name, indexes): &(Arc<str>, Vec<i32>)| OffsetFetchRequestTopics {
            name: name.to_string(),
            topic_id: names.id(name),
            partition_indexes: indexes.clone(),
        };
        topics.iter().map(topic).collect()
    });
    let alone = topics.map(|topics| {
        let topic = |(name, partition_indexes): (Arc<str>, Vec<i32>)| OffsetFetchRequestTopic {
            name: name.to_string(),
            partition_indexes,
        };
        topics.into_iter().map(topic).collect()
    });
    let of_group = OffsetFetchRequestGroup {
        group_id: group.to_owned(),
        topics: of_group,
        ..Default::default()
    };
    OffsetFetchRequest {
        group_id: group.to_owned(),
        topics: alone,
        groups: vec![of_group],
        require_stable: false,
    }
}

fn read(
    coordinator: &Coordinator,
    response: OffsetFetchResponse,
    names: &TopicNames,
) -> Result<BTreeMap<TopicPartition, Offset>, GroupError> {
    let key = ApiKey::OffsetFetch;
    coordinator.check(key, response.error_code, None)?;
    let mut offsets = BTreeMap::new();
    let mut take = |name: &Arc<str>, index, offset, code| {
        let partition = TopicPartition::new(Arc::clone(name), index);
        // A topic that does not exist has no offset.
        if code != ErrorCode::UnknownTopicOrPartition.code() {
            check(key, partition.clone(), code)?;
        }
        if offset >= 0 {
            offsets.insert(partition, Offset(offset));
        }
        Ok::<(), GroupError>(())
    };
    for topic in response.topics {
        let Some(name) = names.name(topic.name, Uuid::ZERO) else { continue };
        for answer in topic.partitions {
            take(&name, answer.partition_index, answer.committed_offset, answer.error_code)?;
        }
    }
    for group in response.groups {
        match coordinator.check(key, group.error_code, None) {
            // A group that does not exist has no offsets.
            Err(error) if error.refusal().is_some_and(|e| e.is(ErrorCode::GroupIdNotFound)) => {}
            outcome => outcome?,
        }
        for topic in group.topics {
            let Some(name) = names.name(topic.name, topic.topic_id) else { continue };
            for answer in topic.partitions {
                take(&name, answer.partition_index, answer.committed_offset, answer.error_code)?;
            }
        }
    }
    Ok(offsets)
}
