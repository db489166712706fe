//! Joining a group, and what comes of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ottla_core::{
    types::ErrorCode,
    wire::{
        ApiKey,
        messages::{
            join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse},
            leave_group::{LeaveGroupRequest, MemberIdentity},
            sync_group::{SyncGroupRequest, SyncGroupRequestAssignment},
        },
    },
};

use super::{
    GroupConfig, GroupError,
    assignor::{self, Subscriber},
    coordinator::Coordinator,
    protocol::{
        PROTOCOL_TYPE, decode_assignment, decode_subscription, encode_assignment,
        encode_subscription,
    },
};
use crate::client::{Backoff, CallOptions, Client, TopicPartition};

/// How many partitions each topic had that the leader shared out.
pub(super) type PartitionCounts = BTreeMap<Arc<str>, usize>;

/// A place in one generation of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Membership {
    pub(super) generation: i32,
    /// What this member reads.
    pub(super) partitions: Vec<TopicPartition>,
    /// What was shared out, if this member leads the group.
    pub(super) counts: Option<PartitionCounts>,
}

/// Joins, and if the group chooses this member as its leader, shares the partitions. The member's id stays in `member_id`
/// from the moment that the coordinator gives it one, so that even a join that is cancelled can be taken back.
pub(super) async fn join(
    coordinator: &Coordinator,
    config: &GroupConfig,
    member_id: &mut String,
) -> Result<Membership, GroupError> {
    let mut backoff = Backoff::for_at_most(config.rebalance_timeout * 2);
    loop {
        let outcome = match join_once(coordinator, config, member_id).await {
            Ok(joined) => synchronize(coordinator, config, joined).await,
            Err(error) => Err(error),
        };
        let Err(error) = outcome else { return outcome };
        match error.refusal().and_then(|refusal| refusal.known()) {
            Some(ErrorCode::UnknownMemberId) => member_id.clear(),
            Some(
                ErrorCode::MemberIdRequired
                | ErrorCode::RebalanceInProgress
                | ErrorCode::IllegalGeneration,
            ) => {}
            _ => return Err(error),
        }
        // The first join only fetches the id.
        let id_was_missing =
            error.refusal().is_some_and(|refusal| refusal.is(ErrorCode::MemberIdRequired));
        if !id_was_missing && !backoff.pause().await {
            return Err(error);
        }
    }
}

async fn join_once(
    coordinator: &Coordinator,
    config: &GroupConfig,
    member_id: &mut String,
) -> Result<JoinGroupResponse, GroupError> {
    let protocol = JoinGroupRequestProtocol {
        name: assignor::NAME.to_owned(),
        metadata: encode_subscription(&config.topics),
    };
    let milliseconds = |duration: Duration| i32::try_from(duration.as_millis()).unwrap_or(i32::MAX);
    let request = JoinGroupRequest {
        group_id: coordinator.group.clone(),
        session_timeout_ms: milliseconds(config.session_timeout),
        rebalance_timeout_ms: milliseconds(config.rebalance_timeout),
        member_id: member_id.clone(),
        protocol_type: PROTOCOL_TYPE.to_owned(),
        protocols: vec![protocol],
        ..Default::default()
    };
    // The answer waits for the other members.
    let timeout = Some(config.rebalance_timeout + config.session_timeout);
    let options = CallOptions { timeout, ..Default::default() };
    let response = coordinator
        .ask(&request, options, |response| {
            if response.error_code == ErrorCode::MemberIdRequired.code() {
                return Ok(response);
            }
            coordinator.check(ApiKey::JoinGroup, response.error_code, None)?;
            Ok(response)
        })
        .await?;
    member_id.clone_from(&response.member_id);
    coordinator.check(ApiKey::JoinGroup, response.error_code, None)?;
    Ok(response)
}

async fn synchronize(
    coordinator: &Coordinator,
    config: &GroupConfig,
    joined: JoinGroupResponse,
) -> Result<Membership, GroupError> {
    let generation = joined.generation_id;
    let member_id = joined.member_id.clone();
    let protocol_name = joined.protocol_name.clone();
    let leads = joined.leader == joined.member_id && !joined.skip_assignment;
    let (counts, assignments) = if leads {
        let (counts, assignments) = share(&coordinator.client, joined).await?;
        (Some(counts), assignments)
    } else {
        (None, vec![])
    };
    let request = SyncGroupRequest {
        group_id: coordinator.group.clone(),
        generation_id: generation,
        member_id,
        group_instance_id: None,
        protocol_type: Some(PROTOCOL_TYPE.to_owned()),
        protocol_name,
        assignments,
    };
    let timeout = Some(config.rebalance_timeout + config.session_timeout);
    let options = CallOptions { timeout, ..Default::default() };
    let assignment = coordinator
        .ask(&request, options, |response| {
            coordinator.check(ApiKey::SyncGroup, response.error_code, None)?;
            Ok(response.assignment)
        })
        .await?;
    let partitions = decode_assignment(assignment).map_err(GroupError::Malformed)?;
    Ok(Membership { generation, partitions, counts })
}

async fn share(
    client: &Client,
    joined: JoinGroupResponse,
) -> Result<(PartitionCounts, Vec<SyncGroupRequestAssignment>), GroupError> {
    let mut subscribers = Vec::with_capacity(joined.members.len());
    for member in joined.members {
        subscribers.push(Subscriber {
            member_id: member.member_id,
            instance_id: member.group_instance_id,
            topics: decode_subscription(member.metadata).map_err(GroupError::Malformed)?,
        });
    }
    let topics = subscribers.iter().flat_map(|subscriber| subscriber.topics.iter().cloned());
    let counts = partition_counts(client, topics).await;
    let assignments = assignor::assign(&subscribers, &counts)
        .into_iter()
        .map(|(member_id, partitions)| SyncGroupRequestAssignment {
            member_id,
            assignment: encode_assignment(&partitions),
        })
        .collect();
    Ok((counts, assignments))
}

/// How many partitions each topic has now. One that is not known has none.
pub(super) async fn partition_counts(
    client: &Client,
    topics: impl IntoIterator<Item = Arc<str>>,
) -> PartitionCounts {
    let mut counts: PartitionCounts = topics.into_iter().map(|topic| (topic, 0)).collect();
    for (topic, count) in &mut counts {
        client.forget_topic(topic);
        *count = client.topic(topic).await.map_or(0, |topic| topic.partitions.len());
    }
    counts
}

/// Leaves the group, so that the others need not wait for this member's silence to be long enough.
pub(super) async fn leave(coordinator: &Coordinator, member_id: &str) -> Result<(), GroupError> {
    let member = MemberIdentity {
        member_id: member_id.to_owned(),
        group_instance_id: None,
        reason: Some("the consumer is being closed".to_owned()),
    };
    let request = LeaveGroupRequest {
        group_id: coordinator.group.clone(),
        member_id: member_id.to_owned(),
        members: vec![member],
    };
    let response = coordinator.call(&request, CallOptions::default()).await?;
    let of_members = response.members.iter().map(|member| member.error_code);
    for code in of_members.chain([response.error_code]) {
        // Whoever is no member has left.
        if code != ErrorCode::UnknownMemberId.code() {
            coordinator.check(ApiKey::LeaveGroup, code, None)?;
        }
    }
    Ok(())
}
