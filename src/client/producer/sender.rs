//! The task that writes to one partition: batches go out in order, several at a time, and after a failure in the same
//! order again.
//!
//! After a failure nothing new is sent until all that is under way is answered. What failed then goes out again with its
//! old sequences, so that the broker recognizes what it has. Only a batch that is given up breaks the sequence: those
//! behind it get a new producer id, or, where they may be in the log already, are given up as well.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use ottla_core::{
    records::batch::BatchProducer,
    types::{Sequence, Timestamp},
    wire::messages::produce::{
        PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
    },
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    Acks, COMMANDS_MAX, ProduceError, ProducerRecord, Shared,
    accumulator::{Accumulator, OpenBatch},
    batch::{SealedBatch, Waiter, fail_unsealed},
    identity::{self, Identity},
    verdict::{Verdict, judge},
};
use crate::client::{Backoff, CallError, CallOptions, MetadataError, Reply, TopicPartition};

/// The latest Produce that names a topic by its name.
const VERSION_BY_NAME_MAX: i16 = 12;

#[derive(Debug)]
pub(super) enum Command {
    /// Send this.
    Record { record: ProducerRecord, timestamp: Timestamp, waiter: Waiter },
    /// Send all that is here without waiting for more, and say when it is settled.
    Flush(oneshot::Sender<()>),
}

#[derive(Debug)]
struct InFlight {
    batch: SealedBatch,
    reply: Reply<ProduceRequest>,
}

/// What makes batches of one partition tell themselves apart.
#[derive(Debug, Clone, Copy)]
struct Sequencer {
    identity: Identity,
    next: Sequence,
}

impl Sequencer {
    fn new(identity: Identity) -> Self {
        Self { identity, next: Sequence(0) }
    }

    fn number(&mut self, record_count: i32) -> BatchProducer {
        let base_sequence = self.next;
        self.next = self.next.plus(record_count);
        BatchProducer { id: self.identity.id, epoch: self.identity.epoch, base_sequence }
    }
}

#[derive(Debug)]
pub(super) struct PartitionSender {
    shared: Arc<Shared>,
    partition: TopicPartition,
    commands: mpsc::Receiver<Command>,
    /// Whether more may come.
    open: bool,
    accumulator: Accumulator<Waiter>,
    in_flight: VecDeque<InFlight>,
    /// What failed, in the order in which it goes out again.
    retry: VecDeque<SealedBatch>,
    recovering: bool,
    backoff: Backoff,
    /// None until the first batch, and after one was given up.
    sequencer: Option<Sequencer>,
    gave_up: bool,
    flushes: Vec<oneshot::Sender<()>>,
}

impl PartitionSender {
    pub(super) fn new(
        shared: Arc<Shared>,
        partition: TopicPartition,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        let config = &shared.config;
        let accumulator = Accumulator::new(config.batch_bytes, config.compression, config.linger);
        let backoff = Backoff::unlimited();
        Self {
            shared,
            partition,
            commands,
            open: true,
            accumulator,
            in_flight: VecDeque::new(),
            retry: VecDeque::new(),
            recovering: false,
            backoff,
            sequencer: None,
            gave_up: false,
            flushes: Vec::new(),
        }
    }

    /// Sends until nothing more can come and all is settled.
    pub(super) async fn run(mut self) {
        loop {
            self.send_ready().await;
            if self.accumulator.is_empty() && self.in_flight.is_empty() && self.retry.is_empty() {
                for flush in self.flushes.drain(..) {
                    // Who asked may have given up.
                    let _ = flush.send(());
                }
                if !self.open {
                    return;
                }
            }
            let can_send = !self.recovering && self.in_flight.len() < self.in_flight_max();
            let linger_end = self.accumulator.deadline().filter(|_| can_send);
            tokio::select! {
                biased;
                outcome = next_outcome(&mut self.in_flight) => self.settle(outcome),
                command = self.commands.recv(), if self.open => self.take_all(command),
                () = at(linger_end) => {}
            }
        }
    }

    /// Takes what is there at once, for a look at everything else costs more than a record.
    fn take_all(&mut self, first: Option<Command>) {
        self.take(first);
        for _ in 0..COMMANDS_MAX {
            let Ok(command) = self.commands.try_recv() else { return };
            self.take(Some(command));
        }
    }

    fn take(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Record { record, timestamp, waiter }) => {
                self.accumulator.push(&record, timestamp, waiter, Instant::now());
            }
            Some(Command::Flush(done)) => {
                self.accumulator.close();
                self.flushes.push(done);
            }
            None => {
                self.accumulator.close();
                self.open = false;
            }
        }
    }

    /// How many batches may be under way. Without sequences a second one could overtake the first.
    fn in_flight_max(&self) -> usize {
        if self.shared.config.idempotent { self.shared.config.in_flight_max } else { 1 }
    }

    async fn send_ready(&mut self) {
        while self.recovering && self.in_flight.is_empty() {
            self.recover().await;
        }
        while !self.recovering && self.in_flight.len() < self.in_flight_max() {
            let Some(batch) = self.accumulator.take_ready(Instant::now()) else { return };
            if let Some(batch) = self.seal(batch).await {
                self.transmit(batch).await;
            }
        }
    }

    async fn seal(&mut self, batch: OpenBatch<Waiter>) -> Option<SealedBatch> {
        if !self.shared.config.idempotent {
            return Some(SealedBatch::new(batch, None));
        }
        match self.sequencer().await {
            Ok(sequencer) => {
                let producer = sequencer.number(batch.builder.record_count());
                Some(SealedBatch::new(batch, Some(producer)))
            }
            Err(error) => {
                fail_unsealed(batch, &error);
                None
            }
        }
    }

    async fn sequencer(&mut self) -> Result<&mut Sequencer, ProduceError> {
        let sequencer = match self.sequencer.take() {
            Some(sequencer) => sequencer,
            None => {
                let mut backoff = Backoff::for_at_most(self.shared.config.delivery_timeout);
                let client = &self.shared.client;
                Sequencer::new(if self.gave_up {
                    identity::ask(client, &mut backoff).await?
                } else {
                    self.shared.identities.first(client, &mut backoff).await?
                })
            }
        };
        Ok(self.sequencer.insert(sequencer))
    }

    /// Sends a batch, or puts it with those that go out again.
    async fn transmit(&mut self, batch: SealedBatch) {
        match self.start(&batch).await {
            Ok(Some(reply)) => self.in_flight.push_back(InFlight { batch, reply }),
            Ok(None) => batch.acknowledge(&self.partition, None, None),
            Err(error) => {
                if error.is_retriable() {
                    self.retry_later(batch, error, false);
                } else {
                    self.give_up(batch, &error);
                }
            }
        }
    }

    /// Hands a batch to the leader. Without acknowledgement there is no answer to wait for.
    async fn start(
        &self,
        batch: &SealedBatch,
    ) -> Result<Option<Reply<ProduceRequest>>, ProduceError> {
        let Shared { client, config, .. } = &*self.shared;
        let metadata = |error: MetadataError| ProduceError::Metadata(error);
        let (leader, topic) = client.leader(&self.partition).await.map_err(metadata)?;
        let data = PartitionProduceData {
            index: self.partition.partition.0,
            records: Some(batch.bytes.clone()),
        };
        let topic_data = TopicProduceData {
            name: self.partition.topic.to_string(),
            topic_id: topic.id.unwrap_or_default(),
            partition_data: vec![data],
        };
        let request = ProduceRequest {
            transactional_id: None,
            acks: config.acks.code(),
            timeout_ms: milliseconds(config.request_timeout),
            topic_data: vec![topic_data],
        };
        let options = CallOptions {
            version_max: topic.id.is_none().then_some(VERSION_BY_NAME_MAX),
            timeout: Some(config.request_timeout),
        };
        let connection = client.connection(leader).await.map_err(ProduceError::Call)?;
        if config.acks == Acks::None {
            connection.send_unanswered(&request, options).await.map_err(ProduceError::Call)?;
            return Ok(None);
        }
        connection.start(&request, options).await.map(Some).map_err(ProduceError::Call)
    }

    fn settle(&mut self, outcome: Result<ProduceResponse, CallError>) {
        let Some(InFlight { batch, .. }) = self.in_flight.pop_front() else { return };
        match judge(outcome, &self.partition, self.recovering) {
            Verdict::Acknowledged { base_offset, log_append_time } => {
                self.backoff.reset();
                batch.acknowledge(&self.partition, base_offset, log_append_time);
            }
            Verdict::Retry { error, may_be_written } => {
                self.retry_later(batch, error, may_be_written);
            }
            Verdict::Refused(error) => self.give_up(batch, &error),
        }
    }

    fn retry_later(&mut self, mut batch: SealedBatch, error: ProduceError, may_be_written: bool) {
        tracing::debug!(partition = %self.partition, %error, "a batch goes out again");
        batch.may_be_written |= may_be_written;
        batch.last = Some(error);
        self.retry.push_back(batch);
        self.recovering = true;
    }

    fn give_up(&mut self, batch: SealedBatch, error: &ProduceError) {
        batch.fail(error);
        if self.shared.config.idempotent {
            self.recovering = true;
            self.gave_up = true;
            self.sequencer = None;
        }
    }

    /// Sends what failed once more. Nothing is under way.
    async fn recover(&mut self) {
        if !self.retry.is_empty() {
            self.backoff.pause().await;
            self.shared.client.forget_topic(&self.partition.topic);
        }
        self.give_up_overdue();
        if self.shared.config.idempotent && self.sequencer.is_none() {
            self.renumber().await;
        }
        self.recovering = false;
        for batch in std::mem::take(&mut self.retry) {
            if self.recovering {
                self.retry.push_back(batch);
            } else {
                self.transmit(batch).await;
            }
        }
    }

    fn give_up_overdue(&mut self) {
        let limit = self.shared.config.delivery_timeout;
        for mut batch in std::mem::take(&mut self.retry) {
            if batch.since.elapsed() < limit {
                self.retry.push_back(batch);
            } else {
                let last = Box::new(batch.last.take().unwrap_or(ProduceError::Ended));
                self.give_up(batch, &ProduceError::TimedOut { after: limit, last });
            }
        }
    }

    /// Gives what is left another producer id and new sequences, except for what may be in the log under the old ones.
    async fn renumber(&mut self) {
        for mut batch in std::mem::take(&mut self.retry) {
            if batch.may_be_written {
                batch.fail(&ProduceError::OutcomeUnknown(self.partition.clone()));
                continue;
            }
            let record_count = batch.record_count;
            match self.sequencer().await {
                Ok(sequencer) => {
                    batch.reseal(sequencer.number(record_count));
                    self.retry.push_back(batch);
                }
                Err(error) => batch.fail(&error),
            }
        }
    }
}

/// The answer to the oldest batch under way. May be cancelled without loss.
async fn next_outcome(in_flight: &mut VecDeque<InFlight>) -> Result<ProduceResponse, CallError> {
    match in_flight.front_mut() {
        Some(InFlight { reply, .. }) => reply.wait().await,
        None => std::future::pending().await,
    }
}

/// Returns at the given time, or never.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
