//! What a coordinator that serves is asked: to find the group, and to let it answer.

use alloc::vec::Vec;

use super::{
    CommittedOffset, Coordinator, GroupContext, OffsetKey, join, offsets::Committer, sync,
};
use crate::{
    group::join::Joining,
    session::RequestId,
    types::ErrorCode,
    wire::messages::{
        heartbeat::HeartbeatRequest,
        leave_group::{MemberIdentity, MemberResponse},
        offset_commit::OffsetCommitResponse,
        sync_group::SyncGroupRequest,
    },
};

impl Coordinator {
    /// Takes a JoinGroup. One without a member id makes the group if it is not there.
    pub fn join_group(&mut self, joining: Joining, context: &mut GroupContext<'_>) {
        let now = context.now.timestamp;
        let group_id = joining.body.group_id.clone();
        if joining.body.member_id.is_empty() {
            self.group_or_new(&group_id, now).join(joining, context);
        } else if let Some(group) = self.group_mut(&group_id) {
            group.join(joining, context);
        } else {
            let answer = join::refuse(joining.body.member_id, ErrorCode::UnknownMemberId);
            context.out.answers.push((joining.request, answer.into()));
        }
    }

    /// Takes a SyncGroup.
    pub fn sync_group(
        &mut self,
        request: RequestId,
        body: SyncGroupRequest,
        context: &mut GroupContext<'_>,
    ) {
        match self.group_mut(&body.group_id) {
            Some(group) => group.sync(request, body, context),
            None => {
                let answer = sync::refuse(ErrorCode::UnknownMemberId);
                context.out.answers.push((request, answer.into()));
            }
        }
    }

    /// Takes a Heartbeat.
    pub fn heartbeat(
        &mut self,
        body: &HeartbeatRequest,
        context: &mut GroupContext<'_>,
    ) -> ErrorCode {
        let Some(group) = self.group_mut(&body.group_id) else {
            return ErrorCode::UnknownMemberId;
        };
        let instance_id = body.group_instance_id.as_deref();
        group.heartbeat(&body.member_id, instance_id, body.generation_id, context)
    }

    /// Takes a LeaveGroup.
    pub fn leave_group(
        &mut self,
        group_id: &str,
        members: Vec<MemberIdentity>,
        context: &mut GroupContext<'_>,
    ) -> Vec<MemberResponse> {
        match self.group_mut(group_id) {
            Some(group) => group.leave(members, context),
            None => members.into_iter().map(unknown_member).collect(),
        }
    }

    /// Takes an OffsetCommit whose offsets were judged already.
    pub fn commit_offsets(&mut self, commit: Commit<'_>, context: &mut GroupContext<'_>) {
        let Commit { request, version, group_id, committer, mut response, offsets } = commit;
        let known = self.group(group_id).is_some();
        let checked = if !known && committer.generation >= 0 {
            Err(if version >= 9 {
                ErrorCode::GroupIdNotFound
            } else {
                ErrorCode::IllegalGeneration
            })
        } else {
            let group = self.group_or_new(group_id, context.now.timestamp);
            group.check_commit(committer, context)
        };
        match (checked, self.group(group_id)) {
            (Ok(()), Some(group)) => group.commit(request, response, offsets, context),
            (checked, _) => {
                let error = checked.err().unwrap_or(ErrorCode::UnknownServerError);
                response.refuse_all(error);
                context.out.answers.push((request, response.into()));
            }
        }
    }
}

/// An OffsetCommit.
#[derive(Debug)]
pub struct Commit<'a> {
    /// The request.
    pub request: RequestId,
    /// Its version.
    pub version: i16,
    /// The group.
    pub group_id: &'a str,
    /// Who commits.
    pub committer: Committer<'a>,
    /// The answer, if all goes well.
    pub response: OffsetCommitResponse,
    /// What can be committed.
    pub offsets: Vec<(OffsetKey, CommittedOffset)>,
}

impl OffsetCommitResponse {
    /// Refuses what was not refused already.
    pub(crate) fn refuse_all(&mut self, error: ErrorCode) {
        let partitions = self.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        for partition in partitions.filter(|partition| partition.error_code == 0) {
            partition.error_code = error.code();
        }
    }
}

fn unknown_member(member: MemberIdentity) -> MemberResponse {
    MemberResponse {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        error_code: ErrorCode::UnknownMemberId.code(),
    }
}
