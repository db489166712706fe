//! DescribeGroups, ListGroups and DeleteGroups.

use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

use crate::{
    api::topic_rules::{GROUP_OPERATIONS, all_operations},
    group::{
        GroupState,
        coordinator::{Deleted, PendingDeletions},
        describe::CLASSIC,
    },
    shard::{Incoming, Shard, Step},
    types::ErrorCode,
    wire::messages::{
        delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse},
        describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup},
        list_groups::{ListGroupsRequest, ListGroupsResponse},
    },
};

impl Shard {
    pub(super) fn describe_groups(
        &mut self,
        asked: &Incoming,
        request: DescribeGroupsRequest,
        step: &mut Step<'_>,
    ) {
        let with_operations = request.include_authorized_operations;
        let groups = request.groups.into_iter().map(|group_id| {
            let described = self.describe_group(group_id, asked.version);
            let told = with_operations && described.error_code == ErrorCode::None.code();
            let authorized_operations = all_operations(told, GROUP_OPERATIONS);
            DescribedGroup { authorized_operations, ..described }
        });
        let groups = groups.collect();
        self.answer(asked.id, DescribeGroupsResponse { groups, ..Default::default() }, step);
    }

    fn describe_group(&self, group_id: String, version: i16) -> DescribedGroup {
        let refused = |group_id: String, error: ErrorCode| DescribedGroup {
            error_code: error.code(),
            group_id,
            ..Default::default()
        };
        let index = match self.coordinator_of(&group_id) {
            Ok(index) => index,
            Err(error) => return refused(group_id, error),
        };
        match self.coordinators.by_partition[&index].group(&group_id) {
            Some(group) => group.describe(),
            // Until version 5 a group that is not there is dead.
            None => {
                let dead = DescribedGroup {
                    group_state: GroupState::Dead.name().into(),
                    ..refused(group_id.clone(), ErrorCode::None)
                };
                if version < 6 {
                    return dead;
                }
                DescribedGroup {
                    error_code: ErrorCode::GroupIdNotFound.code(),
                    error_message: Some(format!("Group {group_id} not found.")),
                    ..dead
                }
            }
        }
    }

    pub(super) fn list_groups(
        &mut self,
        asked: &Incoming,
        request: &ListGroupsRequest,
        step: &mut Step<'_>,
    ) {
        let matches = |filter: &[String], value: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let mut response = ListGroupsResponse::default();
        for coordinator in self.coordinators.by_partition.values() {
            if let Err(error) = coordinator.check_serving() {
                response.error_code = error.code();
            }
            let wanted = coordinator.groups().filter(|group| {
                matches(&request.states_filter, group.state().name())
                    && matches(&request.types_filter, CLASSIC)
            });
            response.groups.extend(wanted.map(crate::group::Group::list));
        }
        self.answer(asked.id, response, step);
    }

    pub(super) fn delete_groups(
        &mut self,
        asked: &Incoming,
        request: DeleteGroupsRequest,
        step: &mut Step<'_>,
    ) {
        let names: BTreeSet<String> = request.groups_names.into_iter().collect();
        let mut results = Vec::with_capacity(names.len());
        let mut deletions = Vec::new();
        for group_id in names {
            let error = match self.deletable(&group_id) {
                Ok(index) => {
                    deletions.push((index, results.len(), group_id.clone()));
                    ErrorCode::None
                }
                Err(error) => error,
            };
            results.push(DeletableGroupResult { group_id, error_code: error.code() });
        }
        let response = DeleteGroupsResponse { results, ..Default::default() };
        if deletions.is_empty() {
            self.answer(asked.id, response, step);
            return;
        }
        let pending = PendingDeletions { response, left: deletions.len() };
        self.coordinators.deletions.insert(asked.id, pending);
        for (index, place, group_id) in deletions {
            let request = Some((asked.id, place));
            self.with_coordinator(index, step, |coordinator, context| {
                if let Some(group) = coordinator.group_mut(&group_id) {
                    group.delete(request, context);
                }
            });
        }
    }

    fn deletable(&self, group_id: &str) -> Result<u32, ErrorCode> {
        // Also the group without a name: it has no members, but there may be offsets that were committed in it.
        let index = self.coordinator_of(group_id)?;
        let group = self.coordinators.by_partition[&index].group(group_id);
        match group.map(crate::group::Group::state) {
            None | Some(GroupState::Dead) => Err(ErrorCode::GroupIdNotFound),
            Some(GroupState::Empty) => Ok(index),
            Some(
                GroupState::PreparingRebalance
                | GroupState::CompletingRebalance
                | GroupState::Stable,
            ) => Err(ErrorCode::NonEmptyGroup),
        }
    }

    /// A group was deleted, or could not be.
    pub(super) fn group_deleted(&mut self, deleted: Deleted, step: &mut Step<'_>) {
        let Deleted { request, index, error } = deleted;
        let Some(pending) = self.coordinators.deletions.get_mut(&request) else { return };
        if let Err(error) = error {
            pending.response.results[index].error_code = error.code();
        }
        pending.left -= 1;
        if pending.left == 0
            && let Some(pending) = self.coordinators.deletions.remove(&request)
        {
            self.answer(request, pending.response, step);
        }
    }
}
