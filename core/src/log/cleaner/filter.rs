//! What compaction does with batches: pure computations over what was read of a segment, run beside the shard.

use alloc::{collections::BTreeMap, vec::Vec};
use core::ops::Range;

use bytes::Bytes;

use super::keys::KeyMap;
use crate::{
    mutants::{Mutant, planted},
    records::{
        BATCH_HEADER_BYTES, BatchHeader, Record, Records,
        batch::{self, BatchError},
    },
    types::{Offset, ProducerId, Timestamp},
};

/// Bytes of a segment, from the beginning of a batch on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The bytes.
    pub bytes: Bytes,
    /// Whether these are the segment's last.
    pub is_last: bool,
    /// The offsets that its records may have. No checksum covers a batch's base offset, so that it may be anything.
    pub offsets: Range<Offset>,
}

/// How much of a chunk was dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumed {
    /// All batches that it holds whole.
    Batches {
        /// So many bytes.
        bytes: usize,
        /// What follows has this offset or a later one.
        next_offset: Offset,
    },
    /// Not even its first batch, which has so many bytes.
    Needs(usize),
}

/// Goes through a chunk batch by batch. Offsets ascend within what they may be, so that nobody after this need doubt them.
fn for_each_batch(
    chunk: &Chunk,
    mut take: impl FnMut(&BatchHeader, &Bytes) -> Result<(), BatchError>,
) -> Result<Consumed, BatchError> {
    let mut consumed = 0;
    let Range { start: mut next_offset, end } = chunk.offsets;
    loop {
        let rest = chunk.bytes.slice(consumed..);
        match batch::verify(&rest) {
            Ok(header) if header.base_offset < next_offset || header.last_offset() >= end => {
                return Err(BatchError::Count);
            }
            Ok(header) => {
                next_offset = header.next_offset();
                take(&header, &rest.slice(..header.size_bytes))?;
                consumed += header.size_bytes;
            }
            Err(BatchError::Incomplete) if chunk.is_last && !rest.is_empty() => {
                return Err(BatchError::Incomplete);
            }
            Err(BatchError::Incomplete) if consumed == 0 => {
                return BatchHeader::parse(&rest).map(|header| Consumed::Needs(header.size_bytes));
            }
            Err(BatchError::Incomplete) => {
                return Ok(Consumed::Batches { bytes: consumed, next_offset });
            }
            Err(error) => return Err(error),
        }
    }
}

/// Lets `take` see the records of a batch.
fn for_each_record(
    header: &BatchHeader,
    batch: &Bytes,
    mut take: impl FnMut(&Record<'_>),
) -> Result<(), BatchError> {
    let codec = header.attributes.compression().ok_or(BatchError::Compression)?;
    let body =
        codec.decompress(&batch[BATCH_HEADER_BYTES..]).map_err(|_| BatchError::Decompress)?;
    for record in Records::new(&body) {
        take(&record.map_err(|_| BatchError::Record)?);
    }
    Ok(())
}

/// Takes note of the keys of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexKeys {
    /// The chunk.
    pub chunk: Chunk,
    /// The keys so far.
    pub keys: KeyMap,
    /// Records below this are none of its business.
    pub from: Offset,
}

/// The keys of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysIndexed {
    /// The keys so far.
    pub keys: KeyMap,
    /// How much was dealt with.
    pub consumed: Result<Consumed, BatchError>,
    /// There was no memory for the key of the record at this offset: what lies from here on has to wait.
    pub full_at: Option<Offset>,
}

impl IndexKeys {
    /// Carries it out.
    pub fn run(self) -> KeysIndexed {
        let Self { chunk, mut keys, from } = self;
        let mut full_at = None;
        let consumed = for_each_batch(&chunk, |header, batch| {
            if header.attributes.is_control() || header.last_offset() < from || full_at.is_some() {
                return Ok(());
            }
            for_each_record(header, batch, |record| {
                let offset = header.base_offset + i64::from(record.offset_delta);
                let Some(key) = record.key.filter(|_| offset >= from && full_at.is_none()) else {
                    return;
                };
                if !keys.insert(key, offset) {
                    full_at = Some(offset);
                }
            })
        });
        KeysIndexed { keys, consumed, full_at }
    }
}

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// From this offset on everything is.
    pub limit: Offset,
    /// When the compaction began.
    pub now: Timestamp,
    /// How long a tombstone is kept after it was first compacted: `delete.retention.ms`.
    pub delete_retention_ms: i64,
    /// The last offset of each producer's last batch: that batch is kept even when it is empty, for its sequence number.
    pub last_batches: BTreeMap<ProducerId, Offset>,
}

/// Leaves out of a chunk what is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The chunk.
    pub chunk: Chunk,
    /// The newest offset of each key.
    pub keys: KeyMap,
    /// What is kept.
    pub rules: Rules,
}

/// What is left of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filtered {
    /// The newest offset of each key.
    pub keys: KeyMap,
    /// What is kept.
    pub rules: Rules,
    /// How much was dealt with.
    pub consumed: Result<Consumed, BatchError>,
    /// The batches that are left, one after the other.
    pub bytes: Bytes,
    /// Their headers.
    pub headers: Vec<BatchHeader>,
}

impl Filter {
    /// Carries it out.
    pub fn run(self) -> Filtered {
        let Self { chunk, keys, rules } = self;
        let mut bytes = Vec::with_capacity(chunk.bytes.len());
        let mut headers = Vec::new();
        let consumed = for_each_batch(&chunk, |header, batch| {
            let before = bytes.len();
            let header = filter_batch(header, batch, &keys, &rules, &mut bytes)?;
            debug_assert!(header.is_some() || bytes.len() == before, "what is gone has no bytes");
            headers.extend(header);
            Ok(())
        });
        Filtered { keys, rules, consumed, bytes: bytes.into(), headers }
    }
}

/// Appends to `out` what is kept of a batch, and returns its header if anything is.
fn filter_batch(
    header: &BatchHeader,
    batch: &Bytes,
    keys: &KeyMap,
    rules: &Rules,
    out: &mut Vec<u8>,
) -> Result<Option<BatchHeader>, BatchError> {
    // Nothing decides yet when the end of a transaction need not be known any more.
    if header.attributes.is_control() || header.base_offset >= rules.limit {
        out.extend_from_slice(batch);
        return Ok(Some(*header));
    }
    let codec = header.attributes.compression().ok_or(BatchError::Compression)?;
    let body =
        codec.decompress(&batch[BATCH_HEADER_BYTES..]).map_err(|_| BatchError::Decompress)?;
    // Records are gone through twice rather than gathered: in memory each takes many times the bytes that it may have here.
    let mut kept_count = 0;
    let mut has_tombstones = false;
    for record in Records::new(&body) {
        let record = record.map_err(|_| BatchError::Record)?;
        if is_kept(header, &record, keys, rules) {
            has_tombstones |= record.value.is_none();
            kept_count += 1;
        }
    }
    let sets_horizon = has_tombstones && !header.attributes.has_delete_horizon();
    if kept_count == header.record_count && !sets_horizon {
        out.extend_from_slice(batch);
        return Ok(Some(*header));
    }
    if kept_count == 0 && !is_last_of_producer(header, rules) {
        return Ok(None);
    }
    let kept = Records::new(&body).filter_map(Result::ok);
    let kept = kept.filter(|record| is_kept(header, record, keys, rules));
    let rewritten = rewrite(header, kept, sets_horizon.then_some(rules));
    let body =
        if kept_count == 0 { rewritten.body.into() } else { codec.compress(&rewritten.body) };
    let size_bytes = BATCH_HEADER_BYTES + body.len();
    let header = BatchHeader { size_bytes, ..rewritten.header }.sealed(&body);
    out.extend_from_slice(&header.to_bytes());
    out.extend_from_slice(&body);
    Ok(Some(header))
}

/// Whether this record is the newest of its key, and not a tombstone that has been there long enough
/// (KIP-534). A record without a key cannot be superseded, and has no place in a
/// compacted log.
fn is_kept(header: &BatchHeader, record: &Record<'_>, keys: &KeyMap, rules: &Rules) -> bool {
    let offset = header.base_offset + i64::from(record.offset_delta);
    if offset >= rules.limit {
        return true;
    }
    let Some(key) = record.key else { return false };
    let is_newest = keys.newest(key).is_none_or(|newest| offset >= newest)
        && !(planted(Mutant::CompactionDropsNewest) && keys.newest(key) == Some(offset));
    is_newest && (record.value.is_some() || !horizon_has_passed(header, rules.now))
}

/// The horizon stands in the place of the base timestamp.
fn horizon_has_passed(header: &BatchHeader, now: Timestamp) -> bool {
    planted(Mutant::TombstoneTooEarly)
        || header.attributes.has_delete_horizon() && header.base_timestamp <= now
}

fn is_last_of_producer(header: &BatchHeader, rules: &Rules) -> bool {
    header
        .producer
        .is_some_and(|producer| rules.last_batches.get(&producer.id) == Some(&header.last_offset()))
}

struct Rewritten {
    header: BatchHeader,
    body: Vec<u8>,
}

/// The batch with these records only: their offsets stay, and with them the offsets that the batch spans.
fn rewrite<'a>(
    header: &BatchHeader,
    kept: impl Iterator<Item = Record<'a>>,
    new_horizon: Option<&Rules>,
) -> Rewritten {
    let mut header = *header;
    let old_base = header.base_timestamp;
    if let Some(rules) = new_horizon {
        let horizon = rules.now.0.saturating_add(rules.delete_retention_ms);
        header.base_timestamp = Timestamp(horizon);
        header.attributes = header.attributes.with_delete_horizon();
    }
    let mut body = Vec::new();
    let mut max_timestamp = Timestamp::NONE;
    let mut count = 0;
    for record in kept {
        count += 1;
        let timestamp = Timestamp(old_base.0.saturating_add(record.timestamp_delta));
        max_timestamp = max_timestamp.max(timestamp);
        if new_horizon.is_some() {
            let delta = timestamp.0.saturating_sub(header.base_timestamp.0);
            record.put_with_timestamp(delta, &mut body);
        } else {
            body.extend_from_slice(record.bytes);
        }
    }
    if !header.attributes.is_log_append_time() && count > 0 {
        header.max_timestamp = max_timestamp;
    }
    header.record_count = count;
    if count == 0 {
        // Nothing is not what any codec makes of nothing.
        header.attributes = header.attributes.without_compression();
    }
    Rewritten { header, body }
}
