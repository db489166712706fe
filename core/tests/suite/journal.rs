//! Rounds over several partitions that become durable in the journal, and crashes between any two of its operations.

use std::collections::{BTreeMap, BTreeSet};

use ottla_core::{disk::IoError, records::Compression};

use crate::support::{
    broker::{Broker, Ticket},
    client::{LATEST, Seen, batch},
    disk::Kind,
};

const TOPICS: [&str; 4] = ["a", "b", "c", "d"];
const CONFIGURATION: [(&str, &str); 3] = [
    ("ottla.journal.bytes", "16384"),
    ("ottla.journal.partition.bytes.max", "400"),
    ("log.flush.offset.checkpoint.interval.ms", "5000"),
];

/// A broker, and what each topic has acknowledged.
struct Writer {
    broker: Broker,
    acknowledged: BTreeMap<(&'static str, i64), Vec<u8>>,
    pending: Vec<(&'static str, Vec<u8>, Ticket)>,
    sent: usize,
}

impl Writer {
    fn new(seed: u64) -> Self {
        let small = [("internal.segment.bytes", "1500"), ("index.interval.bytes", "200")];
        let count = if seed.is_multiple_of(2) { "1" } else { "2" };
        let count = [("ottla.journal.partitions.min", count)];
        let broker = Broker::new(seed, &[&CONFIGURATION[..], &count].concat());
        let broker = TOPICS.iter().fold(broker, |it, topic| it.with_topic(topic, 1, &small));
        Self { broker, acknowledged: BTreeMap::new(), pending: Vec::new(), sent: 0 }
    }

    fn started(seed: u64) -> Self {
        let mut writer = Self::new(seed);
        writer.broker.start();
        writer
    }

    /// Sends a batch to each of the topics, which are answered some time later.
    fn send(&mut self, topics: &[&'static str]) {
        for topic in topics {
            self.sent += 1;
            let value = format!("{:060}", self.sent).into_bytes();
            let record = (self.broker.now.timestamp.0, None, Some(&value[..]));
            let connection = self.broker.connect();
            let records = batch(Compression::None, &[record]);
            let ticket = self.broker.begin_produce(connection, topic, records);
            self.pending.push((topic, value, ticket));
        }
    }

    fn take_answers(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.retain(|(topic, value, ticket)| match self.broker.produced(*ticket) {
            Some((0, offset)) => {
                self.acknowledged.insert((topic, offset), value.clone());
                false
            }
            answer => answer.is_none(),
        });
        self.pending = pending;
    }

    /// Sends and settles so often that the journal is made and has records.
    fn warm_up(&mut self, rounds: usize) {
        for round in 0..50 {
            if round >= rounds && self.journal_bytes() > 0 {
                break;
            }
            self.send(&TOPICS);
            self.broker.settle();
            self.take_answers();
        }
    }

    fn crash(&mut self, is_kill: bool) {
        self.take_answers();
        self.broker.disk.heal();
        self.pending.clear();
        if is_kill {
            self.broker.kill();
        } else {
            self.broker.lose_power();
        }
    }

    /// Everything that was acknowledged is where it was.
    fn check(&mut self) -> Vec<Vec<Seen>> {
        let contents = TOPICS.map(|topic| self.broker.read_all(topic).records);
        for ((topic, offset), value) in &self.acknowledged {
            let index = TOPICS.iter().position(|known| known == topic).expect("a topic of ours");
            let found = contents[index].iter().find(|record| record.offset == *offset);
            let found = found.and_then(|record| record.value.as_deref());
            assert_eq!(found, Some(&value[..]), "what is at {offset} of {topic}");
        }
        for records in &contents {
            let values: BTreeSet<_> = records.iter().map(|record| &record.value).collect();
            assert_eq!(values.len(), records.len(), "what was sent once is there once");
        }
        contents.to_vec()
    }

    fn journal_bytes(&self) -> usize {
        let files = self.broker.disk.files_of("");
        files.iter().filter(|(name, _)| name.starts_with("journal.")).map(|(_, size)| size).sum()
    }
}

#[test]
fn a_crash_at_each_operation() {
    for steps in 0..160 {
        for seed in 0..3 {
            let is_kill = seed == 2;
            let mut writer = Writer::started(seed * 1_000 + steps);
            writer.warm_up(4);
            assert_eq!(writer.journal_bytes(), 2 * 16_384, "the journal was made");
            for round in 0..4 {
                writer.send(if round == 2 { &TOPICS[..2] } else { &TOPICS });
                for _ in 0..steps / 4 {
                    writer.broker.step();
                    writer.take_answers();
                }
            }
            writer.crash(is_kill);
            // A start that is cut short as well changes nothing.
            for _ in 0..seed {
                writer.broker.begin_start();
                for _ in 0..steps {
                    writer.broker.step();
                }
                writer.crash(is_kill);
            }
            writer.broker.start();
            assert_eq!(writer.journal_bytes(), 0, "what it had is in the logs");
            let before = writer.check();
            writer.crash(false);
            writer.broker.start();
            assert_eq!(writer.check(), before, "what was recovered stays");
            writer.warm_up(2);
            writer.crash(false);
            writer.broker.start();
            writer.check();
        }
    }
}

/// Halves become full and free, while partitions get other bytes from other rounds.
#[test]
fn halves_are_used_again() {
    for seed in 0..150 {
        let mut writer = Writer::started(seed);
        writer.warm_up(2);
        for round in 0..30 {
            writer.send(&TOPICS[..1 + round % 4]);
            for _ in 0..writer.broker.dice.below(60) {
                writer.broker.step();
            }
            writer.take_answers();
            if writer.broker.dice.percent(5) {
                writer.broker.sleep_ms(5_000);
            }
        }
        writer.crash(seed.is_multiple_of(4));
        writer.broker.start();
        writer.check();
    }
}

/// Whatever fails of the journal or beside it, what was acknowledged is there after the next start.
#[test]
fn an_operation_fails() {
    for seed in 0..200 {
        let mut writer = Writer::started(seed);
        if !seed.is_multiple_of(5) {
            writer.warm_up(2);
        }
        let kind = if seed.is_multiple_of(3) { Kind::Write } else { Kind::Sync };
        let error = if seed.is_multiple_of(4) { IoError::NoSpace } else { IoError::Os(5) };
        let after = writer.broker.dice.below(12);
        writer.broker.disk.fail(kind, after, error);
        for round in 0..12 {
            writer.send(&TOPICS);
            for _ in 0..writer.broker.dice.below(80) {
                writer.broker.step();
            }
            writer.take_answers();
            if round % 4 == 3 {
                writer.broker.note_space(1 << 40);
            }
        }
        if seed.is_multiple_of(5) {
            writer.broker.settle();
            writer.take_answers();
            writer.broker.stop();
            writer.pending.clear();
        } else {
            writer.crash(false);
        }
        writer.broker.start();
        writer.check();
    }
}

/// A log for which there was no space at the start is opened later, and given what the journal had of it then: until that is
/// durable in its files nobody is told of an end that lies before what was told.
#[test]
fn what_waits_for_space_is_read_when_it_is_whole() {
    let mut waited = 0;
    for seed in 0..60 {
        let mut writer = Writer::started(seed);
        writer.warm_up(4);
        let ends = TOPICS.map(|topic| writer.broker.list_offset(topic, LATEST).offset);
        writer.crash(false);
        let space_for = writer.broker.dice.below(8);
        writer.broker.disk.fill_after(space_for);
        writer.broker.start();
        writer.broker.disk.heal();
        writer.broker.note_space(1 << 40);
        for _ in 0..200 {
            for (topic, end) in TOPICS.into_iter().zip(ends) {
                let told = writer.broker.list_offset_now(topic, LATEST);
                assert!(told.error_code != 0 || told.offset >= end, "seed {seed}: {told:?}");
                waited += usize::from(told.error_code != 0);
            }
            if !writer.broker.steps_until_rest(&mut 1) {
                break;
            }
        }
        writer.broker.settle();
        writer.check();
    }
    assert!(waited > 100, "it was hardly tried: {waited}");
}

/// After a stop in order all is in the segments, and nothing of the journal is left.
#[test]
fn a_stop_leaves_no_journal() {
    for seed in 0..20 {
        let mut writer = Writer::started(seed);
        writer.warm_up(5);
        assert!(writer.journal_bytes() > 0, "there is a journal");
        writer.broker.stop();
        assert_eq!(writer.journal_bytes(), 0, "it is gone");
        writer.broker.disk.lose_power();
        writer.broker.start();
        writer.check();
    }
}

/// Records were deleted, or the topic was: what the journal has of them does not bring them back.
#[test]
fn what_was_deleted_stays_deleted() {
    for seed in 0..40 {
        let mut writer = Writer::started(seed);
        writer.warm_up(3);
        let connection = writer.broker.connect();
        let ticket = writer.broker.begin_delete_records(connection, "a", 2);
        writer.broker.settle();
        assert_eq!(writer.broker.records_deleted(ticket), Some((0, 2)));
        writer.acknowledged.retain(|(topic, offset), _| *topic != "a" || *offset >= 2);
        writer.crash(false);
        writer.broker.start();
        let contents = writer.check();
        assert!(contents[0].iter().all(|record| record.offset >= 2));
    }
}

/// A record of the journal that was damaged, or never finished, is none, and nothing behind it is taken.
#[test]
fn a_damaged_record_is_not_replayed() {
    for seed in 0..20 {
        let mut writer = Writer::started(seed);
        writer.warm_up(4);
        writer.crash(true);
        for name in ["journal.0", "journal.1"] {
            writer.broker.disk.damage("", name, |bytes| {
                for record in bytes.chunks_mut(4_096).filter(|record| record[0] != 0) {
                    record[150] ^= 1;
                }
            });
        }
        // A torn tail of a log, as after a power failure.
        for topic in TOPICS {
            let directory = format!("{topic}-0");
            let files = writer.broker.disk.files_of(&directory);
            let last = files.iter().rev().find(|(name, size)| name.ends_with(".log") && **size > 0);
            let name = last.expect("there are records").0.clone();
            writer.broker.disk.damage(&directory, &name, |bytes| bytes.truncate(bytes.len() - 1));
        }
        writer.broker.start();
        for topic in TOPICS {
            let sent = writer.acknowledged.keys().filter(|(known, _)| *known == topic);
            let last = sent.map(|(_, offset)| *offset).max();
            let end = writer.broker.list_offset(topic, LATEST).offset;
            assert_eq!(Some(end), last, "the last batch of {topic} is in no file");
        }
    }
}
