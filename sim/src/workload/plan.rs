//! What a seed decides of the clients: which topics, which clients, what they do.

use std::collections::BTreeMap;

use ottla_model::group::Commits;

use crate::dice::{Dice, MILLION};

/// What a topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopicKind {
    /// Keeps everything. Groups read it.
    Orders,
    /// Keeps everything but what DeleteRecords removes.
    Trimmed,
    /// Is compacted.
    Keyed,
    /// Loses old records to retention.
    Brief,
    /// Is deleted and made again.
    Fleeting,
    /// Acknowledges before records are durable.
    Relaxed,
}

impl TopicKind {
    const ALL: [Self; 6] =
        [Self::Orders, Self::Trimmed, Self::Keyed, Self::Brief, Self::Fleeting, Self::Relaxed];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Trimmed => "trimmed",
            Self::Keyed => "keyed",
            Self::Brief => "brief",
            Self::Fleeting => "fleeting",
            Self::Relaxed => "relaxed",
        }
    }
}

/// A topic.
#[derive(Debug, Clone)]
pub struct TopicPlan {
    /// What it is for.
    pub kind: TopicKind,
    /// Its name.
    pub name: String,
    /// With how many partitions it begins.
    pub partitions: i32,
    /// Its settings.
    pub settings: BTreeMap<String, String>,
    /// How many keys its records have; 0 for none.
    pub keys: u64,
}

/// A group.
#[derive(Debug, Clone)]
pub struct GroupPlan {
    /// Its name.
    pub name: String,
    /// Which topics it subscribes to, by their places in the plan.
    pub topics: Vec<usize>,
    /// How many members it has.
    pub members: u8,
    /// Its members are known by instance ids.
    pub is_static: bool,
    /// Its members give up only what they must.
    pub is_cooperative: bool,
    /// After how long without heartbeats a member is taken for dead.
    pub session_timeout_ms: i32,
    /// When its members commit.
    pub commits: Commits,
}

/// A producer.
#[derive(Debug, Clone, Copy)]
pub struct ProducerPlan {
    /// It numbers its batches, so that none is written twice.
    pub is_idempotent: bool,
    /// How it wants to be answered; drawn for each request if it is none.
    pub acks: Option<i16>,
    /// How many requests it sends without waiting for the answers.
    pub in_flight_max: usize,
    /// The mean time from one batch to the next, in milliseconds.
    pub pace_ms: u64,
}

/// What clients do.
#[derive(Debug, Clone, Default)]
pub struct WorkloadPlan {
    /// How many machines clients have.
    pub machines: u8,
    /// The topics.
    pub topics: Vec<TopicPlan>,
    /// The producers.
    pub producers: Vec<ProducerPlan>,
    /// How many consumers assign partitions to themselves.
    pub readers: u8,
    /// The groups.
    pub groups: Vec<GroupPlan>,
    /// How many clients administer.
    pub admins: u8,
    /// The mean time after which a client's process is killed, in milliseconds; 0 for never.
    pub crash_ms: u64,
    /// Offsets of empty groups expire within the run.
    pub offsets_expire: bool,
    /// How many operations there are at the most, before the world is whole.
    pub operations_max: Option<u64>,
    /// The advisor's word is checked: nothing is forgiven that it does not forgive.
    pub is_advised: bool,
    /// Clients do what a schedule says.
    pub is_scripted: bool,
}

/// What a question to the advisor says of the clients.
#[derive(Debug, Clone, Copy)]
pub struct Advised {
    /// How producers want to be answered.
    pub acks: i16,
    /// The topic's `flush.messages`.
    pub flush_messages: u64,
    /// When members commit.
    pub commits: Commits,
    /// Whether processes of clients are killed.
    pub clients_crash: bool,
    /// Whether there are groups.
    pub has_groups: bool,
}

fn draw_topic(kind: TopicKind, dice: &mut Dice) -> TopicPlan {
    let mut settings = BTreeMap::new();
    let mut set = |key: &str, value: String| settings.insert(key.to_owned(), value);
    set("internal.segment.bytes", dice.magnitude(400..64 << 10).to_string());
    set("retention.ms", "-1".into());
    set("retention.bytes", "-1".into());
    set("file.delete.delay.ms", dice.magnitude(1..20_000).to_string());
    set("index.interval.bytes", dice.pick(&["0", "1", "200", "4096"]).to_string());
    if dice.chance(MILLION / 4) {
        set("segment.ms", dice.magnitude(500..20_000).to_string());
    }
    if dice.chance(MILLION / 3) {
        set("message.timestamp.type", "LogAppendTime".into());
    }
    let mut keys = 0;
    match kind {
        TopicKind::Orders | TopicKind::Trimmed | TopicKind::Fleeting => {}
        TopicKind::Keyed => {
            keys = dice.range(2..20);
            set("cleanup.policy", "compact".into());
            let stays = dice.coin();
            set("delete.retention.ms", if stays { "86400000000" } else { "500" }.into());
            set("min.cleanable.dirty.ratio", dice.pick(&["0.01", "0.1", "0.5"]).to_string());
            set("segment.ms", dice.magnitude(500..10_000).to_string());
        }
        TopicKind::Brief => {
            set("retention.bytes", dice.magnitude(2_000..200_000).to_string());
            if dice.coin() {
                set("retention.ms", dice.magnitude(1_000..30_000).to_string());
            }
        }
        TopicKind::Relaxed => {
            set("flush.messages", dice.magnitude(2..100_000).to_string());
            if dice.coin() {
                set("flush.ms", dice.magnitude(10..10_000).to_string());
            }
        }
    }
    let partitions = i32::try_from(dice.range(1..4)).unwrap_or(1);
    TopicPlan { kind, name: kind.name().into(), partitions, settings, keys }
}

fn draw_group(number: usize, topics: &[TopicPlan], dice: &mut Dice) -> Option<GroupPlan> {
    let may_read =
        |topic: &TopicPlan| !matches!(topic.kind, TopicKind::Fleeting | TopicKind::Relaxed);
    let readable = topics.iter().enumerate().filter(|(_, topic)| may_read(topic));
    let mut chosen: Vec<usize> = readable.map(|(place, _)| place).collect();
    while chosen.len() > 2 {
        chosen.remove(dice.index(chosen.len()));
    }
    (!chosen.is_empty()).then(|| GroupPlan {
        name: format!("group-{number}"),
        topics: chosen,
        members: u8::try_from(dice.range(1..4)).unwrap_or(1),
        is_static: dice.chance(MILLION / 3),
        is_cooperative: dice.coin(),
        session_timeout_ms: i32::try_from(dice.magnitude(1_000..20_000)).unwrap_or(6_000),
        commits: Commits::AfterProcessing,
    })
}

impl WorkloadPlan {
    /// Draws it.
    pub fn draw(dice: &mut Dice) -> Self {
        let mut topics = Vec::new();
        for kind in TopicKind::ALL {
            // Each in half of the runs, so that they leave room for each other.
            let wanted = dice.coin();
            let topic = draw_topic(kind, &mut dice.split());
            if wanted {
                topics.push(topic);
            }
        }
        if topics.is_empty() {
            topics.push(draw_topic(TopicKind::Orders, &mut dice.split()));
        }
        let count = dice.range(1..4);
        let producers = (0..count).map(|_| ProducerPlan {
            is_idempotent: dice.chance(600_000),
            acks: *dice.pick(&[Some(-1), Some(-1), Some(1), Some(0), None]),
            in_flight_max: dice.index(5) + 1,
            pace_ms: dice.magnitude(30..600),
        });
        let producers = producers.collect();
        let readers = u8::try_from(dice.range(1..4)).unwrap_or(1);
        let count = dice.index(3);
        let groups = (0..count).filter_map(|number| draw_group(number, &topics, dice)).collect();
        Self {
            machines: u8::try_from(dice.range(1..4)).unwrap_or(1),
            topics,
            producers,
            readers,
            groups,
            admins: u8::from(dice.chance(800_000)),
            crash_ms: if dice.coin() { dice.magnitude(3_000..30_000) } else { 0 },
            offsets_expire: dice.chance(MILLION / 5),
            operations_max: None,
            is_advised: false,
            is_scripted: false,
        }
    }

    /// Has one topic that keeps everything, with producers and groups as it is said. Nobody administers it.
    pub fn become_advised(&mut self, advised: Advised, dice: &mut Dice) {
        let mut topic = draw_topic(TopicKind::Orders, &mut dice.split());
        topic.settings.insert("flush.messages".into(), advised.flush_messages.to_string());
        self.topics = vec![topic];
        for producer in &mut self.producers {
            producer.acks = Some(advised.acks);
        }
        self.groups = Vec::new();
        if advised.has_groups {
            let group = draw_group(0, &self.topics, dice);
            self.groups.extend(group.map(|group| GroupPlan { commits: advised.commits, ..group }));
        }
        self.admins = 0;
        self.crash_ms = if advised.clients_crash { dice.magnitude(2_000..20_000) } else { 0 };
        self.offsets_expire = false;
        self.is_advised = true;
    }

    /// Has clients do so many operations at the most.
    pub fn limit(&mut self, operations: u64) {
        self.operations_max = Some(operations);
    }

    /// What was drawn, for the banner.
    pub fn banner(&self) -> String {
        let topics = self.topics.iter().map(|topic| {
            let settings = topic.settings.iter().map(|(key, value)| format!("{key}={value}"));
            let settings: Vec<_> = settings.collect();
            format!("{}×{} ({})", topic.name, topic.partitions, settings.join(" "))
        });
        let groups = self.groups.iter().map(|group| {
            format!(
                "{} of {}{}{} with {} ms{}",
                group.name,
                group.members,
                if group.is_static { " static" } else { "" },
                if group.is_cooperative { " cooperative" } else { "" },
                group.session_timeout_ms,
                match group.commits {
                    Commits::AfterProcessing => "",
                    Commits::BeforeProcessing => ", which commit first",
                    Commits::Auto => ", which commit now and then",
                }
            )
        });
        let producers = self.producers.iter().map(|producer| {
            format!(
                "{} acks={} {} in flight, every {} ms",
                if producer.is_idempotent { "idempotent" } else { "plain" },
                producer.acks.map_or_else(|| "any".into(), |acks| acks.to_string()),
                producer.in_flight_max,
                producer.pace_ms
            )
        });
        let join = |parts: Vec<String>| parts.join("; ");
        format!(
            "{} machines; topics: {}; producers: {}; {} readers; groups: {}; {} admins; {}",
            self.machines,
            join(topics.collect()),
            join(producers.collect()),
            self.readers,
            join(groups.collect()),
            self.admins,
            match self.crash_ms {
                0 => "no client crashes".into(),
                ms => format!("a client crashes every {ms} ms"),
            },
        )
    }

    /// What the workload wants the broker to be set to, beyond the defaults.
    pub fn broker_settings(&self) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::new();
        settings.insert("auto.create.topics.enable".to_owned(), "false".to_owned());
        if self.offsets_expire {
            settings.insert("offsets.retention.minutes".to_owned(), "1".to_owned());
        }
        settings
    }
}
