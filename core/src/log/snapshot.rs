//! Snapshots of what a log's batches imply: producers and leader epochs, as of an offset, so that recovery need not read what
//! lies below.
//!
//! The file is Kafka's producer snapshot, version 1 (`<offset>.snapshot`), which remembers the last batch of each producer.
//! What Kafka does not keep follows in a section of our own, which its tools skip: the batches before the last, without which
//! a producer that repeats one of them after a crash would be refused; the leader epochs; and where in its segment the offset
//! is, so that recovery begins there without a search in indexes that may be damaged from there on.

use alloc::{collections::VecDeque, vec::Vec};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{
    LogPosition,
    epochs::Epochs,
    index::TimeEntry,
    producers::{BATCHES_REMEMBERED, Producer, Producers, RememberedBatch},
};
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// The extension of a snapshot's file.
pub const SNAPSHOT: &str = "snapshot";

const VERSION: i16 = 1;
const CHECKSUMMED_FROM: usize = 6;
/// Marks our own section: "ottl".
const SECTION: u32 = 0x6f74_746c;
/// Stands for no greatest timestamp: no producer may write an earlier one than -1.
const NO_TIMESTAMP: TimeEntry =
    TimeEntry { timestamp: Timestamp(i64::MIN), offset_delta: u32::MAX };
const NO_COORDINATOR: i32 = -1;
const NO_TRANSACTION: i64 = -1;

/// What a log's batches imply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Who wrote what last.
    pub producers: Producers,
    /// Which epoch began where.
    pub epochs: Epochs,
    /// Where the snapshot's offset is; a snapshot of Kafka's does not say.
    pub place: Option<Place>,
}

/// Where a snapshot's offset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// In its segment.
    pub position: LogPosition,
    /// How many entries of the segment's offset index lie below.
    pub offset_entries: u32,
    /// How many entries of the segment's time index lie below.
    pub time_entries: u32,
    /// The last of these.
    pub last_time_entry: Option<TimeEntry>,
    /// The greatest timestamp of the segment below.
    pub max_timestamp: Option<TimeEntry>,
}

/// The snapshot as a file.
pub fn encode(producers: &Producers, epochs: &Epochs, place: Place) -> Bytes {
    let mut buffer = BytesMut::new();
    buffer.put_i16(VERSION);
    buffer.put_u32(0);
    buffer.put_i32(count(producers.len()));
    for (id, producer) in producers.iter() {
        let last = producer.batches.back();
        buffer.put_i64(id.0);
        buffer.put_i16(producer.epoch.0);
        buffer.put_i32(last.map_or(-1, |batch| batch.last_sequence.0));
        buffer.put_i64(last.map_or(-1, |batch| batch.last_offset.0));
        buffer.put_i32(last.map_or(0, |batch| batch.offset_delta));
        buffer.put_i64(producer.last_write.0);
        buffer.put_i32(NO_COORDINATOR);
        buffer.put_i64(NO_TRANSACTION);
    }
    buffer.put_u32(SECTION);
    buffer.put_i64(place.position.offset.0);
    buffer.put_i64(place.position.segment.0);
    buffer.put_u32(place.position.byte);
    buffer.put_u32(place.offset_entries);
    buffer.put_u32(place.time_entries);
    for entry in [place.last_time_entry, place.max_timestamp] {
        let entry = entry.unwrap_or(NO_TIMESTAMP);
        buffer.put_i64(entry.timestamp.0);
        buffer.put_u32(entry.offset_delta);
    }
    buffer.put_i32(count(epochs.entries().len()));
    for entry in epochs.entries() {
        buffer.put_i32(entry.epoch.0);
        buffer.put_i64(entry.start_offset.0);
    }
    for (_, producer) in producers.iter() {
        buffer.put_i32(count(producer.batches.len()));
        for batch in &producer.batches {
            buffer.put_i32(batch.last_sequence.0);
            buffer.put_i64(batch.last_offset.0);
            buffer.put_i32(batch.offset_delta);
            buffer.put_i64(batch.timestamp.0);
        }
    }
    let checksum = crc32c::crc32c(&buffer[CHECKSUMMED_FROM..]);
    buffer[2..CHECKSUMMED_FROM].copy_from_slice(&checksum.to_be_bytes());
    buffer.freeze()
}

fn count(length: usize) -> i32 {
    i32::try_from(length).expect("a snapshot is smaller than 2 GiB")
}

/// Reads the file of the snapshot at `offset`; none if it is damaged, or another's: a crash may have come between what a file was
/// written over with and its new name.
pub fn decode_at(offset: Offset, bytes: &[u8]) -> Option<Snapshot> {
    let is_its = |found: &Snapshot| found.place.is_none_or(|place| place.position.offset == offset);
    decode(bytes).filter(is_its)
}

/// Reads a snapshot's file; none if it is damaged. One that Kafka wrote will do, with what it has.
pub fn decode(bytes: &[u8]) -> Option<Snapshot> {
    let mut rest = bytes;
    if rest.try_get_i16().ok()? != VERSION {
        return None;
    }
    if rest.try_get_u32().ok()? != crc32c::crc32c(bytes.get(CHECKSUMMED_FROM..)?) {
        return None;
    }
    let mut producers = Vec::new();
    for _ in 0..rest.try_get_i32().ok()? {
        producers.push(decode_producer(&mut rest)?);
    }
    let mut epochs = Epochs::default();
    let mut place = None;
    if rest.try_get_u32().ok() == Some(SECTION) {
        place = Some(decode_place(&mut rest)?);
        for _ in 0..rest.try_get_i32().ok()? {
            let epoch = LeaderEpoch(rest.try_get_i32().ok()?);
            epochs.assign(epoch, Offset(rest.try_get_i64().ok()?));
        }
        for (_, producer) in &mut producers {
            producer.batches = decode_batches(&mut rest)?;
        }
    }
    let mut snapshot = Snapshot { producers: Producers::default(), epochs, place };
    for (id, producer) in producers {
        snapshot.producers.restore(id, producer);
    }
    Some(snapshot)
}

fn decode_place(rest: &mut &[u8]) -> Option<Place> {
    let position = LogPosition {
        offset: Offset(rest.try_get_i64().ok()?),
        segment: Offset(rest.try_get_i64().ok()?),
        byte: rest.try_get_u32().ok()?,
    };
    let offset_entries = rest.try_get_u32().ok()?;
    let time_entries = rest.try_get_u32().ok()?;
    let last_time_entry = decode_time(rest)?;
    let max_timestamp = decode_time(rest)?;
    Some(Place { position, offset_entries, time_entries, last_time_entry, max_timestamp })
}

fn decode_time(rest: &mut &[u8]) -> Option<Option<TimeEntry>> {
    let timestamp = Timestamp(rest.try_get_i64().ok()?);
    let entry = TimeEntry { timestamp, offset_delta: rest.try_get_u32().ok()? };
    Some(Some(entry).filter(|entry| *entry != NO_TIMESTAMP))
}

fn decode_producer(rest: &mut &[u8]) -> Option<(ProducerId, Producer)> {
    let id = ProducerId(rest.try_get_i64().ok()?);
    let epoch = ProducerEpoch(rest.try_get_i16().ok()?);
    let last_sequence = Sequence(rest.try_get_i32().ok()?);
    let last_offset = Offset(rest.try_get_i64().ok()?);
    let offset_delta = rest.try_get_i32().ok()?;
    let timestamp = Timestamp(rest.try_get_i64().ok()?);
    let _coordinator_epoch = rest.try_get_i32().ok()?;
    let _transaction_start = rest.try_get_i64().ok()?;
    let last = RememberedBatch { last_sequence, last_offset, offset_delta, timestamp };
    let batches = (last_sequence.0 >= 0).then_some(last).into_iter().collect();
    Some((id, Producer { epoch, batches, last_write: timestamp }))
}

fn decode_batches(rest: &mut &[u8]) -> Option<VecDeque<RememberedBatch>> {
    let count = usize::try_from(rest.try_get_i32().ok()?).ok()?;
    if count > BATCHES_REMEMBERED {
        return None;
    }
    let mut batches = VecDeque::with_capacity(count);
    for _ in 0..count {
        batches.push_back(RememberedBatch {
            last_sequence: Sequence(rest.try_get_i32().ok()?),
            last_offset: Offset(rest.try_get_i64().ok()?),
            offset_delta: rest.try_get_i32().ok()?,
            timestamp: Timestamp(rest.try_get_i64().ok()?),
        });
    }
    Some(batches)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::batch::BatchProducer;

    const PLACE: Place = Place {
        position: LogPosition { offset: Offset(90), segment: Offset(60), byte: 4_000 },
        offset_entries: 3,
        time_entries: 2,
        last_time_entry: Some(TimeEntry { timestamp: Timestamp(70), offset_delta: 11 }),
        max_timestamp: Some(TimeEntry { timestamp: Timestamp(77), offset_delta: 21 }),
    };

    fn sample() -> Snapshot {
        let mut snapshot = Snapshot { place: Some(PLACE), ..Snapshot::default() };
        for batch in 0..8_i32 {
            for id in [7, 9] {
                let producer = BatchProducer {
                    id: ProducerId(id),
                    epoch: ProducerEpoch(1),
                    base_sequence: Sequence(batch * 3),
                };
                let last_offset = Offset(i64::from(batch) * 10 + id);
                snapshot.producers.note(producer, last_offset, 3, Timestamp(5), Timestamp(6));
            }
        }
        snapshot.epochs.assign(LeaderEpoch(3), Offset(0));
        snapshot.epochs.assign(LeaderEpoch(5), Offset(20));
        snapshot
    }

    #[test]
    fn there_and_back() {
        let sample = sample();
        assert_eq!(decode(&encode(&sample.producers, &sample.epochs, PLACE)), Some(sample));
    }

    #[test]
    fn another_file_under_its_name_is_noticed() {
        let bytes = encode(&Producers::default(), &Epochs::default(), PLACE);
        assert!(decode_at(PLACE.position.offset, &bytes).is_some());
        assert_eq!(decode_at(Offset(80), &bytes), None);
    }

    #[test]
    fn damage_is_noticed() {
        let sample = sample();
        let bytes = encode(&sample.producers, &sample.epochs, PLACE);
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1;
            assert_eq!(decode(&damaged), None, "byte {at}");
            assert_eq!(decode(&bytes[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn kafkas_own_part_alone_is_enough() {
        let mut kafka = BytesMut::new();
        kafka.put_i16(VERSION);
        kafka.put_u32(0);
        kafka.put_i32(1);
        kafka.put_i64(42);
        kafka.put_i16(0);
        kafka.put_i32(11);
        kafka.put_i64(100);
        kafka.put_i32(1);
        kafka.put_i64(1_000);
        kafka.put_i32(-1);
        kafka.put_i64(-1);
        let checksum = crc32c::crc32c(&kafka[CHECKSUMMED_FROM..]);
        kafka[2..CHECKSUMMED_FROM].copy_from_slice(&checksum.to_be_bytes());
        let snapshot = decode(&kafka).expect("it is intact");
        let (id, producer) = snapshot.producers.iter().next().expect("there is one");
        assert_eq!((id, producer.last_sequence()), (ProducerId(42), Some(Sequence(11))));
        assert_eq!(producer.batches[0].first_offset(), Offset(99));
    }
}
