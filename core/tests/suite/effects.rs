//! What each operation makes the broker do, from its input to its answer.

use std::fmt::Write as _;

use bytes::Bytes;
use ottla_core::{
    disk::{DiskOp, FileRef, WriteData},
    machine::{Effect, Now},
    records::Compression,
    shard::Input,
    wire::{
        Request,
        messages::{
            create_topics::{CreatableTopic, CreateTopicsRequest},
            find_coordinator::FindCoordinatorRequest,
            init_producer_id::InitProducerIdRequest,
            offset_commit::{
                OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
            },
            sync_group::{SyncGroupRequest, SyncGroupRequestAssignment},
        },
    },
};

use crate::support::{
    broker::{BEGINNING, Broker},
    client::{batch, delete_request, fetch_request, produce_request},
    group::join_request,
};

const TOPIC: &str = "t";

fn broker() -> Broker {
    let topic = [("internal.segment.bytes", "150"), ("index.interval.bytes", "0")];
    let mut broker =
        Broker::new(1, &[("offsets.topic.num.partitions", "1")]).with_topic(TOPIC, 1, &topic);
    broker.start();
    broker
}

fn records() -> Bytes {
    batch(Compression::None, &[(BEGINNING.0, Some(b"key"), Some(b"value"))])
}

/// What happens from now on until nothing is left to be done, in words.
fn story(broker: &mut Broker, act: impl FnOnce(&mut Broker)) -> String {
    broker.record = Some(Vec::new());
    act(broker);
    broker.settle();
    let mut text = String::new();
    for (now, input, effects) in broker.record.take().expect("it is recorded") {
        if matches!(input, Input::Rest) && effects.is_empty() {
            continue;
        }
        writeln!(text, "{}", tell_input(now, &input)).expect("a string takes everything");
        for effect in effects {
            writeln!(text, "    {}", tell_effect(&effect)).expect("a string takes everything");
        }
    }
    text
}

fn tell_input(now: Now, input: &Input) -> String {
    let told = match input {
        Input::Connected { connection, .. } => format!("connection {} comes", connection.0),
        Input::Disconnected { connection } => format!("connection {} ends", connection.0),
        Input::Frame { connection, frame } => {
            format!("connection {} sends {} bytes", connection.0, frame.len())
        }
        Input::Disk { io, result } => match result.failure() {
            None => format!("disk: {} is done", io.number),
            Some(error) => format!("disk: {} failed: {error}", io.number),
        },
        Input::Computed { io, .. } => format!("computed: {}", io.number),
        Input::Committed { commands, .. } => format!("the quorum has agreed: {commands:?}"),
        other => format!("{other:?}"),
    };
    format!("{} µs: {told}", now.instant.0)
}

fn tell_effect(effect: &Effect) -> String {
    match effect {
        Effect::Disk { io, op } => format!("disk: {} is to {}", io.number, tell_op(op)),
        Effect::Compute { io, .. } => format!("compute: {}", io.number),
        Effect::Send { connection, frame } => {
            format!(
                "send to connection {}: {:02x?} {:?}",
                connection.0,
                &frame.first()[..],
                frame.rest()
            )
        }
        Effect::Done { connection } => format!("done with connection {}", connection.0),
        other => format!("{other:?}"),
    }
}

fn name(file: &FileRef) -> String {
    format!("{}/{}", file.directory.0, file.name)
}

fn tell_op(op: &DiskOp) -> String {
    match op {
        DiskOp::Create(file) => format!("create {}", name(file)),
        DiskOp::Write { file, position, data } => {
            let kind = match data {
                WriteData::Bytes(_) => "bytes",
                WriteData::Batch { .. } => "bytes of a batch",
                WriteData::Pieces(_) => "bytes in pieces",
            };
            format!("write {} {kind} to {} at {position}", data.len(), name(file))
        }
        DiskOp::Read { file, position, length } => {
            format!("read {length} bytes of {} at {position}", name(file))
        }
        DiskOp::Sync { files, directories } => {
            let files: Vec<String> = files.iter().map(name).collect();
            let directories: Vec<u32> = directories.iter().map(|directory| directory.0).collect();
            format!("sync files {files:?} and names {directories:?}")
        }
        DiskOp::Rename { file, name: to } => format!("rename {} to {to}", name(file)),
        DiskOp::Remove(file) => format!("remove {}", name(file)),
        DiskOp::Truncate { file, length } => format!("cut {} to {length}", name(file)),
        other => format!("{other:?}"),
    }
}

/// One request from a connection that is there.
fn ask(broker: &mut Broker, version: i16, request: impl Into<Request>) -> String {
    let connection = broker.connect();
    story(broker, |broker| {
        broker.send(connection, version, request);
    })
}

fn golden(name: &str, story: &str) {
    insta::assert_snapshot!(name, story);
}

#[test]
fn produce() {
    let mut broker = broker();
    golden("produce_first", &ask(&mut broker, 9, produce_request(TOPIC, 0, -1, records())));
    golden("produce_all", &ask(&mut broker, 9, produce_request(TOPIC, 0, -1, records())));
    golden("produce_and_roll", &ask(&mut broker, 9, produce_request(TOPIC, 0, 1, records())));
    golden("produce_unanswered", &ask(&mut broker, 9, produce_request(TOPIC, 0, 0, records())));
    golden(
        "produce_corrupt",
        &ask(&mut broker, 9, produce_request(TOPIC, 0, -1, vec![7; 90].into())),
    );
}

#[test]
fn fetch() {
    let mut broker = broker();
    broker.produce(TOPIC, records());
    golden("fetch_at_once", &ask(&mut broker, 12, fetch_request(TOPIC, 0, 0)));
    let long = || {
        let mut request = fetch_request(TOPIC, 0, 1);
        (request.max_wait_ms, request.min_bytes) = (500, 1);
        request
    };
    golden("fetch_waits", &ask(&mut broker, 12, long()));
    let woken = story(&mut broker, |broker| {
        broker.produce(TOPIC, records());
    });
    golden("fetch_woken_by_a_produce", &woken);
    let mut last = long();
    last.topics[0].partitions[0].fetch_offset = 2;
    let connection = broker.connect();
    let timed_out = story(&mut broker, |broker| {
        broker.send(connection, 12, last);
        broker.settle();
        broker.sleep_ms(600);
    });
    golden("fetch_waits_in_vain", &timed_out);
}

#[test]
fn topics_and_producers() {
    let mut broker = broker();
    let topic = CreatableTopic {
        name: "new".into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let request =
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 1_000, ..Default::default() };
    golden("create_topic", &ask(&mut broker, 7, request));
    golden("init_producer_id", &ask(&mut broker, 4, InitProducerIdRequest::default()));
}

#[test]
fn upkeep() {
    let mut broker = broker();
    for _ in 0..3 {
        broker.produce(TOPIC, records());
    }
    golden("delete_records", &ask(&mut broker, 2, delete_request(TOPIC, 2)));
    golden("checkpoint", &story(&mut broker, |broker| broker.sleep_ms(61_000)));
    golden("retention", &story(&mut broker, |broker| broker.sleep_ms(270_000)));
    golden("shutdown", &story(&mut broker, |broker| broker.handle(Input::Shutdown)));
}

#[test]
fn groups() {
    let mut broker = broker();
    let find = FindCoordinatorRequest { key: "g".into(), ..Default::default() };
    broker.call(3, find);
    let joined = story(&mut broker, |broker| {
        let connection = broker.connect();
        broker.send(connection, 3, join_request("g", "", None));
        broker.settle();
        broker.sleep_ms(3_500);
    });
    golden("join_group", &joined);
    let member = broker.member_of("g");
    let assignment = Bytes::from_static(b"all");
    let assignments = vec![SyncGroupRequestAssignment { member_id: member.clone(), assignment }];
    let sync = SyncGroupRequest {
        group_id: "g".into(),
        generation_id: 1,
        member_id: member.clone(),
        assignments,
        ..Default::default()
    };
    golden("sync_group", &ask(&mut broker, 2, sync));
    let partition = OffsetCommitRequestPartition { committed_offset: 5, ..Default::default() };
    let topic = OffsetCommitRequestTopic {
        name: TOPIC.into(),
        partitions: vec![partition],
        ..Default::default()
    };
    let commit = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: 1,
        member_id: member,
        topics: vec![topic],
        ..Default::default()
    };
    golden("offset_commit", &ask(&mut broker, 7, commit));
}
