//! A shard over a memory that does at once what is asked of it: what is counted is the core's own work.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use ottla_core::{
    disk::{DiskOp, DiskResult, FileRef, IoError, WriteData},
    machine::{ConnectionId, Effect, Effects, Now},
    metadata::{
        Command, Image, Outcome, ProposalId,
        command::{Assignment, CreateTopic, RegisterBroker},
    },
    records::{BatchBuilder, Compression},
    shard::{Input, Shard, ShardConfig},
    types::{BrokerEpoch, BrokerId, Instant, Timestamp, Uuid},
    wire::{
        Frame, Reader, Request, RequestHeader, Wire, Writer,
        api::RequestMessage,
        decode_response_header,
        messages::{
            fetch::{FetchPartition, FetchRequest, FetchTopic},
            find_coordinator::FindCoordinatorRequest,
            heartbeat::HeartbeatRequest,
            join_group::{JoinGroupRequest, JoinGroupRequestProtocol},
            offset_commit::{
                OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
            },
            produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
            sync_group::SyncGroupRequest,
        },
    },
};

const BROKER: BrokerId = BrokerId(1);
const CONNECTION: ConnectionId = ConnectionId(1);
const TOPIC: &str = "orders";
const GROUP: &str = "billing";

/// The version in which each request is spoken.
const PRODUCE: i16 = 9;
const FETCH: i16 = 12;
const FIND_COORDINATOR: i16 = 2;
const JOIN_GROUP: i16 = 5;
const SYNC_GROUP: i16 = 3;
const HEARTBEAT: i16 = 3;
const OFFSET_COMMIT: i16 = 7;

/// A shard that runs, and what it has been answered.
#[derive(Debug)]
pub struct Driver {
    shard: Shard,
    effects: Effects,
    image: Image,
    files: BTreeMap<FileRef, Vec<u8>>,
    inputs: VecDeque<Input>,
    sent: Option<Frame>,
    is_ready: bool,
}

/// A request, ready to be given to the shard.
#[derive(Debug)]
pub struct Prepared {
    frame: Bytes,
}

impl Default for Driver {
    fn default() -> Self {
        Self::new()
    }
}

impl Driver {
    /// A broker with one topic of one partition, and a client.
    pub fn new() -> Self {
        let image = image();
        // The first round that would go by a journal makes it, and there would be little else to measure.
        let configuration =
            [("group.initial.rebalance.delay.ms", "0"), ("ottla.journal.bytes", "0")];
        let configuration = configuration.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let configuration = BTreeMap::from(configuration);
        let config = ShardConfig {
            broker_id: BROKER,
            cluster_id: "cluster".into(),
            log_directory: "/data".into(),
            configuration,
            image: image.clone(),
            seed: 1,
        };
        let mut effects = Effects::new();
        let shard = Shard::new(config, NOW, &mut effects);
        let mut driver = Self {
            shard,
            effects,
            image,
            files: BTreeMap::new(),
            inputs: VecDeque::new(),
            sent: None,
            is_ready: false,
        };
        driver.carry_out();
        driver.settle();
        assert!(driver.is_ready, "the shard is ready");
        driver.give(Input::Connected { connection: CONNECTION, host: "127.0.0.1".into() });
        driver
    }

    /// A driver whose topic holds so many batches of 64 records, each of 1,000 bytes.
    pub fn with_batches(count: usize) -> Self {
        let mut driver = Self::new();
        for _ in 0..count {
            let produce = produce(64);
            driver.run(&produce);
            driver.answered();
        }
        driver
    }

    /// Gives the shard a request, and goes on until it is answered.
    #[inline(never)]
    pub fn run(&mut self, request: &Prepared) {
        self.give(Input::Frame { connection: CONNECTION, frame: request.frame.clone() });
    }

    /// The answer's frame.
    pub fn answered(&mut self) -> Frame {
        self.sent.take().expect("the request was answered")
    }

    fn give(&mut self, input: Input) {
        self.shard.handle(NOW, input, &mut self.effects);
        self.carry_out();
        self.settle();
    }

    /// Goes on until nothing is left to be done.
    fn settle(&mut self) {
        loop {
            while let Some(input) = self.inputs.pop_front() {
                self.shard.handle(NOW, input, &mut self.effects);
                self.carry_out();
            }
            let due = self.shard.poll_timeout().is_some_and(|(at, _)| at <= NOW.instant);
            let next = if due { Input::Timeout } else { Input::Rest };
            self.shard.handle(NOW, next, &mut self.effects);
            self.carry_out();
            if self.inputs.is_empty() && !due {
                return;
            }
        }
    }

    fn carry_out(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain() {
            match effect {
                Effect::Disk { io, op } => {
                    let result = self.perform(op);
                    self.inputs.push_back(Input::Disk { io, result });
                }
                Effect::Compute { io, job } => {
                    self.inputs.push_back(Input::Computed { io, result: job.run() });
                }
                Effect::Send { frame, .. } => self.sent = Some(frame),
                Effect::Propose { proposal, commands } => self.commit(proposal, commands),
                Effect::Ready => self.is_ready = true,
                Effect::Close { reason, .. } => panic!("the connection was closed: {reason:?}"),
                Effect::Done { .. }
                | Effect::Inspected(_)
                | Effect::Stopped
                | Effect::Notice(_) => {}
            }
        }
        self.effects = effects;
    }

    fn commit(&mut self, proposal: ProposalId, commands: Vec<Command>) {
        for command in &commands {
            self.image.apply(command);
        }
        self.inputs.push_back(Input::Committed { proposal: Some(proposal), commands });
    }

    fn perform(&mut self, op: DiskOp) -> DiskResult {
        match op {
            DiskOp::Write { file, position, data } => {
                let content = self.files.entry(file).or_default();
                let position = usize::try_from(position).expect("files are small");
                content.truncate(position);
                match data {
                    WriteData::Bytes(bytes) => content.extend_from_slice(&bytes),
                    WriteData::Batch { header, body } => {
                        content.extend_from_slice(&header);
                        content.extend_from_slice(&body);
                    }
                    WriteData::Pieces(pieces) => content.extend(pieces.iter().flatten()),
                }
            }
            DiskOp::Read { file, position, length } => {
                let Some(content) = self.files.get(&file) else {
                    return DiskResult::Failed(IoError::NotFound);
                };
                let start = usize::try_from(position).expect("files are small").min(content.len());
                let end = content.len().min(start + length as usize);
                return DiskResult::Bytes(Bytes::copy_from_slice(&content[start..end]));
            }
            DiskOp::List(_) => return DiskResult::Entries(Vec::new()),
            DiskOp::Create(_)
            | DiskOp::CreateDirectory(_)
            | DiskOp::DropCache(_)
            | DiskOp::Remove(_)
            | DiskOp::RemoveDirectory(_)
            | DiskOp::Rename { .. }
            | DiskOp::RenameDirectory { .. }
            | DiskOp::Sync { .. }
            | DiskOp::SyncAll
            | DiskOp::Truncate { .. }
            | DiskOp::Use { .. } => {}
        }
        DiskResult::Done
    }

    /// Asks outside of what is counted, and reads the answer.
    fn call<R: RequestMessage + Into<Request>>(&mut self, version: i16, request: R) -> R::Response {
        self.run(&prepare(version, request));
        let frame = self.answered();
        let mut reader = Reader::new(frame.first().slice(4..));
        let header = decode_response_header(&mut reader, R::KEY, version);
        assert_eq!(header, Ok(1), "it is the answer to the request");
        R::Response::decode(&mut reader, R::KEY.version(version)).expect("it can be read")
    }

    /// Joins a group as its only member, and returns the generation and the member's id.
    pub fn join(&mut self) -> (i32, String) {
        let find = FindCoordinatorRequest { key: GROUP.into(), ..Default::default() };
        self.call(FIND_COORDINATOR, find);
        let first = self.call(JOIN_GROUP, join(""));
        let joined = self.call(JOIN_GROUP, join(&first.member_id));
        assert_eq!(joined.error_code, 0, "the member has joined");
        let synced = self.call(
            SYNC_GROUP,
            SyncGroupRequest {
                group_id: GROUP.into(),
                generation_id: joined.generation_id,
                member_id: joined.member_id.clone(),
                ..Default::default()
            },
        );
        assert_eq!(synced.error_code, 0, "the member has an assignment");
        (joined.generation_id, joined.member_id)
    }
}

const NOW: Now = Now { instant: Instant(1_000_000), timestamp: Timestamp(1_700_000_000_000) };

fn image() -> Image {
    let mut image = Image::default();
    let register = RegisterBroker {
        broker_id: BROKER.0,
        incarnation: Uuid::from_random(1),
        host: "localhost".into(),
        port: 9092,
        rack: None,
        directory: Uuid::from_random(2),
        ..Default::default()
    };
    assert_eq!(image.apply(&register.into()), Outcome::BrokerEpoch(BrokerEpoch(1)));
    let topic = CreateTopic {
        name: TOPIC.into(),
        topic_id: Uuid::from_random(3),
        assignments: vec![Assignment { replicas: vec![BROKER.0] }],
        configs: Vec::new(),
    };
    assert_eq!(image.apply(&topic.into()), Outcome::Applied);
    image
}

fn prepare(version: i16, request: impl Into<Request>) -> Prepared {
    let request = request.into();
    let mut writer = Writer::new();
    let client_id = Some("bench".into());
    RequestHeader { key: request.key(), version, correlation_id: 1, client_id }.encode(&mut writer);
    request.encode(&mut writer, version);
    Prepared { frame: writer.freeze() }
}

fn join(member: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: GROUP.into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 20_000,
        member_id: member.into(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), ..Default::default() }],
        ..Default::default()
    }
}

/// A Produce of one batch of so many records, each of 1,000 bytes.
pub fn produce(records: usize) -> Prepared {
    let value = [7; 1_000];
    let mut builder = BatchBuilder::new(Compression::None);
    for _ in 0..records {
        builder.push(NOW.timestamp, None, Some(&value), &[]);
    }
    let partition_data = vec![PartitionProduceData { index: 0, records: Some(builder.build()) }];
    let topic_data =
        vec![TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() }];
    let request = ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data, ..Default::default() };
    prepare(PRODUCE, request)
}

/// A Fetch of a mebibyte.
pub fn fetch(offset: i64) -> Prepared {
    let partition =
        FetchPartition { fetch_offset: offset, partition_max_bytes: 1 << 20, ..Default::default() };
    let topics =
        vec![FetchTopic { topic: TOPIC.into(), partitions: vec![partition], ..Default::default() }];
    let request = FetchRequest { max_bytes: 1 << 20, topics, ..Default::default() };
    prepare(FETCH, request)
}

/// A Heartbeat of a group's member.
pub fn heartbeat((generation_id, member_id): (i32, String)) -> Prepared {
    let request =
        HeartbeatRequest { group_id: GROUP.into(), generation_id, member_id, ..Default::default() };
    prepare(HEARTBEAT, request)
}

/// An OffsetCommit of one partition.
pub fn commit((generation_id, member_id): (i32, String)) -> Prepared {
    let partitions =
        vec![OffsetCommitRequestPartition { committed_offset: 5, ..Default::default() }];
    let topics =
        vec![OffsetCommitRequestTopic { name: TOPIC.into(), partitions, ..Default::default() }];
    let request = OffsetCommitRequest {
        group_id: GROUP.into(),
        generation_id_or_member_epoch: generation_id,
        member_id,
        topics,
        ..Default::default()
    };
    prepare(OFFSET_COMMIT, request)
}
