//! A group's offsets: reading and setting them.

use ottla_core::{
    types::ErrorCode,
    wire::{
        ApiKey,
        messages::{
            offset_commit::{
                OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
            },
            offset_fetch::{
                OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic,
                OffsetFetchRequestTopics,
            },
        },
    },
};
use ottla_jepsen::history::{Answer, Call, Commit, Note, Partition};

use super::{Member, Stop};
use crate::{
    dice::MILLION,
    workload::{
        client::{Client, REQUEST_LIMIT, Topic, error_name},
        offsets::EARLIEST,
        plan::TopicKind,
    },
};

impl Client {
    /// The group's offset of a partition, if it has one.
    pub async fn committed_offset(
        &mut self,
        group: &str,
        topic: &Topic,
        index: i32,
    ) -> Result<Option<i64>, String> {
        let partition = self.partition(topic, index);
        let call = Call::FetchOffset { group: group.to_owned(), partition };
        let begun = self.invoke(call);
        let named =
            OffsetFetchRequestTopic { name: topic.name.clone(), partition_indexes: vec![index] };
        let of_group = OffsetFetchRequestTopics {
            name: topic.name.clone(),
            topic_id: topic.id,
            partition_indexes: vec![index],
        };
        let request = OffsetFetchRequest {
            group_id: group.to_owned(),
            topics: Some(vec![named]),
            groups: vec![OffsetFetchRequestGroup {
                group_id: group.to_owned(),
                topics: Some(vec![of_group]),
                ..Default::default()
            }],
            ..Default::default()
        };
        // By its name one that was made again could not be told from the one before.
        let least = if topic.name == TopicKind::Fleeting.name() { 10 } else { 2 };
        let version = self.version(ApiKey::OffsetFetch, least);
        let response = match self.call(&request, version, REQUEST_LIMIT).await {
            Ok(response) => response,
            Err(why) => {
                self.recorder.fail(begun, why.reason.clone());
                return Err(why.reason);
            }
        };
        let mut code = response.error_code;
        let mut found = None;
        for partition in response.topics.iter().flat_map(|topic| &topic.partitions) {
            found = Some((partition.error_code, partition.committed_offset));
        }
        for group in &response.groups {
            code = if code == 0 { group.error_code } else { code };
            for partition in group.topics.iter().flat_map(|topic| &topic.partitions) {
                found = Some((partition.error_code, partition.committed_offset));
            }
        }
        let (inner, offset) = found.unwrap_or((0, -1));
        let code = if code == 0 { inner } else { code };
        if code != 0 {
            let reason = error_name(code);
            self.recorder.fail(begun, reason.clone());
            return Err(reason);
        }
        let offset = Some(offset).filter(|offset| *offset >= 0);
        self.recorder.ok(begun, Answer::Offset(offset));
        Ok(offset)
    }
}

impl Member {
    /// Where it begins to read a partition that it is given.
    pub(super) async fn begin_at(
        &mut self,
        partition: Partition,
        topic: &Topic,
        index: i32,
    ) -> Result<i64, Stop> {
        let group = self.plan.name.clone();
        for _ in 0..20 {
            match self.client.committed_offset(&group, topic, index).await {
                Ok(Some(offset)) => {
                    self.committed.insert(partition, offset);
                    return Ok(offset);
                }
                Ok(None) => {
                    self.committed.remove(&partition);
                    if let Ok(offset) = self.client.offset_at(topic, index, EARLIEST).await {
                        let note = Note::Begin { group: group.clone(), partition, offset };
                        self.client.note(note);
                        return Ok(offset);
                    }
                }
                Err(_) => {}
            }
            if let Some(stop) = self.heartbeat_if_due().await {
                return Err(stop);
            }
            self.client.back_off().await;
        }
        Err(Stop::Unclear)
    }

    /// Commits as of the generation before, now and then: whatever is new must be refused.
    pub(super) async fn try_old_generation(&mut self) {
        let is_wanted = !self.client.phases.is_healed() && self.client.dice.chance(MILLION / 8);
        if is_wanted && self.generation > 1 {
            self.client.recorder.count("old generation tried");
            self.commit_first(self.generation - 1).await;
        }
    }

    /// Another process has taken its place: what it commits must be refused.
    pub(super) async fn try_as_replaced(&mut self) {
        if self.generation < 1 {
            return;
        }
        self.client.recorder.count("replaced member tried");
        if self.commit_first(self.generation).await {
            let detail = format!("{}: {}", self.plan.name, self.member_id);
            self.client
                .recorder
                .violation("a static member that was replaced commits nothing", detail);
        }
    }

    /// Commits where it is in the first partition that it has, if it has one. Whether that was accepted.
    async fn commit_first(&mut self, generation: i32) -> bool {
        let first = self.positions.iter().next();
        let first = first.map(|(partition, position)| (*partition, position.clone()));
        let Some((partition, position)) = first else { return false };
        let (group, offset) = (self.plan.name.clone(), position.offset);
        let commit = Commit { group, generation, partition, offset };
        let member = (self.member_id.clone(), self.instance_id.clone());
        let named = (position.topic.as_str(), position.id, position.index);
        let least = if self.instance_id.is_some() { 7 } else { 2 };
        self.client.commit_one(commit, member, named, least).await
    }

    /// Commits what was processed.
    pub(super) async fn commit(&mut self) -> Result<(), Stop> {
        let changed: Vec<_> = self
            .positions
            .iter()
            .filter(|(partition, position)| self.committed.get(partition) != Some(&position.offset))
            .map(|(partition, position)| (*partition, position.clone()))
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let begun: Vec<_> = changed
            .iter()
            .map(|(partition, position)| {
                self.client.invoke(Call::Commit(Commit {
                    group: self.plan.name.clone(),
                    generation: self.generation,
                    partition: *partition,
                    offset: position.offset,
                }))
            })
            .collect();
        let topics = changed.iter().map(|(_, position)| OffsetCommitRequestTopic {
            name: position.topic.clone(),
            topic_id: position.id,
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: position.index,
                committed_offset: position.offset,
                committed_leader_epoch: -1,
                committed_metadata: self
                    .client
                    .dice
                    .chance(MILLION / 2)
                    .then(|| "as far as this".into()),
            }],
        });
        let request = OffsetCommitRequest {
            group_id: self.plan.name.clone(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            topics: topics.collect(),
            ..Default::default()
        };
        let least = if self.instance_id.is_some() { 7 } else { 2 };
        let version = self.client.version(ApiKey::OffsetCommit, least);
        let response = match self.client.call(&request, version, REQUEST_LIMIT).await {
            Ok(response) => response,
            Err(why) => {
                for begun in begun {
                    if why.never_sent {
                        self.client.recorder.fail(begun, why.reason.clone());
                    } else {
                        self.client.recorder.info(begun, why.reason.clone());
                    }
                }
                return Err(Stop::Unclear);
            }
        };
        let answers: Vec<_> = response
            .topics
            .into_iter()
            .flat_map(|topic| {
                let (name, id) = (topic.name, topic.topic_id);
                let partitions = topic.partitions.into_iter();
                partitions.map(move |partition| (name.clone(), id, partition))
            })
            .collect();
        let mut result = Ok(());
        for ((partition, position), begun) in changed.into_iter().zip(begun) {
            let answer = answers.iter().find(|(name, id, answer)| {
                (*name == position.topic || *id == position.id)
                    && answer.partition_index == position.index
            });
            let code = answer.map_or(-1, |(.., answer)| answer.error_code);
            let error = ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError);
            if error == ErrorCode::None {
                self.client.recorder.ok(begun, Answer::Done);
                self.committed.insert(partition, position.offset);
                continue;
            }
            if is_refused(error) {
                self.client.recorder.fail(begun, error.name());
            } else {
                self.client.recorder.info(begun, error.name());
            }
            result = Err(Stop::of(error));
        }
        result
    }
}

/// Whether a commit was certainly not carried out. A coordinator that cannot write answers as one that has moved.
pub(in crate::workload) const fn is_refused(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::IllegalGeneration
            | ErrorCode::UnknownMemberId
            | ErrorCode::FencedInstanceId
            | ErrorCode::RebalanceInProgress
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::OffsetMetadataTooLarge
            | ErrorCode::InvalidGroupId
            | ErrorCode::GroupIdNotFound
    )
}
