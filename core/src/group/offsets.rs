//! Committed offsets.

use alloc::{collections::BTreeSet, string::String, vec::Vec};

use super::{Group, GroupContext, GroupState, Then, Write, records};
use crate::{
    mutants::{Mutant, planted},
    session::RequestId,
    types::{ErrorCode, LeaderEpoch, Offset, Timestamp, TopicId},
    wire::{
        Reader, Version, Wire,
        messages::{
            consumer_protocol::ConsumerProtocolSubscription, offset_commit::OffsetCommitResponse,
        },
    },
};

/// What an offset is committed for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OffsetKey {
    /// The topic's name.
    pub topic: String,
    /// The partition of it.
    pub partition: i32,
}

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommittedOffset {
    /// The offset of the next record to be processed.
    pub offset: Offset,
    /// The epoch of the last record that was processed.
    pub leader_epoch: Option<LeaderEpoch>,
    /// Whatever the client has to say of it.
    pub metadata: String,
    /// When it was committed, by the broker's clock.
    pub commit_timestamp: Timestamp,
    /// When it expires, if the client said so.
    pub expire_timestamp: Option<Timestamp>,
    /// Which topic of that name it was: an offset of a topic that was deleted means nothing in one made after it.
    pub topic_id: Option<TopicId>,
}

/// Who commits.
#[derive(Debug, Clone, Copy)]
pub struct Committer<'a> {
    /// The member; empty for one that assigns itself.
    pub member_id: &'a str,
    /// Its place, if it keeps it over restarts.
    pub instance_id: Option<&'a str>,
    /// The generation that it knows; negative for one that assigns itself.
    pub generation: i32,
}

/// The kind of groups that consumers form.
const CONSUMER: &str = "consumer";

impl Group {
    /// The committed offsets.
    pub fn offsets(&self) -> impl Iterator<Item = (&OffsetKey, &CommittedOffset)> {
        self.offsets.iter()
    }

    /// A committed offset.
    pub fn offset(&self, key: &OffsetKey) -> Option<&CommittedOffset> {
        self.offsets.get(key)
    }

    /// How many offsets are committed.
    pub fn offset_count(&self) -> usize {
        self.offsets.len()
    }

    /// Whether somebody may commit, and that it lives.
    pub fn check_commit(
        &mut self,
        committer: Committer<'_>,
        context: &GroupContext<'_>,
    ) -> Result<(), ErrorCode> {
        let Committer { member_id, instance_id, generation } = committer;
        if self.state == GroupState::Dead {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        if generation < 0 && self.state == GroupState::Empty {
            return Ok(());
        }
        if generation < 0 && member_id.is_empty() && instance_id.is_none() {
            // An administrator's commit would be overwritten by the members', or overwrite theirs.
            return Err(ErrorCode::UnknownMemberId);
        }
        let known = self.identify(member_id, instance_id);
        let is_fenced = known == Err(ErrorCode::FencedInstanceId);
        if !(is_fenced && planted(Mutant::StaticMemberNotFenced)) {
            known?;
        }
        if generation != self.generation && !planted(Mutant::GenerationNotChecked) {
            return Err(ErrorCode::IllegalGeneration);
        }
        match self.state {
            GroupState::CompletingRebalance => return Err(ErrorCode::RebalanceInProgress),
            GroupState::Stable | GroupState::PreparingRebalance => {
                self.note_alive(member_id, context);
            }
            GroupState::Empty | GroupState::Dead => {}
        }
        Ok(())
    }

    /// Commits offsets: they count once they are written down.
    pub fn commit(
        &self,
        request: RequestId,
        response: OffsetCommitResponse,
        offsets: Vec<(OffsetKey, CommittedOffset)>,
        context: &mut GroupContext<'_>,
    ) {
        if offsets.is_empty() {
            context.out.answers.push((request, response.into()));
            return;
        }
        let records = offsets.iter();
        let records =
            records.map(|(key, offset)| records::offset_record(&self.id, key, Some(offset)));
        let records = records.collect();
        if planted(Mutant::CommitAnsweredEarly) {
            context.out.answers.push((request, response.clone().into()));
        }
        let then = Then::Commit { request, response, offsets };
        context.out.writes.push(Write { group: self.id.clone(), records, then });
    }

    pub(super) fn take_offset(&mut self, key: OffsetKey, offset: CommittedOffset) {
        self.offsets.insert(key, offset);
    }

    pub(super) fn forget_offset(&mut self, key: &OffsetKey) {
        self.offsets.remove(key);
    }

    /// Writes the tombstones of offsets.
    pub fn delete_offsets(
        &self,
        keys: Vec<OffsetKey>,
        request: Option<(RequestId, crate::wire::Response)>,
        context: &mut GroupContext<'_>,
    ) {
        let records = keys.iter().map(|key| records::offset_record(&self.id, key, None)).collect();
        let then = Then::Forget { request, offsets: keys };
        context.out.writes.push(Write { group: self.id.clone(), records, then });
    }

    /// Writes the group's tombstone, and those of all its offsets. From now on nobody joins it and nothing is committed in it: that
    /// would go with it once the tombstones are durable.
    pub fn delete(&mut self, request: Option<(RequestId, usize)>, context: &mut GroupContext<'_>) {
        let mut tombstones: Vec<_> =
            self.offsets.keys().map(|key| records::offset_record(&self.id, key, None)).collect();
        tombstones.push(records::group_tombstone(&self.id));
        let then = Then::Delete { request };
        let group = self.id.clone();
        context.out.writes.push(Write { group, records: tombstones, then });
        // It has been empty since whenever it became so, should its tombstones not be written.
        self.state = GroupState::Dead;
        self.pending_members.clear();
    }

    /// Its tombstones could not be written: it goes on.
    pub(super) fn outlive_deletion(&mut self) {
        if self.state == GroupState::Dead {
            self.state = GroupState::Empty;
        }
    }

    /// The topics that the members of a consumer group want, as far as they can be read.
    pub fn subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if self.protocol_type.as_deref() != Some(CONSUMER) {
            return None;
        }
        let protocol = self.protocol.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            let mut reader = Reader::new(member.metadata(protocol)?.clone());
            let plain = Version { number: 0, flexible: false };
            let number = i16::decode(&mut reader, plain).ok()?;
            let version = Version { number: number.min(3), flexible: false };
            let subscription = ConsumerProtocolSubscription::decode(&mut reader, version).ok()?;
            topics.extend(subscription.topics);
        }
        Some(topics)
    }

    /// Whether an offset of a topic may be deleted.
    pub fn check_offset_deletion(&self, topic: &str) -> Result<(), ErrorCode> {
        match self.state {
            GroupState::Dead => Err(ErrorCode::GroupIdNotFound),
            GroupState::Empty => Ok(()),
            GroupState::PreparingRebalance
            | GroupState::CompletingRebalance
            | GroupState::Stable => match self.subscribed_topics() {
                Some(topics) if topics.contains(topic) => Err(ErrorCode::GroupSubscribedToTopic),
                Some(_) => Ok(()),
                None => Err(ErrorCode::NonEmptyGroup),
            },
        }
    }

    /// Whether the group as such may be asked to delete offsets.
    pub fn can_delete_offsets(&self) -> bool {
        self.members.is_empty() || self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// The offsets that have expired. Those of a group with members never do while it wants their topics, however long it takes
    /// to rebalance (KAFKA-13636); a group without members keeps them for a while after the last has left.
    pub fn expired_offsets(&self, retention_ms: i64, now: Timestamp) -> Vec<OffsetKey> {
        let subscribed = match self.state {
            GroupState::Stable => self.subscribed_topics(),
            GroupState::Empty
            | GroupState::PreparingRebalance
            | GroupState::CompletingRebalance
            | GroupState::Dead => None,
        };
        let expired = |key: &OffsetKey, offset: &CommittedOffset| {
            if let Some(at) = offset.expire_timestamp {
                return self.state == GroupState::Empty && now >= at;
            }
            let since = match (self.state, &self.protocol_type) {
                // It never had members: each offset is by itself.
                (GroupState::Empty, None) => offset.commit_timestamp,
                (GroupState::Empty, Some(_)) => self.state_since.max(offset.commit_timestamp),
                (GroupState::Stable, _) if planted(Mutant::LiveOffsetsExpire) => {
                    offset.commit_timestamp
                }
                (GroupState::Stable, _) => match &subscribed {
                    Some(topics) if !topics.contains(&key.topic) => offset.commit_timestamp,
                    Some(_) | None => return false,
                },
                (
                    GroupState::PreparingRebalance
                    | GroupState::CompletingRebalance
                    | GroupState::Dead,
                    _,
                ) => return false,
            };
            now.0.saturating_sub(since.0) >= retention_ms
        };
        let offsets = self.offsets.iter().filter(|(key, offset)| expired(key, offset));
        offsets.map(|(key, _)| key.clone()).collect()
    }

    /// Whether nothing would be lost with the group.
    pub fn is_forgotten(&self, expired: usize) -> bool {
        self.state == GroupState::Empty
            && self.pending_members.is_empty()
            && self.offsets.len() == expired
    }
}
