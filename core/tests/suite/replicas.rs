//! A partition of which other brokers have replicas, as its leader has it.

use ottla_core::{
    metadata::{
        Command,
        command::{
            AlterPartition, Assignment, ChangeConfigs, ConfigChange, CreateTopic, ElectLeader,
            FenceBroker, IsrMember, ReassignPartition, RegisterBroker, UnfenceBroker,
        },
    },
    records::Compression,
    shard::Input,
    types::{ErrorCode, PartitionIndex, Uuid},
    wire::messages::produce::ProduceRequest,
};

use crate::support::{
    broker::{BEGINNING, BROKER, Broker, Ticket, topic_id},
    client::{LATEST, PRODUCE, batch, produce_request},
};

const TOPIC: &str = "t";

/// A broker that leads a partition with two followers, all in sync.
fn leader(seed: u64) -> Broker {
    let mut broker = Broker::new(seed, &[]);
    for id in [2, 3] {
        let register = RegisterBroker {
            broker_id: id,
            incarnation: Uuid::from_random(u128::from(id.unsigned_abs())),
            host: "elsewhere".into(),
            port: 9092,
            ..Default::default()
        };
        broker.image.apply(&register.into());
    }
    broker.start();
    let create = CreateTopic {
        name: TOPIC.into(),
        topic_id: topic_id(TOPIC).0,
        assignments: vec![Assignment { replicas: vec![BROKER.0, 2, 3] }],
        configs: Vec::new(),
    };
    decide(&mut broker, create);
    broker
}

/// The quorum agrees on something.
fn decide(broker: &mut Broker, command: impl Into<Command>) {
    let command = command.into();
    broker.image.apply(&command);
    broker.handle(Input::Committed { proposal: None, commands: vec![command] });
    broker.settle();
}

/// The leader and so many others are in sync from now on.
fn shrink_to(broker: &mut Broker, members: &[i32]) {
    let id = topic_id(TOPIC);
    let state = broker.image.partition(id, PartitionIndex(0)).expect("there is the topic");
    let epoch = |broker_id: i32| {
        let known = broker.image.brokers().iter().find(|(id, _)| id.0 == broker_id);
        known.expect("there is such a broker").1.epoch.0
    };
    let alter = AlterPartition {
        broker_id: BROKER.0,
        broker_epoch: epoch(BROKER.0),
        topic_id: id.0,
        partition: 0,
        leader_epoch: state.leader_epoch.0,
        partition_epoch: state.partition_epoch,
        isr: members
            .iter()
            .map(|&broker_id| IsrMember { broker_id, broker_epoch: epoch(broker_id) })
            .collect(),
    };
    decide(broker, alter);
    let state = broker.image.partition(id, PartitionIndex(0)).expect("there is the topic");
    assert_eq!(state.isr.len(), members.len(), "it was agreed on");
}

fn need_insync(broker: &mut Broker, count: usize) {
    let key = "min.insync.replicas".into();
    decide(
        broker,
        ChangeConfigs {
            resource_kind: 2,
            resource_name: TOPIC.into(),
            changes: vec![ConfigChange { key, value: Some(count.to_string()) }],
        },
    );
}

fn begin_produce(broker: &mut Broker, acks: i16) -> Ticket {
    let records = batch(Compression::None, &[(BEGINNING.0, None, Some(b"value"))]);
    let connection = broker.connect();
    let ticket = broker.send(connection, PRODUCE, produce_request(TOPIC, 0, acks, records));
    broker.settle();
    ticket
}

fn answer(broker: &mut Broker, ticket: Ticket) -> Option<(ErrorCode, i64)> {
    let answer = broker.answer::<ProduceRequest>(ticket, PRODUCE)?;
    let partition = &answer.responses[0].partition_responses[0];
    let error = ErrorCode::from_code(partition.error_code).expect("it is one of Kafka's");
    Some((error, partition.base_offset))
}

/// What followers have not fetched is neither shown nor acknowledged, but to who wants the leader's acknowledgement alone; and
/// that does not wait behind those who want more.
#[test]
fn records_wait_for_who_is_in_sync() {
    let mut broker = leader(1);
    let of_all = begin_produce(&mut broker, -1);
    let of_leader = begin_produce(&mut broker, 1);
    assert_eq!(answer(&mut broker, of_all), None);
    assert_eq!(answer(&mut broker, of_leader), Some((ErrorCode::None, 1)));
    assert_eq!(broker.list_offset(TOPIC, LATEST).offset, 0, "nothing is shown");
    shrink_to(&mut broker, &[BROKER.0]);
    assert_eq!(answer(&mut broker, of_all), Some((ErrorCode::None, 0)));
    assert_eq!(broker.list_offset(TOPIC, LATEST).offset, 2, "all that are in sync have them");
    assert_eq!(broker.read_all(TOPIC).records.len(), 2);
}

#[test]
fn too_few_in_sync_take_nothing() {
    let mut broker = leader(1);
    need_insync(&mut broker, 2);
    let waits = begin_produce(&mut broker, -1);
    shrink_to(&mut broker, &[BROKER.0]);
    assert_eq!(answer(&mut broker, waits), None, "it is not safe with one");
    let refused = begin_produce(&mut broker, -1);
    assert_eq!(answer(&mut broker, refused), Some((ErrorCode::NotEnoughReplicas, -1)));
    let of_leader = begin_produce(&mut broker, 1);
    assert_eq!(answer(&mut broker, of_leader), Some((ErrorCode::None, 1)), "it was not appended");
    assert_eq!(broker.list_offset(TOPIC, LATEST).offset, 0);
    need_insync(&mut broker, 1);
    assert_eq!(answer(&mut broker, waits), Some((ErrorCode::None, 0)));
    assert_eq!(broker.list_offset(TOPIC, LATEST).offset, 2);
}

/// Who waits for an append when the leader changes is told so, and nobody reads here any more.
#[test]
fn a_leader_that_leads_no_more() {
    let mut broker = leader(1);
    let waits = begin_produce(&mut broker, -1);
    // The preferred leader is another one.
    let id = topic_id(TOPIC);
    let replicas = Some(vec![2, BROKER.0, 3]);
    let reassign = ReassignPartition { topic_id: id.0, partition: 0, replicas };
    decide(&mut broker, reassign);
    assert_eq!(answer(&mut broker, waits), None, "the leader is the same");
    decide(&mut broker, ElectLeader { topic_id: id.0, partition: 0, election: 0 });
    assert_eq!(answer(&mut broker, waits), Some((ErrorCode::NotLeaderOrFollower, -1)));
    let refused = begin_produce(&mut broker, -1);
    assert_eq!(answer(&mut broker, refused), Some((ErrorCode::NotLeaderOrFollower, -1)));
    let error = ErrorCode::NotLeaderOrFollower.code();
    assert_eq!(broker.fetch(TOPIC, 0).error_code, error);
    assert_eq!(broker.list_offset(TOPIC, LATEST).error_code, error);
}

/// A leader that may have lost records, for it was killed and its topic is not durable, has the metadata say so no more; it asks
/// until that is decided.
#[test]
fn a_recovering_leader_asks_for_its_in_sync_replicas() {
    let mut broker = Broker::new(1, &[]).with_topic(TOPIC, 2, &[("flush.messages", "10")]);
    broker.start();
    let is_recovering = |broker: &Broker| {
        (0..2).any(|index| {
            let state = broker.image.partition(topic_id(TOPIC), PartitionIndex(index));
            state.expect("there is the topic").is_recovering
        })
    };
    assert!(!is_recovering(&broker), "it was told at the start");
    broker.kill();
    broker.begin_start();
    assert!(is_recovering(&broker));
    broker.fail_proposals = true;
    broker.settle();
    assert!(is_recovering(&broker), "nothing can be decided");
    broker.fail_proposals = false;
    broker.sleep_ms(1_000);
    assert!(!is_recovering(&broker), "it has asked again");
}

/// What the metadata come to while a log is closed, for its disk is full, counts once it is open again.
#[test]
fn metadata_that_change_while_a_log_is_closed() {
    let mut broker = Broker::new(1, &[]).with_topic(TOPIC, 1, &[]);
    broker.start();
    let taken = begin_produce(&mut broker, -1);
    assert_eq!(answer(&mut broker, taken), Some((ErrorCode::None, 0)));
    broker.disk.fill_after(0);
    let refused = begin_produce(&mut broker, -1);
    assert_eq!(answer(&mut broker, refused), Some((ErrorCode::KafkaStorageError, -1)));
    let broker_epoch = broker.image.brokers()[&BROKER].epoch.0;
    decide(&mut broker, FenceBroker { broker_id: BROKER.0, broker_epoch });
    decide(&mut broker, UnfenceBroker { broker_id: BROKER.0, broker_epoch });
    broker.disk.heal();
    broker.note_space(1 << 40);
    broker.settle();
    let taken = begin_produce(&mut broker, -1);
    assert_eq!(answer(&mut broker, taken), Some((ErrorCode::None, 1)));
    let records = broker.read_all(TOPIC).records;
    let epochs: Vec<_> = records.iter().map(|record| record.epoch).collect();
    let state = broker.image.partition(topic_id(TOPIC), PartitionIndex(0));
    assert_eq!(epochs[1], state.expect("there is the topic").leader_epoch.0);
    assert!(epochs[0] < epochs[1], "another leader's records");
}

/// A batch's epoch is not under its checksum: where bits have turned in it, a leader goes by its own.
#[test]
fn an_epoch_that_is_damaged() {
    let mut broker = Broker::new(1, &[]).with_topic(TOPIC, 1, &[]);
    broker.start();
    begin_produce(&mut broker, -1);
    broker.kill();
    broker.disk.damage("t-0", "00000000000000000000.log", |bytes| bytes[13] ^= 1);
    broker.start();
    let taken = begin_produce(&mut broker, -1);
    assert_eq!(answer(&mut broker, taken), Some((ErrorCode::None, 1)));
    let epoch = broker.read_all(TOPIC).records[1].epoch;
    let state = broker.image.partition(topic_id(TOPIC), PartitionIndex(0));
    assert_eq!(epoch, state.expect("there is the topic").leader_epoch.0);
}

/// Each mutant that these tests are for is noticed by one of them.
#[cfg(feature = "mutants")]
#[test]
fn mutants_are_noticed() {
    for (id, test) in [
        ("M11", "too_few_in_sync_take_nothing"),
        ("M12", "a_leader_that_leads_no_more"),
        ("M13", "metadata_that_change_while_a_log_is_closed"),
    ] {
        crate::support::assert_noticed(id, &format!("replicas::{test}"));
    }
}
