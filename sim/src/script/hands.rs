//! Processes that do what they are told to, one thing after the other.

use ottla_core::{
    records::Compression,
    wire::{
        ApiKey,
        messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
};
use ottla_jepsen::history::{Answer, Call, Send, Value};
use tokio::sync::{mpsc, oneshot};

use crate::{
    dice::Dice,
    workload::{
        GroupPlan, Parts,
        admin::Admin,
        client::{Client, REQUEST_LIMIT, Topic, error_name},
        connection::{Connection, Unanswered},
        member::{Act, Member, Scripted},
        records::{Shape, build},
    },
    world::{ClientMachine, ClientProcess},
};

/// What somebody is told to do, and whom to tell whether it was done.
pub(super) type Order<T> = (T, oneshot::Sender<bool>);

/// A process that does what it is told to.
#[derive(Debug)]
pub(super) struct Hand<T> {
    pub(super) process: ClientProcess,
    orders: mpsc::UnboundedSender<Order<T>>,
}

impl<T> Hand<T> {
    fn begin<F: Future<Output = ()> + std::marker::Send + 'static>(
        machine: &ClientMachine,
        main: impl FnOnce(ClientProcess, mpsc::UnboundedReceiver<Order<T>>) -> F,
    ) -> Self {
        let (orders, taken) = mpsc::unbounded_channel();
        let process = machine.begin(|process| main(process, taken));
        Self { process, orders }
    }

    /// Tells it what to do next. Whether it was done comes later, or never.
    pub(super) fn tell(&self, what: T) -> oneshot::Receiver<bool> {
        let (done, told) = oneshot::channel();
        // One that is gone tells by not telling.
        let _ = self.orders.send((what, done));
        told
    }
}

/// How many records there are for a group, as in the model.
const RECORDS: u64 = 2;

/// Makes the topic, and writes what a group is to read.
pub(super) async fn setup(parts: &Parts, has_group: bool, mut dice: Dice) {
    let (done, ends) = oneshot::channel();
    parts.stage.machines[0].begin(|process| {
        let client = Client::new(process.clone(), "setup".into(), parts, dice.split());
        let writer = Client::new(process, "writer".into(), parts, dice.split());
        async move {
            Admin::new(client, Vec::new()).make_topics().await;
            let mut writer = Writer::begin(writer, -1).await;
            for record in 0..RECORDS {
                while has_group && !writer.send(record).await {}
            }
            let _ = done.send(());
        }
    });
    // Nothing goes wrong yet.
    let _ = ends.await;
}

/// A process that sends the records that it is told to.
pub(super) async fn producer(parts: &Parts, acks: i16, dice: Dice) -> Hand<u64> {
    let (ready, is_ready) = oneshot::channel();
    let hand = Hand::begin(&parts.stage.machines[0], |process, mut orders| {
        let client = Client::new(process, "producer".into(), parts, dice);
        async move {
            let mut writer = Writer::begin(client, acks).await;
            let _ = ready.send(());
            while let Some((record, done)) = orders.recv().await {
                let is_sent = writer.send(record).await;
                let _ = done.send(is_sent);
            }
        }
    });
    let _ = is_ready.await;
    hand
}

/// A member's process.
pub(super) fn member(parts: &Parts, number: usize, group: &GroupPlan, dice: Dice) -> Hand<Act> {
    Hand::begin(&parts.stage.machines[1 + number], |process, mut orders| {
        let client = Client::new(process, format!("member-{number}"), parts, dice);
        let progress = parts.progress.clone();
        let mut member = Scripted::new(Member::new(client, group.clone(), None, progress));
        async move {
            while let Some((act, done)) = orders.recv().await {
                let is_done = member.act(act).await;
                let _ = done.send(is_done);
            }
        }
    })
}

/// Sends single records, on a connection that it has from the beginning.
struct Writer {
    client: Client,
    connection: Option<Connection>,
    topic: Topic,
    acks: i16,
}

impl Writer {
    async fn begin(mut client: Client, acks: i16) -> Self {
        loop {
            let known = client.refresh().await.is_ok();
            let topic = client.topics.values().next().cloned().filter(|_| known);
            if let (Some(topic), Ok(connection)) = (topic, client.connect().await) {
                return Self { client, connection: Some(connection), topic, acks };
            }
            client.back_off().await;
        }
    }

    /// Sends one record; true if it counts as acknowledged.
    async fn send(&mut self, record: u64) -> bool {
        let Self { client, topic, acks, .. } = self;
        let send = Send {
            partition: client.partition(topic, 0),
            acks: *acks,
            values: vec![Value::new(client.number, record)],
            ..Send::default()
        };
        let shape = Shape {
            topic_id: topic.id,
            partition: 0,
            compression: Compression::None,
            size_bytes: 100,
            timestamp: client.clock_ms(),
        };
        let records = Some(build(&send, shape));
        let begun = client.invoke(Call::Send(send));
        let request = ProduceRequest {
            transactional_id: None,
            acks: *acks,
            timeout_ms: 10_000,
            topic_data: vec![TopicProduceData {
                name: topic.name.clone(),
                topic_id: topic.id,
                partition_data: vec![PartitionProduceData { index: 0, records }],
            }],
        };
        let answer = self.exchange(&request).await;
        let recorder = &self.client.recorder;
        match answer {
            Ok((0, offset)) => {
                recorder.ok(begun, Answer::Sent { offset, attempts: 1 });
                return true;
            }
            Ok((code, _)) => recorder.info(begun, error_name(code)),
            Err(why) => recorder.info(begun, why.reason),
        }
        false
    }

    /// The error code that a request was answered with, and the offset. What is not to be answered is done once it is sent. A
    /// connection that has failed is another one the next time.
    async fn exchange(
        &mut self,
        request: &ProduceRequest,
    ) -> Result<(i16, Option<i64>), Unanswered> {
        let version = self.client.version(ApiKey::Produce, 13);
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.client.connect().await?,
        };
        if request.acks == 0 {
            connection.send(request, version, false).await?;
            self.connection = Some(connection);
            return Ok((0, None));
        }
        let response = connection.call(request, version, REQUEST_LIMIT).await?;
        self.connection = Some(connection);
        let partitions = response.responses.into_iter().flat_map(|it| it.partition_responses);
        let answer = partitions.into_iter().next();
        Ok(answer.map_or((-1, None), |answer| (answer.error_code, Some(answer.base_offset))))
    }
}
