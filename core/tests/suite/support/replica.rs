//! A partition that follows, over a disk in memory: what is around it does what it is told, and the leader is the test.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use ottla_core::{
    disk::{DirectoryId, Disk, DiskOp, DiskResult, IoId, Owner},
    log::{LogConfig, SyncSet, open::Known},
    machine::{Effect, Effects, Now},
    partition::{Context, Definition, Event, Partition},
    records::{BatchBuilder, Compression},
    replica::{FetchAnswer, Peer, Taken, View},
    types::{
        BrokerEpoch, BrokerId, ErrorCode, Instant, LeaderEpoch, Offset, PartitionIndex,
        TopicPartition,
    },
};

use super::{
    broker::{BEGINNING, topic_id},
    dice::Dice,
    disk::FakeDisk,
};

const LEADER: BrokerId = BrokerId(2);
const OWN: BrokerId = BrokerId(1);
const DIRECTORY: DirectoryId = DirectoryId(2);
const NOW: Now = Now { instant: Instant(1_000), timestamp: BEGINNING };

/// A batch as a leader has it: of an epoch, from an offset on, with so many records of an idempotent producer.
pub(crate) fn batch(epoch: i32, offset: i64, records: u8) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    for record in 0..records {
        builder.push(
            BEGINNING,
            None,
            Some(&[[u8::try_from(epoch).expect("it is small"), record]; 10].concat()),
            &[],
        );
    }
    let mut bytes = BytesMut::from(&builder.build()[..]);
    bytes[0..8].copy_from_slice(&offset.to_be_bytes());
    bytes[12..16].copy_from_slice(&epoch.to_be_bytes());
    bytes.freeze()
}

/// An answer that brings these batches.
pub(crate) fn brings(batches: &[Bytes]) -> FetchAnswer<Bytes> {
    FetchAnswer {
        error: ErrorCode::None,
        high_watermark: Offset::ZERO,
        start_offset: Offset::ZERO,
        diverging: None,
        records: batches.concat().into(),
    }
}

/// What the process has besides its partition.
pub(crate) struct Follower {
    pub(crate) disk: FakeDisk,
    dice: Dice,
    /// The checkpoints, which are written at once.
    pub(crate) known: Known,
    partition: Option<Partition>,
    config: LogConfig,
    next_io: u64,
    /// The sync that is under way.
    sync: Option<IoId>,
    pub(crate) events: Vec<Event>,
    /// How many operations have ended.
    pub(crate) ended: usize,
}

impl Follower {
    pub(crate) fn new(seed: u64) -> Self {
        super::plant_mutant();
        let mut dice = Dice::new(seed);
        let disk = FakeDisk::new(dice.split());
        let mut config = LogConfig::resolve(&ottla_core::config::Layers {
            topic: None,
            broker: None,
            all_brokers: None,
            configuration: &BTreeMap::new(),
        });
        (config.segment_bytes, config.index_interval_bytes) = (400, 0);
        let mut follower = Self {
            disk,
            dice,
            known: Known::default(),
            partition: None,
            config,
            next_io: 0,
            sync: None,
            events: Vec::new(),
            ended: 0,
        };
        follower.start();
        follower
    }

    fn definition(&self) -> Definition {
        Definition {
            id: TopicPartition { topic: topic_id("t"), partition: PartitionIndex(0) },
            topic_name: "t".into(),
            directory: DIRECTORY,
            config: self.config,
            broker: OWN,
            broker_epoch: BrokerEpoch(1),
            view: view(LEADER, 1),
        }
    }

    /// Opens the partition, as a process does that has just begun.
    pub(crate) fn start(&mut self) {
        let mut effects = Effects::new();
        let definition = self.definition();
        let own = IoId { owner: Owner::Shard, number: 0 };
        self.disk.submit(own, DiskOp::Use { directory: DIRECTORY, name: "t-0".into() });
        let mut disk = Disk::new(Owner::Partition(0), &mut self.next_io, &mut effects);
        self.partition = Some(Partition::open(definition, self.known, &mut disk));
        self.take(&mut effects);
        self.settle();
        assert!(self.partition().open_log().is_some(), "it opens: {:?}", self.events);
    }

    pub(crate) fn partition(&self) -> &Partition {
        self.partition.as_ref().expect("it runs")
    }

    /// Lets the partition do something.
    pub(crate) fn act<R>(&mut self, act: impl FnOnce(&mut Partition, &mut Context<'_>) -> R) -> R {
        let mut effects = Effects::new();
        let mut events = Vec::new();
        let disk = Disk::new(Owner::Partition(0), &mut self.next_io, &mut effects);
        let mut context = Context { now: NOW, disk, events: &mut events };
        let partition = self.partition.as_mut().expect("it runs");
        let result = act(partition, &mut context);
        partition.check();
        partition.open_log().into_iter().for_each(|log| log.check_thoroughly());
        self.take(&mut effects);
        for event in events {
            if matches!(event, Event::PointToWrite) {
                self.known = Known { cut: None, ..self.partition().known() };
                self.act(Partition::recovery_point_written);
            }
            self.events.push(event);
        }
        result
    }

    fn take(&mut self, effects: &mut Effects) {
        for effect in effects.drain() {
            if let Effect::Disk { io, op } = effect {
                self.disk.submit(io, op);
            }
        }
    }

    /// Something happens on the disk. Whether anything was left to.
    pub(crate) fn step(&mut self) -> bool {
        let (unapplied, untold) = self.disk.pending();
        if unapplied > 0 && (untold == 0 || self.dice.percent(60)) {
            self.disk.apply_next();
        } else if untold > 0 {
            let (io, result) = self.disk.complete(self.dice.below(untold));
            self.ended += 1;
            self.operation_ended(io, result);
        } else if self.sync.is_none() && self.partition().wants_sync(NOW) {
            let mut set = SyncSet::default();
            self.act(|partition, _| partition.begin_sync(&mut set));
            self.next_io += 1;
            let io = IoId { owner: Owner::Shard, number: self.next_io };
            let SyncSet { files, directories } = set;
            self.disk.submit(io, DiskOp::Sync { files, directories });
            self.sync = Some(io);
        } else {
            return false;
        }
        true
    }

    fn operation_ended(&mut self, io: IoId, result: DiskResult) {
        if self.sync == Some(io) {
            self.sync = None;
            self.act(|partition, context| partition.sync_ended(result.failure(), context));
        } else if matches!(io.owner, Owner::Partition(_)) {
            self.act(|partition, context| partition.operation_ended(io, result, context));
        }
    }

    pub(crate) fn settle(&mut self) {
        while self.step() {}
    }

    /// Writes a checkpoint down: what there is is durable, with a snapshot.
    pub(crate) fn checkpoint(&mut self) {
        self.settle();
        self.act(|partition, context| {
            let log = partition.open_log_mut().expect("it is open");
            log.write_indexes(&mut context.disk);
        });
        self.settle();
        let snapshot = self.act(|partition, context| {
            let log = partition.open_log_mut().expect("it is open");
            let (snapshot, _) = log.write_snapshot(&mut context.disk).expect("it is at rest");
            snapshot
        });
        self.settle();
        self.next_io += 1;
        let io = IoId { owner: Owner::Shard, number: self.next_io };
        self.disk.submit(io, DiskOp::SyncAll);
        self.settle();
        self.act(|partition, context| {
            partition.synced_to(snapshot.position, context);
            let log = partition.open_log_mut().expect("it is open");
            log.checkpointed(snapshot, &mut context.disk);
        });
        self.known = self.partition().known();
        self.settle();
    }

    /// Fetches, and is answered.
    pub(crate) fn fetch(&mut self, answer: FetchAnswer<Bytes>) -> Taken {
        let id = self.act(|partition, _| partition.next_fetch());
        let (id, _) = id.expect("it may fetch");
        self.act(|partition, context| partition.answered(id, answer, context))
    }

    /// The process dies, or the power goes.
    pub(crate) fn crash(&mut self, is_power: bool) {
        self.partition = None;
        self.sync = None;
        self.events.clear();
        if is_power {
            self.disk.lose_power();
        } else {
            self.disk.kill();
        }
    }

    /// Where the log begins and ends, and its batches in files: epoch and offsets of each.
    pub(crate) fn content(&self) -> (i64, i64, Vec<(i32, i64, i64)>) {
        let log = self.partition().open_log().expect("it is open");
        let mut batches = Vec::new();
        for segment in log.segments() {
            let length = u64::from(segment.size_bytes);
            let bytes = self.disk.read(segment.file, 0, length).expect("the file is there");
            assert_eq!(bytes.len() as u64, length, "the file is as long as the segment");
            for (header, _) in super::client::parse(&bytes.into()) {
                let (first, next) = (header.base_offset.0, header.next_offset().0);
                batches.push((header.leader_epoch.0, first, next));
            }
        }
        (log.start_offset().0, log.end_offset().0, batches)
    }

    /// The epochs that the log knows, with where they begin.
    pub(crate) fn epochs(&self) -> Vec<(i32, i64)> {
        let log = self.partition().open_log().expect("it is open");
        let entries = log.epochs().entries().iter();
        entries.map(|entry| (entry.epoch.0, entry.start_offset.0)).collect()
    }
}

/// What the metadata say: who leads, in which epoch.
pub(crate) fn view(leader: BrokerId, leader_epoch: i32) -> View {
    let peer = |id, epoch| (id, Peer { epoch: BrokerEpoch(epoch), is_active: true });
    View {
        replicas: vec![OWN, LEADER],
        isr: vec![OWN, LEADER],
        leader: Some(leader),
        leader_epoch: LeaderEpoch(leader_epoch),
        partition_epoch: leader_epoch,
        is_recovering: false,
        min_insync: 1,
        peers: [peer(OWN, 1), peer(LEADER, 2)].into(),
    }
}
