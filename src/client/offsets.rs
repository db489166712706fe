//! Where partitions begin and end, and where they stood at a time.

use std::{collections::BTreeMap, fmt, time::Duration};

use ottla_core::{
    types::{BrokerId, LeaderEpoch, Offset, PartitionIndex, Timestamp},
    wire::messages::list_offsets::{
        ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
    },
};

use super::{
    Backoff, CallError, CallOptions, Client, MetadataError, Reply, ServerError, TopicPartition,
    topic_partition::by_topic,
};

/// How long to look for a leader that answers.
const LIMIT: Duration = Duration::from_secs(30);
/// From a consumer, not from another broker.
const NO_REPLICA: i32 = -1;

/// Which offset of a partition is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// That of the first record that is kept.
    Earliest,
    /// That of the next record to come.
    Latest,
    /// That of the first record with this timestamp or a later one.
    At(Timestamp),
}

impl OffsetSpec {
    /// How ListOffsets says it.
    const fn timestamp(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::At(timestamp) => timestamp.0,
        }
    }
}

/// Why offsets are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OffsetsError {
    /// The partition or its leader is not known.
    Metadata(MetadataError),
    /// The leader did not answer.
    Call(CallError),
    /// The leader refuses.
    Partition {
        /// For which.
        partition: TopicPartition,
        /// Why.
        error: ServerError,
    },
    /// The answer leaves the partition out.
    Missing(TopicPartition),
}

impl OffsetsError {
    fn is_retriable(&self) -> bool {
        match self {
            Self::Metadata(error) => error.is_retriable(),
            Self::Call(error) => error.is_retriable(),
            Self::Partition { error, .. } => error.is_retriable(),
            Self::Missing(_) => false,
        }
    }
}

impl fmt::Display for OffsetsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metadata(error) => error.fmt(f),
            Self::Call(error) => error.fmt(f),
            Self::Partition { partition, error } => write!(f, "offsets of {partition}: {error}"),
            Self::Missing(partition) => {
                write!(f, "the broker's answer leaves out the offset of {partition}")
            }
        }
    }
}

impl std::error::Error for OffsetsError {}

type Wanted = BTreeMap<TopicPartition, OffsetSpec>;
type Found = BTreeMap<TopicPartition, Option<Offset>>;
/// What one leader is asked.
type Ask = (TopicPartition, (OffsetSpec, LeaderEpoch));

/// Asks the leaders. None where no record is as late as the timestamp.
pub async fn list_offsets(client: &Client, wanted: Wanted) -> Result<Found, OffsetsError> {
    let mut found = Found::new();
    let mut open = wanted;
    let mut backoff = Backoff::for_at_most(LIMIT);
    loop {
        let Err(error) = ask_leaders(client, &mut open, &mut found).await else {
            return Ok(found);
        };
        for partition in open.keys() {
            client.forget_topic(&partition.topic);
        }
        if !error.is_retriable() || !backoff.pause().await {
            return Err(error);
        }
    }
}

/// Moves what is answered from `open` to `found`; fails unless that is all.
async fn ask_leaders(
    client: &Client,
    open: &mut Wanted,
    found: &mut Found,
) -> Result<(), OffsetsError> {
    let mut leaders: BTreeMap<BrokerId, Vec<Ask>> = BTreeMap::new();
    for (partition, &spec) in &*open {
        let (leader, topic) = client.leader(partition).await.map_err(OffsetsError::Metadata)?;
        let epoch = topic.partition(partition.partition).map(|known| known.leader_epoch);
        let ask = (partition.clone(), (spec, epoch.unwrap_or(LeaderEpoch(-1))));
        leaders.entry(leader).or_default().push(ask);
    }
    let mut replies = Vec::new();
    for (leader, asks) in leaders {
        replies.push(start(client, leader, asks).await.map_err(OffsetsError::Call)?);
    }
    let mut outcome = Ok(());
    for mut reply in replies {
        match reply.wait().await {
            Ok(response) => outcome = outcome.and(take_answers(response, open, found)),
            Err(error) => outcome = Err(OffsetsError::Call(error)),
        }
    }
    outcome?;
    match open.keys().next() {
        Some(partition) => Err(OffsetsError::Missing(partition.clone())),
        None => Ok(()),
    }
}

async fn start(
    client: &Client,
    leader: BrokerId,
    asks: Vec<Ask>,
) -> Result<Reply<ListOffsetsRequest>, CallError> {
    let topics = by_topic(asks).into_iter().map(|(name, partitions)| ListOffsetsTopic {
        name: name.to_string(),
        partitions: partitions
            .into_iter()
            .map(|(PartitionIndex(partition_index), (spec, epoch))| ListOffsetsPartition {
                partition_index,
                current_leader_epoch: epoch.0,
                timestamp: spec.timestamp(),
            })
            .collect(),
    });
    let request = ListOffsetsRequest {
        replica_id: NO_REPLICA,
        topics: topics.collect(),
        timeout_ms: 30_000,
        ..Default::default()
    };
    client.connection(leader).await?.start(&request, CallOptions::default()).await
}

fn take_answers(
    response: ListOffsetsResponse,
    open: &mut Wanted,
    found: &mut Found,
) -> Result<(), OffsetsError> {
    let mut outcome = Ok(());
    for topic in response.topics {
        for answer in topic.partitions {
            let partition = TopicPartition::new(topic.name.as_str(), answer.partition_index);
            match ServerError::check(answer.error_code, None) {
                Ok(()) => {
                    let offset = (answer.offset >= 0).then_some(Offset(answer.offset));
                    if open.remove(&partition).is_some() {
                        found.insert(partition, offset);
                    }
                }
                Err(error) => outcome = Err(OffsetsError::Partition { partition, error }),
            }
        }
    }
    outcome
}
