//! What every client has: a process, dice, a connection, and what it knows of topics.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use ottla_core::{
    types::{ErrorCode, Uuid},
    wire::{
        ApiKey,
        api::RequestMessage,
        messages::metadata::{MetadataRequest, MetadataRequestTopic},
    },
};
use ottla_jepsen::history::{BadReason, Call, Note, Partition};

use super::{
    connection::{Connection, Unanswered},
    plan::TopicPlan,
    recorder::{Begun, Recorder},
    records::Decoded,
};
use crate::{
    dice::Dice,
    faults::Fault,
    timers::Timers,
    world::{ClientProcess, Environment, Phases},
};

/// How long a request may take. A broker's disk may stall for seconds, and a process for a minute.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(8);
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// What a client knows of a topic.
#[derive(Debug, Clone)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// For each partition the epoch of its leader.
    pub epochs: Vec<i32>,
}

impl Topic {
    /// How many partitions it has.
    pub fn partitions(&self) -> i32 {
        i32::try_from(self.epochs.len()).unwrap_or(i32::MAX)
    }
}

/// What every client has.
#[derive(Debug)]
pub struct Client {
    /// The process.
    pub process: ClientProcess,
    /// Its number in the history.
    pub number: u32,
    /// What it calls itself.
    pub name: String,
    /// Time, trace, faults.
    pub environment: Environment,
    /// Time.
    pub timers: Timers,
    /// Writes everything down.
    pub recorder: Recorder,
    /// Whether the world is whole.
    pub phases: Phases,
    /// Its dice.
    pub dice: Dice,
    /// The topics that the plan has.
    pub plans: Vec<TopicPlan>,
    /// How many operations there may be, before the world is whole.
    pub operations_max: u64,
    /// The advisor's word is checked: what is not to be acknowledged is once it is sent.
    pub is_advised: bool,
    /// It does what a schedule says: nothing is drawn that is of consequence.
    pub is_scripted: bool,
    /// What it knows of topics, by name.
    pub topics: BTreeMap<String, Topic>,
    brokers: Vec<SocketAddr>,
    connection: Option<Connection>,
}

impl Client {
    /// A client without a connection.
    pub fn new(process: ClientProcess, name: String, parts: &super::Parts, dice: Dice) -> Self {
        Self {
            process,
            number: parts.recorder.process(),
            name,
            environment: parts.stage.environment.clone(),
            timers: parts.stage.environment.timers.clone(),
            recorder: parts.recorder.clone(),
            phases: parts.stage.phases.clone(),
            dice,
            plans: parts.plan.topics.clone(),
            operations_max: parts.plan.operations_max.unwrap_or(u64::MAX),
            is_advised: parts.plan.is_advised,
            is_scripted: parts.plan.is_scripted,
            topics: BTreeMap::new(),
            brokers: parts.stage.brokers.clone(),
            connection: None,
        }
    }

    /// Waits.
    pub async fn sleep_ms(&self, milliseconds: u64) {
        self.timers.sleep(Duration::from_millis(milliseconds)).await;
    }

    /// Whether there is enough of trouble: the world is whole, or there were as many operations as there may be.
    pub fn has_enough(&self) -> bool {
        self.phases.is_healed() || self.recorder.operations() >= self.operations_max
    }

    /// Waits until the world is whole, if there were enough operations.
    pub async fn rest(&self) {
        if self.has_enough() {
            self.phases.healed().await;
        }
    }

    /// Waits a little, before it tries again.
    pub async fn back_off(&mut self) {
        let wait = self.dice.range(50..600);
        self.sleep_ms(wait).await;
    }

    /// What the machine's clock says.
    pub fn clock_ms(&self) -> i64 {
        ottla::world::Clock::now(&self.process.clock).timestamp.0
    }

    /// An operation begins.
    pub fn invoke(&self, call: Call) -> Begun {
        self.recorder.invoke(self.process.node, self.number, call)
    }

    /// Leaves out what may be bad because a disk damaged it, and whether there was any. A disk may damage what the broker has
    /// verified already, if it was asked before the world was whole: then the broker is started anew. What a write that landed
    /// elsewhere brought is whole for whoever looks at checksums, but it is something else.
    pub fn forgive_damage(&self, decoded: &mut Decoded, is_healed: bool) -> bool {
        let faults = &self.environment.faults;
        let has_damage = faults.any_struck(super::DAMAGING);
        let has_strays = faults.struck().contains_key(&Fault::DiskMisdirected);
        let damaged_at = decoded.is_damaged.then(|| decoded.bad.len() - 1);
        let before = decoded.bad.len();
        let mut at = 0;
        decoded.bad.retain(|bad| {
            let is_damaged = damaged_at == Some(at);
            at += 1;
            let may_be = if is_healed { has_strays && !is_damaged } else { has_damage };
            !may_be || !matches!(bad.reason, BadReason::Corrupt(_))
        });
        decoded.bad.len() < before
    }

    /// Writes a note down.
    pub fn note(&self, note: Note) {
        self.recorder.note(self.number, note);
    }

    /// A new connection.
    pub async fn connect(&self) -> Result<Connection, Unanswered> {
        let (net, timers) = (&self.process.net, &self.timers);
        let address = self.brokers[0];
        Connection::open(net, address, timers, &self.recorder, &self.name, CONNECT_LIMIT).await
    }

    /// Gives up its connection.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// A version of an API, any of those from `least` on.
    pub fn version(&mut self, key: ApiKey, least: i16) -> i16 {
        let (first, last) = (least.max(*key.versions().start()), *key.versions().end());
        let choices = u64::try_from(last - first + 1).unwrap_or(1);
        // The last one as often as all others together: it is what clients of today speak.
        match self.is_scripted || self.dice.coin() {
            true => last,
            false => first + i16::try_from(self.dice.below(choices)).unwrap_or(0),
        }
    }

    /// Asks, and waits for the answer. Connects first if need be; a connection that failed is closed.
    pub async fn call<R: RequestMessage>(
        &mut self,
        request: &R,
        version: i16,
        limit: Duration,
    ) -> Result<R::Response, Unanswered> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let answer = connection.call(request, version, limit).await;
        if answer.is_ok() {
            self.connection = Some(connection);
        }
        answer
    }

    /// Learns of the plan's topics.
    pub async fn refresh(&mut self) -> Result<(), Unanswered> {
        let names: Vec<String> = self.plans.iter().map(|topic| topic.name.clone()).collect();
        let topics = names
            .iter()
            .map(|name| MetadataRequestTopic { name: Some(name.clone()), ..Default::default() });
        let request = MetadataRequest {
            topics: Some(topics.collect()),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let version = self.version(ApiKey::Metadata, 10);
        let response = self.call(&request, version, REQUEST_LIMIT).await?;
        for topic in response.topics {
            let name = topic.name.unwrap_or_default();
            if topic.error_code != 0 {
                if topic.error_code == ErrorCode::UnknownTopicOrPartition.code() {
                    self.topics.remove(&name);
                }
                continue;
            }
            let mut partitions = topic.partitions;
            partitions.sort_by_key(|partition| partition.partition_index);
            let epochs = partitions.iter().map(|partition| partition.leader_epoch).collect();
            self.topics.insert(name.clone(), Topic { name, id: topic.topic_id, epochs });
        }
        Ok(())
    }

    /// A partition's number in the history.
    pub fn partition(&self, topic: &Topic, index: i32) -> Partition {
        self.recorder.partition(&topic.name, topic.id, index)
    }

    /// Any topic that it knows of, and that the filter lets through.
    pub fn any_topic(&mut self, filter: impl Fn(&TopicPlan) -> bool) -> Option<(TopicPlan, Topic)> {
        let known = self
            .plans
            .iter()
            .filter(|plan| filter(plan))
            .filter_map(|plan| Some((plan.clone(), self.topics.get(&plan.name)?.clone())));
        let known: Vec<_> = known.collect();
        if known.is_empty() {
            return None;
        }
        Some(self.dice.pick(&known).clone())
    }

    /// Any partition of a topic.
    pub fn any_partition(&mut self, topic: &Topic) -> i32 {
        i32::try_from(self.dice.index(topic.epochs.len())).unwrap_or(0)
    }
}

/// An error code by its name.
pub fn error_name(code: i16) -> String {
    ErrorCode::from_code(code).map_or_else(|| code.to_string(), |error| error.name().to_owned())
}
