//! What the controller decides, case by case.

use alloc::{string::ToString, vec, vec::Vec};

use crate::{
    metadata::{
        Command, Image, Outcome, PartitionState,
        command::{
            AlterPartition, Assignment, ChangeConfigs, ConfigChange, ConfigEntry, CreateTopic,
            ElectLeader, FenceBroker, IsrMember, ReassignPartition, RegisterBroker, ShutDownBroker,
            UnfenceBroker,
        },
    },
    types::{BrokerId, ErrorCode, PartitionIndex, TopicId, Uuid},
};

const TOPIC: Uuid = Uuid::ZERO;

/// Brokers 0 to 3, and a partition on the first three.
fn cluster(configs: &[(&str, &str)]) -> Image {
    let mut image = Image::default();
    for broker in 0..4 {
        assert_eq!(register(&mut image, broker, -1, 0), i64::from(broker) + 1);
    }
    let configs = configs
        .iter()
        .map(|(key, value)| ConfigEntry { key: key.to_string(), value: value.to_string() });
    apply(
        &mut image,
        CreateTopic {
            name: "t".into(),
            topic_id: TOPIC,
            assignments: vec![Assignment { replicas: vec![0, 1, 2] }],
            configs: configs.collect(),
        },
    );
    image
}

fn register(image: &mut Image, broker_id: i32, previous_epoch: i64, disk: u128) -> i64 {
    let directory = Uuid::from_random(disk << 8 | u128::from(broker_id.unsigned_abs()));
    let command = RegisterBroker { broker_id, previous_epoch, directory, ..Default::default() };
    let outcome = image.apply(&command.into());
    let Outcome::BrokerEpoch(epoch) = outcome else { panic!("{outcome:?}") };
    epoch.0
}

fn apply(image: &mut Image, command: impl Into<Command>) {
    assert_eq!(image.apply(&command.into()), Outcome::Applied);
    image.check();
}

fn refused(image: &mut Image, command: impl Into<Command>) -> ErrorCode {
    let before = image.clone();
    let outcome = image.apply(&command.into());
    let Outcome::Refused(refusal) = outcome else { panic!("{outcome:?}") };
    assert_eq!(*image, before, "what is refused changes nothing");
    refusal.code
}

fn epoch(image: &Image, broker: i32) -> i64 {
    image.brokers()[&BrokerId(broker)].epoch.0
}

fn fence(image: &mut Image, broker_id: i32) {
    let broker_epoch = epoch(image, broker_id);
    apply(image, FenceBroker { broker_id, broker_epoch });
}

fn unfence(image: &mut Image, broker_id: i32) {
    let broker_epoch = epoch(image, broker_id);
    apply(image, UnfenceBroker { broker_id, broker_epoch });
}

fn state(image: &Image) -> &PartitionState {
    image.partition(TopicId(TOPIC), PartitionIndex(0)).expect("it is there")
}

/// Leader, leader epoch, in sync, eligible.
fn seen(image: &Image) -> (Option<i32>, i32, Vec<i32>, Vec<i32>) {
    let state = state(image);
    let ids = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect();
    let leader = state.leader.map(|leader| leader.0);
    (leader, state.leader_epoch.0, ids(&state.isr), ids(&state.elr))
}

fn alter(image: &Image, isr: &[i32]) -> AlterPartition {
    let state = state(image);
    let leader = state.leader.map_or(-1, |leader| leader.0);
    let member = |&broker_id: &i32| IsrMember { broker_id, broker_epoch: epoch(image, broker_id) };
    AlterPartition {
        broker_id: leader,
        broker_epoch: epoch(image, leader),
        topic_id: TOPIC,
        partition: 0,
        leader_epoch: state.leader_epoch.0,
        partition_epoch: state.partition_epoch,
        isr: isr.iter().map(member).collect(),
    }
}

#[test]
fn leaders_are_elected_from_those_in_sync_and_then_from_those_eligible() {
    let mut image = cluster(&[("min.insync.replicas", "2")]);
    assert_eq!(seen(&image), (Some(0), 0, vec![0, 1, 2], vec![]));
    fence(&mut image, 0);
    assert_eq!(seen(&image), (Some(1), 1, vec![1, 2], vec![]));
    fence(&mut image, 1);
    assert_eq!(seen(&image), (Some(2), 2, vec![2], vec![1]));
    fence(&mut image, 2);
    assert_eq!(seen(&image), (None, 3, vec![], vec![1, 2]));
    // Whoever is not among them may lack what was acknowledged.
    unfence(&mut image, 0);
    assert_eq!(seen(&image), (None, 3, vec![], vec![1, 2]));
    unfence(&mut image, 2);
    assert_eq!(seen(&image), (Some(2), 4, vec![2], vec![1]));
    let joined = alter(&image, &[2, 0]);
    apply(&mut image, joined);
    assert_eq!(seen(&image), (Some(2), 4, vec![0, 2], vec![]));
}

#[test]
fn an_unclean_election_has_to_be_asked_for_and_is_declared() {
    let mut image = cluster(&[("min.insync.replicas", "1")]);
    let shrunk = alter(&image, &[0]);
    apply(&mut image, shrunk);
    fence(&mut image, 0);
    assert_eq!(seen(&image), (None, 1, vec![], vec![0]));
    let elect = |election| ElectLeader { topic_id: TOPIC, partition: 0, election };
    assert_eq!(refused(&mut image, elect(0)), ErrorCode::PreferredLeaderNotAvailable);
    apply(&mut image, elect(1));
    assert_eq!(seen(&image), (Some(1), 2, vec![1], vec![]));
    assert!(state(&image).is_recovering);
    let same = alter(&image, &[1]);
    apply(&mut image, same);
    assert!(!state(&image).is_recovering, "the leader has taken over");
    assert_eq!(refused(&mut image, elect(1)), ErrorCode::ElectionNotNeeded);

    let mut lenient = cluster(&[("unclean.leader.election.enable", "true")]);
    let shrunk = alter(&lenient, &[0]);
    apply(&mut lenient, shrunk);
    fence(&mut lenient, 0);
    assert_eq!(seen(&lenient), (Some(1), 1, vec![1], vec![]));
    assert!(state(&lenient).is_recovering);
}

#[test]
fn changes_of_those_in_sync_are_judged() {
    let mut image = cluster(&[]);
    let shrink = alter(&image, &[0, 1]);
    let late = |change: fn(&mut AlterPartition)| {
        let mut command = shrink.clone();
        change(&mut command);
        command
    };
    for (command, expected) in [
        (late(|command| command.broker_epoch -= 1), ErrorCode::StaleBrokerEpoch),
        (late(|command| command.leader_epoch -= 1), ErrorCode::FencedLeaderEpoch),
        (late(|command| command.leader_epoch += 1), ErrorCode::NotController),
        (late(|command| command.partition_epoch -= 1), ErrorCode::InvalidUpdateVersion),
        (late(|command| command.partition_epoch += 1), ErrorCode::NotController),
        (late(|command| command.isr.truncate(0)), ErrorCode::InvalidRequest),
        (late(|command| command.isr.push(command.isr[0].clone())), ErrorCode::InvalidRequest),
        (late(|command| command.isr[1].broker_epoch -= 1), ErrorCode::IneligibleReplica),
        (late(|command| command.topic_id = Uuid::from_random(1)), ErrorCode::UnknownTopicId),
        (late(|command| command.partition = 7), ErrorCode::UnknownTopicOrPartition),
        (alter(&image, &[0, 3]), ErrorCode::InvalidRequest),
    ] {
        assert_eq!(refused(&mut image, command.clone()), expected, "{command:?}");
    }
    apply(&mut image, shrink.clone());
    assert_eq!(seen(&image).2, [0, 1]);
    assert_eq!(refused(&mut image, shrink), ErrorCode::InvalidUpdateVersion);
    // Neither a fenced replica nor one that is stopping may join.
    fence(&mut image, 2);
    let expand = alter(&image, &[0, 1, 2]);
    assert_eq!(refused(&mut image, expand), ErrorCode::IneligibleReplica);
    unfence(&mut image, 2);
    let broker_epoch = epoch(&image, 2);
    apply(&mut image, ShutDownBroker { broker_id: 2, broker_epoch });
    let expand = alter(&image, &[0, 1, 2]);
    assert_eq!(refused(&mut image, expand), ErrorCode::IneligibleReplica);
}

#[test]
fn whoever_may_have_lost_records_may_not_lead() {
    // Where acknowledged means durable, a crash costs nothing.
    for (flush, clean, disk, may_lead) in [
        ("1", false, 0, true),
        ("1", false, 1, false),
        ("1", true, 1, false),
        ("1000", true, 0, true),
        ("1000", false, 0, false),
    ] {
        let configs = [("min.insync.replicas", "2"), ("flush.messages", flush)];
        let mut image = cluster(&configs);
        for broker in [1, 2, 0] {
            fence(&mut image, broker);
        }
        assert_eq!(seen(&image).3, [0, 2]);
        let previous_epoch = if clean { epoch(&image, 0) } else { -1 };
        register(&mut image, 0, previous_epoch, disk);
        assert_eq!(seen(&image).0, may_lead.then_some(0), "{flush} {clean} {disk}");
        assert!(!seen(&image).3.contains(&0));
    }
}

#[test]
fn the_only_replica_may_always_lead_but_says_so() {
    let mut image = Image::default();
    register(&mut image, 0, -1, 0);
    apply(
        &mut image,
        CreateTopic {
            name: "t".into(),
            topic_id: TOPIC,
            assignments: vec![Assignment { replicas: vec![0] }],
            configs: vec![ConfigEntry { key: "flush.messages".into(), value: "9".into() }],
        },
    );
    register(&mut image, 0, 1, 0);
    assert_eq!(seen(&image), (Some(0), 1, vec![0], vec![]));
    assert!(!state(&image).is_recovering, "it had stopped in order");
    register(&mut image, 0, -1, 0);
    assert_eq!(seen(&image), (Some(0), 2, vec![0], vec![]));
    assert!(state(&image).is_recovering);
}

#[test]
fn a_broker_that_stops_hands_over() {
    let mut image = cluster(&[("min.insync.replicas", "2")]);
    let broker_epoch = epoch(&image, 0);
    apply(&mut image, ShutDownBroker { broker_id: 0, broker_epoch });
    assert_eq!(seen(&image), (Some(1), 1, vec![1, 2], vec![]));
    let again = UnfenceBroker { broker_id: 0, broker_epoch };
    assert_eq!(refused(&mut image, again), ErrorCode::InvalidRequest);
    fence(&mut image, 0);
    let epoch = register(&mut image, 0, broker_epoch, 0);
    assert_eq!(
        refused(&mut image, FenceBroker { broker_id: 0, broker_epoch }),
        ErrorCode::StaleBrokerEpoch
    );
    apply(&mut image, FenceBroker { broker_id: 0, broker_epoch: epoch });
}

#[test]
fn replicas_move_when_those_that_come_are_in_sync() {
    let mut image = cluster(&[]);
    let reassign = |replicas: &[i32]| ReassignPartition {
        topic_id: TOPIC,
        partition: 0,
        replicas: Some(replicas.to_vec()),
    };
    let cancel = ReassignPartition { topic_id: TOPIC, partition: 0, replicas: None };
    assert_eq!(refused(&mut image, cancel.clone()), ErrorCode::NoReassignmentInProgress);
    for bad in [&[][..], &[3, 3], &[9]] {
        assert_eq!(refused(&mut image, reassign(bad)), ErrorCode::InvalidReplicaAssignment);
    }
    apply(&mut image, reassign(&[3, 1]));
    let ids = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect::<Vec<_>>();
    assert_eq!(ids(&state(&image).replicas), [3, 1, 0, 2]);
    assert_eq!((ids(&state(&image).adding), ids(&state(&image).removing)), (vec![3], vec![0, 2]));
    apply(&mut image, cancel.clone());
    assert_eq!(ids(&state(&image).replicas), [1, 0, 2]);
    apply(&mut image, reassign(&[3, 1]));
    let joined = alter(&image, &[3, 1, 0, 2]);
    apply(&mut image, joined);
    assert_eq!(ids(&state(&image).replicas), [3, 1]);
    assert_eq!(seen(&image), (Some(3), 1, vec![3, 1], vec![]));

    // Whoever is left after a cancellation must be able to lead.
    apply(&mut image, reassign(&[0, 2]));
    let joined = alter(&image, &[3, 0]);
    apply(&mut image, joined);
    fence(&mut image, 3);
    assert_eq!(seen(&image).0, Some(0));
    assert_eq!(refused(&mut image, cancel), ErrorCode::InvalidReplicaAssignment);
}

#[test]
fn fewer_that_must_be_in_sync_make_nobody_eligible() {
    let mut image = cluster(&[("min.insync.replicas", "2")]);
    let shrunk = alter(&image, &[0]);
    apply(&mut image, shrunk);
    assert_eq!(seen(&image).3, [1, 2]);
    let change = ConfigChange { key: "min.insync.replicas".into(), value: Some("1".into()) };
    apply(
        &mut image,
        ChangeConfigs { resource_kind: 2, resource_name: "t".into(), changes: vec![change] },
    );
    assert_eq!(seen(&image).3, [] as [i32; 0]);
}
