//! A consumer that shares the partitions of its topics with the other members of its group, by the classic protocol.
//!
//! The coordinator notices who is alive by heartbeats and has everybody join anew when that changes. One member, the
//! leader, then shares the partitions, and each goes on from where the group has committed. What a caller has marked as
//! processed is committed now and then, before each rebalance and at the end: after a failure some records come again, and
//! none is left out.

mod assignor;
mod coordinator;
mod describe;
mod error;
mod heartbeat;
mod membership;
mod offsets;
mod protocol;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ottla_core::types::{ErrorCode, Offset};
use tokio::time::Instant;

pub use describe::{
    CLASSIC, DEAD, EMPTY, GroupDescription, MemberDescription, alter_offsets, delete_group,
    describe_group, list_groups,
};
pub use error::GroupError;

use super::{
    Client, Consumer, TopicPartition,
    consumer::{ConsumeError, ConsumerConfig, ConsumerRecord, Position},
    offsets::{OffsetSpec, list_offsets},
};
use coordinator::Coordinator;
use heartbeat::{Event, Heartbeat};
use membership::{PartitionCounts, partition_counts};
use offsets::Committer;

/// How long the leader believes how many partitions the topics have.
const METADATA_AGE_MAX: Duration = Duration::from_secs(30);

/// How a member behaves.
#[derive(Debug, Clone)]
pub struct GroupConfig {
    /// The topics to read.
    pub topics: Vec<Arc<str>>,
    /// How long the coordinator believes in a silent member.
    pub session_timeout: Duration,
    /// How long it waits in a rebalance for a member to join anew.
    pub rebalance_timeout: Duration,
    /// How often the member gives a sign of life.
    pub heartbeat_interval: Duration,
    /// How often what is processed is committed.
    pub commit_interval: Duration,
    /// Where to begin in a partition of which the group has no offset, or one outside the log.
    pub reset: OffsetSpec,
    /// How partitions are read.
    pub consumer: ConsumerConfig,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            topics: vec![],
            session_timeout: Duration::from_secs(45),
            rebalance_timeout: Duration::from_secs(60),
            heartbeat_interval: Duration::from_secs(3),
            commit_interval: Duration::from_secs(1),
            reset: OffsetSpec::Latest,
            consumer: ConsumerConfig::default(),
        }
    }
}

/// A place in the present generation.
#[derive(Debug)]
struct Active {
    generation: i32,
    heartbeat: Heartbeat,
    partitions: Vec<TopicPartition>,
    /// What the leader shared out, and when that was last found to be all there is.
    counts: Option<(PartitionCounts, Instant)>,
}

/// A member of a group.
#[derive(Debug)]
pub struct GroupConsumer {
    client: Client,
    config: GroupConfig,
    coordinator: Arc<Coordinator>,
    consumer: Consumer,
    /// Empty until the coordinator gives one.
    member_id: String,
    /// None before the first join and during each.
    active: Option<Active>,
    /// How many partitions the topics had when this member came.
    counts_at_first: Option<PartitionCounts>,
    /// Whether a JoinGroup may be without an answer.
    joining: bool,
    /// What is processed and not committed: the offset to go on from.
    processed: BTreeMap<TopicPartition, Offset>,
    committed_at: Instant,
}

impl GroupConsumer {
    /// A member to be: it joins when it is first polled.
    pub fn new(client: Client, group: &str, config: GroupConfig) -> Self {
        let consumer_config =
            ConsumerConfig { reset: Some(config.reset), ..config.consumer.clone() };
        Self {
            consumer: Consumer::new(client.clone(), consumer_config),
            coordinator: Arc::new(Coordinator::new(client.clone(), group.to_owned())),
            client,
            config,
            member_id: String::new(),
            active: None,
            counts_at_first: None,
            joining: false,
            processed: BTreeMap::new(),
            committed_at: Instant::now(),
        }
    }

    /// What this member reads at present.
    pub fn partitions(&self) -> &[TopicPartition] {
        self.active.as_ref().map_or(&[], |active| &active.partitions)
    }

    /// The next records: as soon as there are any, or none after `limit`. Joins first where that is due, which can take
    /// longer. What it handed out before should be processed by now: it may become another member's. May be cancelled
    /// without loss.
    pub async fn poll(&mut self, limit: Duration) -> Result<Vec<ConsumerRecord>, GroupError> {
        if self.committed_at.elapsed() >= self.config.commit_interval {
            self.commit().await?;
        }
        self.watch_topics().await;
        let deadline = Instant::now() + limit;
        loop {
            let Some(active) = &mut self.active else {
                self.join().await?;
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let event = tokio::select! {
                biased;
                event = active.heartbeat.event() => event,
                records = self.consumer.poll(left) => return records.map_err(GroupError::Consume),
            };
            match event {
                Event::Rebalance => {
                    self.commit().await?;
                    self.active = None;
                }
                Event::Expelled(error) => self.expelled(&error),
            }
        }
    }

    /// Marks a record as processed.
    pub fn processed(&mut self, record: &ConsumerRecord) {
        let next = record.offset + 1;
        match self.processed.get_mut(&record.partition) {
            Some(offset) => *offset = next,
            None => drop(self.processed.insert(record.partition.clone(), next)),
        }
    }

    /// Commits what is processed. Where the group has gone on without this member, that is for others to process again.
    pub async fn commit(&mut self) -> Result<(), GroupError> {
        self.committed_at = Instant::now();
        let Some(active) = &self.active else { return Ok(()) };
        if self.processed.is_empty() {
            return Ok(());
        }
        let committer = Committer { generation: active.generation, member_id: &self.member_id };
        match offsets::commit(&self.coordinator, committer, &self.processed).await {
            Ok(()) => self.processed.clear(),
            Err(error) => match error.refusal().and_then(|refusal| refusal.known()) {
                Some(ErrorCode::RebalanceInProgress) => self.active = None,
                Some(ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration) => {
                    self.expelled(&error);
                }
                _ => return Err(error),
            },
        }
        Ok(())
    }

    /// Commits what is processed and leaves the group.
    pub async fn leave(mut self) -> Result<(), GroupError> {
        if self.joining {
            // The answer to the JoinGroup would stand before that to everything else.
            self.coordinator.forget();
        }
        let committed = self.commit().await;
        self.active = None;
        if self.member_id.is_empty() {
            return committed;
        }
        let left = membership::leave(&self.coordinator, &self.member_id).await;
        committed.and(left)
    }

    fn expelled(&mut self, error: &GroupError) {
        tracing::warn!(group = %self.coordinator.group, %error, "no longer a member");
        self.active = None;
    }

    async fn join(&mut self) -> Result<(), GroupError> {
        self.consumer.assign([]);
        self.processed.clear();
        if self.counts_at_first.is_none() {
            let topics = self.config.topics.iter().cloned();
            self.counts_at_first = Some(partition_counts(&self.client, topics).await);
        }
        if self.joining {
            self.coordinator.forget();
        }
        self.joining = true;
        let membership =
            membership::join(&self.coordinator, &self.config, &mut self.member_id).await?;
        self.joining = false;
        let heartbeat = Heartbeat::start(
            Arc::clone(&self.coordinator),
            membership.generation,
            self.member_id.clone(),
            self.config.heartbeat_interval,
        );
        let positions = self.positions(&membership.partitions).await?;
        self.consumer.assign(positions);
        tracing::info!(
            group = %self.coordinator.group,
            generation = membership.generation,
            partitions = membership.partitions.len(),
            "joined"
        );
        self.active = Some(Active {
            generation: membership.generation,
            heartbeat,
            partitions: membership.partitions,
            counts: membership.counts.map(|counts| (counts, Instant::now())),
        });
        Ok(())
    }

    /// Where to go on in each partition. Where the group has no offset, the one that is found now is committed as well:
    /// the next member shall not look again and pass over what has come in between.
    async fn positions(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Position>, GroupError> {
        let committed = offsets::fetch(&self.coordinator, Some(partitions)).await?;
        let new = partitions.iter().filter(|partition| !committed.contains_key(partition));
        let new = new.map(|partition| (partition.clone(), self.reset_of(partition)));
        let found = list_offsets(&self.client, new.collect()).await;
        let found = found.map_err(|error| GroupError::Consume(ConsumeError::Offsets(error)))?;
        let mut positions: BTreeMap<_, _> = committed
            .into_iter()
            .map(|(partition, offset)| (partition, Position::Offset(offset)))
            .collect();
        for (partition, offset) in found {
            let position = match offset {
                Some(offset) => {
                    self.processed.insert(partition.clone(), offset);
                    Position::Offset(offset)
                }
                None => Position::Spec(self.config.reset),
            };
            positions.insert(partition, position);
        }
        Ok(positions)
    }

    /// Where to begin in a partition of which the group has no offset. One that was not there when this member came has
    /// nothing that is older than its wish to read.
    fn reset_of(&self, partition: &TopicPartition) -> OffsetSpec {
        let first_new =
            self.counts_at_first.as_ref().and_then(|counts| counts.get(&partition.topic));
        let index = usize::try_from(partition.partition.0).unwrap_or(0);
        if first_new.is_some_and(|&first_new| 0 < first_new && first_new <= index) {
            OffsetSpec::Earliest
        } else {
            self.config.reset
        }
    }

    /// Joins anew when there is more to share out than was.
    async fn watch_topics(&mut self) {
        let Some(Active { counts: Some((counts, since)), .. }) = &mut self.active else { return };
        if since.elapsed() < METADATA_AGE_MAX {
            return;
        }
        *since = Instant::now();
        if partition_counts(&self.client, counts.keys().cloned()).await != *counts {
            // What is not committed comes again.
            let _ = self.commit().await;
            self.active = None;
        }
    }
}
