//! The header of a batch, and what makes a batch acceptable.

use core::fmt;

use super::{Compression, Records};
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// The length of a batch's header.
pub const BATCH_HEADER_BYTES: usize = 61;
/// The length of what precedes a batch's own count of its bytes: base offset and the count.
pub const LOG_OVERHEAD_BYTES: usize = 12;
/// Where the part begins that the checksum covers. Before it stand base offset, length, leader epoch, magic and checksum:
/// a broker may set the first and the third without a new checksum.
pub const CHECKSUMMED_FROM: usize = 21;
/// The format version that is understood.
pub const MAGIC: i8 = 2;

const COMPRESSION_MASK: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;

/// What leads a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the batch's first record.
    pub base_offset: Offset,
    /// The length of the whole batch in bytes, its header included.
    pub size_bytes: usize,
    /// The epoch of the leader that appended the batch.
    pub leader_epoch: LeaderEpoch,
    /// The checksum that the batch claims to have.
    pub checksum: u32,
    /// Compression, kind of timestamp, and whether it is transactional or a control batch.
    pub attributes: Attributes,
    /// The last record's offset less the base offset; stays when compaction takes records away.
    pub last_offset_delta: i32,
    /// The timestamp that the records' deltas count from.
    pub base_timestamp: Timestamp,
    /// The greatest timestamp of a record.
    pub max_timestamp: Timestamp,
    /// The idempotent producer, if one wrote the batch.
    pub producer: Option<BatchProducer>,
    /// How many records follow.
    pub record_count: i32,
}

/// The producer's part of a batch's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchProducer {
    /// Who.
    pub id: ProducerId,
    /// In which incarnation.
    pub epoch: ProducerEpoch,
    /// The sequence of the first record.
    pub base_sequence: Sequence,
}

/// A batch's attribute bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    /// How the records are compressed, if the number is known.
    pub const fn compression(self) -> Option<Compression> {
        Compression::from_code(self.0 & COMPRESSION_MASK)
    }

    /// The same attributes, of records that are not compressed.
    #[must_use]
    pub const fn without_compression(self) -> Self {
        Self(self.0 & !COMPRESSION_MASK)
    }

    /// Whether the broker's clock stamped the records; all of them have the batch's greatest timestamp then.
    pub const fn is_log_append_time(self) -> bool {
        self.0 & LOG_APPEND_TIME != 0
    }

    /// The same attributes, stamped by the broker's clock.
    #[must_use]
    pub const fn with_log_append_time(self) -> Self {
        Self(self.0 | LOG_APPEND_TIME)
    }

    /// The same attributes, with the producer's timestamps.
    #[must_use]
    pub const fn without_log_append_time(self) -> Self {
        Self(self.0 & !LOG_APPEND_TIME)
    }

    /// Whether the batch belongs to a transaction.
    pub const fn is_transactional(self) -> bool {
        self.0 & TRANSACTIONAL != 0
    }

    /// Whether the batch holds markers for the broker and not records for a consumer.
    pub const fn is_control(self) -> bool {
        self.0 & CONTROL != 0
    }

    /// Whether the base timestamp is the time from which the batch's tombstones may go (KIP-534).
    pub const fn has_delete_horizon(self) -> bool {
        self.0 & DELETE_HORIZON != 0
    }

    /// The same attributes, with a delete horizon in place of the base timestamp.
    #[must_use]
    pub const fn with_delete_horizon(self) -> Self {
        Self(self.0 | DELETE_HORIZON)
    }
}

/// Why bytes are not an acceptable batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchError {
    /// The bytes end within the header or within the batch.
    Incomplete,
    /// The batch claims a length that is less than its header's.
    TooSmall,
    /// The format version is not 2.
    Magic(i8),
    /// The checksum does not match: the batch was damaged on its way.
    Checksum {
        /// What the header says.
        expected: u32,
        /// What the bytes have.
        actual: u32,
    },
    /// The number of records does not match the offsets.
    Count,
    /// The codec's number is unknown.
    Compression,
    /// The records cannot be decompressed, or become too large.
    Decompress,
    /// A record is malformed, out of order, or missing.
    Record,
    /// A record has no key, in a topic that is compacted.
    MissingKey {
        /// Which one, from 0.
        record: i32,
    },
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete => f.write_str("the batch is cut off"),
            Self::TooSmall => f.write_str("the batch is smaller than its header"),
            Self::Magic(magic) => write!(f, "the batch has format version {magic}, not {MAGIC}"),
            Self::Checksum { expected, actual } => {
                write!(f, "the batch's checksum is {actual:#010x}, not {expected:#010x}")
            }
            Self::Count => f.write_str("the batch's record count does not match its offsets"),
            Self::Compression => f.write_str("the batch's codec is unknown"),
            Self::Decompress => super::compression::DecompressError.fmt(f),
            Self::Record => f.write_str("a record of the batch is malformed"),
            Self::MissingKey { record } => {
                write!(f, "record {record} has no key, but the topic is compacted")
            }
        }
    }
}

impl core::error::Error for BatchError {}

fn field<const N: usize>(bytes: &[u8; BATCH_HEADER_BYTES], at: usize) -> [u8; N] {
    core::array::from_fn(|index| bytes[at + index])
}

impl BatchHeader {
    /// Reads the header that `bytes` begin with. Only its form is checked; the batch may be longer than `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let bytes = bytes.first_chunk::<BATCH_HEADER_BYTES>().ok_or(BatchError::Incomplete)?;
        let magic = i8::from_be_bytes(field(bytes, 16));
        if magic != MAGIC {
            return Err(BatchError::Magic(magic));
        }
        let length = i32::from_be_bytes(field(bytes, 8));
        let size_bytes =
            usize::try_from(length).map_err(|_| BatchError::TooSmall)? + LOG_OVERHEAD_BYTES;
        if size_bytes < BATCH_HEADER_BYTES {
            return Err(BatchError::TooSmall);
        }
        let producer_id = i64::from_be_bytes(field(bytes, 43));
        Ok(Self {
            base_offset: Offset(i64::from_be_bytes(field(bytes, 0))),
            size_bytes,
            leader_epoch: LeaderEpoch(i32::from_be_bytes(field(bytes, 12))),
            checksum: u32::from_be_bytes(field(bytes, 17)),
            attributes: Attributes(i16::from_be_bytes(field(bytes, 21))),
            last_offset_delta: i32::from_be_bytes(field(bytes, 23)),
            base_timestamp: Timestamp(i64::from_be_bytes(field(bytes, 27))),
            max_timestamp: Timestamp(i64::from_be_bytes(field(bytes, 35))),
            producer: (producer_id >= 0).then(|| BatchProducer {
                id: ProducerId(producer_id),
                epoch: ProducerEpoch(i16::from_be_bytes(field(bytes, 51))),
                base_sequence: Sequence(i32::from_be_bytes(field(bytes, 53))),
            }),
            record_count: i32::from_be_bytes(field(bytes, 57)),
        })
    }

    /// The header as bytes.
    pub fn to_bytes(&self) -> [u8; BATCH_HEADER_BYTES] {
        let mut bytes = [0; BATCH_HEADER_BYTES];
        let length = u32::try_from(self.size_bytes - LOG_OVERHEAD_BYTES)
            .expect("a batch is smaller than 2 GiB");
        let producer = self.producer.unwrap_or(NO_PRODUCER);
        bytes[0..8].copy_from_slice(&self.base_offset.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.leader_epoch.0.to_be_bytes());
        bytes[16] = MAGIC.cast_unsigned();
        bytes[17..21].copy_from_slice(&self.checksum.to_be_bytes());
        bytes[21..23].copy_from_slice(&self.attributes.0.to_be_bytes());
        bytes[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        bytes[27..35].copy_from_slice(&self.base_timestamp.0.to_be_bytes());
        bytes[35..43].copy_from_slice(&self.max_timestamp.0.to_be_bytes());
        bytes[43..51].copy_from_slice(&producer.id.0.to_be_bytes());
        bytes[51..53].copy_from_slice(&producer.epoch.0.to_be_bytes());
        bytes[53..57].copy_from_slice(&producer.base_sequence.0.to_be_bytes());
        bytes[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        bytes
    }

    /// The header with the checksum that it needs before `body`.
    #[must_use]
    pub fn sealed(mut self, body: &[u8]) -> Self {
        let checksummed = crc32c::crc32c(&self.to_bytes()[CHECKSUMMED_FROM..]);
        self.checksum = crc32c::crc32c_append(checksummed, body);
        self
    }

    /// The offset of the last record. Saturates: the checksum does not cover the base offset, which may be anything.
    pub const fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0.saturating_add(self.last_offset_delta as i64))
    }

    /// The offset after the last record; saturates as well.
    pub const fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.saturating_add(1))
    }

    /// The timestamp of a record of the batch.
    pub fn timestamp_of(&self, timestamp_delta: i64) -> Timestamp {
        if self.attributes.is_log_append_time() {
            self.max_timestamp
        } else {
            Timestamp(self.base_timestamp.0.saturating_add(timestamp_delta))
        }
    }
}

/// How a header says that no idempotent producer wrote the batch.
const NO_PRODUCER: BatchProducer =
    BatchProducer { id: ProducerId(-1), epoch: ProducerEpoch(-1), base_sequence: Sequence(-1) };

/// Checks the batch that `bytes` begin with as far as its checksum goes, and returns its header.
pub fn verify(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
    let header = BatchHeader::parse(bytes)?;
    let batch = bytes.get(..header.size_bytes).ok_or(BatchError::Incomplete)?;
    let actual = crc32c::crc32c(&batch[CHECKSUMMED_FROM..]);
    if actual != header.checksum {
        return Err(BatchError::Checksum { expected: header.checksum, actual });
    }
    if header.last_offset_delta < 0 || header.record_count < 0 {
        return Err(BatchError::Count);
    }
    Ok(header)
}

/// What a producer's batch must be, beyond intact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirements {
    /// Each record needs a key, for compaction goes by keys.
    pub keys: bool,
}

/// A batch that was found to be in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validated {
    /// Its header, with the true greatest timestamp.
    pub header: BatchHeader,
    /// The least timestamp of a record, as far as it was looked for.
    pub min_timestamp: Timestamp,
}

/// Checks an [intact](verify) batch as a producer sends it: that its records are as many as the header says, at consecutive
/// offsets, and well formed. Compressed records are looked into only where `requirements` make it necessary: the checksum has
/// shown that they are as the producer made them.
pub fn validate(
    header: &BatchHeader,
    batch: &[u8],
    requirements: Requirements,
) -> Result<Validated, BatchError> {
    if header.record_count <= 0 || header.record_count - 1 != header.last_offset_delta {
        return Err(BatchError::Count);
    }
    let compression = header.attributes.compression().ok_or(BatchError::Compression)?;
    let body = &batch[BATCH_HEADER_BYTES..header.size_bytes];
    if compression == Compression::None {
        return validate_records(header, body, requirements);
    }
    if requirements.keys {
        let body = compression.decompress(body).map_err(|_| BatchError::Decompress)?;
        validate_records(header, &body, requirements)?;
    }
    let min_timestamp = header.base_timestamp.min(header.max_timestamp);
    Ok(Validated { header: *header, min_timestamp })
}

fn validate_records(
    header: &BatchHeader,
    body: &[u8],
    requirements: Requirements,
) -> Result<Validated, BatchError> {
    let mut count = 0;
    let mut max_timestamp = Timestamp::NONE;
    let mut min_timestamp = Timestamp(i64::MAX);
    for record in Records::new(body) {
        let record = record.map_err(|_| BatchError::Record)?;
        if record.offset_delta != count {
            return Err(BatchError::Record);
        }
        if requirements.keys && record.key.is_none() {
            return Err(BatchError::MissingKey { record: count });
        }
        let timestamp = header.timestamp_of(record.timestamp_delta);
        max_timestamp = max_timestamp.max(timestamp);
        min_timestamp = min_timestamp.min(timestamp);
        count += 1;
    }
    if count != header.record_count {
        return Err(BatchError::Record);
    }
    Ok(Validated { header: BatchHeader { max_timestamp, ..*header }, min_timestamp })
}
