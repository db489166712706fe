//! Heartbeat, and who is who.

use super::{Group, GroupContext, GroupState, join::after_ms};
use crate::types::ErrorCode;

impl Group {
    /// Whether there is such a member, and it is not another process than the one that has its place.
    pub(super) fn identify(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            return match self.static_members.get(instance_id) {
                None => Err(ErrorCode::UnknownMemberId),
                Some(current) if current != member_id => Err(ErrorCode::FencedInstanceId),
                Some(_) => Ok(()),
            };
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Takes a Heartbeat.
    pub fn heartbeat(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        context: &mut GroupContext<'_>,
    ) -> ErrorCode {
        if self.state == GroupState::Dead {
            return ErrorCode::CoordinatorNotAvailable;
        }
        if let Err(error) = self.identify(member_id, instance_id) {
            return error;
        }
        if generation != self.generation {
            return ErrorCode::IllegalGeneration;
        }
        match self.state {
            GroupState::Empty | GroupState::Dead => ErrorCode::UnknownMemberId,
            GroupState::PreparingRebalance => {
                self.note_alive(member_id, context);
                ErrorCode::RebalanceInProgress
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                self.note_alive(member_id, context);
                ErrorCode::None
            }
        }
    }

    /// A member has shown that it lives.
    pub(super) fn note_alive(&mut self, member_id: &str, context: &GroupContext<'_>) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.session_deadline = after_ms(context.now, member.session_timeout_ms);
        }
    }
}
