//! A shard over a disk in memory, fed and drained in an order that a seed rules.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use ottla_core::{
    disk::IoId,
    inspect::Inspection,
    job::Job,
    machine::{ConnectionId, Effect, Effects, Now},
    metadata::{
        Command, Image, Outcome, ProposalId,
        command::{Assignment, ConfigEntry, CreateTopic, RegisterBroker},
    },
    notice::Notice,
    shard::{Input, Shard, ShardConfig},
    types::{BrokerId, Instant, Timestamp, TopicId, Uuid},
    wire::{
        ApiKey, Frame, Piece, Reader, Request, RequestHeader, Wire, Writer, api::RequestMessage,
        decode_response_header, messages::describe_groups::DescribeGroupsRequest,
    },
};

use super::{dice::Dice, disk::FakeDisk};

/// The broker's clock when it is first started: some day in 2023.
pub(crate) const BEGINNING: Timestamp = Timestamp(1_700_000_000_000);
pub(crate) const BROKER: BrokerId = BrokerId(1);

/// Names a request until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket {
    connection: ConnectionId,
    correlation_id: i32,
}

/// What was told of a request.
#[derive(Debug, Clone, Copy)]
struct Asked {
    key: ApiKey,
    version: i16,
    correlation_id: i32,
}

pub(crate) struct Broker {
    pub(crate) disk: FakeDisk,
    pub(crate) dice: Dice,
    pub(crate) now: Now,
    pub(crate) image: Image,
    pub(crate) notices: Vec<Notice>,
    configuration: BTreeMap<String, String>,
    shard: Option<Shard>,
    jobs: Vec<(IoId, Job)>,
    proposals: VecDeque<(ProposalId, Vec<Command>)>,
    /// The quorum decides on nothing.
    pub(crate) fail_proposals: bool,
    asked: BTreeMap<ConnectionId, VecDeque<Asked>>,
    answers: BTreeMap<Ticket, Bytes>,
    pub(crate) closed: Vec<ConnectionId>,
    is_ready: bool,
    is_stopped: bool,
    inspection: Option<Inspection>,
    /// CORE_TESTS_TRACE is set: say what happens, to look into a failure.
    is_traced: bool,
    next_connection: u64,
    next_correlation_id: i32,
    /// All inputs with all their effects, if wanted.
    pub(crate) record: Option<Vec<(Now, Input, Vec<Effect>)>>,
    /// What the shard was made of.
    pub(crate) born: Option<(Now, ShardConfig, Vec<Effect>)>,
}

/// What there is to do next.
#[derive(Debug, Clone, Copy)]
enum Todo {
    Apply,
    Complete,
    Compute,
    Decide,
    Rest,
}

impl Broker {
    /// A broker that was never started, over an empty disk.
    pub(crate) fn new(seed: u64, configuration: &[(&str, &str)]) -> Self {
        super::plant_mutant();
        let mut dice = Dice::new(seed);
        let disk = FakeDisk::new(dice.split());
        // The journal of the usual size would take most of the time: who tests it asks for a small one.
        let configuration = [&[("ottla.journal.bytes", "0")], configuration].concat();
        let configuration =
            configuration.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self {
            disk,
            dice,
            now: Now { instant: Instant(0), timestamp: BEGINNING },
            image: registered(),
            notices: Vec::new(),
            configuration,
            shard: None,
            jobs: Vec::new(),
            proposals: VecDeque::new(),
            fail_proposals: false,
            asked: BTreeMap::new(),
            answers: BTreeMap::new(),
            closed: Vec::new(),
            is_ready: false,
            is_stopped: false,
            inspection: None,
            is_traced: std::env::var_os("CORE_TESTS_TRACE").is_some(),
            next_connection: 0,
            next_correlation_id: 0,
            record: None,
            born: None,
        }
    }

    /// Makes a topic before the broker starts.
    pub(crate) fn with_topic(
        mut self,
        name: &str,
        partitions: usize,
        configs: &[(&str, &str)],
    ) -> Self {
        let command = CreateTopic {
            name: name.into(),
            topic_id: topic_id(name).0,
            assignments: vec![Assignment { replicas: vec![BROKER.0] }; partitions],
            configs: configs
                .iter()
                .map(|&(key, value)| ConfigEntry { key: key.into(), value: value.into() })
                .collect(),
        };
        let outcome = self.image.apply(&command.into());
        assert_eq!(outcome, Outcome::Applied, "the topic can be made");
        self
    }

    pub(crate) fn shard(&self) -> &Shard {
        self.shard.as_ref().expect("the broker runs")
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.shard.is_some()
    }

    pub(crate) const fn is_ready(&self) -> bool {
        self.is_ready
    }

    pub(crate) const fn has_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Starts it; connections may come when it is ready.
    pub(crate) fn begin_start(&mut self) {
        assert!(!self.is_running(), "it does not run yet");
        let seed = self.dice.seed();
        self.image.apply(&register(seed).into());
        let config = ShardConfig {
            broker_id: BROKER,
            cluster_id: "cluster".into(),
            log_directory: "/data".into(),
            configuration: self.configuration.clone(),
            image: self.image.clone(),
            seed,
        };
        let mut effects = Effects::new();
        self.shard = Some(Shard::new(config.clone(), self.now, &mut effects));
        if self.record.is_some() {
            self.born = Some((self.now, config, effects.as_slice().to_vec()));
        }
        self.is_ready = false;
        self.is_stopped = false;
        self.carry_out(&mut effects);
    }

    pub(crate) fn start(&mut self) {
        self.begin_start();
        self.settle();
        assert!(self.is_ready, "a broker becomes ready");
    }

    pub(crate) fn handle(&mut self, input: Input) {
        self.disk.set_time(self.now.timestamp);
        let mut effects = Effects::new();
        let shard = self.shard.as_mut().expect("the broker runs");
        shard.handle(self.now, input.clone(), &mut effects);
        if self.is_traced {
            eprintln!("{input:?}\n  {:?}", effects.as_slice());
        }
        if let Some(record) = &mut self.record {
            record.push((self.now, input, effects.as_slice().to_vec()));
        }
        self.carry_out(&mut effects);
    }

    fn carry_out(&mut self, effects: &mut Effects) {
        for effect in effects.drain() {
            match effect {
                Effect::Disk { io, op } => self.disk.submit(io, op),
                Effect::Compute { io, job } => self.jobs.push((io, job)),
                Effect::Send { connection, frame } => self.take_frame(connection, &frame),
                Effect::Done { connection } => {
                    self.asked.entry(connection).or_default().pop_front();
                }
                Effect::Close { connection, .. } => self.closed.push(connection),
                Effect::Propose { proposal, commands } => {
                    self.proposals.push_back((proposal, commands));
                }
                Effect::Ready => self.is_ready = true,
                Effect::Stopped => self.is_stopped = true,
                Effect::Notice(notice) => self.notices.push(notice),
                Effect::Inspected(inspection) => self.inspection = Some(inspection),
            }
        }
    }

    /// Ranges of files are read when the frame is sent.
    fn take_frame(&mut self, connection: ConnectionId, frame: &Frame) {
        let mut bytes = frame.first().to_vec();
        for piece in frame.rest() {
            match piece {
                Piece::Bytes(more) => bytes.extend_from_slice(more),
                Piece::Range(range) => {
                    self.disk.apply_all();
                    let read = self.disk.read(range.file, range.position, range.length);
                    bytes.extend(read.expect("what is sent is there"));
                }
            }
        }
        let asked = self.asked.entry(connection).or_default().pop_front();
        let Asked { key, version, correlation_id } = asked.expect("somebody has asked");
        let bytes = Bytes::from(bytes);
        let length = u32::from_be_bytes(*bytes.first_chunk().expect("a frame has a length"));
        assert_eq!(bytes.len(), 4 + length as usize, "a frame is as long as it says");
        let mut reader = Reader::new(bytes.slice(4..));
        let answered = decode_response_header(&mut reader, key, version);
        assert_eq!(answered, Ok(correlation_id), "answers come in the order of the requests");
        self.answers.insert(Ticket { connection, correlation_id }, reader.rest().clone());
    }

    pub(crate) fn connect(&mut self) -> ConnectionId {
        self.next_connection += 1;
        let connection = ConnectionId(self.next_connection);
        self.handle(Input::Connected { connection, host: "127.0.0.1".into() });
        connection
    }

    pub(crate) fn disconnect(&mut self, connection: ConnectionId) {
        self.asked.remove(&connection);
        self.handle(Input::Disconnected { connection });
    }

    /// Sends a request.
    pub(crate) fn send(
        &mut self,
        connection: ConnectionId,
        version: i16,
        request: impl Into<Request>,
    ) -> Ticket {
        let request: Request = request.into();
        self.next_correlation_id += 1;
        let (key, correlation_id) = (request.key(), self.next_correlation_id);
        let client_id = Some("tester".into());
        let mut writer = Writer::new();
        RequestHeader { key, version, correlation_id, client_id }.encode(&mut writer);
        request.encode(&mut writer, version);
        self.asked.entry(connection).or_default().push_back(Asked { key, version, correlation_id });
        self.handle(Input::Frame { connection, frame: writer.freeze() });
        Ticket { connection, correlation_id }
    }

    /// The answer, if it has come.
    pub(crate) fn answer<R: RequestMessage>(
        &mut self,
        ticket: Ticket,
        version: i16,
    ) -> Option<R::Response> {
        let mut reader = Reader::new(self.answers.remove(&ticket)?);
        let answer = R::Response::decode(&mut reader, R::KEY.version(version));
        assert_eq!(reader.remaining(), 0, "an answer has no more bytes than it needs");
        Some(answer.expect("an answer is well formed"))
    }

    /// Asks, and waits for the answer as long as it takes without time passing.
    pub(crate) fn call<R: RequestMessage + Into<Request>>(
        &mut self,
        version: i16,
        request: R,
    ) -> R::Response {
        let connection = self.connect();
        let ticket = self.send(connection, version, request);
        self.settle();
        let answer = self.answer::<R>(ticket, version).expect("it is answered");
        self.disconnect(connection);
        answer
    }

    fn todo(&self) -> Vec<Todo> {
        let (unapplied, untold) = self.disk.pending();
        let choices = [
            (unapplied > 0, Todo::Apply),
            (untold > 0, Todo::Complete),
            (!self.jobs.is_empty(), Todo::Compute),
            (!self.proposals.is_empty(), Todo::Decide),
        ];
        choices.iter().filter(|(possible, _)| *possible).map(|(_, todo)| *todo).collect()
    }

    /// Does one of the things that are to be done.
    pub(crate) fn step(&mut self) {
        let mut choices = self.todo();
        choices.push(Todo::Rest);
        match self.dice.pick(&choices) {
            Todo::Apply => self.disk.apply_next(),
            Todo::Complete => {
                let (_, untold) = self.disk.pending();
                let (io, result) = self.disk.complete(self.dice.below(untold));
                self.handle(Input::Disk { io, result });
            }
            Todo::Compute => {
                let (io, job) = self.jobs.remove(self.dice.below(self.jobs.len()));
                self.handle(Input::Computed { io, result: job.run() });
            }
            Todo::Decide => {
                let (proposal, commands) = self.proposals.pop_front().expect("there is one");
                if self.fail_proposals {
                    return self.handle(Input::ProposalFailed { proposal });
                }
                for command in &commands {
                    self.image.apply(command);
                }
                self.handle(Input::Committed { proposal: Some(proposal), commands });
            }
            Todo::Rest => self.handle(Input::Rest),
        }
    }

    /// Goes on until nothing is left to be done but to wait.
    pub(crate) fn settle(&mut self) {
        for _ in 0..STEPS_MAX {
            if self.is_stopped {
                return;
            }
            if self.todo().is_empty() {
                self.handle(Input::Rest);
                if self.todo().is_empty() {
                    return;
                }
            }
            self.step();
        }
        panic!("it never comes to rest");
    }

    /// Takes steps until nothing is left to be done, but no more than `budget`; whether it ran out. What is left of the budget is
    /// for the next call.
    pub(crate) fn steps_until_rest(&mut self, budget: &mut usize) -> bool {
        loop {
            if self.todo().is_empty() {
                self.handle(Input::Rest);
                if self.todo().is_empty() {
                    return false;
                }
            }
            if *budget == 0 {
                return true;
            }
            *budget -= 1;
            self.step();
        }
    }

    /// Lets time pass, and everything happen that is due.
    pub(crate) fn sleep_ms(&mut self, milliseconds: u64) {
        let until = Instant(self.now.instant.0 + milliseconds * 1_000);
        for fired in 0.. {
            let Some((at, timer)) = self.shard().poll_timeout().filter(|(at, _)| *at <= until)
            else {
                break;
            };
            assert!(fired < TIMERS_MAX, "timers fire for ever: {timer:?}");
            self.set_clock(at.max(self.now.instant));
            self.handle(Input::Timeout);
            self.settle();
        }
        self.set_clock(until);
    }

    /// Time passes, and nothing else.
    fn set_clock(&mut self, instant: Instant) {
        self.now.instant = instant;
        let passed = i64::try_from(instant.0 / 1_000).expect("tests are short");
        self.now.timestamp = Timestamp(BEGINNING.0 + passed);
    }

    /// What is due at the next timer happens, without waiting for what it begins.
    pub(crate) fn fire_next_timer(&mut self) {
        if let Some((at, _)) = self.shard().poll_timeout() {
            self.set_clock(at.max(self.now.instant));
            self.handle(Input::Timeout);
        }
    }

    fn forget_process(&mut self) {
        self.shard = None;
        self.is_ready = false;
        self.jobs.clear();
        self.asked.clear();
        self.answers.clear();
        self.closed.clear();
        // The quorum may decide on what it was asked, or never have heard of it.
        for (_, commands) in self.proposals.drain(..) {
            if self.dice.percent(50) {
                for command in &commands {
                    self.image.apply(command);
                }
            }
        }
    }

    pub(crate) fn kill(&mut self) {
        self.trace("KILL");
        self.forget_process();
        self.disk.kill();
    }

    fn trace(&self, what: &str) {
        if self.is_traced {
            eprintln!("{what}: {:?}", self.disk.pending());
        }
    }

    pub(crate) fn lose_power(&mut self) {
        self.trace("POWER");
        self.forget_process();
        self.disk.lose_power();
    }

    /// The id of a group's first member.
    pub(crate) fn member_of(&mut self, group: &str) -> String {
        let request = DescribeGroupsRequest { groups: vec![group.into()], ..Default::default() };
        self.call(0, request).groups.remove(0).members.remove(0).member_id
    }

    pub(crate) fn note_space(&mut self, free_bytes: u64) {
        self.handle(Input::DiskSpace { free_bytes, total_bytes: 1 << 41 });
    }

    /// What it says of itself.
    pub(crate) fn inspect(&mut self) -> Inspection {
        self.handle(Input::Inspect);
        self.inspection.take().expect("it answers at once")
    }

    /// Stops it in order.
    pub(crate) fn stop(&mut self) {
        self.handle(Input::Shutdown);
        self.settle();
        assert!(self.is_stopped, "a broker stops when it is told to");
        self.disk.apply_all();
        self.disk.forget_process();
        self.forget_process();
    }
}

fn register(seed: u64) -> RegisterBroker {
    RegisterBroker {
        broker_id: BROKER.0,
        incarnation: Uuid::from_random(u128::from(seed)),
        host: "localhost".into(),
        port: 9092,
        rack: None,
        directory: Uuid::from_random(1),
        ..Default::default()
    }
}

/// The metadata of a cluster that knows the broker.
fn registered() -> Image {
    let mut image = Image::default();
    image.apply(&register(0).into());
    image
}

/// The id of a topic that a test makes.
pub(crate) fn topic_id(name: &str) -> TopicId {
    let bits = name.bytes().fold(7_u128, |bits, byte| bits.wrapping_mul(257) + u128::from(byte));
    TopicId(Uuid::from_random(bits))
}

/// How many timers fire while a test sleeps at the most.
const TIMERS_MAX: usize = 10_000;

/// More than any test needs to come to rest.
const STEPS_MAX: usize = 200_000;
