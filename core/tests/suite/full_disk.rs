//! A disk that is full: what was acknowledged stays readable, nothing more is taken, and all goes on when there is space.

use std::collections::BTreeMap;

use ottla_core::{disk::IoError, notice::Notice, records::Compression};

use crate::support::{
    broker::{BEGINNING, Broker},
    client::{Content, EARLIEST, LATEST, MAX_TIMESTAMP, Seen, batch},
    disk::Kind,
};

const TOPIC: &str = "t";
const DIRECTORY: &str = "t-0";
const STORAGE_ERROR: i16 = 56;
const PLENTY: u64 = 1 << 40;

/// A topic of small segments, and what it has acknowledged.
struct Writer {
    broker: Broker,
    acknowledged: BTreeMap<i64, Vec<u8>>,
    sent: usize,
}

impl Writer {
    fn new(seed: u64, configs: &[(&str, &str)]) -> Self {
        let configuration = [
            ("log.flush.offset.checkpoint.interval.ms", "5000"),
            ("log.retention.check.interval.ms", "7000"),
            ("log.cleaner.backoff.ms", "1000"),
            // One partition is enough for the journal, in a third of all cases.
            ("ottla.journal.partitions.min", "1"),
            ("ottla.journal.bytes", if seed.is_multiple_of(3) { "8192" } else { "0" }),
        ];
        let small = [("internal.segment.bytes", "2000"), ("index.interval.bytes", "0")];
        let configs = [&small, configs].concat();
        let mut broker = Broker::new(seed, &configuration)
            .with_topic(TOPIC, 1, &configs)
            .with_topic("other", 1, &[]);
        broker.start();
        Self { broker, acknowledged: BTreeMap::new(), sent: 0 }
    }

    /// Sends a batch of two records, and returns the error that it is answered with.
    fn produce(&mut self) -> i16 {
        let time = self.broker.now.timestamp.0;
        let value = format!("{:040}", self.sent).into_bytes();
        let key = format!("key {}", self.sent % 3).into_bytes();
        self.sent += 1;
        let record = (time, Some(&key[..]), Some(&value[..]));
        let connection = self.broker.connect();
        let records = batch(Compression::None, &[record, record]);
        let ticket = self.broker.begin_produce(connection, TOPIC, records);
        self.broker.settle();
        let (error, offset) = self.broker.produced(ticket).expect("it is answered");
        self.broker.disconnect(connection);
        if error == 0 {
            self.acknowledged.insert(offset, value.clone());
            self.acknowledged.insert(offset + 1, value);
        } else {
            assert_eq!(error, STORAGE_ERROR, "only the disk refuses");
        }
        error
    }

    /// Everything that was acknowledged can be read and found.
    fn check_readable(&mut self) -> Content {
        let content = self.broker.read_all(TOPIC);
        let start = content.start_offset;
        let found: BTreeMap<i64, &[u8]> = content
            .records
            .iter()
            .map(|record| (record.offset, record.value.as_deref().expect("it has a value")))
            .collect();
        for (offset, value) in self.acknowledged.range(start..) {
            assert_eq!(found.get(offset), Some(&&value[..]), "what is at {offset}");
        }
        assert_eq!(self.broker.list_offset(TOPIC, EARLIEST).offset, start);
        assert_eq!(self.broker.list_offset(TOPIC, LATEST).offset, content.high_watermark);
        let first = self.broker.list_offset(TOPIC, BEGINNING.0);
        let expected = content.records.first().map_or(-1, |record| record.offset);
        assert_eq!((first.error_code, first.offset), (0, expected));
        let latest = content.records.iter().map(|record| record.timestamp).max();
        let latest = content.records.iter().find(|record| Some(record.timestamp) == latest);
        let found = self.broker.list_offset(TOPIC, MAX_TIMESTAMP);
        let expected = latest.map_or(-1, |record| record.offset);
        assert_eq!((found.error_code, found.offset), (0, expected), "the latest");
        content
    }

    /// The next look at the disk finds space.
    fn find_space(&mut self) {
        self.broker.disk.heal();
        self.broker.note_space(PLENTY);
        self.broker.settle();
    }
}

/// Has the disk run full at each operation that takes space: a batch's write, an index's, a roll, a checkpoint's.
#[test]
fn full_at_any_operation() {
    for (seed, space_for) in (0..120).enumerate() {
        for flush_messages in ["1", "3"] {
            let seed = u64::try_from(seed).expect("it is small");
            let mut writer = Writer::new(seed, &[("flush.messages", flush_messages)]);
            writer.broker.disk.fill_after(space_for);
            for round in 0..60 {
                writer.produce();
                if round % 10 == 9 {
                    writer.broker.sleep_ms(6_000);
                }
                if writer.broker.disk.is_full() {
                    break;
                }
            }
            assert!(writer.broker.disk.is_full(), "the disk runs full");
            for _ in 0..3 {
                assert_eq!(writer.produce(), STORAGE_ERROR);
                writer.check_readable();
            }
            // A look that finds no space changes nothing, and neither does a checkpoint.
            writer.broker.note_space(0);
            writer.broker.sleep_ms(6_000);
            writer.check_readable();
            // Space that is gone again before it can be used.
            writer.broker.note_space(PLENTY);
            writer.check_readable();
            assert_eq!(writer.produce(), STORAGE_ERROR);
            writer.check_readable();
            writer.find_space();
            assert_eq!(writer.produce(), 0, "it heals by itself");
            let before = writer.check_readable();
            if seed % 2 == 0 {
                writer.broker.kill();
            } else {
                writer.broker.settle();
                writer.broker.stop();
            }
            writer.broker.start();
            assert_eq!(writer.check_readable().records, before.records);
            assert_eq!(writer.produce(), 0);
        }
    }
}

/// What takes no space goes on: records are deleted by request and by age, and the end of the log stays where it is.
#[test]
fn deletes_go_on() {
    for seed in 0..20 {
        let mut writer = Writer::new(seed, &[("retention.ms", "60000")]);
        for _ in 0..30 {
            assert_eq!(writer.produce(), 0);
        }
        writer.broker.sleep_ms(6_000);
        writer.broker.disk.fill_after(0);
        assert_eq!(writer.produce(), STORAGE_ERROR);
        let connection = writer.broker.connect();
        // The start offset is written aside, which the reserve is for.
        writer.broker.disk.fill_after(1_000);
        let ticket = writer.broker.begin_delete_records(connection, TOPIC, 7);
        writer.broker.settle();
        assert_eq!(writer.broker.records_deleted(ticket), Some((0, 7)));
        writer.broker.disk.fill_after(0);
        assert_eq!(writer.check_readable().start_offset, 7);
        let files = writer.broker.disk.files_of(DIRECTORY).len();
        writer.broker.sleep_ms(120_000);
        let content = writer.check_readable();
        assert!(content.start_offset > 7, "old segments are deleted");
        assert!(writer.broker.disk.files_of(DIRECTORY).len() < files, "and their files are gone");
        writer.find_space();
        assert_eq!(writer.check_readable().start_offset, content.start_offset);
        assert_eq!(writer.produce(), 0);
        assert_eq!(writer.acknowledged.keys().next_back(), Some(&61), "offsets go on");
    }
}

/// A compaction that finds the disk full leaves the log as it was, whichever of its steps it is, and is done later.
#[test]
fn full_while_compacting() {
    let compact = [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0.0"),
        ("retention.ms", "-1"),
    ];
    for (kind, steps) in [(None, 0..8), (Some(Kind::Name), 0..20)] {
        for step in steps {
            let mut writer = Writer::new(u64::try_from(step).expect("small"), &compact);
            for _ in 0..60 {
                assert_eq!(writer.produce(), 0);
            }
            let newest = newest(&writer.check_readable());
            // The recovery point moves, and then the cleaner looks for dirt.
            writer.broker.sleep_ms(5_000);
            match kind {
                Some(kind) => writer.broker.disk.fail(kind, step, IoError::NoSpace),
                None => writer.broker.disk.fill_after(step),
            }
            writer.broker.sleep_ms(4_000);
            assert_eq!(self::newest(&writer.broker.read_all(TOPIC)), newest);
            writer.acknowledged.clear();
            writer.find_space();
            assert_eq!(self::newest(&writer.broker.read_all(TOPIC)), newest);
            assert_eq!(writer.produce(), 0);
            writer.broker.sleep_ms(20_000);
            let has_compacted = |notice: &Notice| matches!(notice, Notice::Compacted { .. });
            assert!(writer.broker.notices.iter().any(has_compacted), "it is done in the end");
            writer.check_readable();
            let leftovers = writer.broker.disk.files_of(DIRECTORY);
            assert!(leftovers.keys().all(|name| !name.ends_with("cleaned")), "{leftovers:?}");
        }
    }
}

/// The newest record of each key.
fn newest(content: &Content) -> BTreeMap<Vec<u8>, i64> {
    let key = |record: &Seen| record.key.clone().expect("records have keys");
    content.records.iter().map(|record| (key(record), record.offset)).collect()
}

/// While a partition cannot be served, checkpoints are written; they must not forget where its recovery begins, for above that
/// a gap between offsets is taken for a loss.
#[test]
fn a_partition_that_failed_keeps_its_recovery_point() {
    let compact = [("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.0")];
    for seed in 0..10 {
        let mut writer = Writer::new(seed, &compact);
        for _ in 0..60 {
            assert_eq!(writer.produce(), 0);
        }
        writer.broker.sleep_ms(20_000);
        assert_eq!(writer.produce(), 0);
        let before = writer.broker.read_all(TOPIC);
        writer.broker.disk.fail(Kind::Write, 0, IoError::Os(5));
        assert_eq!(writer.produce(), STORAGE_ERROR);
        // Something else moves its recovery point.
        writer.broker.produce("other", batch(Compression::None, &[(0, None, Some(b"a"))]));
        writer.broker.sleep_ms(20_000);
        writer.broker.kill();
        writer.broker.start();
        let after = writer.broker.read_all(TOPIC);
        assert_eq!(after.records[..before.records.len()], before.records);
    }
}

/// All segments are old, but there is no space for what closes the last one, or for a new one: wherever the power fails before
/// their files are gone, the log begins behind them.
#[test]
fn what_was_deleted_stays_deleted_without_space() {
    for seed in 0..60 {
        for space_for in 0..4 {
            let mut writer = Writer::new(seed, &[("retention.ms", "1000")]);
            assert_eq!(writer.produce(), 0);
            // The first look for old segments comes half a minute after the start, the next seven seconds later; in between a
            // checkpoint covers them.
            writer.broker.sleep_ms(34_500);
            assert_eq!(writer.produce(), 0);
            writer.broker.sleep_ms(2_400);
            writer.broker.disk.fill_after(space_for);
            writer.broker.sleep_ms(200);
            writer.broker.disk.heal();
            let start = writer.broker.list_offset(TOPIC, EARLIEST).offset;
            assert_eq!(start, 4, "seed {seed}, {space_for}: what is old is deleted");
            if seed % 3 > 0 {
                writer.find_space();
            } else {
                // Where the log begins could not be written down without space; the next look for old segments does.
                writer.broker.sleep_ms(7_000);
            }
            if seed % 2 == 0 {
                writer.broker.lose_power();
            } else {
                writer.broker.kill();
            }
            writer.broker.start();
            let content = writer.broker.read_all(TOPIC);
            assert_eq!((content.start_offset, content.high_watermark), (4, 4), "seed {seed}");
        }
    }
}

/// All segments are old: whatever a power failure takes of the names, offsets do not begin anew.
#[test]
fn offsets_are_not_given_twice_after_all_was_deleted() {
    for seed in 0..300 {
        let mut writer = Writer::new(seed, &[("retention.ms", "1000")]);
        for _ in 0..5 {
            assert_eq!(writer.produce(), 0);
        }
        let until = writer.broker.now.instant.0 + 30_000_000;
        let mut budget = writer.broker.dice.below(60);
        while writer.broker.shard().poll_timeout().is_some_and(|(at, _)| at.0 <= until + 1_000) {
            writer.broker.fire_next_timer();
            if writer.broker.now.instant.0 < until {
                writer.broker.settle();
            } else if writer.broker.steps_until_rest(&mut budget) {
                break;
            }
        }
        writer.broker.lose_power();
        writer.broker.start();
        let end = writer.broker.list_offset(TOPIC, LATEST).offset;
        assert_eq!(end, 10, "seed {seed}");
    }
}
