//! What the broker answers to each request, one file for each group of APIs.

mod cluster;
mod configs;
mod fetch;
mod fetch_errors;
mod group_admin;
mod groups;
mod list_offsets;
mod log_dirs;
mod metadata;
mod offset_commit;
mod offset_fetch;
mod produce;
mod producers;
mod records;
mod topic_rules;
mod topics;
mod versions;

pub(crate) use self::versions::unsupported_api_versions;
use alloc::vec::Vec;

use crate::{
    metadata::Outcome,
    partition::{Asker, ReadError},
    replica::Proposal,
    session::RequestId,
    shard::{Incoming, Shard, Step},
    types::{PartitionIndex, TopicId, TopicPartition},
    wire::Request,
};

/// A request that waits for something.
#[derive(Debug)]
pub(crate) enum Pending {
    /// For its batches to be durable.
    Produce(produce::PendingProduce),
    /// For records to be found, or to come.
    Fetch(fetch::PendingFetch),
    /// For records to be found by time.
    ListOffsets(list_offsets::PendingListOffsets),
    /// For start offsets to be written down.
    DeleteRecords(records::PendingDeleteRecords),
}

/// What to do when the quorum has decided on a proposal.
#[derive(Debug)]
pub(crate) enum Proposed {
    /// Answer a CreateTopics.
    CreateTopics(topics::ProposedTopics),
    /// Answer a DeleteTopics.
    DeleteTopics(topics::ProposedDeletions),
    /// Answer a CreatePartitions.
    CreatePartitions(topics::ProposedPartitions),
    /// Answer an AlterConfigs or an IncrementalAlterConfigs.
    Configs(configs::ProposedConfigs),
    /// Nothing: whoever asked for topics that were not there asks again.
    AutoCreate,
    /// Answer those who asked for a coordinator before there was one.
    OffsetsTopic,
    /// Hand out the producer ids.
    ProducerIds,
    /// Tell the replicas that asked, by slot.
    Alterations(Vec<(u32, Proposal)>),
}

impl Shard {
    /// Begins a request.
    pub(crate) fn dispatch(&mut self, asked: &Incoming, request: Request, step: &mut Step<'_>) {
        match request {
            Request::Produce(request) => self.produce(asked, request, step),
            Request::Fetch(request) => self.fetch(asked, request, step),
            Request::ListOffsets(request) => self.list_offsets(asked, request, step),
            Request::Metadata(request) => self.metadata(asked, request, step),
            Request::OffsetCommit(request) => self.offset_commit(asked, request, step),
            Request::OffsetFetch(request) => self.offset_fetch(asked, request, step),
            Request::FindCoordinator(request) => self.find_coordinator(asked, request, step),
            Request::JoinGroup(request) => self.join_group(asked, request, step),
            Request::Heartbeat(request) => self.heartbeat(asked, request, step),
            Request::LeaveGroup(request) => self.leave_group(asked, request, step),
            Request::SyncGroup(request) => self.sync_group(asked, request, step),
            Request::DescribeGroups(request) => self.describe_groups(asked, request, step),
            Request::ListGroups(request) => self.list_groups(asked, &request, step),
            Request::ApiVersions(request) => self.api_versions(asked, &request, step),
            Request::CreateTopics(request) => self.create_topics(asked, request, step),
            Request::DeleteTopics(request) => self.delete_topics(asked, request, step),
            Request::DeleteRecords(request) => self.delete_records(asked, request, step),
            Request::InitProducerId(request) => self.init_producer_id(asked, &request, step),
            Request::OffsetForLeaderEpoch(request) => {
                self.offset_for_leader_epoch(asked, request, step);
            }
            Request::DescribeConfigs(request) => self.describe_configs(asked, request, step),
            Request::AlterConfigs(request) => self.alter_configs(asked, request, step),
            Request::DescribeLogDirs(request) => self.describe_log_dirs(asked, request, step),
            Request::CreatePartitions(request) => self.create_partitions(asked, request, step),
            Request::DeleteGroups(request) => self.delete_groups(asked, request, step),
            Request::IncrementalAlterConfigs(request) => {
                self.incremental_alter_configs(asked, request, step);
            }
            Request::OffsetDelete(request) => self.offset_delete(asked, request, step),
            Request::DescribeCluster(request) => self.describe_cluster(asked, &request, step),
            Request::DescribeProducers(request) => self.describe_producers(asked, request, step),
            Request::DescribeTopicPartitions(request) => {
                self.describe_topic_partitions(asked, request, step);
            }
        }
    }

    /// The slot of a partition by its topic's name.
    pub(crate) fn slot_by_name(&self, topic: &str, partition: i32) -> Option<u32> {
        let topic = self.image.topic_id(topic)?;
        self.slot(TopicPartition { topic, partition: PartitionIndex(partition) })
    }

    /// The slot of a partition by its topic's id.
    pub(crate) fn slot_by_id(&self, topic: TopicId, partition: i32) -> Option<u32> {
        self.slot(TopicPartition { topic, partition: PartitionIndex(partition) })
    }

    /// A batch's place was found.
    pub(crate) fn located(
        &mut self,
        asker: Asker,
        result: Result<crate::log::LogPosition, ReadError>,
        step: &mut Step<'_>,
    ) {
        match asker {
            Asker::Request { request, index } => self.fetch_located(request, index, result, step),
            Asker::Coordinator(index) => self.coordinator_located(index, result, step),
        }
    }

    /// Records may be served.
    pub(crate) fn prepared(
        &mut self,
        asker: Asker,
        result: Result<crate::disk::FileRange, ReadError>,
        step: &mut Step<'_>,
    ) {
        match asker {
            Asker::Request { request, index } => self.fetch_prepared(request, index, result, step),
            Asker::Coordinator(index) => self.coordinator_prepared(index, result, step),
        }
    }

    /// Requests that have waited longer than their clients want are answered.
    pub(crate) fn expire_requests(&mut self, step: &mut Step<'_>) {
        self.expire_produces(step);
    }

    /// Nobody waits for a request any more.
    pub(crate) fn forget(&mut self, id: RequestId, step: &mut Step<'_>) {
        match self.pending.remove(&id) {
            Some(Pending::Fetch(fetch)) => self.forget_fetch(id, &fetch),
            Some(Pending::Produce(_) | Pending::ListOffsets(_) | Pending::DeleteRecords(_))
            | None => {}
        }
        self.forget_in_groups(id, step);
    }

    /// The quorum has decided on a proposal, or cannot.
    pub(crate) fn proposal_decided(
        &mut self,
        then: Proposed,
        outcomes: Option<&[Outcome]>,
        step: &mut Step<'_>,
    ) {
        match then {
            Proposed::CreateTopics(proposed) => self.topics_created(proposed, outcomes, step),
            Proposed::DeleteTopics(proposed) => self.topics_deleted(proposed, outcomes, step),
            Proposed::CreatePartitions(proposed) => {
                self.partitions_created(proposed, outcomes, step);
            }
            Proposed::Configs(proposed) => self.configs_changed(proposed, outcomes, step),
            Proposed::AutoCreate => {}
            Proposed::OffsetsTopic => self.offsets_topic_created(step),
            Proposed::ProducerIds => {
                self.take_producer_ids(outcomes.and_then(<[Outcome]>::first), step);
            }
            Proposed::Alterations(proposals) => {
                self.alterations_decided(proposals, outcomes, step);
            }
        }
    }
}
