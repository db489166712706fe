//! Offsets of a group that has no members: a register that is set, read and deleted.

use ottla_core::{
    types::{ErrorCode, Uuid},
    wire::{
        ApiKey,
        messages::{
            find_coordinator::FindCoordinatorRequest,
            offset_commit::{
                OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
            },
        },
    },
};
use ottla_jepsen::history::{Answer, Call, Commit, Note};

use super::{
    admin::Admin,
    client::{Client, REQUEST_LIMIT, error_name},
    member::offsets::is_refused,
    plan::TopicKind,
};
use crate::dice::MILLION;

/// The group of who assigns partitions to itself.
pub const LONER: &str = "loner";

impl Client {
    /// Commits one offset, as a member with this id and instance id, or as none. Whether it was accepted.
    pub async fn commit_one(
        &mut self,
        commit: Commit,
        (member_id, instance_id): (String, Option<String>),
        (topic, id, index): (&str, Uuid, i32),
        least: i16,
    ) -> bool {
        let begun = self.invoke(Call::Commit(commit.clone()));
        let request = OffsetCommitRequest {
            group_id: commit.group,
            generation_id_or_member_epoch: commit.generation,
            member_id,
            group_instance_id: instance_id,
            topics: vec![OffsetCommitRequestTopic {
                name: topic.to_owned(),
                topic_id: id,
                partitions: vec![OffsetCommitRequestPartition {
                    partition_index: index,
                    committed_offset: commit.offset,
                    committed_leader_epoch: -1,
                    committed_metadata: None,
                }],
            }],
            ..Default::default()
        };
        let version = self.version(ApiKey::OffsetCommit, least);
        let code = match self.call(&request, version, REQUEST_LIMIT).await {
            Ok(response) => {
                let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
                partitions.into_iter().next().map_or(-1, |partition| partition.error_code)
            }
            Err(why) => {
                if why.never_sent {
                    self.recorder.fail(begun, why.reason);
                } else {
                    self.recorder.info(begun, why.reason);
                }
                return false;
            }
        };
        match ErrorCode::from_code(code) {
            Some(ErrorCode::None) => self.recorder.ok(begun, Answer::Done),
            Some(error) if is_refused(error) => self.recorder.fail(begun, error.name()),
            Some(_) | None => self.recorder.info(begun, error_name(code)),
        }
        code == 0
    }
}

impl Admin {
    /// Reads and sets an offset a few times, and deletes it now and then.
    pub(super) async fn keep_an_offset(&mut self) {
        let Some((plan, topic)) = self.client.any_topic(|_| true) else { return };
        let request = FindCoordinatorRequest {
            key: LONER.into(),
            coordinator_keys: vec![LONER.into()],
            ..Default::default()
        };
        let version = self.client.version(ApiKey::FindCoordinator, 1);
        if self.client.call(&request, version, REQUEST_LIMIT).await.is_err() {
            return;
        }
        let index = self.client.any_partition(&topic);
        let partition = self.client.partition(&topic, index);
        // It processes nothing.
        let (group, offset) = (LONER.to_owned(), i64::MAX);
        self.client.note(Note::Begin { group, partition, offset });
        let by_id = plan.kind == TopicKind::Fleeting;
        for _ in 0..self.client.dice.range(1..5) {
            let _ = self.client.committed_offset(LONER, &topic, index).await;
            // That is asked for by name.
            if !by_id && self.client.dice.chance(MILLION / 4) {
                self.delete_offset_of(LONER.into(), &topic, index).await;
            } else {
                let offset = i64::try_from(self.client.dice.below(1 << 40)).unwrap_or(0);
                let group = LONER.to_owned();
                let commit = Commit { group, generation: -1, partition, offset };
                let named = (topic.name.as_str(), topic.id, index);
                let least = if by_id { 10 } else { 2 };
                self.client.commit_one(commit, (String::new(), None), named, least).await;
            }
        }
        let _ = self.client.committed_offset(LONER, &topic, index).await;
    }
}
