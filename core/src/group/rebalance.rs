//! How a group comes to a new generation: everybody is called to join again, then the leader assigns.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use super::{Group, GroupContext, GroupState, JoinDeadline, Then, Write, join::after_ms};
use crate::{
    mutants::{Mutant, planted},
    notice::Notice,
    types::{ErrorCode, Instant},
};

fn after(now: Instant, milliseconds: u64) -> Instant {
    now + core::time::Duration::from_millis(milliseconds)
}

impl Group {
    /// Something about the members has changed: a rebalance begins, or, if one is being prepared, it may be complete.
    pub(super) fn rebalance_or_complete_join(
        &mut self,
        reason: &str,
        context: &mut GroupContext<'_>,
    ) {
        match self.state {
            GroupState::Empty | GroupState::Stable | GroupState::CompletingRebalance => {
                self.prepare_rebalance(reason, context);
            }
            GroupState::PreparingRebalance => self.complete_join_if_all_have(context),
            GroupState::Dead => {}
        }
    }

    fn prepare_rebalance(&mut self, reason: &str, context: &mut GroupContext<'_>) {
        if self.state == GroupState::CompletingRebalance {
            self.refuse_assignments(ErrorCode::RebalanceInProgress, context);
        }
        self.sync_deadline = None;
        self.pending_sync.clear();
        context.out.notices.push(Notice::GroupRebalancing {
            group: self.id.clone(),
            generation: self.generation,
            reason: reason.into(),
        });
        let is_first = self.state == GroupState::Empty;
        self.go_to(GroupState::PreparingRebalance, context.now.timestamp);
        if is_first {
            // The group is new: more members most likely come soon.
            let delay_ms = context.settings.initial_rebalance_delay_ms;
            let remaining_ms = self.rebalance_timeout_ms().saturating_sub(delay_ms);
            self.new_member_added = false;
            self.join_deadline = Some(JoinDeadline {
                at: after(context.now.instant, delay_ms),
                initial_remaining_ms: Some(remaining_ms),
            });
            if delay_ms == 0 {
                self.complete_initial_join(context);
            }
            return;
        }
        let at = after(context.now.instant, self.rebalance_timeout_ms());
        self.join_deadline = Some(JoinDeadline { at, initial_remaining_ms: None });
        self.complete_join_if_all_have(context);
    }

    /// How long the slowest member may take to join again.
    fn rebalance_timeout_ms(&self) -> u64 {
        let longest = self.members.values().map(|member| member.rebalance_timeout_ms).max();
        longest.and_then(|longest| u64::try_from(longest).ok()).unwrap_or_default()
    }

    /// Completes the wait for members if there is nobody left to wait for.
    pub(super) fn complete_join_if_all_have(&mut self, context: &mut GroupContext<'_>) {
        let waits_for_first =
            self.join_deadline.is_some_and(|deadline| deadline.initial_remaining_ms.is_some());
        let all_have = self.members.values().all(|member| member.awaiting_join.is_some())
            && self.pending_members.is_empty();
        if self.state == GroupState::PreparingRebalance && !waits_for_first && all_have {
            self.complete_join(context);
        }
    }

    /// The wait for members has lasted long enough.
    pub(super) fn join_is_due(&mut self, context: &mut GroupContext<'_>) {
        if self.join_deadline.is_some_and(|deadline| deadline.initial_remaining_ms.is_some()) {
            self.complete_initial_join(context);
        } else {
            self.complete_join(context);
        }
    }

    /// An empty group waits on for as long as members keep coming.
    fn complete_initial_join(&mut self, context: &mut GroupContext<'_>) {
        let remaining = self.join_deadline.and_then(|deadline| deadline.initial_remaining_ms);
        let remaining_ms = remaining.unwrap_or_default();
        if self.new_member_added && remaining_ms > 0 {
            let delay_ms = context.settings.initial_rebalance_delay_ms.min(remaining_ms);
            self.new_member_added = false;
            self.join_deadline = Some(JoinDeadline {
                at: after(context.now.instant, delay_ms),
                initial_remaining_ms: Some(remaining_ms - delay_ms),
            });
            return;
        }
        self.complete_join(context);
    }

    /// The next generation begins with those who have joined.
    fn complete_join(&mut self, context: &mut GroupContext<'_>) {
        self.join_deadline = None;
        // Static members keep their place until their session ends.
        let absent: Vec<String> = self
            .members
            .values()
            .filter(|member| member.awaiting_join.is_none() && member.instance_id.is_none())
            .map(|member| member.id.clone())
            .collect();
        for member in absent {
            self.drop_member(&member);
        }
        if !self.elect_joined_leader() && !self.members.is_empty() {
            // Only static members are left, and none has come: wait on.
            let at = after(context.now.instant, self.rebalance_timeout_ms());
            self.join_deadline = Some(JoinDeadline { at, initial_remaining_ms: None });
            return;
        }
        if !planted(Mutant::GenerationStays) || self.generation == 0 {
            self.generation = if self.generation == i32::MAX { 1 } else { self.generation + 1 };
        }
        if self.members.is_empty() {
            self.protocol = None;
            self.leader = None;
            self.go_to(GroupState::Empty, context.now.timestamp);
            self.write_down(Then::Nothing, context);
            return;
        }
        self.protocol = self.select_protocol();
        self.go_to(GroupState::CompletingRebalance, context.now.timestamp);
        self.answer_joins(context);
    }

    fn answer_joins(&mut self, context: &mut GroupContext<'_>) {
        self.pending_sync = self.members.keys().cloned().collect();
        self.sync_deadline = Some(after(context.now.instant, self.rebalance_timeout_ms()));
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let response = self.join_response(&id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.session_deadline = after_ms(context.now, member.session_timeout_ms);
            member.is_new = false;
            if let Some(request) = member.awaiting_join.take() {
                context.out.answers.push((request, response.into()));
            }
        }
    }

    /// Makes sure that the leader is one who has joined; false if none has.
    fn elect_joined_leader(&mut self) -> bool {
        let has_joined =
            |id: &String| self.members.get(id).is_some_and(|member| member.awaiting_join.is_some());
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let joined = self.members.values().find(|member| member.awaiting_join.is_some());
        match joined.map(|member| member.id.clone()) {
            Some(id) => {
                self.leader = Some(id);
                true
            }
            None => false,
        }
    }

    /// The assignor that all members support and most prefer.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let mut candidates: Option<BTreeSet<&str>> = None;
        for member in self.members.values() {
            let names = member.protocols.iter().map(|protocol| protocol.name.as_str()).collect();
            candidates = Some(match candidates {
                None => names,
                Some(known) => known.intersection(&names).copied().collect(),
            });
        }
        let candidates = candidates?;
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let mut names = member.protocols.iter().map(|protocol| protocol.name.as_str());
            if let Some(favourite) = names.find(|name| candidates.contains(name)) {
                *votes.entry(favourite).or_default() += 1;
            }
        }
        // Of those with equal votes the first by name, so that the choice is the same every time.
        let best = votes.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
        best.map(|(name, _)| (*name).into())
    }

    /// Takes a member out, and whatever follows from it.
    pub(super) fn remove_member(
        &mut self,
        member_id: &str,
        error: ErrorCode,
        context: &mut GroupContext<'_>,
    ) {
        let Some(mut member) = self.drop_member(member_id) else { return };
        if let Some(request) = member.awaiting_join.take() {
            let answer = super::join::refuse(member_id.into(), error);
            context.out.answers.push((request, answer.into()));
        }
        if let Some(request) = member.awaiting_sync.take() {
            context.out.answers.push((request, super::sync::refuse(error).into()));
        }
    }

    /// Takes a member out, without a word.
    fn drop_member(&mut self, member_id: &str) -> Option<super::Member> {
        let member = self.members.remove(member_id)?;
        if let Some(instance_id) = &member.instance_id {
            self.static_members.remove(instance_id);
        }
        self.pending_sync.remove(member_id);
        if self.leader.as_deref() == Some(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Writes the group down as it is.
    pub(super) fn write_down(&self, then: Then, context: &mut GroupContext<'_>) {
        let records = [self.record()].into();
        context.out.writes.push(Write { group: self.id.clone(), records, then });
    }
}
