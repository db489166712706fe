//! The topic to measure with: found or created, and deleted if it was created.

use std::{collections::BTreeMap, time::Duration};

use ottla_core::{
    types::{ErrorCode, Timestamp, Uuid},
    wire::ApiKey,
};

use super::{BenchError, args::TopicArgs, frames::TopicRef, lanes::Led};
use crate::{
    cli::{CliError, arguments},
    client::{
        Address, CallError, Client, MetadataError, TopicPartition,
        admin::{AdminError, NewTopic, create_topic, delete_topic},
        offsets::{OffsetSpec, list_offsets},
    },
};

/// How long a new topic may take to have leaders.
const LEADERS_MAX: Duration = Duration::from_secs(30);

/// The topic to measure with.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) topic: TopicRef,
    pub(super) partitions: Vec<Led>,
    /// Whether it was created for this.
    pub(super) is_new: bool,
}

impl Target {
    /// Finds the topic, or creates it.
    pub(super) async fn prepare(
        client: &Client,
        args: &TopicArgs,
        now: Timestamp,
    ) -> Result<Self, CliError> {
        let name = args.topic.clone().unwrap_or_else(|| format!("ottla-bench-{now}"));
        let new = NewTopic {
            name: name.clone(),
            partitions: Some(args.partitions),
            replication_factor: args.replication_factor,
            configs: arguments::map(&args.topic_configs),
        };
        let is_new = match create_topic(client, &new).await {
            Ok(()) => true,
            Err(error) if error.is(ErrorCode::TopicAlreadyExists) => false,
            Err(error) => return Err(error.into()),
        };
        let topic = client.await_topic(&name, LEADERS_MAX).await?;
        let addresses: BTreeMap<_, Address> =
            client.brokers().await?.into_iter().map(|broker| (broker.id, broker.address)).collect();
        let mut partitions = Vec::new();
        for partition in &topic.partitions {
            let leader = partition.leader.and_then(|leader| addresses.get(&leader)).cloned();
            let leader = leader.ok_or_else(|| {
                let partition = TopicPartition::new(name.as_str(), partition.index.0);
                CliError::Metadata(MetadataError::NoLeader(partition))
            })?;
            partitions.push(Led { partition: partition.index.0, leader });
        }
        let topic = TopicRef { name, id: topic.id.unwrap_or(Uuid::ZERO) };
        let target = Self { topic, partitions, is_new };
        // The metadata may name a leader before it knows that it is one; then it has no offsets to tell either.
        target.offsets(client, OffsetSpec::Latest).await?;
        Ok(target)
    }

    /// Checks that the broker speaks just this version.
    pub(super) async fn require(
        &self,
        client: &Client,
        key: ApiKey,
        version: i16,
    ) -> Result<(), CliError> {
        // From version 13 on both APIs know topics by their ids alone.
        let needs_id = version >= 13 && self.topic.id == Uuid::ZERO;
        match client.any_connection().await?.version(key, Some(version)) {
            Ok(common) if common == version && !needs_id => Ok(()),
            Ok(_) | Err(CallError::Unsupported { .. }) => {
                let option = if key == ApiKey::Produce { "produce" } else { "fetch" };
                Err(CliError::Usage(format!(
                    "the broker and this loader do not both speak {} v{version}; \
                     choose another with --{option}-version",
                    key.name()
                )))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Where each partition begins or ends.
    pub(super) async fn offsets(
        &self,
        client: &Client,
        spec: OffsetSpec,
    ) -> Result<BTreeMap<i32, i64>, CliError> {
        let wanted = self
            .partitions
            .iter()
            .map(|led| (TopicPartition::new(self.topic.name.as_str(), led.partition), spec));
        let found = list_offsets(client, wanted.collect()).await?;
        let found = found.into_iter().map(|(partition, offset)| {
            (partition.partition.0, offset.map_or(0, |offset| offset.0))
        });
        Ok(found.collect())
    }

    /// Deletes the topic if it was created for this.
    pub(super) async fn clean_up(&self, client: &Client, keep: bool) -> Result<(), CliError> {
        if keep || !self.is_new {
            return Ok(());
        }
        match delete_topic(client, &self.topic.name).await {
            Ok(()) => Ok(()),
            // Not every broker knows how to.
            Err(AdminError::Call(CallError::Unsupported { .. })) => {
                eprintln!("topic {} stays: the broker cannot delete topics", self.topic.name);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Fails unless there is something to read.
    pub(super) fn require_data(
        &self,
        starts: &BTreeMap<i32, i64>,
        ends: &BTreeMap<i32, i64>,
    ) -> Result<(), BenchError> {
        if ends.iter().any(|(partition, end)| starts.get(partition) < Some(end)) {
            Ok(())
        } else {
            Err(BenchError::Empty(self.topic.name.clone()))
        }
    }
}
