//! What there is at one moment.

use std::{collections::BTreeSet, fmt, sync::Arc};

use ottla_core::{
    metadata::{
        Command, Image,
        command::{Assignment, ConfigEntry, CreateTopic, RegisterBroker},
    },
    replica::{
        FetchAnswer, FetchId, Proposal, Replica, ReplicaFetch, ReplicaLog, Role, View,
        list_log::{Batch, ListLog},
    },
    types::{BrokerEpoch, BrokerId, Offset, PartitionIndex, TopicId, TopicPartition, Uuid},
};

use super::{Replication, settings::Budget};

/// The log of a broker: its payloads are the numbers of records.
pub type Log = ListLog<u8>;

/// A batch of it: one record.
pub type Record = Batch<u8>;

/// The one partition that there is.
pub const PARTITION: TopicPartition =
    TopicPartition { topic: TopicId(Uuid::ZERO), partition: PartitionIndex(0) };

/// A set of small numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Set(u16);

impl Set {
    /// Whether it has `number`.
    pub const fn has(self, number: u8) -> bool {
        self.0 >> number & 1 == 1
    }

    /// Adds `number`.
    pub const fn add(&mut self, number: u8) {
        self.0 |= 1 << number;
    }

    /// Takes `number` out.
    pub const fn remove(&mut self, number: u8) {
        self.0 &= !(1 << number);
    }

    /// Those in it.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..16).filter(move |&number| self.has(number))
    }

    /// How many there are.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A broker.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Node {
    /// Whether its process runs.
    pub is_up: bool,
    /// Its replica; of one that is down, what its next process will find.
    pub replica: Replica,
    /// Its log.
    pub log: Log,
    /// Appends that wait for their answer: the record, and where it ends.
    pub waiting: Vec<(u8, Offset)>,
    /// How many of the metadata's states it has not seen.
    pub behind: u8,
    /// Counts its disks.
    pub disk: u8,
    /// It has stopped in order.
    pub is_clean: bool,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replica = &self.replica;
        match replica.role() {
            _ if !self.is_up => f.write_str("down")?,
            Role::Leader(leader) => {
                write!(f, "leads e{} from {}", replica.leader_epoch(), leader.epoch_start())?;
                if let Some(pending) = leader.pending() {
                    let members = pending.isr.iter().map(|(member, _)| member.0);
                    write!(f, " asks for {:?}", members.collect::<Vec<_>>())?;
                }
            }
            Role::Follower(follower) => {
                write!(f, "follows {} e{}", follower.leader(), replica.leader_epoch())?;
            }
            Role::Idle => write!(f, "idles e{}", replica.leader_epoch())?,
        }
        write!(f, " b{} [", replica.broker_epoch())?;
        for record in self.log.batches() {
            write!(f, " {}@e{}", record.payload, record.epoch)?;
        }
        let (safe, durable) = (replica.high_watermark(), self.log.durable());
        write!(f, " ] start {} hw {safe} durable {durable}", self.log.start_offset())?;
        if self.behind > 0 {
            write!(f, " behind {}", self.behind)?;
        }
        Ok(())
    }
}

/// A message under way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// A follower fetches.
    Fetch {
        /// The leader.
        to: u8,
        /// Names it in the answer.
        id: FetchId,
        /// What is asked.
        fetch: ReplicaFetch,
    },
    /// A leader answers.
    Answer {
        /// The leader.
        from: u8,
        /// The follower.
        to: u8,
        /// Which fetch it answers.
        id: FetchId,
        /// What is said.
        answer: FetchAnswer<Vec<Record>>,
    },
    /// A leader asks the controller for other in-sync replicas.
    Alter(Proposal),
}

/// What has happened, and cannot be seen in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Seen(pub u16);

macro_rules! seen {
    ($($(#[$meta:meta])* $name:ident = $bit:literal;)*) => {
        impl Seen {
            $($(#[$meta])* pub const $name: Self = Self(1 << $bit);)*
        }
    };
}

seen! {
    /// A leader showed what differs from what was shown before.
    CONFLICT = 0;
    /// A follower cut off what was safe.
    LOST_SAFE = 1;
    /// A follower was to join that had not caught up.
    JOINED_BEHIND = 2;
    /// A leader's batches could not be appended.
    CORRUPT = 3;
    /// A log was cut off.
    TRUNCATED = 4;
    /// A crash took records.
    LOSSY_CRASH = 5;
    /// A record was acknowledged after the leadership had moved.
    ACKED_LATER = 6;
    /// A replica joined those in sync.
    REJOINED = 7;
    /// A replica was elected that was not in sync but eligible.
    ELECTED_ELIGIBLE = 8;
    /// The controller refused a change.
    REFUSED = 9;
    /// A follower began anew at its leader's start.
    RESET = 10;
    /// A replica was elected that may lack records.
    ELECTED_UNCLEANLY = 11;
    /// A reassignment came to its end.
    REASSIGNED = 12;
    /// A producer's repetition was found to be one.
    DUPLICATE = 13;
    /// A cancelled reassignment left nobody to lead.
    LEADERLESS = 14;
}

impl Seen {
    /// Takes note.
    pub const fn note(&mut self, what: Self) {
        self.0 |= what.0;
    }

    /// Whether it was seen.
    pub const fn has(self, what: Self) -> bool {
        self.0 & what.0 != 0
    }
}

/// What there is at one moment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The brokers.
    pub nodes: Vec<Arc<Node>>,
    /// What the controller has decided.
    pub image: Arc<Image>,
    /// The states of the metadata that somebody has not seen, and the last one.
    pub views: Arc<Vec<Arc<View>>>,
    /// The messages under way.
    pub net: Arc<BTreeSet<Message>>,
    /// Records that have been sent, and for which their producer waits.
    pub open: Set,
    /// Records that have been sent at least once.
    pub sent: Set,
    /// Records that have been acknowledged.
    pub acked: Set,
    /// What was shown to consumers, from offset 0 on.
    pub shown: Arc<Vec<Record>>,
    /// What has happened.
    pub seen: Seen,
    /// What may still happen.
    pub left: Budget,
    /// Nothing goes wrong any more.
    pub is_healing: bool,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, node) in self.nodes.iter().enumerate() {
            writeln!(f, "broker {number}: {node:?}")?;
        }
        let state = self.partition();
        writeln!(
            f,
            "controller: leader {:?} e{} p{} isr {:?} elr {:?} replicas {:?} adding {:?}",
            state.leader.map(|leader| leader.0),
            state.leader_epoch,
            state.partition_epoch,
            numbers(&state.isr),
            numbers(&state.elr),
            numbers(&state.replicas),
            numbers(&state.adding),
        )?;
        for message in &*self.net {
            writeln!(f, "under way: {message:?}")?;
        }
        let shown: Vec<_> = self.shown.iter().map(|record| record.payload).collect();
        write!(f, "sent {:?} acked {:?} shown {shown:?}", self.sent, self.acked)
    }
}

fn numbers(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}

/// A broker's number as the core has it.
pub fn id(broker: u8) -> BrokerId {
    BrokerId(i32::from(broker))
}

/// A broker's number as the model has it.
pub fn number(broker: BrokerId) -> u8 {
    u8::try_from(broker.0).expect("there are few brokers")
}

impl State {
    /// What the controller has decided of the partition.
    pub fn partition(&self) -> &ottla_core::metadata::PartitionState {
        let state = self.image.partition(PARTITION.topic, PARTITION.partition);
        state.expect("the topic is not deleted")
    }

    /// What the controller knows of a broker.
    pub fn broker(&self, broker: u8) -> &ottla_core::metadata::Broker {
        &self.image.brokers()[&id(broker)]
    }

    /// A broker.
    pub fn node(&self, broker: u8) -> &Node {
        &self.nodes[usize::from(broker)]
    }
}

impl Replication {
    /// The registration of a broker.
    pub(super) fn registration(&self, broker: u8, node: Option<&Node>) -> RegisterBroker {
        let disk = node.map_or(0, |node| node.disk);
        let clean = node.filter(|node| node.is_clean);
        RegisterBroker {
            broker_id: i32::from(broker),
            directory: Uuid::from_random(u128::from(disk) << 8 | u128::from(broker)),
            fenced: node.is_some() && self.bounds.grain.fenced_start,
            previous_epoch: clean.map_or(-1, |node| node.replica.broker_epoch().0),
            ..Default::default()
        }
    }

    /// The cluster before anything has happened.
    pub(super) fn begin(&self) -> State {
        let mut image = Image::default();
        for broker in self.brokers() {
            image.apply(&self.registration(broker, None).into());
        }
        image.apply(&self.topic());
        let nodes = self.brokers().map(|broker| {
            let epoch = BrokerEpoch(i64::from(broker) + 1);
            Arc::new(Node {
                is_up: true,
                replica: Replica::new(id(broker), epoch),
                log: Log::new(self.settings.is_durable),
                waiting: Vec::new(),
                behind: 1,
                disk: 0,
                is_clean: false,
            })
        });
        let view = View::of(&image, PARTITION).expect("the topic was made");
        let mut state = State {
            nodes: nodes.collect(),
            image: Arc::new(image),
            views: Arc::new(vec![Arc::new(view)]),
            net: Arc::default(),
            open: Set::default(),
            sent: Set::default(),
            acked: Set::default(),
            shown: Arc::default(),
            seen: Seen::default(),
            left: self.bounds.budget,
            is_healing: false,
        };
        for broker in self.brokers() {
            self.see_metadata(&mut state, broker);
        }
        self.settle(&mut state);
        state
    }

    fn topic(&self) -> Command {
        let replicas = self.brokers().take(usize::from(self.bounds.assigned)).map(i32::from);
        let config = |key: &str, value: String| ConfigEntry { key: key.into(), value };
        let flush = if self.settings.is_durable { "1" } else { "1000" };
        let configs = vec![
            config("min.insync.replicas", self.settings.min_insync.to_string()),
            config("flush.messages", flush.into()),
            config("unclean.leader.election.enable", self.settings.may_lose.to_string()),
        ];
        let assignments = vec![Assignment { replicas: replicas.collect() }];
        CreateTopic { name: "t".into(), topic_id: PARTITION.topic.0, assignments, configs }.into()
    }
}
