//! JoinGroup: a member comes, or comes again.

use alloc::{format, string::String, vec::Vec};

use bytes::Bytes;

use super::{Group, GroupContext, GroupState, Member, Protocol, Then, Write};
use crate::{
    machine::{Now, owned},
    session::RequestId,
    types::{ErrorCode, Instant},
    wire::messages::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember},
};

/// For how long a new member is kept that waits for its first answer. It cannot send heartbeats, for it does not know its id;
/// were its client gone, it would stay for ever.
const NEW_MEMBER_TIMEOUT: core::time::Duration = core::time::Duration::from_secs(300);

/// A member that joins.
#[derive(Debug, Clone)]
pub struct Joining {
    /// Its request.
    pub request: RequestId,
    /// The version of the request.
    pub version: i16,
    /// What its program calls itself.
    pub client_id: String,
    /// Where it is.
    pub client_host: String,
    /// What it asks.
    pub body: JoinGroupRequest,
}

/// A JoinGroup that is refused.
pub fn refuse(member_id: String, error: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse { error_code: error.code(), member_id, ..Default::default() }
}

pub(super) fn after_ms(now: Now, milliseconds: i32) -> Instant {
    let milliseconds = u64::try_from(milliseconds).unwrap_or_default();
    now.instant + core::time::Duration::from_millis(milliseconds)
}

impl Group {
    /// Takes a JoinGroup. The answer may come much later.
    pub fn join(&mut self, mut joining: Joining, context: &mut GroupContext<'_>) {
        joining.body.protocols.iter_mut().for_each(|protocol| {
            protocol.metadata = owned(&protocol.metadata);
        });
        if joining.version < 1 {
            joining.body.rebalance_timeout_ms = joining.body.session_timeout_ms;
        }
        let request = joining.request;
        let member_id = joining.body.member_id.clone();
        let refused = if !self.has_room_for(&member_id, context) {
            self.remove_member(&member_id, ErrorCode::GroupMaxSizeReached, context);
            Some((member_id, ErrorCode::GroupMaxSizeReached))
        } else if member_id.is_empty() {
            self.join_as_new(joining, context)
        } else {
            self.join_again(joining, context)
        };
        if let Some((member_id, error)) = refused {
            context.out.answers.push((request, refuse(member_id, error).into()));
        }
        if self.state == GroupState::PreparingRebalance {
            self.complete_join_if_all_have(context);
        }
    }

    fn has_room_for(&self, member_id: &str, context: &GroupContext<'_>) -> bool {
        let max = context.settings.max_size;
        let known = self.members.get(member_id);
        match self.state {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                let waiting =
                    self.members.values().filter(|member| member.awaiting_join.is_some()).count();
                known.is_some_and(|member| member.awaiting_join.is_some()) || waiting < max
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                known.is_some() || self.members.len() < max
            }
        }
    }

    fn join_as_new(
        &mut self,
        joining: Joining,
        context: &mut GroupContext<'_>,
    ) -> Option<(String, ErrorCode)> {
        let body = &joining.body;
        if self.state == GroupState::Dead {
            return Some((String::new(), ErrorCode::CoordinatorNotAvailable));
        }
        if !self.supports(&body.protocol_type, body.protocols.iter().map(|p| p.name.as_str())) {
            return Some((String::new(), ErrorCode::InconsistentGroupProtocol));
        }
        if let Some(instance_id) = body.group_instance_id.clone() {
            let member_id = new_member_id(&instance_id, context);
            if self.static_members.contains_key(&instance_id) {
                self.replace_static(&instance_id, member_id, joining, context);
            } else {
                self.add_member(member_id, joining, context);
            }
            return None;
        }
        let member_id = new_member_id(&joining.client_id, context);
        if joining.version >= 4 {
            // The member joins again with this id, so that one whose first answer is lost is not counted twice (KIP-394).
            let deadline = after_ms(context.now, body.session_timeout_ms);
            self.pending_members.insert(member_id.clone(), deadline);
            return Some((member_id, ErrorCode::MemberIdRequired));
        }
        self.add_member(member_id, joining, context);
        None
    }

    fn join_again(
        &mut self,
        joining: Joining,
        context: &mut GroupContext<'_>,
    ) -> Option<(String, ErrorCode)> {
        let body = &joining.body;
        let member_id = body.member_id.clone();
        if self.state == GroupState::Dead {
            return Some((member_id, ErrorCode::CoordinatorNotAvailable));
        }
        if !self.supports(&body.protocol_type, body.protocols.iter().map(|p| p.name.as_str())) {
            return Some((member_id, ErrorCode::InconsistentGroupProtocol));
        }
        if body.group_instance_id.is_none() && self.pending_members.remove(&member_id).is_some() {
            self.add_member(member_id, joining, context);
            return None;
        }
        if let Err(error) = self.identify(&member_id, body.group_instance_id.as_deref()) {
            return Some((member_id, error));
        }
        let same = self.members[&member_id].protocols == protocols(&joining);
        let is_leader = self.leader.as_ref() == Some(&member_id);
        match self.state {
            GroupState::Empty | GroupState::Dead => Some((member_id, ErrorCode::UnknownMemberId)),
            GroupState::PreparingRebalance => {
                self.update_member(&member_id, joining, context);
                self.rebalance_or_complete_join("a member joined again", context);
                None
            }
            // It did not get the answer to its last JoinGroup: it gets it once more.
            GroupState::CompletingRebalance if same => {
                self.answer_join_again(&member_id, joining.request, context);
                None
            }
            GroupState::Stable if same && !is_leader => {
                self.answer_join_again(&member_id, joining.request, context);
                None
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                let reason =
                    if same { "the leader joined again" } else { "a member changed what it wants" };
                self.update_member(&member_id, joining, context);
                self.rebalance_or_complete_join(reason, context);
                None
            }
        }
    }

    /// Whether a member with these assignors can be in the group.
    fn supports<'a>(
        &self,
        protocol_type: &str,
        mut names: impl Iterator<Item = &'a str> + Clone,
    ) -> bool {
        if protocol_type.is_empty() || names.clone().next().is_none() {
            return false;
        }
        if self.state == GroupState::Empty {
            return true;
        }
        if self.protocol_type.as_deref().is_some_and(|known| known != protocol_type) {
            return false;
        }
        names.any(|name| self.members.values().all(|member| member.metadata(name).is_some()))
    }

    fn add_member(&mut self, member_id: String, joining: Joining, context: &mut GroupContext<'_>) {
        if self.state == GroupState::PreparingRebalance
            && self.join_deadline.is_some_and(|deadline| deadline.initial_remaining_ms.is_some())
        {
            self.new_member_added = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(joining.body.protocol_type.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(member_id.clone());
        }
        let instance_id = joining.body.group_instance_id.clone();
        if let Some(instance_id) = instance_id.clone() {
            self.static_members.insert(instance_id, member_id.clone());
        }
        let member = Member {
            id: member_id.clone(),
            instance_id,
            rebalance_timeout_ms: joining.body.rebalance_timeout_ms,
            session_timeout_ms: joining.body.session_timeout_ms,
            protocols: protocols(&joining),
            assignment: Bytes::new(),
            awaiting_join: Some(joining.request),
            awaiting_sync: None,
            session_deadline: context.now.instant + NEW_MEMBER_TIMEOUT,
            is_new: true,
            client_id: joining.client_id,
            client_host: joining.client_host,
        };
        let reason = format!("member {member_id} joined");
        self.members.insert(member_id, member);
        self.rebalance_or_complete_join(&reason, context);
    }

    fn update_member(&mut self, member_id: &str, joining: Joining, context: &mut GroupContext<'_>) {
        let protocols = protocols(&joining);
        let Some(member) = self.members.get_mut(member_id) else { return };
        member.protocols = protocols;
        member.rebalance_timeout_ms = joining.body.rebalance_timeout_ms;
        member.session_timeout_ms = joining.body.session_timeout_ms;
        if let Some(earlier) = member.awaiting_join.replace(joining.request) {
            let answer = refuse(member_id.into(), ErrorCode::RebalanceInProgress);
            context.out.answers.push((earlier, answer.into()));
        }
    }

    /// A new process has taken the place of a static member.
    fn replace_static(
        &mut self,
        instance_id: &str,
        member_id: String,
        joining: Joining,
        context: &mut GroupContext<'_>,
    ) {
        let Some(old_id) = self.static_members.insert(instance_id.into(), member_id.clone()) else {
            return;
        };
        let Some(mut member) = self.members.remove(&old_id) else { return };
        self.fence_waiting(&mut member, context);
        let was_leader = self.leader.as_ref() == Some(&old_id);
        if was_leader {
            self.leader = Some(member_id.clone());
        }
        member.id.clone_from(&member_id);
        self.pending_sync.remove(&old_id);
        let protocols = protocols(&joining);
        member.protocols = protocols;
        member.client_id.clone_from(&joining.client_id);
        member.client_host.clone_from(&joining.client_host);
        member.rebalance_timeout_ms = joining.body.rebalance_timeout_ms;
        member.session_timeout_ms = joining.body.session_timeout_ms;
        member.session_deadline = after_ms(context.now, member.session_timeout_ms);
        member.is_new = false;
        let request = joining.request;
        let version = joining.version;
        self.members.insert(member_id.clone(), member);
        match self.state {
            // The assignment stands: the new process goes on where the old one was, also with another subscription. Even if it
            // wants the same, the bytes differ, for they tell what it owned.
            GroupState::Stable if self.select_protocol() == self.protocol => {
                let response = self.static_again(&member_id, &old_id, was_leader, version);
                let records = [self.record()].into();
                let then = Then::ReplaceStatic { request, response };
                context.out.writes.push(Write { group: self.id.clone(), records, then });
            }
            GroupState::Empty | GroupState::Dead => {
                let answer = refuse(member_id, ErrorCode::UnknownMemberId);
                context.out.answers.push((request, answer.into()));
            }
            GroupState::Stable
            | GroupState::CompletingRebalance
            | GroupState::PreparingRebalance => {
                if let Some(member) = self.members.get_mut(&member_id) {
                    member.awaiting_join = Some(request);
                }
                let reason = format!("static member {instance_id} came back as {member_id}");
                self.rebalance_or_complete_join(&reason, context);
            }
        }
    }

    /// The answer to a static member that takes its place again. Were it told that it leads, it would assign anew what is
    /// assigned; so it is told to leave that be (KIP-814), or, if it is too old for that, that somebody else leads.
    fn static_again(
        &self,
        member_id: &str,
        old_id: &str,
        was_leader: bool,
        version: i16,
    ) -> JoinGroupResponse {
        let can_skip = version >= 9;
        let leads = was_leader && can_skip;
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: match &self.leader {
                Some(_) if was_leader && !can_skip => old_id.into(),
                leader => leader.clone().unwrap_or_default(),
            },
            skip_assignment: leads,
            member_id: member_id.into(),
            members: if leads { self.describe_to_leader() } else { Vec::new() },
            ..Default::default()
        }
    }

    /// What was asked by the process before is answered: it is not the member any more.
    fn fence_waiting(&self, member: &mut Member, context: &mut GroupContext<'_>) {
        let error = ErrorCode::FencedInstanceId;
        if let Some(request) = member.awaiting_join.take() {
            let answer = refuse(member.id.clone(), error);
            context.out.answers.push((request, answer.into()));
        }
        if let Some(request) = member.awaiting_sync.take() {
            context.out.answers.push((request, super::sync::refuse(error).into()));
        }
    }

    /// Tells a member once more what the current generation is.
    fn answer_join_again(
        &mut self,
        member_id: &str,
        request: RequestId,
        context: &mut GroupContext<'_>,
    ) {
        let response = self.join_response(member_id);
        context.out.answers.push((request, response.into()));
    }

    /// What a member is told of the current generation; the leader is told who the others are.
    pub(super) fn join_response(&self, member_id: &str) -> JoinGroupResponse {
        let leads = self.leader.as_deref() == Some(member_id);
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: member_id.into(),
            members: if leads { self.describe_to_leader() } else { Vec::new() },
            ..Default::default()
        }
    }

    fn describe_to_leader(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.values().map(|member| JoinGroupResponseMember {
            member_id: member.id.clone(),
            group_instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol).cloned().unwrap_or_default(),
        });
        members.collect()
    }
}

fn protocols(joining: &Joining) -> Vec<Protocol> {
    let protocols = joining.body.protocols.iter();
    let protocols = protocols
        .map(|known| Protocol { name: known.name.clone(), metadata: known.metadata.clone() });
    protocols.collect()
}

/// An id for a new member: who it is, and 128 random bits in the usual form.
fn new_member_id(prefix: &str, context: &mut GroupContext<'_>) -> String {
    let random = crate::types::Uuid::from_random(context.random.next_u128()).to_bytes();
    let mut id = format!("{prefix}-");
    for (index, byte) in random.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            id.push('-');
        }
        id.push_str(&format!("{byte:02x}"));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        group::{GroupSettings, Outbox},
        machine::{ConnectionId, Random},
        types::Timestamp,
        wire::{
            Response,
            messages::{join_group::JoinGroupRequestProtocol, sync_group::SyncGroupRequest},
        },
    };

    const GENERATION: i32 = 1;

    fn ask(group: &mut Group, act: impl FnOnce(&mut Group, &mut GroupContext<'_>)) -> Outbox {
        let mut out = Outbox::default();
        let settings = GroupSettings {
            min_session_timeout_ms: 0,
            max_session_timeout_ms: i32::MAX,
            initial_rebalance_delay_ms: 0,
            max_size: usize::MAX,
            offset_metadata_max_bytes: 0,
            offsets_retention_ms: 0,
        };
        let now = Now { instant: Instant(0), timestamp: Timestamp(0) };
        // Another stream each time, so that no member gets the id of another.
        let mut random = Random::new(u64::try_from(group.generation).expect("it counts up"));
        act(group, &mut GroupContext { now, settings, random: &mut random, out: &mut out });
        group.check();
        out
    }

    fn joining(version: i16, assignor: &str, subscription: &'static str) -> Joining {
        let protocol = JoinGroupRequestProtocol {
            name: assignor.into(),
            metadata: Bytes::from_static(subscription.as_bytes()),
        };
        Joining {
            request: RequestId { connection: ConnectionId(1), number: 1 },
            version,
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            body: JoinGroupRequest {
                session_timeout_ms: 30_000,
                rebalance_timeout_ms: 30_000,
                group_instance_id: Some("place".into()),
                protocol_type: "consumer".into(),
                protocols: [protocol].into(),
                ..Default::default()
            },
        }
    }

    /// A stable group of one static member, and the member's id.
    fn stable() -> (Group, String) {
        let mut group = Group::new("group".into(), Timestamp(0));
        ask(&mut group, |group, context| group.join(joining(9, "range", "first"), context));
        let member_id = group.leader.clone().expect("the only member leads");
        let request = RequestId { connection: ConnectionId(1), number: 2 };
        let body = SyncGroupRequest {
            generation_id: GENERATION,
            member_id: member_id.clone(),
            ..Default::default()
        };
        let mut out =
            ask(&mut group, |group, context| group.sync(request, body, context)).writes.into_iter();
        let Some(Write { then: Then::Assign { generation, assignments }, .. }) = out.next() else {
            panic!("the leader's assignment is written down");
        };
        ask(&mut group, |group, context| group.assigned(generation, assignments, Ok(()), context));
        assert_eq!(group.state(), GroupState::Stable);
        (group, member_id)
    }

    /// What the new process of the static member is told once it is written down.
    fn come_back(group: &mut Group, joining: Joining) -> JoinGroupResponse {
        let out = ask(group, |group, context| group.join(joining, context));
        match out.writes.into_iter().next().map(|write| write.then) {
            Some(Then::ReplaceStatic { response, .. }) => response,
            other => panic!("the static member is replaced, not {other:?}"),
        }
    }

    #[test]
    fn a_static_leader_comes_back_to_its_assignment_with_another_subscription() {
        let (mut group, old_id) = stable();
        let told = come_back(&mut group, joining(9, "range", "second"));
        assert_eq!((group.state(), told.generation_id), (GroupState::Stable, GENERATION));
        assert!(told.skip_assignment, "or it would assign anew");
        assert_ne!(told.member_id, old_id);
        assert_eq!(told.leader, told.member_id);
    }

    #[test]
    fn a_static_leader_too_old_to_skip_the_assignment_is_told_that_its_old_id_leads() {
        let (mut group, old_id) = stable();
        let told = come_back(&mut group, joining(8, "range", "first"));
        assert_eq!(told.leader, old_id);
        assert_ne!(told.member_id, old_id);
        assert!(!told.skip_assignment && told.members.is_empty());
    }

    #[test]
    fn another_assignor_of_a_static_member_that_comes_back_is_a_reason_to_rebalance() {
        let (mut group, _) = stable();
        let mut other = joining(9, "range", "first");
        let preferred = JoinGroupRequestProtocol { name: "sticky".into(), metadata: Bytes::new() };
        other.body.protocols.insert(0, preferred);
        let out = ask(&mut group, |group, context| group.join(other, context));
        assert!(out.writes.is_empty(), "nothing stands");
        let Some((_, Response::JoinGroup(told))) = out.answers.into_iter().next() else {
            panic!("it is the only member: the next generation begins at once");
        };
        assert_eq!((told.error_code, told.generation_id), (0, GENERATION + 1));
        assert_eq!(told.protocol_name.as_deref(), Some("sticky"));
    }
}
