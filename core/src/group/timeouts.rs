//! What happens when nobody has said anything for too long.

use alloc::{format, string::String, vec::Vec};

use super::{Group, GroupContext, join::after_ms};
use crate::{
    mutants::{Mutant, planted},
    types::{ErrorCode, Instant},
};

/// What a group waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupTimer {
    /// A member to join with the id that it was given.
    Pending(String),
    /// A member to show that it lives.
    Session(String),
    /// Members to join.
    Join,
    /// Members to ask for their assignment.
    Sync,
}

impl Group {
    /// What the group waits for, and until when.
    pub fn timers(&self) -> impl Iterator<Item = (GroupTimer, Instant)> {
        let pending = self.pending_members.iter();
        let pending = pending.map(|(id, deadline)| (GroupTimer::Pending(id.clone()), *deadline));
        let sessions = self.members.values();
        let sessions = sessions
            .map(|member| (GroupTimer::Session(member.id.clone()), member.session_deadline));
        let join = self.join_deadline.map(|deadline| (GroupTimer::Join, deadline.at));
        let sync = self.sync_deadline.map(|deadline| (GroupTimer::Sync, deadline));
        pending.chain(sessions).chain(join).chain(sync)
    }

    /// When the group wants to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        let join = self.join_deadline.map(|deadline| deadline.at);
        let sessions = self.members.values().map(|member| member.session_deadline);
        let pending = self.pending_members.values().copied();
        sessions.chain(pending).chain(join).chain(self.sync_deadline).min()
    }

    /// What the members' clocks ask for.
    pub fn take_timeouts(&mut self, context: &mut GroupContext<'_>) {
        let now = context.now.instant;
        let overdue = self.pending_members.iter().filter(|(_, deadline)| **deadline <= now);
        let overdue: Vec<String> = overdue.map(|(id, _)| id.clone()).collect();
        self.give_up_pending(&overdue, context);
        // Those who have just been answered begin anew.
        let silent = self.members.values().filter(|member| member.session_deadline <= now);
        let silent: Vec<String> = silent.map(|member| member.id.clone()).collect();
        self.end_sessions(&silent, context);
        if self.join_deadline.is_some_and(|deadline| deadline.at <= now) {
            self.join_is_due(context);
        }
        if self.sync_deadline.is_some_and(|deadline| deadline <= now) {
            self.sync_is_due(context);
        }
    }

    /// Nothing has come of one thing that was waited for, whatever the clock says: for a checker that knows no time, to which
    /// each may end at any.
    pub fn time_out(&mut self, timer: GroupTimer, context: &mut GroupContext<'_>) {
        match timer {
            GroupTimer::Pending(id) => self.give_up_pending(&[id], context),
            GroupTimer::Session(id) => self.end_sessions(&[id], context),
            GroupTimer::Join => self.join_is_due(context),
            GroupTimer::Sync => self.sync_is_due(context),
        }
    }

    /// Members did not join with the ids that they were given.
    fn give_up_pending(&mut self, overdue: &[String], context: &mut GroupContext<'_>) {
        for id in overdue {
            self.pending_members.remove(id);
        }
        if !overdue.is_empty() {
            self.complete_join_if_all_have(context);
        }
    }

    /// Members that have been silent for too long are taken for dead, unless it is they who wait.
    fn end_sessions(&mut self, silent: &[String], context: &mut GroupContext<'_>) {
        let mut dead = Vec::new();
        for id in silent {
            let Some(member) = self.members.get_mut(id) else { continue };
            if member.is_waiting() || planted(Mutant::DeadMemberStays) {
                member.session_deadline = after_ms(context.now, member.session_timeout_ms.max(1));
            } else {
                dead.push(id);
            }
        }
        for member_id in &dead {
            self.remove_member(member_id, ErrorCode::UnknownMemberId, context);
        }
        if let Some(first) = dead.first() {
            let reason = format!("the session of member {first} ended without a heartbeat");
            self.rebalance_or_complete_join(&reason, context);
        }
    }

    /// Members that have not asked for their assignment in time are taken for dead.
    fn sync_is_due(&mut self, context: &mut GroupContext<'_>) {
        self.sync_deadline = None;
        let late = core::mem::take(&mut self.pending_sync);
        for member_id in &late {
            self.remove_member(member_id, ErrorCode::UnknownMemberId, context);
        }
        if let Some(first) = late.first() {
            let reason = format!("member {first} did not ask for its assignment in time");
            self.rebalance_or_complete_join(&reason, context);
        }
    }
}
