//! The records of `__consumer_offsets`, in Kafka's formats.
//!
//! A key begins with the number of its kind, a value with the version of its encoding.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use bytes::Bytes;

use super::{
    CommittedOffset, Group, GroupRecord, GroupState, Member, OffsetKey, Protocol, join::after_ms,
};
use crate::{
    machine::Now,
    types::{LeaderEpoch, Offset, Timestamp, TopicId, Uuid},
    wire::{
        DecodeError, Reader, Version, Wire, Writer,
        messages::group_records::{
            GroupMetadataKey, GroupMetadataValue, MemberMetadata, OffsetCommitKey,
            OffsetCommitValue,
        },
    },
};

const OFFSET_KEY: i16 = 1;
/// Older brokers wrote offset keys of this kind, with the same fields.
const OFFSET_KEY_LEGACY: i16 = 0;
const GROUP_KEY: i16 = 2;

const KEY: Version = Version { number: 0, flexible: false };
const GROUP_VALUE: i16 = 3;
/// The version with a topic id, which is the first flexible one.
const OFFSET_VALUE: i16 = 4;

const fn group_version(number: i16) -> Version {
    Version { number, flexible: number >= 4 }
}

const fn offset_version(number: i16) -> Version {
    Version { number, flexible: number >= 4 }
}

fn encode(leading: i16, version: Version, message: &impl Wire) -> Bytes {
    let mut writer = Writer::new();
    writer.put_i16(leading);
    message.encode(&mut writer, version);
    writer.freeze()
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// A group is so.
    Group(String, GroupMetadataValue),
    /// A group is gone.
    GroupGone(String),
    /// An offset was committed.
    Offset(String, OffsetKey, CommittedOffset),
    /// An offset is gone.
    OffsetGone(String, OffsetKey),
    /// Something that this program does not know, from a later one.
    Unknown,
}

/// Reads a record.
pub fn read(key: Bytes, value: Option<Bytes>) -> Result<Read, DecodeError> {
    let mut key = Reader::new(key);
    match i16::decode(&mut key, KEY)? {
        OFFSET_KEY | OFFSET_KEY_LEGACY => {
            let OffsetCommitKey { group, topic, partition } =
                OffsetCommitKey::decode(&mut key, KEY)?;
            let offset_key = OffsetKey { topic, partition };
            let Some(value) = value else { return Ok(Read::OffsetGone(group, offset_key)) };
            let mut value = Reader::new(value);
            let version = offset_version(i16::decode(&mut value, KEY)?);
            let value = OffsetCommitValue::decode(&mut value, version)?;
            let committed = CommittedOffset {
                offset: Offset(value.offset),
                leader_epoch: (value.leader_epoch != -1).then_some(LeaderEpoch(value.leader_epoch)),
                metadata: value.metadata,
                commit_timestamp: Timestamp(value.commit_timestamp),
                expire_timestamp: (value.expire_timestamp >= 0)
                    .then_some(Timestamp(value.expire_timestamp)),
                topic_id: (value.topic_id != Uuid::ZERO).then_some(TopicId(value.topic_id)),
            };
            Ok(Read::Offset(group, offset_key, committed))
        }
        GROUP_KEY => {
            let GroupMetadataKey { group } = GroupMetadataKey::decode(&mut key, KEY)?;
            let Some(value) = value else { return Ok(Read::GroupGone(group)) };
            let mut value = Reader::new(value);
            let version = group_version(i16::decode(&mut value, KEY)?);
            Ok(Read::Group(group, GroupMetadataValue::decode(&mut value, version)?))
        }
        _ => Ok(Read::Unknown),
    }
}

/// The record of a committed offset, or its tombstone.
pub fn offset_record(
    group: &str,
    key: &OffsetKey,
    committed: Option<&CommittedOffset>,
) -> GroupRecord {
    let OffsetKey { topic, partition } = key.clone();
    let key = OffsetCommitKey { group: group.into(), topic, partition };
    let value = committed.map(|committed| {
        // The version with a topic id has no place for an expiry, which only the oldest clients ask for.
        let number = match committed.expire_timestamp {
            Some(_) => 1,
            None if committed.topic_id.is_some() => OFFSET_VALUE,
            None => 3,
        };
        let value = OffsetCommitValue {
            offset: committed.offset.0,
            leader_epoch: committed.leader_epoch.map_or(-1, |epoch| epoch.0),
            metadata: committed.metadata.clone(),
            commit_timestamp: committed.commit_timestamp.0,
            expire_timestamp: committed.expire_timestamp.map_or(-1, |timestamp| timestamp.0),
            topic_id: committed.topic_id.map_or(Uuid::ZERO, |id| id.0),
        };
        encode(number, offset_version(number), &value)
    });
    (encode(OFFSET_KEY, KEY, &key), value)
}

/// The tombstone of a group.
pub fn group_tombstone(group: &str) -> GroupRecord {
    (encode(GROUP_KEY, KEY, &GroupMetadataKey { group: group.into() }), None)
}

impl Group {
    /// The group as a record.
    pub(super) fn record(&self) -> GroupRecord {
        let assignments = self.members.values();
        let assignments =
            assignments.map(|member| (member.id.clone(), member.assignment.clone())).collect();
        self.record_with(&assignments)
    }

    /// The group as a record, with these assignments.
    pub(super) fn record_with(&self, assignments: &BTreeMap<String, Bytes>) -> GroupRecord {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.values().map(|member| MemberMetadata {
            member_id: member.id.clone(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout: member.rebalance_timeout_ms,
            session_timeout: member.session_timeout_ms,
            subscription: member.metadata(protocol).cloned().unwrap_or_default(),
            assignment: assignments.get(&member.id).cloned().unwrap_or_default(),
        });
        let value = GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            current_state_timestamp: self.state_since.0,
            members: members.collect(),
        };
        let key = GroupMetadataKey { group: self.id.clone() };
        let value = encode(GROUP_VALUE, group_version(GROUP_VALUE), &value);
        (encode(GROUP_KEY, KEY, &key), Some(value))
    }

    /// Takes over what a record says of the group.
    pub(super) fn restore(&mut self, value: GroupMetadataValue, now: Now) {
        self.protocol_type = Some(value.protocol_type).filter(|kind| !kind.is_empty());
        self.generation = value.generation;
        self.protocol = value.protocol;
        self.members.clear();
        self.static_members.clear();
        for member in value.members {
            let protocol = self.protocol.clone().unwrap_or_default();
            if let Some(instance_id) = &member.group_instance_id {
                self.static_members.insert(instance_id.clone(), member.member_id.clone());
            }
            let restored = Member {
                id: member.member_id.clone(),
                instance_id: member.group_instance_id,
                client_id: member.client_id,
                client_host: member.client_host,
                rebalance_timeout_ms: if member.rebalance_timeout < 0 {
                    member.session_timeout
                } else {
                    member.rebalance_timeout
                },
                session_timeout_ms: member.session_timeout,
                protocols: Vec::from([Protocol { name: protocol, metadata: member.subscription }]),
                assignment: member.assignment,
                awaiting_join: None,
                awaiting_sync: None,
                session_deadline: after_ms(now, member.session_timeout),
                is_new: false,
            };
            self.members.insert(member.member_id, restored);
        }
        self.leader = value.leader.filter(|leader| self.members.contains_key(leader));
        if self.leader.is_none() {
            self.leader = self.members.keys().next().cloned();
        }
        let is_stable = !self.members.is_empty() && self.protocol.is_some();
        self.state = if is_stable { GroupState::Stable } else { GroupState::Empty };
        if !is_stable {
            self.members.clear();
            self.static_members.clear();
            self.leader = None;
        }
        self.state_since = if value.current_state_timestamp >= 0 {
            Timestamp(value.current_state_timestamp)
        } else {
            now.timestamp
        };
    }
}
