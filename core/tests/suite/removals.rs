//! Removing segments with a disk that fails: no log is ever left with a hole.

use ottla_core::{disk::IoError, records::Compression};

use crate::support::{
    broker::{BEGINNING, Broker},
    client::{Content, EARLIEST, batch},
    disk::Kind,
};

const TOPIC: &str = "t";
const DIRECTORY: &str = "t-0";
const RECORDS: i64 = 20;

fn broker(seed: u64, configs: &[(&str, &str)]) -> Broker {
    let configuration = [
        ("log.flush.offset.checkpoint.interval.ms", "5000"),
        ("log.retention.check.interval.ms", "7000"),
    ];
    let small = [("internal.segment.bytes", "300"), ("index.interval.bytes", "0")];
    let configs = [&small, configs].concat();
    let mut broker = Broker::new(seed, &configuration).with_topic(TOPIC, 1, &configs);
    broker.start();
    for _ in 0..RECORDS {
        let record = (BEGINNING.0, None, Some(&b"some value"[..]));
        broker.produce(TOPIC, batch(Compression::None, &[record]));
    }
    broker
}

/// What is there has no hole.
fn read_whole(broker: &mut Broker) -> Content {
    let content = broker.read_all(TOPIC);
    let offsets: Vec<_> = content.records.iter().map(|record| record.offset).collect();
    let whole: Vec<_> = (content.start_offset..content.high_watermark).collect();
    assert_eq!(offsets, whole, "no offset is missing");
    content
}

/// Whichever step of a removal fails, those after it do not happen before it does.
#[test]
fn a_removal_that_fails() {
    for kind in [Kind::Name, Kind::Sync] {
        for (seed, after) in (0..24).enumerate() {
            for lose_power in [false, true] {
                let seed = u64::try_from(seed).expect("it is small");
                let mut broker = broker(seed, &[("retention.bytes", "500")]);
                // The first look for old segments comes half a minute after the start.
                broker.sleep_ms(29_000);
                broker.disk.fail(kind, after, IoError::Os(5));
                broker.sleep_ms(2_000);
                broker.disk.heal();
                let start = broker.list_offset(TOPIC, EARLIEST).offset;
                assert!(start > 0, "old segments are deleted");
                if lose_power {
                    broker.lose_power();
                } else {
                    broker.kill();
                }
                broker.start();
                let content = read_whole(&mut broker);
                assert_eq!(content.high_watermark, RECORDS, "the end stays");
                assert_eq!(content.start_offset, start, "{kind:?} {after}: and so does the start");
            }
        }
    }
}

/// A log that fails while its new start is written down begins there all the same, whatever is written down after that.
#[test]
fn a_start_that_outlives_a_failure() {
    let mut told = 0;
    for steps in 0..30 {
        let mut broker = broker(steps, &[]).with_topic("u", 1, &[]);
        broker.kill();
        broker.start();
        let record = (BEGINNING.0, None, Some(&b"some value"[..]));
        let records = batch(Compression::None, &[record]);
        broker.produce("u", records.clone());
        broker.produce("u", records.clone());
        let connection = broker.connect();
        let deletion = broker.begin_delete_records(connection, TOPIC, 7);
        for _ in 0..steps {
            broker.step();
        }
        let other = broker.connect();
        broker.disk.fail(Kind::Write, 0, IoError::Os(5));
        broker.begin_produce(other, TOPIC, records);
        broker.settle();
        broker.disk.heal();
        let is_deleted = broker.records_deleted(deletion) == Some((0, 7));
        // Another log's start is written down into the same file.
        broker.begin_delete_records(other, "u", 1);
        broker.settle();
        broker.kill();
        broker.start();
        let start = broker.list_offset(TOPIC, EARLIEST).offset;
        assert!(!is_deleted || start == 7, "after {steps} steps: {start}");
        told += usize::from(is_deleted && start == 7);
    }
    assert!(told > 0, "some are told");
}

/// What could not be removed is removed later.
#[test]
fn a_removal_is_tried_again() {
    for after in 0..24 {
        let mut broker = broker(1, &[("retention.bytes", "500")]);
        broker.sleep_ms(29_000);
        broker.disk.fail(Kind::Name, after, IoError::Os(5));
        broker.sleep_ms(2_000);
        broker.disk.heal();
        let start = broker.list_offset(TOPIC, EARLIEST).offset;
        broker.sleep_ms(7_000);
        let first = format!("{start:020}.log");
        let files = broker.disk.files_of(DIRECTORY);
        let files: Vec<_> = files.keys().filter(|name| name.ends_with("log")).collect();
        assert_eq!(files.first(), Some(&&first), "what is older is gone: {files:?}");
    }
}

/// Recovery finds damage below the recovery point, for the snapshot there is damaged as well, and is cut short while it removes
/// what lies behind the damage: the next one must not take what is left for the whole.
#[test]
fn a_recovery_that_fails_while_it_cuts_the_log_off() {
    for kind in [Kind::Name, Kind::Sync] {
        for after in 0..40 {
            let mut broker = broker(1, &[]);
            broker.sleep_ms(6_000);
            broker.kill();
            let files: Vec<_> = broker.disk.files_of(DIRECTORY).into_keys().collect();
            let snapshot = files.iter().find(|name| name.ends_with(".snapshot"));
            let snapshot = snapshot.expect("there was a checkpoint");
            broker.disk.damage(DIRECTORY, snapshot, |bytes| bytes[4] ^= 1);
            let damaged = files.iter().filter(|name| name.ends_with(".log")).nth(3);
            let damaged = damaged.expect("there are segments");
            broker.disk.damage(DIRECTORY, damaged, |bytes| *bytes.last_mut().expect("any") ^= 1);
            broker.disk.fail(kind, after, IoError::Os(5));
            broker.begin_start();
            broker.settle();
            broker.kill();
            broker.start();
            let content = read_whole(&mut broker);
            assert_eq!(content.start_offset, 0, "{kind:?} {after}");
            assert!((1..RECORDS).contains(&content.high_watermark), "what is damaged is cut off");
        }
    }
}
