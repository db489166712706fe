//! Compaction against a fold over everything that was ever appended.

use std::collections::{BTreeMap, BTreeSet};

use ottla_core::{
    notice::Notice,
    records::{BatchBuilder, BatchHeader, Compression, batch::BatchProducer},
    types::{ProducerEpoch, ProducerId, Sequence, Timestamp},
};
use proptest::prelude::*;

use crate::support::{
    broker::Broker,
    client::{Content, Seen, batch},
    dice::Dice,
};

const TOPIC: &str = "c";
const DIRECTORY: &str = "c-0";
const DELETE_RETENTION_MS: i64 = 30_000;
const PRODUCER: i64 = 4;

/// Everything that was appended, by offset.
#[derive(Debug, Default)]
struct History {
    records: BTreeMap<i64, Seen>,
    /// When each was appended.
    appended_ms: BTreeMap<i64, i64>,
    next_sequence: i32,
    next_value: u32,
}

impl History {
    /// Appends a batch of random updates and deletions of a few keys.
    fn append(&mut self, broker: &mut Broker, dice: &mut Dice, keys: usize) {
        let codec = dice.pick(&Compression::ALL);
        let mut builder = BatchBuilder::new(codec);
        let count = 1 + dice.below(4);
        if dice.percent(30) {
            builder = builder.with_producer(BatchProducer {
                id: ProducerId(PRODUCER),
                epoch: ProducerEpoch(0),
                base_sequence: Sequence(self.next_sequence),
            });
            self.next_sequence += i32::try_from(count).expect("a few");
        }
        let now = broker.now.timestamp;
        let mut records = Vec::new();
        for _ in 0..count {
            let key = format!("key {}", dice.below(keys)).into_bytes();
            self.next_value += 1;
            let value =
                (!dice.percent(25)).then(|| format!("{:040}", self.next_value).into_bytes());
            let timestamp = Timestamp(now.0 - i64::try_from(dice.below(2_000)).expect("small"));
            builder.push(timestamp, Some(&key), value.as_deref(), &[]);
            records.push((timestamp.0, Some(key), value));
        }
        let base = broker.produce(TOPIC, builder.build());
        for (offset, (timestamp, key, value)) in (base..).zip(records) {
            self.records.insert(offset, Seen { offset, timestamp, epoch: 0, key, value });
            self.appended_ms.insert(offset, now.0);
        }
    }

    /// The newest record of each key.
    fn newest(&self) -> BTreeMap<&[u8], &Seen> {
        self.records.values().map(|record| (key(record), record)).collect()
    }

    fn check(&self, broker: &mut Broker) -> Content {
        let content = broker.read_all(TOPIC);
        let mut found = BTreeMap::new();
        for record in &content.records {
            let known = Some(Seen { epoch: 0, ..record.clone() });
            assert_eq!(
                self.records.get(&record.offset).cloned(),
                known,
                "records stay as they are"
            );
            found.insert(key(record), record);
        }
        for (key, newest) in self.newest() {
            let found = found.get(key).map(|record| record.offset);
            let appended = self.appended_ms[&newest.offset];
            let may_be_gone =
                newest.value.is_none() && broker.now.timestamp.0 - appended >= DELETE_RETENTION_MS;
            assert!(
                found == Some(newest.offset) || found.is_none() && may_be_gone,
                "{found:?} is the newest of {:?}, which has {}",
                String::from_utf8_lossy(key),
                newest.offset
            );
        }
        let last = content.batches.iter().rev().find_map(|batch| {
            batch.producer.map(|producer| producer.base_sequence.plus(batch.last_offset_delta + 1))
        });
        if self.next_sequence > 0 {
            assert_eq!(
                last,
                Some(Sequence(self.next_sequence)),
                "the last batch of a producer stays"
            );
        }
        content
    }
}

fn key(record: &Seen) -> &[u8] {
    record.key.as_deref().expect("records have keys")
}

fn broker(seed: u64, memory_bytes: u64) -> Broker {
    let configuration = [
        ("log.flush.offset.checkpoint.interval.ms", "5000"),
        ("log.cleaner.backoff.ms", "1000"),
        ("log.cleaner.dedupe.buffer.size", &memory_bytes.to_string()),
    ];
    let mut broker = Broker::new(seed, &configuration).with_topic(
        TOPIC,
        1,
        &[
            ("cleanup.policy", "compact"),
            ("internal.segment.bytes", "900"),
            ("index.interval.bytes", "100"),
            ("min.cleanable.dirty.ratio", "0.0"),
            ("delete.retention.ms", &DELETE_RETENTION_MS.to_string()),
        ],
    );
    broker.start();
    broker
}

/// Memory for more keys than there are.
const PLENTY: u64 = 1 << 20;

/// Long enough for a checkpoint, and a compaction after it.
const A_WHILE_MS: u64 = 7_000;

fn crash(broker: &mut Broker, dice: &mut Dice) {
    if dice.percent(50) {
        broker.kill()
    } else {
        broker.lose_power()
    }
    broker.start();
}

fn run(seed: u64, keys: usize, memory_keys: u64, rounds: usize) {
    let mut dice = Dice::new(seed);
    let mut history = History::default();
    let mut broker = broker(seed, memory_keys * 76);
    for _ in 0..rounds {
        for _ in 0..dice.below(12) {
            history.append(&mut broker, &mut dice, keys);
        }
        match dice.below(8) {
            0..=3 => broker.sleep_ms(A_WHILE_MS),
            4 => broker.sleep_ms(40_000),
            5 | 6 => {
                for _ in 0..dice.below(6) {
                    broker.fire_next_timer();
                    (0..dice.below(60)).for_each(|_| broker.step());
                }
                crash(&mut broker, &mut dice);
            }
            _ => {
                broker.stop();
                broker.start();
            }
        }
        history.check(&mut broker);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        max_shrink_time: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn keeps_the_newest_of_each_key(
        seed in any::<u64>(),
        keys in 1..20_usize,
        memory_keys in prop_oneof![1..8_u64, Just(1_000)],
        rounds in 1..14_usize,
    ) {
        run(seed, keys, memory_keys, rounds);
    }
}

/// Killed between the renaming of the checkpoint and the sync of that, then compacted, then without power: recovery must not begin
/// at the older checkpoint, within a segment that has been rewritten.
#[test]
fn a_checkpoint_whose_name_was_not_synced() {
    run(11_839_559_726_709_222_217, 11, 1, 5);
}

/// A log of several segments over few keys, which is about to be compacted for the second time.
fn dirty_log(seed: u64) -> (Broker, History) {
    let mut dice = Dice::new(seed);
    let mut history = History::default();
    let mut broker = broker(seed, PLENTY);
    for _ in 0..2 {
        for _ in 0..12 {
            history.append(&mut broker, &mut dice, 6);
        }
        broker.sleep_ms(A_WHILE_MS);
    }
    for _ in 0..12 {
        history.append(&mut broker, &mut dice, 6);
    }
    // Tombstones of the first compaction may go in this one.
    broker.sleep_ms(u64::try_from(DELETE_RETENTION_MS).expect("it is positive"));
    for _ in 0..6 {
        history.append(&mut broker, &mut dice, 6);
    }
    (broker, history)
}

#[test]
fn what_is_compacted_has_each_key_once() {
    for seed in 0..10 {
        let (mut broker, history) = dirty_log(seed);
        broker.sleep_ms(3 * A_WHILE_MS);
        let content = history.check(&mut broker);
        let has_shrunk = broker.notices.iter().any(|notice| match notice {
            Notice::Compacted { compacted, .. } => compacted.bytes_after < compacted.bytes_before,
            _ => false,
        });
        assert!(has_shrunk, "there is less than there was");
        let names = broker.disk.files_of(DIRECTORY);
        let bases = names.keys().filter_map(|name| name.strip_suffix(".log")?.parse::<i64>().ok());
        let bases: Vec<i64> = bases.collect();
        // The active segment is not compacted, and neither is the one with the recovery point.
        let clean_below = bases[bases.len().saturating_sub(2)];
        let clean = content.records.iter().filter(|record| record.offset < clean_below);
        let keys: Vec<_> = clean.map(key).collect();
        let distinct: BTreeSet<_> = keys.iter().collect();
        assert_eq!(keys.len(), distinct.len(), "seed {seed}: each key once below {clean_below}");
    }
}

/// Crashes after each step of a compaction.
fn crash_at_each_step(seed: u64, lose_power: bool) {
    let mut steps = 0;
    loop {
        let (mut broker, history) = dirty_log(seed);
        broker.notices.clear();
        let mut budget = steps;
        while broker.notices.iter().all(|notice| !matches!(notice, Notice::Compacted { .. })) {
            broker.fire_next_timer();
            if broker.steps_until_rest(&mut budget) {
                break;
            }
        }
        let is_over = broker.notices.iter().any(|n| matches!(n, Notice::Compacted { .. }));
        if lose_power {
            broker.lose_power()
        } else {
            broker.kill()
        }
        broker.start();
        history.check(&mut broker);
        broker.sleep_ms(3 * A_WHILE_MS);
        history.check(&mut broker);
        let leftovers = broker.disk.files_of(DIRECTORY);
        assert!(leftovers.keys().all(|name| !name.ends_with("cleaned")), "{leftovers:?}");
        if is_over {
            assert!(steps > 40, "a compaction has many steps: {steps}");
            return;
        }
        steps += 1;
    }
}

#[test]
fn a_kill_at_any_step_leaves_a_whole_log() {
    (0..1).for_each(|seed| crash_at_each_step(seed, false));
}

#[test]
fn a_power_failure_at_any_step_leaves_a_whole_log() {
    (0..3).for_each(|seed| crash_at_each_step(seed, true));
}

/// Compressed batches are looked into beside the shard; those that come behind them wait.
#[test]
fn batches_keep_their_order_while_they_are_judged() {
    for seed in 0..20 {
        let mut broker = broker(seed, PLENTY);
        let connection = broker.connect();
        let time = broker.now.timestamp.0;
        let codecs = [
            Compression::Zstd,
            Compression::None,
            Compression::Gzip,
            Compression::Lz4,
            Compression::None,
        ];
        let tickets = codecs.map(|codec| {
            let records = batch(codec, &[(time, Some(b"key"), Some(b"value"))]);
            broker.begin_produce(connection, TOPIC, records)
        });
        let keyless = batch(Compression::Snappy, &[(time, None, Some(b"value"))]);
        let refused = broker.begin_produce(connection, TOPIC, keyless);
        broker.settle();
        let answers = tickets.map(|ticket| broker.produced(ticket));
        assert_eq!(answers, [0, 1, 2, 3, 4].map(|offset| Some((0, offset))), "seed {seed}");
        assert_eq!(broker.produced(refused).map(|(error, _)| error), Some(87));
    }
}

/// The length of the batch that `bytes` begin with.
fn batch_bytes(bytes: &[u8]) -> usize {
    BatchHeader::parse(bytes).expect("a segment holds batches").size_bytes
}

/// The base offset of a batch is not under its checksum. A log in which one cannot be stays as it is, and is said to be damaged.
#[test]
fn a_base_offset_that_cannot_be() {
    for bit in 0..64 {
        for at_end in [false, true] {
            let mut dice = Dice::new(bit);
            let mut broker = broker(bit, PLENTY);
            let mut history = History::default();
            (0..30).for_each(|_| history.append(&mut broker, &mut dice, 6));
            let files = broker.disk.files_of(DIRECTORY).into_keys();
            let names: Vec<_> = files.filter(|name| name.ends_with(".log")).collect();
            assert!(names.len() > 4, "there are segments to compact: {names:?}");
            let name = &names[dice.below(names.len() - 3)];
            broker.disk.damage(DIRECTORY, name, |bytes| {
                let mut start = 0;
                while at_end && start + batch_bytes(&bytes[start..]) < bytes.len() {
                    start += batch_bytes(&bytes[start..]);
                }
                let byte = start + usize::try_from(bit / 8).expect("it is small");
                bytes[byte] ^= 1 << (bit % 8);
            });
            let before = broker.disk.files_of(DIRECTORY);
            broker.sleep_ms(3 * A_WHILE_MS);
            let is_told = broker.notices.iter().any(|notice| match notice {
                Notice::CompactionDamaged { segment, .. } => {
                    *name == format!("{:020}.log", segment.0)
                }
                _ => false,
            });
            assert!(is_told, "bit {bit} of a batch in {name}: {:?}", broker.notices);
            let after = broker.disk.files_of(DIRECTORY);
            assert_eq!(after.get(name), before.get(name), "it stays as it is");
            assert!(after.keys().all(|name| !name.ends_with("cleaned")), "{after:?}");
        }
    }
}
