//! Records of the journal: what one round has written to many logs, in one piece.
//!
//! A record begins at a block of its file and fills whole ones: to write the next one never touches a block that has been
//! synced. Its checksum covers all of it but the padding. Records of a file follow each other by number; what lies behind the
//! last of them is of an earlier use of the file, or was never finished.

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use crate::{
    disk::WriteData,
    mutants::{Mutant, planted},
    records::BATCH_HEADER_BYTES,
    types::{PartitionIndex, TopicId, TopicPartition, Uuid},
};

/// What the disk writes at once, or a multiple of it: no record shares one with another.
pub const BLOCK_BYTES: u64 = 4 << 10;

const MAGIC: [u8; 4] = *b"OtJ1";
/// The magic, the checksum, the number, and how many bytes of entries follow.
const HEADER_BYTES: usize = 4 + 4 + 8 + 4;
/// The topic, the partition, and how many bytes of batches follow.
const ENTRY_BYTES: usize = 16 + 4 + 4;
const CHECKSUMMED_FROM: usize = 8;
static PADDING: [u8; 4 << 10] = [0; 4 << 10];

/// A record that is being made.
#[derive(Debug, Default)]
pub struct RecordBuilder {
    /// All that is our own: headers of the record, of entries and of batches.
    own: BytesMut,
    /// The records of batches, and after which byte of `own` they go.
    bodies: Vec<(usize, Bytes)>,
    body_bytes: usize,
}

impl RecordBuilder {
    /// How large a record is that holds so many bytes of batches in so many entries.
    pub const fn size_of(entries: usize, batch_bytes: u64) -> u64 {
        let bytes = (HEADER_BYTES + entries * ENTRY_BYTES) as u64 + batch_bytes;
        bytes.next_multiple_of(BLOCK_BYTES)
    }

    /// Begins an entry, of so many bytes of batches.
    pub fn begin_entry(&mut self, id: TopicPartition, batch_bytes: u32) {
        if self.own.is_empty() {
            self.own.extend_from_slice(&[0; HEADER_BYTES]);
        }
        self.own.extend_from_slice(&id.topic.0.to_bytes());
        self.own.extend_from_slice(&id.partition.0.to_be_bytes());
        self.own.extend_from_slice(&batch_bytes.to_be_bytes());
    }

    /// Adds a batch to the entry.
    pub fn push_batch(&mut self, header: &[u8; BATCH_HEADER_BYTES], body: Bytes) {
        self.own.extend_from_slice(header);
        self.body_bytes += body.len();
        self.bodies.push((self.own.len(), body));
    }

    /// The record of this number.
    pub fn finish(mut self, sequence: u64) -> WriteData {
        let length = self.own.len() - HEADER_BYTES + self.body_bytes;
        let length = u32::try_from(length).expect("a record fits a file of the journal");
        self.own[..4].copy_from_slice(&MAGIC);
        self.own[8..16].copy_from_slice(&sequence.to_be_bytes());
        self.own[16..20].copy_from_slice(&length.to_be_bytes());
        let checksum = self.checksum();
        self.own[4..8].copy_from_slice(&checksum.to_be_bytes());
        let own = self.own.freeze();
        let mut pieces = Vec::with_capacity(self.bodies.len() * 2 + 1);
        let mut from = 0;
        for (to, body) in self.bodies {
            pieces.push(own.slice(from..to));
            pieces.push(body);
            from = to;
        }
        let bytes = own.len() + self.body_bytes;
        let padding = bytes.next_multiple_of(PADDING.len()) - bytes;
        pieces.push(Bytes::from_static(&PADDING[..padding]));
        WriteData::Pieces(pieces)
    }

    fn checksum(&self) -> u32 {
        let mut checksum = 0;
        let mut from = CHECKSUMMED_FROM;
        for (to, body) in &self.bodies {
            checksum = crc32c::crc32c_append(checksum, &self.own[from..*to]);
            checksum = crc32c::crc32c_append(checksum, body);
            from = *to;
        }
        checksum
    }
}

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub sequence: u64,
    /// The batches of each log, one after the other.
    pub entries: Vec<(TopicPartition, Bytes)>,
}

/// The intact records at the beginning of a file of the journal, each numbered one more than the one before.
pub fn read_all(file: &Bytes) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut at = 0;
    while let Some((record, length)) = file.get(at..).and_then(|_| read(&file.slice(at..))) {
        let follows = records.last().is_none_or(|last| record.sequence == last.sequence + 1);
        if !follows && !planted(Mutant::TornRecordReplayed) {
            break;
        }
        records.push(record);
        at += length;
    }
    records
}

/// The record at the beginning of `bytes`, and how many bytes it fills.
fn read(bytes: &Bytes) -> Option<(Record, usize)> {
    let header = bytes.get(..HEADER_BYTES)?;
    if header[..4] != MAGIC {
        return None;
    }
    let checksum = u32::from_be_bytes(field(header, 4));
    let sequence = u64::from_be_bytes(field(header, 8));
    let length = usize::try_from(u32::from_be_bytes(field(header, 16))).ok()?;
    let whole = bytes.get(CHECKSUMMED_FROM..HEADER_BYTES + length)?;
    if crc32c::crc32c(whole) != checksum && !planted(Mutant::TornRecordReplayed) {
        return None;
    }
    let mut rest = bytes.slice(HEADER_BYTES..HEADER_BYTES + length);
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let entry = rest.get(..ENTRY_BYTES)?;
        let topic = TopicId(Uuid::from_bytes(field(entry, 0)));
        let partition = PartitionIndex(i32::from_be_bytes(field(entry, 16)));
        let end = ENTRY_BYTES + usize::try_from(u32::from_be_bytes(field(entry, 20))).ok()?;
        if end > rest.len() {
            return None;
        }
        entries.push((TopicPartition { topic, partition }, rest.slice(ENTRY_BYTES..end)));
        rest = rest.slice(end..);
    }
    let filled = (HEADER_BYTES + length).next_multiple_of(PADDING.len());
    Some((Record { sequence, entries }, filled))
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("the header was found whole")
}
