//! What a log must hold, as a list.

use std::collections::BTreeMap;

use ottla_core::{
    inspect::Inspection,
    machine::ConnectionId,
    records::Compression,
    wire::messages::offset_for_leader_epoch::{
        OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
    },
};

use super::Retention;
use crate::support::{
    broker::{BEGINNING, Broker, Ticket},
    client::{Content, EARLIEST, LATEST, MAX_TIMESTAMP, Seen, batch, bytes_of, parse},
    disk::Kind,
};

pub(super) const TOPIC: &str = "t";
const DIRECTORY: &str = "t-0";
const STORAGE_ERROR: i16 = 56;
const NO_OFFSET: i64 = -1;

/// A record that was sent: by its number, which grows.
type Number = usize;

#[derive(Debug)]
pub(super) struct Model {
    is_durable: bool,
    retention: Retention,
    connection: Option<ConnectionId>,
    /// The timestamps of all records that were ever sent.
    sent: Vec<i64>,
    /// What was sent and not answered: the first record's number, and how many.
    asked: Vec<(Ticket, Number, usize)>,
    deletions: Vec<(Ticket, i64)>,
    /// What must be there: by offset, what was acknowledged or shown.
    known: BTreeMap<i64, Number>,
    /// Where the log may begin: what was asked to be deleted, and may have been.
    starts: Vec<i64>,
    /// Where it begins at the least.
    start: i64,
    shown: i64,
    sync_may_fail: bool,
    /// No deletion was asked for since the broker was started: one that failed before has taken effect, or never will.
    is_fresh: bool,
}

impl Model {
    pub(super) fn new(is_durable: bool, retention: Retention) -> Self {
        Self {
            is_durable,
            retention,
            connection: None,
            sent: Vec::new(),
            asked: Vec::new(),
            deletions: Vec::new(),
            known: BTreeMap::new(),
            starts: vec![0],
            start: 0,
            shown: 0,
            sync_may_fail: false,
            is_fresh: true,
        }
    }

    pub(super) fn connect(&mut self, broker: &mut Broker) {
        self.connection = Some(broker.connect());
        self.is_fresh = true;
    }

    pub(super) fn process_ended(&mut self) {
        self.asked.clear();
        self.deletions.clear();
    }

    /// Only a log that is durable before it acknowledges keeps everything when the power fails.
    pub(super) fn power_lost(&mut self) {
        if !self.is_durable {
            self.known.clear();
            self.shown = 0;
            self.start = 0;
        }
    }

    pub(super) fn may_fail(&mut self, kind: Kind) {
        self.sync_may_fail |= kind == Kind::Sync;
    }

    /// A sync has failed, if one was to: what it was to make durable may be lost, as if the power had failed.
    /// One that failed may have another one fail for what it has lost.
    pub(super) fn sync_failed(&mut self, broker: &Broker) {
        if std::mem::take(&mut self.sync_may_fail) {
            self.power_lost();
            self.sync_may_fail = broker.disk.owes_failures();
        }
    }

    /// The log was opened. If it has lost its end, and was to begin behind what is left, it begins where it ends.
    pub(super) fn opened(&mut self, broker: &mut Broker) {
        let start = broker.list_offset(TOPIC, EARLIEST);
        let is_empty = start.offset == broker.list_offset(TOPIC, LATEST).offset;
        if !self.is_durable && is_empty && start.error_code == 0 && start.offset < self.starts_max()
        {
            self.starts.push(start.offset);
        }
    }

    pub(super) fn produce(&mut self, broker: &mut Broker, count: usize, bytes: usize, age_ms: i64) {
        let first = self.sent.len();
        let now = broker.now.timestamp.0;
        let times: Vec<i64> =
            (0..count).map(|_| (now - age_ms).max(BEGINNING.0 - 50_000)).collect();
        let values: Vec<String> =
            (first..first + count).map(|number| format!("{number:0bytes$}")).collect();
        let records: Vec<_> = times
            .iter()
            .zip(&values)
            .map(|(&time, value)| (time, None, Some(value.as_bytes())))
            .collect();
        let compression = broker.dice.pick(&Compression::ALL);
        let connection = self.connection.expect("the client is connected");
        let ticket = broker.begin_produce(connection, TOPIC, batch(compression, &records));
        self.sent.extend(times);
        self.asked.push((ticket, first, count));
    }

    /// Has everything deleted below a place between the start and the end.
    pub(super) fn delete(&mut self, broker: &mut Broker, percent: i64) {
        let offset = self.start + (self.shown - self.start).max(0) * percent / 100;
        let connection = self.connection.expect("the client is connected");
        let ticket = broker.begin_delete_records(connection, TOPIC, offset);
        self.deletions.push((ticket, offset));
        self.starts.push(offset);
        self.is_fresh = false;
    }

    pub(super) fn take_answers(&mut self, broker: &mut Broker) {
        let asked = std::mem::take(&mut self.asked);
        for (ticket, first, count) in asked {
            match broker.produced(ticket) {
                Some((0, base)) => {
                    for (offset, number) in (base..).zip(first..first + count) {
                        let earlier = self.known.insert(offset, number);
                        assert!(
                            earlier.is_none_or(|earlier| earlier == number),
                            "offset {offset} was given to {earlier:?} and to {number}"
                        );
                    }
                    self.shown = self.shown.max(base + i64::try_from(count).expect("a few"));
                }
                Some((error, _)) => assert_eq!(error, STORAGE_ERROR, "only the disk refuses"),
                None => self.asked.push((ticket, first, count)),
            }
        }
        let deletions = std::mem::take(&mut self.deletions);
        for (ticket, offset) in deletions {
            match broker.records_deleted(ticket) {
                Some((0, start)) => {
                    assert!(start >= offset, "everything below {offset} is deleted: {start}");
                    self.start = self.start.max(offset);
                }
                // Beyond the end, for the end was lost; or the disk has failed.
                Some((error, _)) => {
                    assert!(matches!(error, 1 | STORAGE_ERROR | 6), "error {error}");
                }
                None => self.deletions.push((ticket, offset)),
            }
        }
    }

    pub(super) fn has_failed(&self, broker: &mut Broker) -> bool {
        figures(broker).is_failed
    }

    /// Reads the whole log, and compares.
    pub(super) fn verify(&mut self, broker: &mut Broker) -> Content {
        broker.settle();
        self.take_answers(broker);
        let content = broker.read_all(TOPIC);
        self.check_start(&content, broker);
        let end = content.high_watermark;
        assert!(end >= self.shown, "what was shown stays: {} and not {end}", self.shown);
        let numbers = numbers(&content);
        for (record, expected) in content.records.iter().zip(content.start_offset..) {
            assert_eq!(record.offset, expected, "offsets are contiguous");
        }
        let there = content.start_offset + i64::try_from(numbers.len()).expect("a few");
        assert_eq!(there, end, "everything up to the high watermark is there");
        assert!(
            numbers.is_sorted_by(|a, b| a < b),
            "records are there once, in order: {numbers:?}"
        );
        for (record, number) in content.records.iter().zip(&numbers) {
            assert_eq!(Some(&record.timestamp), self.sent.get(*number), "nothing was made up");
        }
        for (offset, number) in self.known.range(content.start_offset..) {
            let index = usize::try_from(offset - content.start_offset).expect("it is a range");
            assert_eq!(numbers.get(index), Some(number), "what was acknowledged at {offset}");
        }
        self.known.extend(content.records.iter().zip(&numbers).map(|(r, n)| (r.offset, *n)));
        self.shown = end;
        let files = broker.disk.files_of(DIRECTORY);
        let on_disk = files.iter().filter(|(name, _)| name.ends_with(".log"));
        let on_disk: usize = on_disk.map(|(_, size)| size).sum();
        let size_bytes = figures(broker).size_bytes;
        assert_eq!(on_disk as u64, size_bytes, "the disk holds what the log says: {files:?}");
        self.check_lookups(&content, broker);
        content
    }

    fn check_start(&mut self, content: &Content, broker: &mut Broker) {
        let start = content.start_offset;
        assert!(start >= self.start, "deleted records stay deleted: {start} < {}", self.start);
        if start > self.starts.iter().copied().max().unwrap_or(0) {
            self.check_retention(start, broker);
        } else if matches!(self.retention, Retention::Forever) {
            assert!(
                self.starts.contains(&start) || start == content.high_watermark,
                "the log begins where somebody wanted: {start}"
            );
        }
        self.start = start;
        if std::mem::take(&mut self.is_fresh) && self.deletions.is_empty() {
            self.starts = vec![start];
        }
    }

    /// Records were deleted that nobody had asked to delete.
    fn check_retention(&self, start: i64, broker: &mut Broker) {
        match self.retention {
            Retention::Forever => panic!("nothing expires, but the log begins at {start}"),
            Retention::Bytes(bytes) => {
                let size = figures(broker).size_bytes;
                assert!(size >= bytes, "{size} bytes are left of {bytes} to be kept");
            }
            Retention::Ms(retention_ms) => {
                let limit = broker.now.timestamp.0 - retention_ms;
                for (offset, number) in self.known.range(..start) {
                    // Deleted by request, or old.
                    let is_old = self.sent[*number] < limit;
                    assert!(is_old || *offset < self.starts_max(), "{offset} was not old enough");
                }
            }
        }
    }

    fn starts_max(&self) -> i64 {
        self.starts.iter().copied().max().unwrap_or(0)
    }

    /// What indexes find is what a look at everything finds.
    fn check_lookups(&self, content: &Content, broker: &mut Broker) {
        let (start, end) = (content.start_offset, content.high_watermark);
        assert_eq!(broker.list_offset(TOPIC, EARLIEST).offset, start);
        assert_eq!(broker.list_offset(TOPIC, LATEST).offset, end);
        for _ in 0..3 {
            if let Some(record) = some(broker, &content.records) {
                let fetched = bytes_of(broker.fetch(TOPIC, record.offset).records);
                let (first, _) = &parse(&fetched)[0];
                let range = first.base_offset.0..=first.last_offset().0;
                assert!(range.contains(&record.offset), "{range:?} holds {}", record.offset);
                let time = record.timestamp + broker.dice.pick(&[-1, 0, 1]);
                check_time(content, time, broker);
            }
        }
        let latest = content.records.iter().map(|record| record.timestamp).max();
        let expected = content.records.iter().find(|record| Some(record.timestamp) == latest);
        let found = broker.list_offset(TOPIC, MAX_TIMESTAMP);
        // What is deleted of a segment still counts for its greatest timestamp.
        let is_whole = broker.disk.files_of(DIRECTORY).contains_key(&format!("{start:020}.log"));
        let expected = expected.map_or(NO_OFFSET, |record| record.offset);
        assert!(!is_whole || found.offset == expected, "{expected} is the latest, not {found:?}");
        self.check_epochs(content, broker);
    }

    fn check_epochs(&self, content: &Content, broker: &mut Broker) {
        let epochs: Vec<i32> = content.records.iter().map(|record| record.epoch).collect();
        assert!(epochs.is_sorted(), "epochs ascend: {epochs:?}");
        let Some(record) = some(broker, &content.records) else { return };
        let later = content.records.iter().find(|other| other.epoch > record.epoch);
        let expected = later.map_or(content.high_watermark, |later| later.offset);
        let partition = OffsetForLeaderPartition {
            partition: 0,
            leader_epoch: record.epoch,
            ..Default::default()
        };
        let topics =
            vec![OffsetForLeaderTopic { topic: TOPIC.into(), partitions: vec![partition] }];
        let request = OffsetForLeaderEpochRequest { replica_id: -1, topics };
        let answer = broker.call(4, request).topics.remove(0).partitions.remove(0);
        assert_eq!(
            (answer.error_code, answer.leader_epoch, answer.end_offset),
            (0, record.epoch, expected),
            "the end of epoch {}",
            record.epoch
        );
    }
}

fn check_time(content: &Content, time: i64, broker: &mut Broker) {
    let expected = content.records.iter().find(|record| record.timestamp >= time);
    let expected = expected.map_or((NO_OFFSET, -1), |record| (record.offset, record.timestamp));
    let found = broker.list_offset(TOPIC, time);
    assert_eq!((found.offset, found.timestamp), expected, "the first record of {time} or later");
}

fn some<'a>(broker: &mut Broker, records: &'a [Seen]) -> Option<&'a Seen> {
    (!records.is_empty()).then(|| &records[broker.dice.below(records.len())])
}

fn numbers(content: &Content) -> Vec<Number> {
    let number = |record: &Seen| {
        let value = record.value.as_deref().expect("records have values");
        std::str::from_utf8(value).expect("they are numbers").parse().expect("they are numbers")
    };
    content.records.iter().map(number).collect()
}

struct Figures {
    is_failed: bool,
    size_bytes: u64,
}

/// How the partition is.
fn figures(broker: &mut Broker) -> Figures {
    let Inspection { partitions, .. } = broker.inspect();
    let partition = partitions.iter().find(|partition| partition.topic == TOPIC);
    let partition = partition.expect("the topic is there");
    Figures { is_failed: partition.is_failed, size_bytes: partition.size_bytes }
}
