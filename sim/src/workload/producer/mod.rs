//! A producer: it sends without waiting for answers, repeats what may be lost, and knows what cannot be repeated.

mod answers;
mod batches;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use ottla_core::{
    types::Uuid,
    wire::{
        ApiKey,
        messages::{
            init_producer_id::InitProducerIdRequest,
            produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
        },
    },
};
use ottla_jepsen::history::{Answer, Call, Partition, ProducerIdentity, Send};

use super::{
    client::{Client, REQUEST_LIMIT, Topic},
    connection::{Connection, Waiting},
    plan::{ProducerPlan, TopicKind},
    recorder::Begun,
};
use crate::dice::nanos;

/// For how long a batch is repeated while the world is troubled.
const DELIVERY_LIMIT: Duration = Duration::from_secs(25);
/// How often a producer goes on in a new epoch without need, in a million.
const NEW_EPOCHS: u64 = 4_000;
/// How often a request is sent twice, one right behind the other, in a million.
const REPEATS: u64 = 40_000;
/// How many batches of a partition may be under way: as many as a broker remembers.
const OUTSTANDING_MAX: usize = 5;

/// A batch that was sent, or is to be sent again.
#[derive(Debug, Clone)]
struct Batch {
    begun: Begun,
    send: Send,
    topic: String,
    topic_id: Uuid,
    kind: TopicKind,
    index: i32,
    bytes: Bytes,
    /// When it was made, and before which it is not sent again.
    made_at: u64,
    not_before: u64,
    /// It may have been appended: an answer is missing, or says that nobody knows.
    maybe_appended: bool,
    /// It is sent once, and then forgotten: it is meant to be refused, or to be a duplicate.
    is_trial: bool,
    /// It was acknowledged before, and not long ago: the broker must know it.
    is_known: bool,
}

impl Batch {
    fn partition(&self) -> Partition {
        self.send.partition
    }

    fn sequence(&self) -> i32 {
        self.send.producer.map_or(0, |producer| producer.sequence)
    }
}

/// A request that waits for its answer.
#[derive(Debug)]
struct InFlight {
    waiting: Waiting,
    batches: Vec<Batch>,
    sent_at: u64,
}

/// What a producer knows of a partition.
#[derive(Debug, Default)]
struct Known {
    /// The next batch's sequence.
    sequence: i32,
    /// Batches of this epoch that were acknowledged, the last one last.
    acknowledged: VecDeque<Batch>,
    /// The epoch before, and its next sequence, where that epoch was acknowledged.
    before: Option<(i16, i32)>,
}

/// A producer.
#[derive(Debug)]
pub struct Producer {
    client: Client,
    plan: ProducerPlan,
    identity: Option<(i64, i16)>,
    known: BTreeMap<Partition, Known>,
    /// What is to be sent again.
    again: Vec<Batch>,
    in_flight: VecDeque<InFlight>,
    connection: Option<Connection>,
    next_value: u64,
    next_at: u64,
    refresh_at: u64,
}

impl Producer {
    /// A producer that has not sent anything.
    pub fn new(client: Client, plan: ProducerPlan) -> Self {
        Self {
            client,
            plan,
            identity: None,
            known: BTreeMap::new(),
            again: Vec::new(),
            in_flight: VecDeque::new(),
            connection: None,
            next_value: 0,
            next_at: 0,
            refresh_at: 0,
        }
    }

    fn now(&self) -> u64 {
        self.client.timers.now()
    }

    /// Works until the world is whole and all that was sent is answered.
    pub async fn run(mut self) {
        loop {
            if self.client.phases.is_healed() && self.again.is_empty() && self.in_flight.is_empty()
            {
                return;
            }
            if self.prepare().await.is_none() {
                self.client.back_off().await;
                continue;
            }
            if self.identity.is_some() && self.client.dice.chance(NEW_EPOCHS) {
                self.begin_anew("a new epoch");
                continue;
            }
            self.send_what_is_due().await;
            self.wait().await;
            self.give_up_what_is_old();
        }
    }

    /// Sees to it that there are topics, an identity and a connection.
    async fn prepare(&mut self) -> Option<()> {
        let now = self.now();
        if self.client.topics.is_empty() || now >= self.refresh_at {
            self.client.refresh().await.ok()?;
            self.refresh_at = now
                + nanos(self.client.dice.duration(Duration::from_secs(1)..Duration::from_secs(6)));
        }
        if self.plan.is_idempotent && self.identity.is_none() {
            self.initialize().await?;
        }
        if self.connection.is_none() {
            self.connection = Some(self.client.connect().await.ok()?);
        }
        Some(())
    }

    async fn initialize(&mut self) -> Option<()> {
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..Default::default()
        };
        let version = self.client.version(ApiKey::InitProducerId, 0);
        let response = self.client.call(&request, version, REQUEST_LIMIT).await.ok()?;
        if response.error_code != 0 {
            return None;
        }
        self.client.recorder.producer_id(response.producer_id);
        self.client.recorder.count("init-producer-id ok");
        self.identity = Some((response.producer_id, response.producer_epoch));
        self.known.clear();
        Some(())
    }

    async fn send_what_is_due(&mut self) {
        while self.connection.is_some() && self.in_flight.len() < self.plan.in_flight_max {
            let batches = self.take_batches();
            if batches.is_empty() {
                return;
            }
            if !self.send(batches).await {
                return;
            }
        }
    }

    /// The same batches once more, with nothing known of what becomes of them the first time.
    fn repeat(&mut self, batches: &[Batch]) -> Vec<Batch> {
        let repeats = batches.iter().any(|batch| batch.send.producer.is_some())
            && self.in_flight.len() + 1 < self.plan.in_flight_max
            && self.client.dice.chance(REPEATS);
        let own = batches.iter().filter(|batch| repeats && !batch.is_trial);
        let again = own.map(|batch| Batch {
            begun: self.client.invoke(Call::Send(batch.send.clone())),
            is_trial: true,
            maybe_appended: false,
            ..batch.clone()
        });
        again.collect()
    }

    /// Sends a request, and, now and then, at once a second one that is the same.
    async fn send(&mut self, batches: Vec<Batch>) -> bool {
        let again = self.repeat(&batches);
        for batches in [batches, again] {
            if batches.is_empty() {
                continue;
            }
            let acks = batches[0].send.acks;
            let sent_at = self.now();
            let request = self.request(acks, &batches);
            // Where a topic was made again, only its id tells the new one from the old one.
            let is_same = |one: &Batch, other: &Batch| {
                one.topic == other.topic && one.topic_id != other.topic_id
            };
            let is_ambiguous = batches.iter().any(|batch| {
                batch.kind == TopicKind::Fleeting
                    || batches.iter().any(|other| is_same(batch, other))
            });
            let least = if is_ambiguous { 13 } else { 3 };
            let version = self.client.version(ApiKey::Produce, least);
            let Some(connection) = self.connection.as_mut() else {
                for batch in batches {
                    self.retry(batch, "the connection was lost");
                }
                return false;
            };
            let sent = super::connection::within(
                &self.client.timers,
                REQUEST_LIMIT,
                connection.send(&request, version, acks != 0),
            )
            .await;
            match sent {
                Some(Ok(waiting)) if acks != 0 => {
                    self.in_flight.push_back(InFlight { waiting, batches, sent_at });
                }
                // Who counts what was sent as acknowledged is told that it is.
                Some(Ok(_)) if self.client.is_advised => {
                    for batch in batches {
                        let sent = Answer::Sent { offset: None, attempts: 1 };
                        self.client.recorder.ok(batch.begun, sent);
                    }
                }
                Some(Ok(_)) => {
                    for batch in batches {
                        self.client.recorder.info(batch.begun, "not to be acknowledged");
                    }
                }
                Some(Err(_)) | None => {
                    let waiting = Waiting::default();
                    self.in_flight.push_back(InFlight { waiting, batches, sent_at });
                    self.lose_connection("the request may not have been sent");
                }
            }
        }
        true
    }

    fn request(&mut self, acks: i16, batches: &[Batch]) -> ProduceRequest {
        let topic_data = batches.iter().map(|batch| TopicProduceData {
            name: batch.topic.clone(),
            topic_id: batch.topic_id,
            partition_data: vec![PartitionProduceData {
                index: batch.index,
                records: Some(batch.bytes.clone()),
            }],
        });
        ProduceRequest {
            transactional_id: None,
            acks,
            timeout_ms: i32::try_from(self.client.dice.magnitude(10..10_000)).unwrap_or(1_000),
            topic_data: topic_data.collect(),
        }
    }

    /// Waits for an answer, or until there is something to do.
    async fn wait(&mut self) {
        let now = self.now();
        let mut until = now + nanos(Duration::from_secs(1));
        if self.in_flight.len() < self.plan.in_flight_max {
            let again = self.again.iter().map(|batch| batch.not_before);
            let new = (!self.client.has_enough()).then_some(self.next_at);
            until = until.min(again.chain(new).min().unwrap_or(u64::MAX));
        }
        let until = until.max(now + 1_000_000);
        let Some(connection) = self.connection.as_mut() else { return };
        let received = tokio::select! {
            biased;
            received = connection.receive() => Some(received),
            () = self.client.timers.sleep_until(until) => None,
        };
        match received {
            Some(Ok((waiting, frame))) => match connection.decode::<ProduceRequest>(waiting, frame)
            {
                Ok(response) => self.take_answer(waiting, response),
                Err(why) => self.lose_connection(&why.reason),
            },
            Some(Err(why)) => self.lose_connection(&why.reason),
            None => {
                let limit = nanos(REQUEST_LIMIT);
                let now = self.now();
                if self.in_flight.front().is_some_and(|first| first.sent_at + limit <= now) {
                    self.lose_connection("no answer in time");
                }
            }
        }
    }

    /// What is not answered may have been appended or not.
    fn lose_connection(&mut self, reason: &str) {
        self.connection = None;
        for request in std::mem::take(&mut self.in_flight) {
            for mut batch in request.batches {
                batch.maybe_appended = true;
                self.retry(batch, reason);
            }
        }
    }

    /// Sends it again, if it is worth it. Who does not number batches begins another append by that.
    fn retry(&mut self, mut batch: Batch, reason: &str) {
        let wait = self.client.dice.duration(Duration::from_millis(20)..Duration::from_millis(400));
        batch.not_before = self.now() + nanos(wait);
        if batch.is_trial {
            self.conclude_unknown(batch, reason);
        } else if batch.send.producer.is_some() {
            self.again.push(batch);
        } else {
            let repeats = self.client.phases.is_healed() || self.client.dice.coin();
            let send = batch.send.clone();
            self.client.recorder.info(batch.begun, reason);
            if repeats {
                batch.begun = self.client.invoke(Call::Send(send));
                self.again.push(batch);
            }
        }
    }

    fn conclude_unknown(&self, batch: Batch, reason: &str) {
        self.client.recorder.info(batch.begun, reason);
    }

    /// In trouble nothing is repeated for ever.
    fn give_up_what_is_old(&mut self) {
        if self.client.phases.is_healed() {
            return;
        }
        let now = self.now();
        let is_old = |batch: &Batch| batch.made_at + nanos(DELIVERY_LIMIT) <= now;
        if !self.again.iter().any(is_old) {
            return;
        }
        if self.plan.is_idempotent {
            self.begin_anew("given up");
            return;
        }
        let (old, young) = std::mem::take(&mut self.again).into_iter().partition(is_old);
        self.again = young;
        for batch in old {
            self.conclude_unknown(batch, "given up");
        }
    }

    /// Whatever is under way is given up, and another identity is taken: which sequences arrived is not known any more.
    fn begin_anew(&mut self, reason: &str) {
        self.connection = None;
        let in_flight = std::mem::take(&mut self.in_flight);
        let in_flight = in_flight.into_iter().flat_map(|request| request.batches);
        let given_up: Vec<_> = in_flight.chain(std::mem::take(&mut self.again)).collect();
        for batch in given_up {
            self.conclude_unknown(batch, reason);
        }
        match self.identity {
            // A client may go on in a new epoch by itself (KIP-360).
            Some((id, epoch)) if epoch < i16::MAX && self.client.dice.coin() => {
                self.client.recorder.count("epoch bumped");
                self.identity = Some((id, epoch + 1));
                for known in self.known.values_mut() {
                    let had = !known.acknowledged.is_empty();
                    known.before = had.then_some((epoch, known.sequence));
                    known.sequence = 0;
                    known.acknowledged.clear();
                }
            }
            _ => self.identity = None,
        }
    }

    /// Sends one batch, and waits until it is answered. Whether it was acknowledged.
    pub async fn put_one(&mut self, topic: &Topic, index: i32) -> bool {
        let plan = self.client.plans.iter().find(|plan| plan.name == topic.name).cloned();
        let Some(plan) = plan else { return false };
        let partition = self.client.partition(topic, index);
        let batch = self.make(partition, &plan, topic, index, -1, None);
        let request = self.request(-1, std::slice::from_ref(&batch));
        match self.client.call(&request, 13, REQUEST_LIMIT).await {
            Ok(response) => {
                let topics = response.responses.iter();
                let mut told = topics.flat_map(|topic| &topic.partition_responses);
                let is_taken = told.all(|told| told.error_code == 0);
                let waiting = Waiting::default();
                let sent_at = self.now();
                self.in_flight.push_back(InFlight { waiting, batches: vec![batch], sent_at });
                self.take_answer(waiting, response);
                for batch in std::mem::take(&mut self.again) {
                    self.conclude_unknown(batch, "not tried again");
                }
                is_taken
            }
            Err(why) => {
                self.conclude_unknown(batch, &why.reason);
                false
            }
        }
    }

    fn identity(&self, sequence: i32) -> Option<ProducerIdentity> {
        self.identity.map(|(id, epoch)| ProducerIdentity { id, epoch, sequence })
    }
}
