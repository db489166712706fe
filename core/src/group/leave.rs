//! LeaveGroup: members go in order.

use alloc::{format, vec::Vec};

use super::{Group, GroupContext, GroupState};
use crate::{
    types::ErrorCode,
    wire::messages::leave_group::{MemberIdentity, MemberResponse},
};

impl Group {
    /// Takes a LeaveGroup of one member or several.
    pub fn leave(
        &mut self,
        members: Vec<MemberIdentity>,
        context: &mut GroupContext<'_>,
    ) -> Vec<MemberResponse> {
        let mut responses = Vec::with_capacity(members.len());
        let mut first_left = None;
        for member in members {
            let error = match self.find_leaving(&member) {
                Err(error) => error,
                Ok(member_id) if self.pending_members.remove(&member_id).is_some() => {
                    self.complete_join_if_all_have(context);
                    ErrorCode::None
                }
                Ok(member_id) => {
                    self.remove_member(&member_id, ErrorCode::UnknownMemberId, context);
                    first_left.get_or_insert(member_id);
                    ErrorCode::None
                }
            };
            responses.push(MemberResponse {
                member_id: member.member_id,
                group_instance_id: member.group_instance_id,
                error_code: error.code(),
            });
        }
        if let Some(first) = first_left {
            self.rebalance_or_complete_join(&format!("member {first} left"), context);
        }
        responses
    }

    /// Who is meant: a static member may be named by its instance id alone.
    fn find_leaving(&self, member: &MemberIdentity) -> Result<alloc::string::String, ErrorCode> {
        if self.state == GroupState::Dead {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        let id = &member.member_id;
        match &member.group_instance_id {
            Some(instance_id) if id.is_empty() => {
                let found = self.static_members.get(instance_id).cloned();
                found.ok_or(ErrorCode::UnknownMemberId)
            }
            Some(instance_id) => {
                self.identify(id, Some(instance_id))?;
                Ok(id.clone())
            }
            None if self.pending_members.contains_key(id) => Ok(id.clone()),
            None => {
                self.identify(id, None)?;
                Ok(id.clone())
            }
        }
    }
}
