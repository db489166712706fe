//! SyncGroup: the leader brings the assignment, the others fetch theirs.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use bytes::Bytes;

use super::{Group, GroupContext, GroupState, Then, Write, join::after_ms};
use crate::{
    machine::owned,
    mutants::{Mutant, planted},
    notice::Notice,
    session::RequestId,
    types::ErrorCode,
    wire::messages::sync_group::{SyncGroupRequest, SyncGroupResponse},
};

/// A SyncGroup that is refused.
pub fn refuse(error: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code: error.code(), ..Default::default() }
}

impl Group {
    /// Takes a SyncGroup. The answer may come later.
    pub fn sync(
        &mut self,
        request: RequestId,
        body: SyncGroupRequest,
        context: &mut GroupContext<'_>,
    ) {
        if let Err(error) = self.check_sync(&body) {
            context.out.answers.push((request, refuse(error).into()));
            return;
        }
        let Some(member) = self.members.get_mut(&body.member_id) else { return };
        member.session_deadline = after_ms(context.now, member.session_timeout_ms);
        let is_told_early = planted(Mutant::AssignedFromLastTime)
            && self.state == GroupState::CompletingRebalance
            && self.leader.as_ref() != Some(&body.member_id);
        match if is_told_early { GroupState::Stable } else { self.state } {
            GroupState::Stable => {
                self.pending_sync.remove(&body.member_id);
                let response = self.sync_response(&body.member_id);
                context.out.answers.push((request, response.into()));
            }
            GroupState::CompletingRebalance => {
                if let Some(earlier) = member.awaiting_sync.replace(request) {
                    let answer = refuse(ErrorCode::RebalanceInProgress);
                    context.out.answers.push((earlier, answer.into()));
                }
                self.pending_sync.remove(&body.member_id);
                if self.leader.as_ref() == Some(&body.member_id) {
                    self.take_assignment(body, context);
                }
            }
            GroupState::Empty | GroupState::PreparingRebalance | GroupState::Dead => {}
        }
    }

    fn check_sync(&self, body: &SyncGroupRequest) -> Result<(), ErrorCode> {
        if self.state == GroupState::Dead {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        self.identify(&body.member_id, body.group_instance_id.as_deref())?;
        if body.generation_id != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |known: &Option<String>, told: &Option<String>| {
            told.is_some() && known.is_some() && told != known
        };
        if differs(&self.protocol_type, &body.protocol_type)
            || differs(&self.protocol, &body.protocol_name)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        match self.state {
            GroupState::Empty | GroupState::Dead => Err(ErrorCode::UnknownMemberId),
            GroupState::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }

    /// The leader has brought the assignment: it counts once it is written down.
    fn take_assignment(&mut self, body: SyncGroupRequest, context: &mut GroupContext<'_>) {
        let mut assignments: BTreeMap<String, Bytes> =
            self.members.keys().map(|id| (id.clone(), Bytes::new())).collect();
        for assignment in body.assignments {
            if let Some(place) = assignments.get_mut(&assignment.member_id) {
                *place = owned(&assignment.assignment);
            }
        }
        let records = [self.record_with(&assignments)].into();
        if planted(Mutant::AssignedBeforeDurable) {
            self.assigned(self.generation, assignments.clone(), Ok(()), context);
        }
        let then = Then::Assign { generation: self.generation, assignments };
        context.out.writes.push(Write { group: self.id.clone(), records, then });
    }

    /// The assignment is written down, or could not be.
    pub(super) fn assigned(
        &mut self,
        generation: i32,
        assignments: BTreeMap<String, Bytes>,
        result: Result<(), ErrorCode>,
        context: &mut GroupContext<'_>,
    ) {
        // Members may have come and gone meanwhile, and a new rebalance begun.
        if self.state != GroupState::CompletingRebalance || self.generation != generation {
            return;
        }
        if let Err(error) = result {
            self.refuse_assignments(error, context);
            self.rebalance_or_complete_join("the assignment could not be written down", context);
            return;
        }
        for (id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = assignment;
            }
        }
        self.go_to(GroupState::Stable, context.now.timestamp);
        context.out.notices.push(Notice::GroupStable {
            group: self.id.clone(),
            generation: self.generation,
            members: self.members.len(),
        });
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let response = self.sync_response(&id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            if let Some(request) = member.awaiting_sync.take() {
                member.session_deadline = after_ms(context.now, member.session_timeout_ms);
                context.out.answers.push((request, response.into()));
            }
        }
        if self.pending_sync.is_empty() {
            self.sync_deadline = None;
        }
    }

    /// Those who wait for an assignment are told that there will be none.
    pub(super) fn refuse_assignments(&mut self, error: ErrorCode, context: &mut GroupContext<'_>) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            if let Some(request) = member.awaiting_sync.take() {
                context.out.answers.push((request, refuse(error).into()));
            }
        }
    }

    fn sync_response(&self, member_id: &str) -> SyncGroupResponse {
        let assignment = self.members.get(member_id).map(|member| member.assignment.clone());
        SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment: assignment.unwrap_or_default(),
            ..Default::default()
        }
    }
}
