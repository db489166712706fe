//! OffsetFetch.

use alloc::{string::String, vec::Vec};

use crate::{
    group::{CommittedOffset, Group, OffsetKey},
    mutants::{Mutant, planted},
    shard::{Incoming, Shard, Step},
    types::{ErrorCode, TopicId, Uuid},
    wire::messages::offset_fetch::{
        OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic,
        OffsetFetchRequestTopics, OffsetFetchResponse, OffsetFetchResponseGroup,
        OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
        OffsetFetchResponseTopics,
    },
};

impl Shard {
    pub(super) fn offset_fetch(
        &mut self,
        asked: &Incoming,
        request: OffsetFetchRequest,
        step: &mut Step<'_>,
    ) {
        let response = if asked.version >= 8 {
            let by_id = asked.version >= 10;
            let groups = request.groups.into_iter().map(|group| self.fetch_group(group, by_id));
            OffsetFetchResponse { groups: groups.collect(), ..Default::default() }
        } else {
            let name_all = |topic: OffsetFetchRequestTopic| OffsetFetchRequestTopics {
                name: topic.name,
                partition_indexes: topic.partition_indexes,
                ..Default::default()
            };
            let group = OffsetFetchRequestGroup {
                group_id: request.group_id,
                topics: request.topics.map(|topics| topics.into_iter().map(name_all).collect()),
                ..Default::default()
            };
            single(self.fetch_group(group, false), asked.version)
        };
        self.answer(asked.id, response, step);
    }

    fn fetch_group(
        &self,
        wanted: OffsetFetchRequestGroup,
        by_id: bool,
    ) -> OffsetFetchResponseGroup {
        let OffsetFetchRequestGroup { group_id, topics, .. } = wanted;
        let index = match self.coordinator_of(&group_id) {
            Ok(index) => index,
            Err(error) => {
                let error_code = error.code();
                let topics = topics.map(|topics| refuse(topics, error)).unwrap_or_default();
                return OffsetFetchResponseGroup { group_id, topics, error_code };
            }
        };
        let group = self.coordinators.by_partition[&index].group(&group_id);
        let topics = match topics {
            None => self.all_offsets(group, by_id),
            Some(topics) => {
                topics.into_iter().map(|topic| self.some_offsets(group, topic, by_id)).collect()
            }
        };
        OffsetFetchResponseGroup { group_id, topics, ..Default::default() }
    }

    fn all_offsets(&self, group: Option<&Group>, by_id: bool) -> Vec<OffsetFetchResponseTopics> {
        let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
        for (key, committed) in group.into_iter().flat_map(Group::offsets) {
            if !self.is_current(&key.topic, committed) {
                continue;
            }
            let topic_id = self.image.topic_id(&key.topic);
            let topic_id = match topic_id {
                Some(id) => id.0,
                // Without an id such a topic cannot be named.
                None if by_id => continue,
                None => Uuid::ZERO,
            };
            let described = describe(key.partition, Some(committed));
            match topics.last_mut() {
                Some(last) if last.name == key.topic => last.partitions.push(described),
                Some(_) | None => topics.push(OffsetFetchResponseTopics {
                    name: key.topic.clone(),
                    topic_id,
                    partitions: [described].into(),
                }),
            }
        }
        topics
    }

    fn some_offsets(
        &self,
        group: Option<&Group>,
        wanted: OffsetFetchRequestTopics,
        by_id: bool,
    ) -> OffsetFetchResponseTopics {
        let OffsetFetchRequestTopics { name, topic_id, partition_indexes } = wanted;
        let known: Option<String> = if by_id {
            self.image.topic(TopicId(topic_id)).map(|topic| topic.name.clone())
        } else {
            Some(name.clone())
        };
        let partitions = partition_indexes.into_iter().map(|partition| {
            let Some(topic) = known.clone() else {
                return OffsetFetchResponsePartitions {
                    error_code: ErrorCode::UnknownTopicId.code(),
                    ..describe(partition, None)
                };
            };
            let key = OffsetKey { topic, partition };
            let committed = group.and_then(|group| group.offset(&key));
            describe(partition, committed.filter(|found| self.is_current(&key.topic, found)))
        });
        OffsetFetchResponseTopics { name, topic_id, partitions: partitions.collect() }
    }

    /// Whether an offset was committed for the topic that has the name now.
    fn is_current(&self, topic: &str, committed: &CommittedOffset) -> bool {
        match (committed.topic_id, self.image.topic_id(topic)) {
            (Some(_), _) if planted(Mutant::OffsetsByNameAlone) => true,
            (Some(committed), Some(current)) => committed == current,
            (Some(_) | None, _) => true,
        }
    }
}

fn describe(
    partition_index: i32,
    committed: Option<&CommittedOffset>,
) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: committed.map_or(-1, |committed| committed.offset.0),
        committed_leader_epoch: committed
            .and_then(|committed| committed.leader_epoch)
            .map_or(-1, |epoch| epoch.0),
        metadata: Some(committed.map(|committed| committed.metadata.clone()).unwrap_or_default()),
        error_code: ErrorCode::None.code(),
    }
}

fn refuse(
    topics: Vec<OffsetFetchRequestTopics>,
    error: ErrorCode,
) -> Vec<OffsetFetchResponseTopics> {
    let topics = topics.into_iter().map(|topic| {
        let partitions = topic.partition_indexes.into_iter().map(|partition| {
            let error_code = error.code();
            OffsetFetchResponsePartitions { error_code, ..describe(partition, None) }
        });
        OffsetFetchResponseTopics {
            name: topic.name,
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
        }
    });
    topics.collect()
}

/// The answer in the versions that know one group only.
fn single(group: OffsetFetchResponseGroup, version: i16) -> OffsetFetchResponse {
    let failed = group.error_code != 0;
    let topics = group.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter();
        let partitions = partitions.map(|partition| OffsetFetchResponsePartition {
            partition_index: partition.partition_index,
            committed_offset: partition.committed_offset,
            committed_leader_epoch: partition.committed_leader_epoch,
            metadata: partition.metadata,
            error_code: partition.error_code,
        });
        OffsetFetchResponseTopic { name: topic.name, partitions: partitions.collect() }
    });
    // Version 1 has no place for an error but beside each partition.
    let topics = if failed && version >= 2 { Vec::new() } else { topics.collect() };
    OffsetFetchResponse { topics, error_code: group.error_code, ..Default::default() }
}
