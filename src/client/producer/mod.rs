//! A producer: records in, batches out, in order and once.

mod accumulator;
mod batch;
mod error;
mod identity;
mod partitioner;
mod sender;
mod verdict;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use ottla_core::{
    records::Compression,
    types::{Offset, PartitionIndex, Timestamp},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

pub use error::ProduceError;
pub use partitioner::murmur2;

use super::{Client, MetadataError, TopicMetadata, TopicPartition, clock};
use batch::Waiter;
use identity::Identities;
use partitioner::Partitioner;
use sender::{Command, PartitionSender};

/// Records on their way to one partition's task.
const COMMANDS_MAX: usize = 256;
/// How long to believe how many partitions a topic has.
const METADATA_AGE_MAX: Duration = Duration::from_secs(300);

/// When a broker acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// Never.
    None,
    /// When the leader has the record.
    Leader,
    /// When all in-sync replicas have it.
    All,
}

impl Acks {
    /// How Produce says it.
    pub const fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// How a producer behaves.
#[derive(Debug, Clone)]
pub struct ProducerConfig {
    /// When a broker acknowledges.
    pub acks: Acks,
    /// Whether brokers tell a batch that is sent again from a new one. Needs [`Acks::All`].
    pub idempotent: bool,
    /// How batches are compressed.
    pub compression: Compression,
    /// How large a batch may be before compression.
    pub batch_bytes: usize,
    /// How long a batch waits for company.
    pub linger: Duration,
    /// How many batches of a partition may be under way, when idempotent; a broker remembers no more than five.
    pub in_flight_max: usize,
    /// How many bytes of records may be unsettled before [`Producer::send`] waits.
    pub memory_bytes: usize,
    /// How long an attempt may take.
    pub request_timeout: Duration,
    /// How long a record may take with all attempts.
    pub delivery_timeout: Duration,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            idempotent: true,
            compression: Compression::None,
            batch_bytes: 64 << 10,
            linger: Duration::from_millis(5),
            in_flight_max: 5,
            memory_bytes: 32 << 20,
            request_timeout: Duration::from_secs(30),
            delivery_timeout: Duration::from_secs(120),
        }
    }
}

/// A record to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProducerRecord {
    /// The key, which also chooses the partition.
    pub key: Option<Bytes>,
    /// The value; none is a tombstone.
    pub value: Option<Bytes>,
    /// The headers, in order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// When it was made; none is now.
    pub timestamp: Option<Timestamp>,
    /// Where it shall go; none leaves it to the producer.
    pub partition: Option<PartitionIndex>,
}

impl ProducerRecord {
    /// The most that the record takes in a batch.
    fn size_bytes_max(&self) -> usize {
        // Six lengths and numbers of at most ten bytes, and the attributes.
        const OVERHEAD_BYTES: usize = 36;
        const HEADER_OVERHEAD_BYTES: usize = 10;
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers: usize = self
            .headers
            .iter()
            .map(|(key, value)| HEADER_OVERHEAD_BYTES + key.len() + length(value))
            .sum();
        OVERHEAD_BYTES + length(&self.key) + length(&self.value) + headers
    }
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordMetadata {
    /// In which partition.
    pub partition: PartitionIndex,
    /// At which offset. Unknown without acknowledgement, or when a broker had the batch already.
    pub offset: Option<Offset>,
    /// With which timestamp.
    pub timestamp: Timestamp,
}

/// A record that is on its way.
#[derive(Debug)]
pub struct Delivery(oneshot::Receiver<Result<RecordMetadata, ProduceError>>);

impl Delivery {
    /// Waits until the record is acknowledged or given up.
    pub async fn outcome(self) -> Result<RecordMetadata, ProduceError> {
        self.0.await.unwrap_or(Err(ProduceError::Ended))
    }
}

#[derive(Debug)]
struct Shared {
    client: Client,
    config: ProducerConfig,
    identities: Identities,
}

#[derive(Debug)]
struct Partition {
    commands: mpsc::Sender<Command>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Topic {
    metadata: Arc<TopicMetadata>,
    since: Instant,
    partitioner: Partitioner,
}

/// Writes records.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    memory: Arc<Semaphore>,
    topics: BTreeMap<Arc<str>, Topic>,
    partitions: BTreeMap<TopicPartition, Partition>,
}

impl Producer {
    /// A producer; it asks for nothing until there is a record.
    pub fn new(client: Client, config: ProducerConfig) -> Self {
        let memory = Arc::new(Semaphore::new(config.memory_bytes.min(Semaphore::MAX_PERMITS)));
        let shared = Arc::new(Shared { client, config, identities: Identities::default() });
        Self { shared, memory, topics: BTreeMap::new(), partitions: BTreeMap::new() }
    }

    /// Takes a record. Waits while too much is unsettled.
    pub async fn send(
        &mut self,
        topic: &str,
        record: ProducerRecord,
    ) -> Result<Delivery, ProduceError> {
        let timestamp = record.timestamp.unwrap_or_else(clock::now);
        let partition = self.choose_partition(topic, &record).await?;
        let size = record.size_bytes_max().min(self.shared.config.memory_bytes);
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let memory = Arc::clone(&self.memory).acquire_many_owned(size).await;
        let memory = memory.map_err(|_| ProduceError::Ended)?;
        let (outcome, delivery) = oneshot::channel();
        let waiter = Waiter { outcome, timestamp, _memory: memory };
        let command = Command::Record { record, timestamp, waiter };
        let sent = self.partition(partition).commands.send(command).await;
        sent.map_err(|_| ProduceError::Ended)?;
        Ok(Delivery(delivery))
    }

    /// Sends all that was taken without waiting for more, and returns when it is settled.
    pub async fn flush(&mut self) {
        let mut flushes = Vec::new();
        for partition in self.partitions.values() {
            let (done, flushed) = oneshot::channel();
            // A task that is gone has nothing to flush.
            let _ = partition.commands.send(Command::Flush(done)).await;
            flushes.push(flushed);
        }
        for flushed in flushes {
            let _ = flushed.await;
        }
    }

    /// Sends all that was taken, and ends when it is settled.
    pub async fn close(self) {
        let tasks: Vec<_> =
            self.partitions.into_values().map(|Partition { task, .. }| task).collect();
        for task in tasks {
            // A task that panicked has dropped its deliveries, which says so.
            let _ = task.await;
        }
    }

    async fn choose_partition(
        &mut self,
        name: &str,
        record: &ProducerRecord,
    ) -> Result<TopicPartition, ProduceError> {
        let Topic { metadata, partitioner, .. } = self.topic(name).await?;
        let chosen = record.partition.or_else(|| {
            partitioner.choose(metadata, record.key.as_deref(), record.size_bytes_max())
        });
        let partition = chosen.ok_or_else(|| ProduceError::NoPartitions(name.to_owned()))?;
        let wanted = TopicPartition { topic: Arc::clone(&metadata.name), partition };
        if metadata.partition(partition).is_none() {
            let count = metadata.partitions.len();
            return Err(ProduceError::Metadata(MetadataError::NoPartition { wanted, count }));
        }
        Ok(wanted)
    }

    /// A topic that was known once stays known: that a leader cannot be found just now is for the partition's task to see.
    async fn topic(&mut self, name: &str) -> Result<&mut Topic, ProduceError> {
        let Shared { client, config, .. } = &*self.shared;
        match self.topics.get_mut(name) {
            None => {
                let metadata = client.topic(name).await.map_err(ProduceError::Metadata)?;
                let partitioner = Partitioner::new(config.batch_bytes, clock::arbitrary());
                let topic = Topic { metadata, since: Instant::now(), partitioner };
                self.topics.insert(name.into(), topic);
            }
            Some(topic) if topic.since.elapsed() > METADATA_AGE_MAX => {
                client.forget_topic(name);
                topic.metadata =
                    client.topic(name).await.unwrap_or_else(|_| Arc::clone(&topic.metadata));
                topic.since = Instant::now();
            }
            Some(_) => {}
        }
        Ok(self.topics.get_mut(name).expect("it is there, or was just put there"))
    }

    fn partition(&mut self, partition: TopicPartition) -> &Partition {
        self.partitions.entry(partition).or_insert_with_key(|partition| {
            let (commands, queue) = mpsc::channel(COMMANDS_MAX);
            let sender = PartitionSender::new(Arc::clone(&self.shared), partition.clone(), queue);
            Partition { commands, task: tokio::spawn(sender.run()) }
        })
    }
}
