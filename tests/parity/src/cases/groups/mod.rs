//! Groups of the classic protocol: what their cases share, and one module for each API.

mod delete_groups;
mod describe_groups;
mod heartbeat;
mod join_group;
mod leave_group;
mod list_groups;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod rebalance;
mod static_members;
mod sync_group;
mod timeouts;

use bytes::Bytes;
use ottla_core::{
    types::{ErrorCode, Uuid},
    wire::{
        Version, Wire, Writer,
        messages::{
            consumer_protocol::ConsumerProtocolSubscription,
            heartbeat::HeartbeatRequest,
            join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse},
            leave_group::{LeaveGroupRequest, MemberIdentity},
            offset_commit::{
                OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
            },
            sync_group::{SyncGroupRequest, SyncGroupRequestAssignment},
        },
    },
};

use super::{Cases, Theme};
use crate::{
    case::{Case, Connection, Pending},
    client::Failure,
    setup::Topic,
};

/// The themes of this module.
pub(super) const THEMES: &[Theme] = &[
    ("delete-groups", delete_groups::cases),
    ("describe-groups", describe_groups::cases),
    ("group-rebalance", rebalance::cases),
    ("group-static-members", static_members::cases),
    ("group-timeouts", timeouts::cases),
    ("heartbeat", heartbeat::cases),
    ("join-group", join_group::cases),
    ("leave-group", leave_group::cases),
    ("list-groups", list_groups::cases),
    ("offset-commit", offset_commit::cases),
    ("offset-delete", offset_delete::cases),
    ("offset-fetch", offset_fetch::cases),
    ("sync-group", sync_group::cases),
];

/// Newest versions, which set-ups use.
const JOIN: i16 = 9;
const SYNC: i16 = 5;
const HEARTBEAT: i16 = 4;
const LEAVE: i16 = 5;
/// The newest versions that name topics.
const COMMIT: i16 = 9;

/// The first version in which a new member is sent back to ask again with the id that it is given.
const JOIN_NEEDS_ID: i16 = 4;

const PROTOCOL_TYPE: &str = "consumer";
const PROTOCOL: &str = "range";

/// A member of a group, as of a generation.
#[derive(Debug, Clone)]
struct Member {
    group: String,
    id: String,
    generation: i32,
}

/// A consumer's subscription, as it stands in a JoinGroup.
fn subscription(topics: &[&str]) -> Bytes {
    let plain = Version { number: 0, flexible: false };
    let mut bytes = Writer::new();
    bytes.put_i16(plain.number);
    let topics = topics.iter().map(|&topic| topic.to_owned()).collect();
    ConsumerProtocolSubscription { topics, ..Default::default() }.encode(&mut bytes, plain);
    bytes.freeze()
}

fn protocols(names: &[&str]) -> Vec<JoinGroupRequestProtocol> {
    names
        .iter()
        .map(|&name| JoinGroupRequestProtocol {
            name: name.to_owned(),
            metadata: subscription(&["t"]),
        })
        .collect()
}

/// A JoinGroup of a usual consumer; the empty id is that of a new member.
fn join(group: &str, member_id: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.to_owned(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        member_id: member_id.to_owned(),
        protocol_type: PROTOCOL_TYPE.to_owned(),
        protocols: protocols(&[PROTOCOL]),
        ..Default::default()
    }
}

impl Member {
    /// Of the answer to its JoinGroup.
    fn of(group: &str, joined: &JoinGroupResponse) -> Self {
        Self {
            group: group.to_owned(),
            id: joined.member_id.clone(),
            generation: joined.generation_id,
        }
    }

    fn join(&self) -> JoinGroupRequest {
        join(&self.group, &self.id)
    }

    /// A SyncGroup; a leader's has an assignment for each of these members, the name of which it carries.
    fn sync(&self, assigned: &[&Self]) -> SyncGroupRequest {
        let assignments =
            assigned.iter().enumerate().map(|(index, member)| SyncGroupRequestAssignment {
                member_id: member.id.clone(),
                assignment: format!("part {index}").into(),
            });
        SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            protocol_type: Some(PROTOCOL_TYPE.to_owned()),
            protocol_name: Some(PROTOCOL.to_owned()),
            assignments: assignments.collect(),
            ..Default::default()
        }
    }

    fn heartbeat(&self) -> HeartbeatRequest {
        HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            ..Default::default()
        }
    }

    /// A LeaveGroup of this version: the newer ones take several members.
    fn leave(&self, version: i16) -> LeaveGroupRequest {
        if version < 3 {
            let member_id = self.id.clone();
            return LeaveGroupRequest {
                group_id: self.group.clone(),
                member_id,
                ..Default::default()
            };
        }
        leave(&self.group, &[(&self.id, None)])
    }
}

/// A LeaveGroup of several members, each with an id or an instance id.
fn leave(group: &str, members: &[(&str, Option<&str>)]) -> LeaveGroupRequest {
    let members = members.iter().map(|&(member_id, instance_id)| MemberIdentity {
        member_id: member_id.to_owned(),
        group_instance_id: instance_id.map(str::to_owned),
        ..Default::default()
    });
    LeaveGroupRequest {
        group_id: group.to_owned(),
        members: members.collect(),
        ..Default::default()
    }
}

/// An OffsetCommit for partitions of a topic by name, of nobody in particular.
fn commit(group: &str, topic: &str, offsets: &[(i32, i64)]) -> OffsetCommitRequest {
    let partitions =
        offsets.iter().map(|&(partition_index, committed_offset)| OffsetCommitRequestPartition {
            partition_index,
            committed_offset,
            committed_metadata: Some("m".to_owned()),
            ..Default::default()
        });
    OffsetCommitRequest {
        group_id: group.to_owned(),
        topics: vec![OffsetCommitRequestTopic {
            name: topic.to_owned(),
            topic_id: Uuid::ZERO,
            partitions: partitions.collect(),
        }],
        ..Default::default()
    }
}

impl Case {
    /// Makes a member that has joined and is about to be assigned something.
    fn joined_member(&mut self, group: &str) -> Result<Member, Failure> {
        let given = self.quiet(JOIN, join(group, ""))?;
        let joined = self.quiet(JOIN, join(group, &given.member_id))?;
        if joined.error_code != 0 {
            return Err(Failure::Unexpected(format!("the member did not join: {joined:?}")));
        }
        Ok(Member::of(group, &joined))
    }

    /// Makes a group of one member that is stable.
    fn stable_member(&mut self, group: &str) -> Result<Member, Failure> {
        let member = self.joined_member(group)?;
        let synced = self.quiet(SYNC, member.sync(&[&member]))?;
        if synced.error_code != 0 {
            return Err(Failure::Unexpected(format!("the group is not stable: {synced:?}")));
        }
        Ok(member)
    }

    /// Has a second member join on another connection, and waits until the first would learn of it. Returns the second
    /// member's id, and its JoinGroup, which is not answered before the first member joins again.
    fn begin_rebalance(
        &mut self,
        connection: Connection,
        first: &Member,
    ) -> Result<(String, Pending<JoinGroupRequest>), Failure> {
        let given = self.ask_on(connection, JOIN, join(&first.group, ""))?;
        let pending = self.send(connection, JOIN, join(&first.group, &given.member_id))?;
        self.until(HEARTBEAT, first.heartbeat(), |answer| {
            answer.error_code == ErrorCode::RebalanceInProgress.code()
        })?;
        Ok((given.member_id, pending))
    }

    /// Commits offsets of a topic's partitions for a group that has no members.
    fn committed(
        &mut self,
        group: &str,
        topic: &Topic,
        offsets: &[(i32, i64)],
    ) -> Result<(), Failure> {
        let answer = self.quiet(COMMIT, commit(group, &topic.name, offsets))?;
        let mut partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
        if partitions.all(|partition| partition.error_code == 0) {
            return Ok(());
        }
        Err(Failure::Unexpected(format!("offsets were not committed: {answer:?}")))
    }

    /// Makes a group without members that has an offset.
    fn empty_group(&mut self, label: &str) -> Result<String, Failure> {
        let group = self.name(label);
        let topic = self.topic(&format!("topic-of-{label}"), 1)?;
        self.committed(&group, &topic, &[(0, 5)])?;
        Ok(group)
    }
}
