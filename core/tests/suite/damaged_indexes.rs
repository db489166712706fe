//! Indexes that are not as they were left: what is in the log is found all the same, and it can be written to.

use ottla_core::records::Compression;

use crate::support::{
    broker::Broker,
    client::{MAX_TIMESTAMP, Seen, batch, bytes_of, parse},
    dice::Dice,
};

const TOPIC: &str = "t";
const DIRECTORY: &str = "t-0";

/// A log of several segments with an entry in the index for each batch.
fn log(seed: u64) -> (Broker, Vec<Seen>) {
    let configs = [
        ("internal.segment.bytes", "3000"),
        ("index.interval.bytes", "0"),
        ("message.timestamp.after.max.ms", "9223372036854775807"),
    ];
    let mut broker = Broker::new(seed, &[]).with_topic(TOPIC, 1, &configs);
    broker.start();
    for _ in 0..80 {
        append(&mut broker);
    }
    let records = broker.read_all(TOPIC).records;
    (broker, records)
}

fn append(broker: &mut Broker) {
    broker.sleep_ms(10);
    let time = broker.now.timestamp.0;
    let record = |age| (time - age, None, Some(&b"value"[..]));
    broker.produce(TOPIC, batch(Compression::None, &[record(1), record(0)]));
}

/// Every record is found by its offset and by its time, and appends go on.
fn check(broker: &mut Broker, records: &[Seen], what: &str) {
    for record in records {
        let fetched = broker.fetch(TOPIC, record.offset);
        assert_eq!(fetched.error_code, 0, "offset {} with {what}", record.offset);
        let batches = parse(&bytes_of(fetched.records));
        let (first, _) = batches.first().expect("there is a batch");
        let range = first.base_offset.0..=first.last_offset().0;
        assert!(range.contains(&record.offset), "{} is not in {range:?}: {what}", record.offset);
        let found = broker.list_offset(TOPIC, record.timestamp);
        let at_time = |other: &&Seen| other.timestamp >= record.timestamp;
        let expected = records.iter().find(at_time).expect("it is one itself").offset;
        assert_eq!((found.error_code, found.offset), (0, expected), "by time, with {what}");
    }
    let latest = records.iter().map(|record| record.timestamp).max();
    let latest = records.iter().find(|record| Some(record.timestamp) == latest).expect("some");
    assert_eq!(broker.list_offset(TOPIC, MAX_TIMESTAMP).offset, latest.offset, "{what}");
}

/// Damages one file of each kind, of the first, a middle and the last segment.
fn with_damage(what: &str, extension: &str, damage: impl Fn(&mut Vec<u8>, &mut Dice)) {
    for seed in 0..3 {
        let (mut broker, mut records) = log(seed);
        broker.stop();
        let mut names: Vec<String> = broker.disk.files_of(DIRECTORY).into_keys().collect();
        names.retain(|name| name.ends_with(extension));
        let names =
            [names[0].clone(), names[names.len() / 2].clone(), names[names.len() - 1].clone()];
        for name in &names {
            let what = format!("{what} of {name}, seed {seed}");
            let mut dice = Dice::new(seed);
            broker.disk.damage(DIRECTORY, name, |bytes| damage(bytes, &mut dice));
            broker.start();
            check(&mut broker, &records, &what);
            let mut end = records.len();
            for _ in 0..60 {
                append(&mut broker);
                end += 2;
            }
            let all = broker.read_all(TOPIC).records;
            assert!(all.len() >= end, "{what}");
            check(&mut broker, &all, &what);
            broker.kill();
            broker.start();
            assert_eq!(broker.read_all(TOPIC).records, all, "{what}");
            check(&mut broker, &all, &what);
            broker.stop();
            records = all;
        }
    }
}

fn flip(bytes: &mut [u8], dice: &mut Dice, from: usize) {
    if from < bytes.len() {
        let at = from + dice.below(bytes.len() - from);
        bytes[at] ^= 1 << dice.below(8);
    }
}

#[test]
fn no_damage() {
    with_damage("nothing wrong", ".index", |_, _| {});
}

#[test]
fn a_flipped_bit_anywhere_in_an_offset_index() {
    with_damage("a flipped bit", ".index", |bytes, dice| flip(bytes, dice, 0));
}

#[test]
fn a_flipped_bit_in_the_last_entry_of_an_offset_index() {
    with_damage("a flipped bit at the end", ".index", |bytes, dice| {
        let from = bytes.len().saturating_sub(8);
        flip(bytes, dice, from);
    });
}

#[test]
fn a_last_offset_entry_of_ones() {
    with_damage("an entry of ones", ".index", |bytes, _| {
        let from = bytes.len().saturating_sub(8);
        bytes[from..].fill(0xff);
    });
}

#[test]
fn an_offset_index_of_noise() {
    with_damage("noise", ".index", |bytes, dice| {
        bytes.iter_mut().for_each(|byte| *byte = u8::try_from(dice.below(256)).expect("a byte"));
    });
}

#[test]
fn an_offset_index_of_zeros_with_room_to_grow() {
    // So Kafka leaves them after a crash: as large as they may become.
    with_damage("zeros", ".index", |bytes, _| bytes.resize(bytes.len() + 4_096, 0));
}

#[test]
fn an_offset_index_that_is_cut_off() {
    with_damage("half an entry less", ".index", |bytes, _| {
        bytes.truncate(bytes.len().saturating_sub(4));
    });
    with_damage("entries less", ".index", |bytes, _| bytes.truncate(bytes.len() / 16 * 8));
    with_damage("nothing", ".index", |bytes, _| bytes.clear());
}

#[test]
fn a_time_index_that_is_cut_off() {
    with_damage("half an entry less", ".timeindex", |bytes, _| {
        bytes.truncate(bytes.len().saturating_sub(5));
    });
    with_damage("nothing", ".timeindex", |bytes, _| bytes.clear());
}

#[test]
fn a_time_index_of_noise() {
    with_damage("noise", ".timeindex", |bytes, dice| {
        bytes.iter_mut().for_each(|byte| *byte = u8::try_from(dice.below(256)).expect("a byte"));
    });
    with_damage("ones", ".timeindex", |bytes, _| {
        let from = bytes.len().saturating_sub(12);
        bytes[from..].fill(0x7f);
    });
}

#[test]
fn a_flipped_bit_anywhere_in_a_time_index() {
    // The last entry of a segment that is closed stands for the greatest timestamp; a plausible one is believed.
    with_damage("a flipped bit", ".timeindex", |bytes, dice| {
        let last = bytes.split_off(bytes.len().saturating_sub(12));
        flip(bytes, dice, 0);
        bytes.extend(last);
    });
}
