//! A log against a list: appends, rolls, deletions and retention, with crashes at any moment.

mod model;

use ottla_core::{
    disk::IoError,
    notice::Notice,
    records::Compression,
    wire::messages::{
        create_topics::{CreatableTopic, CreateTopicsRequest},
        delete_topics::DeleteTopicsRequest,
    },
};
use proptest::prelude::*;

use self::model::{Model, TOPIC};
use crate::support::{
    broker::{BEGINNING, Broker},
    client::batch,
    disk::Kind,
};

/// What happens next.
#[derive(Debug, Clone)]
enum Action {
    Produce {
        records: usize,
        bytes: usize,
        age_ms: i64,
    },
    /// The disk and the broker go on a little.
    Steps(usize),
    Settle,
    Sleep {
        ms: u64,
    },
    /// The next timer fires, and what it begins is not waited for.
    Timer,
    Delete {
        percent: i64,
    },
    Fail {
        kind: Kind,
        after: usize,
        error: IoError,
    },
    Crash(Crash),
    Verify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crash {
    Kill,
    Power,
    Stop,
}

fn actions() -> impl Strategy<Value = Action> {
    let error = prop_oneof![Just(IoError::Os(5)), Just(IoError::NoSpace)];
    let kind = prop_oneof![Just(Kind::Write), Just(Kind::Sync), Just(Kind::Name), Just(Kind::Read)];
    let crash = prop_oneof![Just(Crash::Kill), Just(Crash::Power), Just(Crash::Stop)];
    prop_oneof![
        12 => (1..6_usize, 1..90_usize, 0..40_000_i64)
            .prop_map(|(records, bytes, age_ms)| Action::Produce { records, bytes, age_ms }),
        8 => (1..12_usize).prop_map(Action::Steps),
        3 => Just(Action::Settle),
        3 => (1..20_000_u64).prop_map(|ms| Action::Sleep { ms }),
        3 => Just(Action::Timer),
        2 => (0..101_i64).prop_map(|percent| Action::Delete { percent }),
        1 => (kind, 0..4_usize, error)
            .prop_map(|(kind, after, error)| Action::Fail { kind, after, error }),
        4 => crash.prop_map(Action::Crash),
        2 => Just(Action::Verify),
    ]
}

/// How the topic is configured.
#[derive(Debug, Clone, Copy)]
struct Setup {
    segment_bytes: u32,
    index_interval_bytes: u32,
    retention: Retention,
    is_durable: bool,
    /// All goes by the journal that can.
    has_journal: bool,
}

#[derive(Debug, Clone, Copy)]
enum Retention {
    Forever,
    Bytes(u64),
    Ms(i64),
}

fn setups() -> impl Strategy<Value = Setup> {
    let retention = prop_oneof![
        2 => Just(Retention::Forever),
        1 => (500..3_000_u64).prop_map(Retention::Bytes),
        1 => (1_000..60_000_i64).prop_map(Retention::Ms),
    ];
    (
        prop_oneof![Just(600), Just(2_000), Just(1 << 20)],
        0..500_u32,
        retention,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(segment_bytes, index_interval_bytes, retention, is_durable, has_journal)| Setup {
                segment_bytes,
                index_interval_bytes,
                retention,
                is_durable,
                has_journal,
            },
        )
}

const RETENTION_CHECK_INTERVAL_MS: u64 = 7_000;

fn broker(seed: u64, setup: Setup) -> Broker {
    let (retention_bytes, retention_ms) = match setup.retention {
        Retention::Forever => ("-1".into(), "-1".into()),
        Retention::Bytes(bytes) => (bytes.to_string(), "-1".into()),
        Retention::Ms(ms) => ("-1".to_string(), ms.to_string()),
    };
    let configuration = [
        ("log.flush.offset.checkpoint.interval.ms", "5000"),
        ("log.retention.check.interval.ms", &RETENTION_CHECK_INTERVAL_MS.to_string()),
        // One partition is enough for it, and two records fill half of it.
        ("ottla.journal.partitions.min", "1"),
        ("ottla.journal.bytes", if setup.has_journal { "8192" } else { "0" }),
    ];
    Broker::new(seed, &configuration).with_topic(
        TOPIC,
        1,
        &[
            ("internal.segment.bytes", &setup.segment_bytes.to_string()),
            ("index.interval.bytes", &setup.index_interval_bytes.to_string()),
            ("retention.bytes", &retention_bytes),
            ("retention.ms", &retention_ms),
            ("flush.messages", if setup.is_durable { "1" } else { "3" }),
        ],
    )
}

fn run(seed: u64, setup: Setup, actions: Vec<Action>) {
    let mut model = Model::new(setup.is_durable, setup.retention);
    let mut broker = broker(seed, setup);
    broker.start();
    model.connect(&mut broker);
    for action in actions {
        match action {
            Action::Produce { records, bytes, age_ms } => {
                model.produce(&mut broker, records, bytes, age_ms);
            }
            Action::Steps(count) => (0..count).for_each(|_| broker.step()),
            Action::Settle => broker.settle(),
            Action::Sleep { ms } => broker.sleep_ms(ms),
            Action::Timer => broker.fire_next_timer(),
            Action::Delete { percent } => model.delete(&mut broker, percent),
            Action::Fail { kind, after, error } => {
                broker.disk.fail(kind, after, error);
                model.may_fail(kind);
            }
            Action::Crash(crash) => restart(&mut broker, &mut model, crash),
            Action::Verify => {
                broker.disk.heal();
                broker.settle();
                let has_failed = |notice: &Notice| matches!(notice, Notice::RemovalFailed { .. });
                if broker.notices.iter().any(has_failed) {
                    // What could not be removed is with the next look for old segments.
                    broker.notices.retain(|notice| !has_failed(notice));
                    broker.sleep_ms(RETENTION_CHECK_INTERVAL_MS);
                }
                // What was acknowledged before a failure is lost with it.
                model.take_answers(&mut broker);
                if model.has_failed(&mut broker) {
                    // A full disk that has space again is all that is needed; any other failure lasts.
                    model.sync_failed(&broker);
                    broker.note_space(1 << 40);
                    broker.settle();
                    model.opened(&mut broker);
                }
                if model.has_failed(&mut broker) {
                    restart(&mut broker, &mut model, Crash::Kill);
                }
                model.verify(&mut broker);
            }
        }
        model.take_answers(&mut broker);
    }
    // The last word: after a crash all is there, and another one changes nothing.
    restart(&mut broker, &mut model, Crash::Power);
    let once = model.verify(&mut broker);
    for crash in [Crash::Power, Crash::Kill, Crash::Stop, Crash::Power] {
        broker.notices.clear();
        restart(&mut broker, &mut model, crash);
        let again = model.verify(&mut broker);
        assert_eq!(again, once, "what was recovered stays as it is after {crash:?}");
    }
}

fn restart(broker: &mut Broker, model: &mut Model, crash: Crash) {
    broker.disk.heal();
    model.take_answers(broker);
    match crash {
        Crash::Kill => broker.kill(),
        Crash::Power => {
            broker.lose_power();
            model.power_lost();
        }
        Crash::Stop => {
            broker.settle();
            model.take_answers(broker);
            broker.stop();
        }
    }
    model.sync_failed(broker);
    model.process_ended();
    // The start itself may be cut short as well.
    while broker.dice.percent(20) {
        broker.begin_start();
        for _ in 0..broker.dice.below(20) {
            broker.step();
        }
        if broker.dice.percent(50) {
            broker.kill();
        } else {
            broker.lose_power();
            model.power_lost();
        }
    }
    broker.start();
    model.connect(broker);
    model.opened(broker);
}

#[test]
fn starts_after_a_kill_however_its_operations_end() {
    let setup = Setup {
        segment_bytes: 1 << 20,
        index_interval_bytes: 0,
        retention: Retention::Forever,
        is_durable: true,
        has_journal: false,
    };
    for seed in 0..50 {
        let produce = Action::Produce { records: 2, bytes: 10, age_ms: 0 };
        run(
            seed,
            setup,
            vec![produce.clone(), Action::Settle, Action::Crash(Crash::Kill), produce],
        );
    }
}

#[test]
fn a_crash_after_a_clean_stop_is_a_crash() {
    for seed in 0..50 {
        let mut broker = Broker::new(seed, &[]);
        broker.start();
        broker.stop();
        assert!(broker.disk.files_of("").contains_key(".kafka_cleanshutdown"));
        broker.start();
        broker.lose_power();
        let files = broker.disk.files_of("");
        assert!(!files.contains_key(".kafka_cleanshutdown"), "the marker is gone for good");
    }
}

/// Records of the first topic were deleted; those of the second of the same name were not.
#[test]
fn a_topic_does_not_begin_where_another_of_its_name_did() {
    for crash in [Crash::Kill, Crash::Power, Crash::Stop] {
        let mut broker = Broker::new(1, &[]).with_topic(TOPIC, 1, &[]);
        broker.start();
        let records = || batch(Compression::None, &[(BEGINNING.0, None, Some(b"a"))]);
        for _ in 0..3 {
            broker.produce(TOPIC, records());
        }
        let connection = broker.connect();
        let ticket = broker.begin_delete_records(connection, TOPIC, 3);
        broker.settle();
        assert_eq!(broker.records_deleted(ticket), Some((0, 3)));
        let names = vec![TOPIC.into()];
        let deleted = broker.call(
            4,
            DeleteTopicsRequest { topic_names: names, timeout_ms: 1_000, ..Default::default() },
        );
        assert_eq!(deleted.responses[0].error_code, 0);
        let topic = CreatableTopic {
            name: TOPIC.into(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        };
        let created = broker.call(
            5,
            CreateTopicsRequest { topics: vec![topic], timeout_ms: 1_000, ..Default::default() },
        );
        assert_eq!(created.topics[0].error_code, 0);
        for _ in 0..2 {
            broker.produce(TOPIC, records());
        }
        match crash {
            Crash::Kill => broker.kill(),
            Crash::Power => broker.lose_power(),
            Crash::Stop => broker.stop(),
        }
        broker.start();
        assert_eq!(broker.read_all(TOPIC).records.len(), 2, "all are there after {crash:?}");
    }
}

/// Whoever made the files of the log was killed before it could sync their names.
#[test]
fn names_of_a_dead_process_are_synced() {
    let setup = Setup {
        segment_bytes: 1 << 20,
        index_interval_bytes: 0,
        retention: Retention::Forever,
        is_durable: true,
        has_journal: false,
    };
    let produce = Action::Produce { records: 1, bytes: 1, age_ms: 0 };
    for seed in 0..200 {
        let actions = [
            produce.clone(),
            Action::Crash(Crash::Kill),
            produce.clone(),
            produce.clone(),
            Action::Steps(20),
        ];
        run(seed, setup, actions.to_vec());
    }
}

/// Names reach the disk in any order: the first segment may be lost of a log of which nothing was ever synced, and a later one
/// be there.
#[test]
fn a_log_does_not_begin_in_its_middle() {
    let setup = Setup {
        segment_bytes: 600,
        index_interval_bytes: 0,
        retention: Retention::Forever,
        is_durable: true,
        has_journal: false,
    };
    let produce = Action::Produce { records: 3, bytes: 80, age_ms: 0 };
    for seed in 0..300 {
        let mut actions = vec![produce.clone(); 4];
        actions.extend([Action::Steps(11), Action::Crash(Crash::Power), produce.clone()]);
        run(seed, setup, actions);
    }
}

/// A sync fails while a checkpoint is under way, be it that of a partition or the checkpoint's own: the recovery point does not
/// move beyond what may be lost, and nobody reads what may be.
#[test]
fn a_sync_that_fails_beside_a_checkpoint() {
    for is_durable in [false, true] {
        let setup = Setup {
            segment_bytes: 600,
            index_interval_bytes: 0,
            retention: Retention::Forever,
            is_durable,
            has_journal: false,
        };
        for seed in 0..200 {
            let produce = |records| Action::Produce { records, bytes: 60, age_ms: 0 };
            let actions = vec![
                Action::Sleep { ms: 14_500 },
                produce(2),
                produce(1),
                Action::Steps(usize::try_from(seed % 7).expect("it is small")),
                Action::Fail { kind: Kind::Sync, after: 0, error: IoError::Os(5) },
                Action::Sleep { ms: 500 },
                produce(3),
                Action::Sleep { ms: 5_000 },
            ];
            run(seed, setup, actions);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        max_shrink_time: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn keeps_what_it_acknowledged(
        seed in any::<u64>(),
        setup in setups(),
        actions in prop::collection::vec(actions(), 1..60),
    ) {
        run(seed, setup, actions);
    }
}
