//! OffsetCommit and OffsetDelete.

use alloc::vec::Vec;

use crate::{
    group::{Commit, CommittedOffset, OffsetKey, offsets::Committer},
    shard::{Incoming, Shard, Step},
    types::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicId},
    wire::messages::{
        offset_commit::{
            OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
            OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
        },
        offset_delete::{
            OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition,
            OffsetDeleteResponseTopic,
        },
    },
};

impl Shard {
    pub(super) fn offset_commit(
        &mut self,
        asked: &Incoming,
        request: OffsetCommitRequest,
        step: &mut Step<'_>,
    ) {
        let OffsetCommitRequest {
            group_id,
            generation_id_or_member_epoch: generation,
            member_id,
            group_instance_id,
            retention_time_ms,
            topics,
        } = request;
        let now = step.now.timestamp;
        let expire = (asked.version <= 4 && retention_time_ms >= 0)
            .then(|| Timestamp(now.0.saturating_add(retention_time_ms)));
        let mut response = OffsetCommitResponse::default();
        let mut offsets = Vec::new();
        for topic in topics {
            let judged = self.judge_commit(asked.version, topic, now, expire);
            let Some((responses, accepted)) = judged else { continue };
            response.topics.push(responses);
            offsets.extend(accepted);
        }
        let (id, version) = (asked.id, asked.version);
        let index = match self.coordinator_of(&group_id) {
            Ok(index) => index,
            Err(error) => {
                response.refuse_all(error);
                self.answer(id, response, step);
                return;
            }
        };
        let committer = Committer {
            member_id: &member_id,
            instance_id: group_instance_id.as_deref(),
            generation,
        };
        let group_id = group_id.as_str();
        let commit = Commit { request: id, version, group_id, committer, response, offsets };
        self.with_coordinator(index, step, |coordinator, context| {
            coordinator.commit_offsets(commit, context);
        });
    }

    /// Which offsets of a topic can be committed, and the answer for each. As in Kafka, there is no answer for a topic for which
    /// there is nothing to commit.
    fn judge_commit(
        &self,
        version: i16,
        topic: OffsetCommitRequestTopic,
        now: Timestamp,
        expire: Option<Timestamp>,
    ) -> Option<(OffsetCommitResponseTopic, Vec<(OffsetKey, CommittedOffset)>)> {
        let by_id = version >= 10;
        let known = if by_id {
            let id = TopicId(topic.topic_id);
            self.image.topic(id).map(|known| (id, known.name.clone()))
        } else {
            self.image.topic_id(&topic.name).map(|id| (id, topic.name.clone()))
        };
        if known.is_some() && topic.partitions.is_empty() {
            return None;
        }
        let unknown =
            if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
        let mut accepted = Vec::new();
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let partition_index = partition.partition_index;
            let error = match &known {
                None => unknown,
                Some((id, name)) => match self.committable(*id, partition, now, expire) {
                    Ok(committed) => {
                        let topic = name.clone();
                        let key = OffsetKey { topic, partition: partition_index };
                        accepted.push((key, committed));
                        ErrorCode::None
                    }
                    Err(error) => error,
                },
            };
            let error_code = error.code();
            partitions.push(OffsetCommitResponsePartition { partition_index, error_code });
        }
        let OffsetCommitRequestTopic { name, topic_id, .. } = topic;
        Some((OffsetCommitResponseTopic { name, topic_id, partitions }, accepted))
    }

    fn committable(
        &self,
        topic: TopicId,
        partition: OffsetCommitRequestPartition,
        now: Timestamp,
        expire: Option<Timestamp>,
    ) -> Result<CommittedOffset, ErrorCode> {
        if self.image.partition(topic, PartitionIndex(partition.partition_index)).is_none() {
            return Err(ErrorCode::UnknownTopicOrPartition);
        }
        let metadata = partition.committed_metadata.unwrap_or_default();
        if metadata.len() > self.settings.offset_metadata_max_bytes {
            return Err(ErrorCode::OffsetMetadataTooLarge);
        }
        let epoch = partition.committed_leader_epoch;
        Ok(CommittedOffset {
            offset: Offset(partition.committed_offset),
            leader_epoch: (epoch != -1).then_some(LeaderEpoch(epoch)),
            metadata,
            commit_timestamp: now,
            expire_timestamp: expire,
            topic_id: Some(topic),
        })
    }

    pub(super) fn offset_delete(
        &mut self,
        asked: &Incoming,
        request: OffsetDeleteRequest,
        step: &mut Step<'_>,
    ) {
        let id = asked.id;
        let refuse = |error: ErrorCode| OffsetDeleteResponse {
            error_code: error.code(),
            ..Default::default()
        };
        let found = if request.group_id.is_empty() {
            Err(ErrorCode::InvalidGroupId)
        } else {
            self.coordinator_of(&request.group_id)
        };
        let index = match found {
            Ok(index) => index,
            Err(error) => return self.answer(id, refuse(error), step),
        };
        let group = self.coordinators.by_partition[&index].group(&request.group_id);
        let Some(group) = group else {
            return self.answer(id, refuse(ErrorCode::GroupIdNotFound), step);
        };
        if !group.can_delete_offsets() {
            return self.answer(id, refuse(ErrorCode::NonEmptyGroup), step);
        }
        let mut keys = Vec::new();
        let mut response = OffsetDeleteResponse::default();
        for topic in request.topics {
            let known = self.image.topic_id(&topic.name);
            let checked = group.check_offset_deletion(&topic.name);
            let partitions = topic.partitions.iter().map(|partition| {
                let index = partition.partition_index;
                let is_known = known
                    .is_some_and(|id| self.image.partition(id, PartitionIndex(index)).is_some());
                let key = OffsetKey { topic: topic.name.clone(), partition: index };
                let error = match checked {
                    _ if !is_known => ErrorCode::UnknownTopicOrPartition,
                    Err(error) => error,
                    Ok(()) => {
                        if group.offset(&key).is_some() {
                            keys.push(key);
                        }
                        ErrorCode::None
                    }
                };
                OffsetDeleteResponsePartition { partition_index: index, error_code: error.code() }
            });
            let partitions = partitions.collect();
            response.topics.push(OffsetDeleteResponseTopic { name: topic.name, partitions });
        }
        if keys.is_empty() {
            return self.answer(id, response, step);
        }
        self.with_coordinator(index, step, |coordinator, context| {
            if let Some(group) = coordinator.group(&request.group_id) {
                group.delete_offsets(keys, Some((id, response.into())), context);
            }
        });
    }
}
