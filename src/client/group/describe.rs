//! What an operator asks about groups, and does to them.

use std::{collections::BTreeMap, sync::Arc};

use ottla_core::{
    types::{BrokerId, ErrorCode, Offset},
    wire::{
        ApiKey,
        messages::{
            delete_groups::DeleteGroupsRequest,
            describe_groups::{DescribeGroupsRequest, DescribedGroup, DescribedGroupMember},
            list_groups::{ListGroupsRequest, ListedGroup},
        },
    },
};

use super::{
    GroupError,
    coordinator::Coordinator,
    offsets::{self, Committer},
    protocol::{PROTOCOL_TYPE, decode_assignment},
};
use crate::client::{CallOptions, Client, ServerError, TopicPartition};

/// The state of a group that does not exist.
pub const DEAD: &str = "Dead";
/// The kind of group that JoinGroup makes.
pub const CLASSIC: &str = "classic";
/// The state of a group without members.
pub const EMPTY: &str = "Empty";

/// A group as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Who coordinates it.
    pub coordinator: BrokerId,
    /// In Kafka's words: Stable, Empty, …
    pub state: String,
    /// The kind of group, in Kafka's words. Of others than classic ones the members are not told.
    pub group_type: String,
    /// The assignor that the members agreed on.
    pub assignor: String,
    /// The members.
    pub members: Vec<MemberDescription>,
    /// What the group has committed.
    pub committed: BTreeMap<TopicPartition, Offset>,
}

/// A member of a group as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDescription {
    /// The coordinator's name for it.
    pub member_id: String,
    /// The name that outlives the member, if it has one.
    pub instance_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub host: String,
    /// What it reads.
    pub partitions: Vec<TopicPartition>,
}

/// All groups of the cluster, in the order of their names.
pub async fn list_groups(client: &Client) -> Result<Vec<ListedGroup>, GroupError> {
    let mut groups = BTreeMap::new();
    for broker in client.brokers().await? {
        let response = client.call(broker.id, &ListGroupsRequest::default()).await?;
        ServerError::check(response.error_code, None).map_err(|error| GroupError::Refused {
            key: ApiKey::ListGroups,
            group: format!("those of broker {}", broker.id),
            error,
        })?;
        for group in response.groups {
            groups.insert(group.group_id.clone(), group);
        }
    }
    Ok(groups.into_values().collect())
}

/// One group, its members and its offsets. A group that does not exist is [`DEAD`] and has neither.
pub async fn describe_group(client: &Client, group: &str) -> Result<GroupDescription, GroupError> {
    let coordinator = Coordinator::new(client.clone(), group.to_owned());
    let id = coordinator.find().await?;
    let request = DescribeGroupsRequest { groups: vec![group.to_owned()], ..Default::default() };
    let described = coordinator
        .ask(&request, CallOptions::default(), |response| {
            let key = ApiKey::DescribeGroups;
            let group = response.groups.into_iter().next().ok_or(GroupError::Missing { key })?;
            if group.error_code == ErrorCode::GroupIdNotFound.code() {
                let group_state = DEAD.to_owned();
                return Ok(DescribedGroup { group_state, ..Default::default() });
            }
            coordinator.check(key, group.error_code, group.error_message.as_deref())?;
            Ok(group)
        })
        .await?;
    let committed = offsets::fetch(&coordinator, None).await?;
    let mut group_type = CLASSIC.to_owned();
    let mut state = described.group_state;
    if state == DEAD
        && let Some(listed) = list_groups(client).await?.into_iter().find(|g| g.group_id == group)
    {
        (group_type, state) = (listed.group_type, listed.group_state);
    }
    let is_of_consumers = described.protocol_type == PROTOCOL_TYPE;
    let members = described.members.into_iter();
    Ok(GroupDescription {
        coordinator: id,
        state,
        group_type,
        assignor: described.protocol_data,
        members: members.map(|member| describe_member(member, is_of_consumers)).collect(),
        committed,
    })
}

fn describe_member(member: DescribedGroupMember, is_of_consumers: bool) -> MemberDescription {
    // Members of other kinds of groups tell each other something else.
    let partitions = if is_of_consumers {
        decode_assignment(member.member_assignment).unwrap_or_default()
    } else {
        vec![]
    };
    MemberDescription {
        member_id: member.member_id,
        instance_id: member.group_instance_id,
        client_id: member.client_id,
        host: member.client_host,
        partitions,
    }
}

/// Sets a group's offsets from outside, which the coordinator allows while the group has no members.
pub async fn alter_offsets(
    client: &Client,
    group: &str,
    offsets: &BTreeMap<TopicPartition, Offset>,
) -> Result<(), GroupError> {
    let coordinator = Coordinator::new(client.clone(), group.to_owned());
    offsets::commit(&coordinator, Committer::NOBODY, offsets).await
}

/// Deletes a group without members, with its offsets.
pub async fn delete_group(client: &Client, group: &str) -> Result<(), GroupError> {
    let coordinator = Arc::new(Coordinator::new(client.clone(), group.to_owned()));
    let request = DeleteGroupsRequest { groups_names: vec![group.to_owned()] };
    coordinator
        .ask(&request, CallOptions::default(), |response| {
            let key = ApiKey::DeleteGroups;
            let result = response.results.into_iter().next().ok_or(GroupError::Missing { key })?;
            coordinator.check(key, result.error_code, None)
        })
        .await
}
