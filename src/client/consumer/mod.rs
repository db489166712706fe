//! A consumer of partitions that it is given.
//!
//! One Fetch is under way to each leader. What it brings is handed out as it comes, and the next one starts before it is
//! handed out, so that the broker works while the caller does.

mod decode;
mod error;
mod fetch;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use ottla_core::{
    types::{BrokerId, ErrorCode, LeaderEpoch, Offset, Timestamp},
    wire::messages::fetch::FetchResponse,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

pub use error::{ConsumeError, CorruptRecords};

use super::{
    CallError, Client, ServerError, TopicPartition,
    offsets::{OffsetSpec, list_offsets},
};
use fetch::{Answer, Ask};

/// How long a partition rests after its leader could not be asked.
const REST: Duration = Duration::from_millis(100);

/// How a consumer behaves.
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// How long a fetch waits at the broker for records to come.
    pub max_wait: Duration,
    /// How many bytes it waits for.
    pub min_bytes: i32,
    /// How many bytes an answer may have.
    pub max_bytes: i32,
    /// How many of them may be of one partition.
    pub partition_max_bytes: i32,
    /// Where to go on when the position is outside the log; none makes that an error.
    pub reset: Option<OffsetSpec>,
    /// How long nothing may work before that is an error.
    pub unavailable_max: Duration,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            max_wait: Duration::from_millis(500),
            min_bytes: 1,
            max_bytes: 16 << 20,
            partition_max_bytes: 1 << 20,
            reset: None,
            unavailable_max: Duration::from_secs(60),
        }
    }
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerRecord {
    /// Where it stands.
    pub partition: TopicPartition,
    /// At which offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value; none is a tombstone.
    pub value: Option<Bytes>,
    /// Its headers, in order.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// At this offset.
    Offset(Offset),
    /// Where the leader says.
    Spec(OffsetSpec),
}

#[derive(Debug)]
struct Assigned {
    position: Position,
    assignment: u64,
    /// Whether a fetch under way asks for it.
    fetching: bool,
    rest_until: Option<Instant>,
}

/// What a fetch brought.
#[derive(Debug)]
struct Fetched {
    leader: BrokerId,
    asks: Vec<Ask>,
    outcome: Result<FetchResponse, CallError>,
}

/// Reads partitions.
#[derive(Debug)]
pub struct Consumer {
    client: Client,
    config: ConsumerConfig,
    partitions: BTreeMap<TopicPartition, Assigned>,
    assignment: u64,
    turn: usize,
    busy: BTreeSet<BrokerId>,
    fetched: mpsc::UnboundedReceiver<Fetched>,
    fetched_sender: mpsc::UnboundedSender<Fetched>,
    /// What came and is not handed out, in the order of each partition, and what went wrong behind it.
    ready: Vec<ConsumerRecord>,
    failure: Option<ConsumeError>,
    /// Since when nothing works.
    failing_since: Option<Instant>,
}

impl Consumer {
    /// A consumer of nothing yet.
    pub fn new(client: Client, config: ConsumerConfig) -> Self {
        let (fetched_sender, fetched) = mpsc::unbounded_channel();
        Self {
            client,
            config,
            partitions: BTreeMap::new(),
            assignment: 0,
            turn: 0,
            busy: BTreeSet::new(),
            fetched,
            fetched_sender,
            ready: Vec::new(),
            failure: None,
            failing_since: None,
        }
    }

    /// Reads these partitions, from these positions on, and no others.
    pub fn assign(&mut self, partitions: impl IntoIterator<Item = (TopicPartition, Position)>) {
        self.assignment += 1;
        self.ready.clear();
        self.failure = None;
        let assignment = self.assignment;
        let assigned =
            |position| Assigned { position, assignment, fetching: false, rest_until: None };
        self.partitions = partitions
            .into_iter()
            .map(|(partition, position)| (partition, assigned(position)))
            .collect();
    }

    /// The offset of the next record of the partition, once it is known.
    pub fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        match self.partitions.get(partition)?.position {
            Position::Offset(offset) => Some(offset),
            Position::Spec(_) => None,
        }
    }

    /// The next records: as soon as there are any, or none after `limit`. May be cancelled without loss.
    pub async fn poll(&mut self, limit: Duration) -> Result<Vec<ConsumerRecord>, ConsumeError> {
        let deadline = Instant::now() + limit;
        while self.ready.is_empty() {
            if let Some(error) = self.failure.take() {
                return Err(error);
            }
            self.resolve_positions().await?;
            self.start_fetches().await?;
            let wake = self.next_rest_end().map_or(deadline, |rest_end| rest_end.min(deadline));
            let wait = wake.saturating_duration_since(Instant::now());
            if let Ok(Some(fetched)) = timeout(wait, self.fetched.recv()).await {
                // What came before a failure is handed out first.
                self.failure = self.take(fetched).err();
            } else if Instant::now() >= deadline {
                return Ok(vec![]);
            }
        }
        // A failure shows itself again next time.
        let _ = self.start_fetches().await;
        Ok(std::mem::take(&mut self.ready))
    }

    async fn resolve_positions(&mut self) -> Result<(), ConsumeError> {
        let wanted: BTreeMap<_, _> = self
            .partitions
            .iter()
            .filter_map(|(partition, assigned)| match assigned.position {
                Position::Offset(_) => None,
                Position::Spec(spec) => Some((partition.clone(), spec)),
            })
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let mut found =
            list_offsets(&self.client, wanted.clone()).await.map_err(ConsumeError::Offsets)?;
        // Where no record is as late as a timestamp, those to come will be.
        let late: BTreeMap<_, _> = found
            .iter()
            .filter(|(_, offset)| offset.is_none())
            .map(|(partition, _)| (partition.clone(), OffsetSpec::Latest))
            .collect();
        if !late.is_empty() {
            found.extend(list_offsets(&self.client, late).await.map_err(ConsumeError::Offsets)?);
        }
        for (partition, offset) in found {
            if let Some(assigned) = self.partitions.get_mut(&partition) {
                assigned.position = Position::Offset(offset.unwrap_or(Offset::ZERO));
            }
        }
        Ok(())
    }

    fn next_rest_end(&self) -> Option<Instant> {
        self.partitions.values().filter_map(|assigned| assigned.rest_until).min()
    }

    /// Starts a fetch from each leader that is not busy with one.
    async fn start_fetches(&mut self) -> Result<(), ConsumeError> {
        let now = Instant::now();
        let mut leaders: BTreeMap<BrokerId, Vec<Ask>> = BTreeMap::new();
        let mut failed = Vec::new();
        for (partition, assigned) in &mut self.partitions {
            assigned.rest_until = assigned.rest_until.filter(|&until| until > now);
            let Position::Offset(offset) = assigned.position else { continue };
            if assigned.fetching || assigned.rest_until.is_some() {
                continue;
            }
            match self.client.leader(partition).await {
                Ok((leader, topic)) if !self.busy.contains(&leader) => {
                    let epoch = topic.partition(partition.partition).map(|p| p.leader_epoch);
                    leaders.entry(leader).or_default().push(Ask {
                        partition: partition.clone(),
                        topic_id: topic.id,
                        leader_epoch: epoch.unwrap_or(LeaderEpoch(-1)),
                        offset,
                        assignment: assigned.assignment,
                    });
                }
                Ok(_) => {}
                Err(error) => failed.push((partition.clone(), ConsumeError::Metadata(error))),
            }
        }
        for (partition, error) in failed {
            self.rest(&partition, error)?;
        }
        for (leader, asks) in leaders {
            self.start_fetch(leader, asks).await?;
        }
        Ok(())
    }

    async fn start_fetch(&mut self, leader: BrokerId, asks: Vec<Ask>) -> Result<(), ConsumeError> {
        self.turn = self.turn.wrapping_add(1);
        let (request, options) = fetch::request(&asks, &self.config, self.turn);
        let started = match self.client.connection(leader).await {
            Ok(connection) => connection.start(&request, options).await,
            Err(error) => Err(error),
        };
        let mut reply = match started {
            Ok(reply) => reply,
            Err(error) => return self.rest_all(&asks, &ConsumeError::Call(error)),
        };
        self.busy.insert(leader);
        for ask in &asks {
            if let Some(assigned) = self.partitions.get_mut(&ask.partition) {
                assigned.fetching = true;
            }
        }
        let sender = self.fetched_sender.clone();
        tokio::spawn(async move {
            let outcome = reply.wait().await;
            // The consumer may be gone.
            let _ = sender.send(Fetched { leader, asks, outcome });
        });
        Ok(())
    }

    fn take(&mut self, fetched: Fetched) -> Result<(), ConsumeError> {
        let Fetched { leader, asks, outcome } = fetched;
        self.busy.remove(&leader);
        for ask in &asks {
            if let Some(assigned) = self.current(ask) {
                assigned.fetching = false;
            }
        }
        let response = match outcome {
            Ok(response) => response,
            Err(error) => return self.rest_all(&asks, &ConsumeError::Call(error)),
        };
        let answers = match fetch::answers(asks.clone(), response) {
            Ok(answers) => answers,
            Err(error) => {
                let error = ConsumeError::Refused { partition: None, error };
                return self.rest_all(&asks, &error);
            }
        };
        for Answer { ask, outcome } in answers {
            if self.current(&ask).is_none() {
                continue;
            }
            match outcome {
                Ok(batches) => self.take_batches(&ask, batches)?,
                Err(error) => self.take_error(&ask, error)?,
            }
        }
        Ok(())
    }

    /// The partition, if it is still that of the question.
    fn current(&mut self, ask: &Ask) -> Option<&mut Assigned> {
        self.partitions
            .get_mut(&ask.partition)
            .filter(|assigned| assigned.assignment == ask.assignment)
    }

    fn take_batches(&mut self, ask: &Ask, batches: Bytes) -> Result<(), ConsumeError> {
        self.failing_since = None;
        let decoded = decode::decode(batches, &ask.partition, ask.offset, &mut self.ready);
        let next = decoded.map_err(|error| ConsumeError::Corrupt {
            partition: ask.partition.clone(),
            offset: ask.offset,
            error,
        })?;
        if let Some(assigned) = self.current(ask) {
            assigned.position = Position::Offset(next);
        }
        Ok(())
    }

    fn take_error(&mut self, ask: &Ask, error: ServerError) -> Result<(), ConsumeError> {
        if error.is(ErrorCode::OffsetOutOfRange)
            && let Some(reset) = self.config.reset
        {
            tracing::warn!(partition = %ask.partition, offset = %ask.offset, "offset out of range");
            if let Some(assigned) = self.current(ask) {
                assigned.position = Position::Spec(reset);
            }
            return Ok(());
        }
        let partition = Some(ask.partition.clone());
        self.rest(&ask.partition, ConsumeError::Refused { partition, error })
    }

    fn rest_all(&mut self, asks: &[Ask], error: &ConsumeError) -> Result<(), ConsumeError> {
        asks.iter().try_for_each(|ask| self.rest(&ask.partition, error.clone()))
    }

    /// Leaves a partition alone for a moment and then looks for its leader anew; gives up if nothing has worked for long.
    fn rest(
        &mut self,
        partition: &TopicPartition,
        error: ConsumeError,
    ) -> Result<(), ConsumeError> {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if !error.is_retriable() || since.elapsed() > self.config.unavailable_max {
            return Err(error);
        }
        tracing::debug!(%partition, %error, "a fetch is tried again");
        self.client.forget_topic(&partition.topic);
        if let Some(assigned) = self.partitions.get_mut(partition) {
            assigned.rest_until = Some(Instant::now() + REST);
        }
        Ok(())
    }
}
