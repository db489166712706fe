//! Which topics there are and who leads their partitions: asked once, and again when a broker says that it is out of date.

use std::{collections::BTreeMap, fmt, sync::Arc, sync::Mutex, time::Duration};

use ottla_core::{
    types::{BrokerId, ErrorCode, LeaderEpoch, PartitionIndex, Uuid},
    wire::messages::metadata::{
        MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponsePartition,
        MetadataResponseTopic,
    },
};
use tokio::sync::Semaphore;

use super::{Address, Backoff, CallError, Client, ServerError, TopicPartition, nodes::lock};

/// A broker of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Who.
    pub id: BrokerId,
    /// Where.
    pub address: Address,
}

/// What is known of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicMetadata {
    /// Its name.
    pub name: Arc<str>,
    /// Its id, if the broker tells.
    pub id: Option<Uuid>,
    /// Whether the brokers themselves keep something in it.
    pub is_internal: bool,
    /// Its partitions, in ascending order.
    pub partitions: Vec<PartitionMetadata>,
}

/// What is known of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// Which.
    pub index: PartitionIndex,
    /// Who leads it, if anybody does.
    pub leader: Option<BrokerId>,
    /// The leader's epoch; -1 where the broker does not tell.
    pub leader_epoch: LeaderEpoch,
    /// Who has a copy.
    pub replicas: Vec<BrokerId>,
    /// Whose copy is complete.
    pub isr: Vec<BrokerId>,
}

impl TopicMetadata {
    /// The partition with this number.
    pub fn partition(&self, index: PartitionIndex) -> Option<&PartitionMetadata> {
        // Mostly partitions are numbered without a gap.
        let guess = usize::try_from(index.0).ok().and_then(|guess| self.partitions.get(guess));
        guess
            .filter(|partition| partition.index == index)
            .or_else(|| self.partitions.iter().find(|partition| partition.index == index))
    }
}

/// Why a topic, a partition or its leader is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataError {
    /// No broker answered.
    Call(CallError),
    /// The broker does not tell about the topic.
    Topic {
        /// Which.
        topic: Arc<str>,
        /// Why.
        error: ServerError,
    },
    /// The topic has fewer partitions.
    NoPartition {
        /// Which was wanted.
        wanted: TopicPartition,
        /// How many there are.
        count: usize,
    },
    /// Nobody leads the partition at present.
    NoLeader(TopicPartition),
}

impl MetadataError {
    /// Whether the answer may be another one a little later.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Call(error) => error.is_retriable(),
            Self::Topic { error, .. } => error.is_retriable(),
            Self::NoPartition { .. } => false,
            Self::NoLeader(_) => true,
        }
    }
}

impl From<CallError> for MetadataError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::Topic { topic, error } if error.is(ErrorCode::UnknownTopicOrPartition) => {
                write!(f, "there is no topic {topic}")
            }
            Self::Topic { topic, error } => write!(f, "topic {topic}: {error}"),
            Self::NoPartition { wanted, count } => write!(
                f,
                "topic {} has {count} partitions, and so no partition {}",
                wanted.topic, wanted.partition
            ),
            Self::NoLeader(partition) => write!(f, "{partition} has no leader at present"),
        }
    }
}

impl std::error::Error for MetadataError {}

#[derive(Debug)]
pub(super) struct Metadata {
    topics: Mutex<BTreeMap<Arc<str>, Arc<TopicMetadata>>>,
    cluster: Mutex<Cluster>,
    /// One asks at a time; the others then find the answer.
    asking: Semaphore,
}

#[derive(Debug, Clone, Default)]
struct Cluster {
    controller: Option<BrokerId>,
    brokers: Vec<Broker>,
}

impl Default for Metadata {
    fn default() -> Self {
        let (topics, cluster) = (Mutex::default(), Mutex::default());
        Self { topics, cluster, asking: Semaphore::new(1) }
    }
}

impl Client {
    /// What is known of the topic; asks if nothing is.
    pub async fn topic(&self, name: &str) -> Result<Arc<TopicMetadata>, MetadataError> {
        if let Some(topic) = self.known_topic(name) {
            return Ok(topic);
        }
        // Nobody closes the semaphore.
        let _permit = self.shared.metadata.asking.acquire().await;
        match self.known_topic(name) {
            Some(topic) => Ok(topic),
            None => self.refresh_topic(name).await,
        }
    }

    /// As [`Self::topic`], but waits for a new topic to appear and for each of its partitions to have a leader.
    pub async fn await_topic(
        &self,
        name: &str,
        limit: Duration,
    ) -> Result<Arc<TopicMetadata>, MetadataError> {
        let mut backoff = Backoff::for_at_most(limit);
        loop {
            let outcome = self.refresh_topic(name).await.and_then(|topic| {
                match topic.partitions.iter().find(|partition| partition.leader.is_none()) {
                    None => Ok(topic),
                    Some(PartitionMetadata { index, .. }) => {
                        Err(MetadataError::NoLeader(TopicPartition::new(name, index.0)))
                    }
                }
            });
            match outcome {
                Err(error) if error.is_retriable() && backoff.pause().await => {}
                outcome => return outcome,
            }
        }
    }

    /// The leader of a partition, and the topic that it is part of.
    pub async fn leader(
        &self,
        partition: &TopicPartition,
    ) -> Result<(BrokerId, Arc<TopicMetadata>), MetadataError> {
        let topic = self.topic(&partition.topic).await?;
        let Some(known) = topic.partition(partition.partition) else {
            let count = topic.partitions.len();
            return Err(MetadataError::NoPartition { wanted: partition.clone(), count });
        };
        let Some(leader) = known.leader else {
            // Whoever asks again shall not be told the same.
            self.forget_topic(&partition.topic);
            return Err(MetadataError::NoLeader(partition.clone()));
        };
        Ok((leader, topic))
    }

    /// Forgets a topic whose metadata proved out of date, so that the next question goes to a broker.
    pub fn forget_topic(&self, name: &str) {
        lock(&self.shared.metadata.topics).remove(name);
    }

    /// All topics of the cluster, in the order of their names.
    pub async fn all_topics(&self) -> Result<Vec<Arc<TopicMetadata>>, MetadataError> {
        let response = self.ask_metadata(None).await?;
        let mut topics = Vec::with_capacity(response.topics.len());
        for topic in response.topics {
            topics.push(Arc::new(parse_topic(topic)?));
        }
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// All brokers of the cluster.
    pub async fn brokers(&self) -> Result<Vec<Broker>, CallError> {
        self.refresh_brokers().await?;
        Ok(lock(&self.shared.metadata.cluster).brokers.clone())
    }

    /// Who takes changes of the metadata.
    pub async fn controller(&self) -> Result<BrokerId, CallError> {
        self.refresh_brokers().await?;
        let controller = lock(&self.shared.metadata.cluster).controller;
        controller.ok_or(CallError::UnknownBroker(BrokerId(-1)))
    }

    pub(super) async fn refresh_brokers(&self) -> Result<(), CallError> {
        self.ask_metadata(Some(vec![])).await.map(drop)
    }

    /// Takes note of a broker that another answer than that of Metadata names.
    pub(super) fn learn_broker(&self, id: BrokerId, host: &str, port: i32) {
        if let Ok(port) = u16::try_from(port) {
            self.shared.nodes.learn(id, Address { host: host.to_owned(), port });
        }
    }

    fn known_topic(&self, name: &str) -> Option<Arc<TopicMetadata>> {
        lock(&self.shared.metadata.topics).get(name).cloned()
    }

    async fn refresh_topic(&self, name: &str) -> Result<Arc<TopicMetadata>, MetadataError> {
        let asked = MetadataRequestTopic { name: Some(name.to_owned()), ..Default::default() };
        let response = self.ask_metadata(Some(vec![asked])).await?;
        let topic = response.topics.into_iter().find(|topic| topic.name.as_deref() == Some(name));
        let topic = Arc::new(parse_topic(topic.unwrap_or_else(|| MetadataResponseTopic {
            error_code: ErrorCode::UnknownTopicOrPartition.code(),
            name: Some(name.to_owned()),
            ..Default::default()
        }))?);
        lock(&self.shared.metadata.topics).insert(Arc::clone(&topic.name), Arc::clone(&topic));
        Ok(topic)
    }

    async fn ask_metadata(
        &self,
        topics: Option<Vec<MetadataRequestTopic>>,
    ) -> Result<MetadataResponse, CallError> {
        let request =
            MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
        let response = self.call_any(&request).await?;
        for broker in &response.brokers {
            self.learn_broker(BrokerId(broker.node_id), &broker.host, broker.port);
        }
        let brokers = response.brokers.iter().filter_map(|broker| {
            let address =
                Address { host: broker.host.clone(), port: u16::try_from(broker.port).ok()? };
            Some(Broker { id: BrokerId(broker.node_id), address })
        });
        let controller = (response.controller_id >= 0).then_some(BrokerId(response.controller_id));
        *lock(&self.shared.metadata.cluster) = Cluster { controller, brokers: brokers.collect() };
        Ok(response)
    }
}

fn parse_topic(topic: MetadataResponseTopic) -> Result<TopicMetadata, MetadataError> {
    let name: Arc<str> = topic.name.unwrap_or_default().into();
    ServerError::check(topic.error_code, None)
        .map_err(|error| MetadataError::Topic { topic: Arc::clone(&name), error })?;
    let mut partitions: Vec<_> = topic.partitions.iter().map(parse_partition).collect();
    partitions.sort_by_key(|partition| partition.index);
    let id = (topic.topic_id != Uuid::ZERO).then_some(topic.topic_id);
    Ok(TopicMetadata { name, id, is_internal: topic.is_internal, partitions })
}

fn parse_partition(partition: &MetadataResponsePartition) -> PartitionMetadata {
    let brokers = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect();
    PartitionMetadata {
        index: PartitionIndex(partition.partition_index),
        leader: (partition.leader_id >= 0).then_some(BrokerId(partition.leader_id)),
        leader_epoch: LeaderEpoch(partition.leader_epoch),
        replicas: brokers(&partition.replica_nodes),
        isr: brokers(&partition.isr_nodes),
    }
}
