//! Joining, and being assigned partitions.

use std::{collections::BTreeMap, time::Duration};

use ottla_core::{
    types::ErrorCode,
    wire::{
        ApiKey,
        messages::{
            find_coordinator::FindCoordinatorRequest,
            join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse},
            sync_group::{SyncGroupRequest, SyncGroupRequestAssignment},
        },
    },
};
use ottla_jepsen::history::{Answer, Call, Note, Partition, Synced};

use super::{
    Member, Stop,
    assign::share_out,
    protocol::{Named, Subscription, assignment_from_bytes, assignment_to_bytes},
};
use crate::workload::{
    client::{REQUEST_LIMIT, error_name},
    fetcher::Position,
};

/// How long a rebalance may take.
const REBALANCE_LIMIT: Duration = Duration::from_secs(30);
const REBALANCE_TIMEOUT_MS: i32 = 6_000;

impl Member {
    fn protocol_name(&self) -> &'static str {
        if self.plan.is_cooperative { "cooperative-sticky" } else { "roundrobin" }
    }

    fn topic_names(&self) -> Vec<String> {
        self.plan.topics.iter().map(|topic| self.client.plans[*topic].name.clone()).collect()
    }

    /// Joins and is assigned its part.
    pub(super) async fn rebalance(&mut self) -> Result<(), Stop> {
        self.find_coordinator().await?;
        let joined = self.join().await?;
        let assignments = self.lead(&joined);
        let partitions = self.sync(assignments).await?;
        self.own(partitions).await
    }

    pub(super) async fn find_coordinator(&mut self) -> Result<(), Stop> {
        let request = FindCoordinatorRequest {
            key: self.plan.name.clone(),
            coordinator_keys: vec![self.plan.name.clone()],
            ..Default::default()
        };
        let version = self.client.version(ApiKey::FindCoordinator, 1);
        let response = self.client.call(&request, version, REQUEST_LIMIT).await;
        let response = response.map_err(|_| Stop::Unclear)?;
        let inner = response.coordinators.first().map_or(0, |found| found.error_code);
        let code = if response.error_code == 0 { inner } else { response.error_code };
        if code == 0 { Ok(()) } else { Err(Stop::Unclear) }
    }

    pub(super) async fn join(&mut self) -> Result<JoinGroupResponse, Stop> {
        let owned = self.positions.values();
        let owned = owned.map(|position| (position.topic.clone(), position.index));
        let subscription = Subscription {
            topics: self.topic_names(),
            owned: owned.collect(),
            generation: self.generation,
        };
        // Before version 9 a static leader that comes back is told that another leads, which is gone (KAFKA-13435): then
        // nobody would see to it that new partitions are read.
        let least = if self.instance_id.is_some() { 9 } else { 2 };
        let version = self.client.version(ApiKey::JoinGroup, least);
        let request = JoinGroupRequest {
            group_id: self.plan.name.clone(),
            session_timeout_ms: self.plan.session_timeout_ms,
            rebalance_timeout_ms: REBALANCE_TIMEOUT_MS,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol {
                name: self.protocol_name().into(),
                metadata: subscription.to_bytes(),
            }],
            ..Default::default()
        };
        let begun = self.client.invoke(Call::Join { group: self.plan.name.clone() });
        let response = match self.client.call(&request, version, REBALANCE_LIMIT).await {
            Ok(response) => response,
            Err(why) => {
                self.client.recorder.info(begun, why.reason);
                return Err(Stop::Unclear);
            }
        };
        let error =
            ErrorCode::from_code(response.error_code).unwrap_or(ErrorCode::UnknownServerError);
        if error == ErrorCode::None {
            self.member_id.clone_from(&response.member_id);
            self.generation = response.generation_id;
            let generation = response.generation_id;
            self.client.recorder.ok(begun, Answer::Joined { generation });
            return Ok(response);
        }
        self.client.recorder.fail(begun, error.name());
        if error == ErrorCode::MemberIdRequired {
            self.member_id = response.member_id;
            return Err(Stop::Rejoin);
        }
        Err(Stop::of(error))
    }

    /// If it leads, it shares out what there is.
    pub(super) fn lead(&mut self, joined: &JoinGroupResponse) -> Vec<SyncGroupRequestAssignment> {
        self.assigned_counts = None;
        if joined.leader != self.member_id {
            return Vec::new();
        }
        self.assigned_counts = Some(self.partition_counts());
        if joined.skip_assignment {
            // How many partitions there were when its predecessor assigned them, it does not know.
            self.client.recorder.count("assignment skipped");
            self.assigned_counts = Some(Vec::new());
            return Vec::new();
        }
        let members: BTreeMap<_, _> = joined
            .members
            .iter()
            .map(|member| {
                let subscription = Subscription::from_bytes(member.metadata.clone());
                (member.member_id.clone(), subscription)
            })
            .collect();
        let partitions: Vec<Named> = self
            .topic_names()
            .into_iter()
            .flat_map(|name| {
                let count = self.client.topics.get(&name).map_or(0, |topic| topic.partitions());
                (0..count).map(move |index| (name.clone(), index))
            })
            .collect();
        let shares = share_out(&members, &partitions, self.plan.is_cooperative);
        if shares.values().map(Vec::len).sum::<usize>() < partitions.len() {
            // Who has the rest gives it up, and joins again. But if it is a static member that dies before, who comes back in its
            // place is given what it was to keep, without another rebalance: then nobody has the rest until the leader asks.
            self.assigned_counts = Some(Vec::new());
            self.refresh_at = self.client.timers.now() + 2_000_000_000;
        }
        let shares = shares.into_iter().map(|(member_id, share)| SyncGroupRequestAssignment {
            member_id,
            assignment: assignment_to_bytes(&share),
        });
        shares.collect()
    }

    pub(super) async fn sync(
        &mut self,
        assignments: Vec<SyncGroupRequestAssignment>,
    ) -> Result<Vec<Named>, Stop> {
        let request = SyncGroupRequest {
            group_id: self.plan.name.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some(self.protocol_name().into()),
            assignments,
        };
        let least = if self.instance_id.is_some() { 3 } else { 0 };
        let version = self.client.version(ApiKey::SyncGroup, least);
        let call = Call::Sync { group: self.plan.name.clone(), generation: self.generation };
        let begun = self.client.invoke(call);
        let response = match self.client.call(&request, version, REBALANCE_LIMIT).await {
            Ok(response) => response,
            Err(why) => {
                self.client.recorder.info(begun, why.reason);
                return Err(Stop::Unclear);
            }
        };
        if response.error_code != 0 {
            self.client.recorder.fail(begun, error_name(response.error_code));
            let error = ErrorCode::from_code(response.error_code);
            return Err(error.map_or(Stop::Unclear, Stop::of));
        }
        let named = assignment_from_bytes(response.assignment);
        let owner = self.instance_id.as_ref().unwrap_or(&self.member_id).clone();
        let partitions = named.iter().filter_map(|(name, index)| {
            Some(self.client.partition(self.client.topics.get(name)?, *index))
        });
        let partitions = partitions.collect();
        let synced = Synced { owner, generation: self.generation, partitions };
        self.client.recorder.ok(begun, Answer::Synced(synced));
        Ok(named)
    }

    /// Takes what is new, and gives up what it has not any more.
    pub(super) async fn own(&mut self, named: Vec<Named>) -> Result<(), Stop> {
        let partitions: BTreeMap<Partition, Named> = named
            .into_iter()
            .filter_map(|(name, index)| {
                let topic = self.client.topics.get(&name)?;
                Some((self.client.partition(topic, index), (name, index)))
            })
            .collect();
        let before = self.positions.len();
        self.positions.retain(|partition, _| partitions.contains_key(partition));
        let gave_up = self.positions.len() < before;
        if !self.plan.is_cooperative {
            self.positions.clear();
        }
        self.fetcher.reset();
        for (partition, (name, index)) in partitions {
            if self.positions.contains_key(&partition) {
                continue;
            }
            let Some(topic) = self.client.topics.get(&name).cloned() else { continue };
            // Many partitions and a slow network take longer than a short session. In trouble it may end meanwhile; a client that
            // never came further than this would not be one that anybody has.
            if self.client.phases.is_healed()
                && let Some(stop) = self.heartbeat_if_due().await
            {
                return Err(stop);
            }
            let offset = self.begin_at(partition, &topic, index).await?;
            self.client.note(Note::Seek { partition, offset: Some(offset) });
            self.positions.insert(partition, Position::new(&topic, index, offset));
        }
        if gave_up && self.plan.is_cooperative {
            self.client.recorder.count("partitions given up");
            return Err(Stop::Rejoin);
        }
        Ok(())
    }
}
