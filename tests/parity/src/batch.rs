//! Record batches: made, broken on purpose, and shown.

use bytes::Bytes;
use ottla_core::{
    records::{
        BATCH_HEADER_BYTES, BatchBuilder, BatchHeader, Compression, Header, Record, Records,
        batch::{BatchProducer, CHECKSUMMED_FROM},
    },
    types::{ProducerEpoch, ProducerId, Sequence, Timestamp},
};

use crate::tree::{NULL, Tree};

/// The timestamp of a first record: long ago, so that it is told from the broker's own.
pub(crate) const T0: i64 = 1_700_000_000_000;

/// Where the fields of a batch's header begin.
pub(crate) mod at {
    pub(crate) const BASE_OFFSET: usize = 0;
    pub(crate) const LENGTH: usize = 8;
    pub(crate) const LEADER_EPOCH: usize = 12;
    pub(crate) const MAGIC: usize = 16;
    pub(crate) const CHECKSUM: usize = 17;
    pub(crate) const ATTRIBUTES: usize = 21;
    pub(crate) const LAST_OFFSET_DELTA: usize = 23;
    pub(crate) const MAX_TIMESTAMP: usize = 35;
    pub(crate) const RECORD_COUNT: usize = 57;
}

/// A batch with one record for each value, a millisecond apart.
pub(crate) fn batch(values: &[&str]) -> Bytes {
    compressed(Compression::None, values)
}

/// As [`batch`], compressed.
pub(crate) fn compressed(compression: Compression, values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(compression);
    push_values(&mut builder, values);
    builder.build()
}

/// As [`batch`], of an idempotent producer.
pub(crate) fn from_producer(id: i64, epoch: i16, sequence: i32, values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None).with_producer(BatchProducer {
        id: ProducerId(id),
        epoch: ProducerEpoch(epoch),
        base_sequence: Sequence(sequence),
    });
    push_values(&mut builder, values);
    builder.build()
}

fn push_values(builder: &mut BatchBuilder, values: &[&str]) {
    for (value, timestamp) in values.iter().zip(T0..) {
        builder.push(Timestamp(timestamp), Some(b"k"), Some(value.as_bytes()), &[]);
    }
}

/// A batch with one record at each of these times.
pub(crate) fn at_times(compression: Compression, timestamps: &[i64]) -> Bytes {
    let mut builder = BatchBuilder::new(compression);
    for &timestamp in timestamps {
        builder.push(Timestamp(timestamp), Some(b"k"), Some(b"v"), &[]);
    }
    builder.build()
}

/// A batch with one record for each key and value, either of which may be null.
pub(crate) fn keyed(records: &[(Option<&str>, Option<&str>)]) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    for ((key, value), timestamp) in records.iter().zip(T0..) {
        let (key, value) = (key.map(str::as_bytes), value.map(str::as_bytes));
        builder.push(Timestamp(timestamp), key, value, &[]);
    }
    builder.build()
}

/// A batch with one record that has headers.
pub(crate) fn with_headers(headers: &[(&str, Option<&str>)]) -> Bytes {
    let headers: Vec<Header<'_>> = headers
        .iter()
        .map(|&(key, value)| Header { key, value: value.map(str::as_bytes) })
        .collect();
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(Timestamp(T0), Some(b"k"), Some(b"v"), &headers);
    builder.build()
}

/// Overwrites bytes of a batch; its checksum no longer matches.
pub(crate) fn damaged(batch: &Bytes, at: usize, bytes: &[u8]) -> Bytes {
    let mut batch = batch.to_vec();
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    batch.into()
}

/// Overwrites bytes of a batch and gives it the checksum that it needs then.
pub(crate) fn altered(batch: &Bytes, at: usize, bytes: &[u8]) -> Bytes {
    let batch = damaged(batch, at, bytes);
    let checksum = crc32c::crc32c(&batch[CHECKSUMMED_FROM..]);
    damaged(&batch, at::CHECKSUM, &checksum.to_be_bytes())
}

/// A batch with other bytes in place of its records, and length and checksum to match.
pub(crate) fn with_body(batch: &Bytes, body: &[u8]) -> Bytes {
    let batch: Bytes = [&batch[..BATCH_HEADER_BYTES], body].concat().into();
    let length = i32::try_from(batch.len() - 12).expect("a small batch");
    altered(&batch, at::LENGTH, &length.to_be_bytes())
}

/// Several batches, one after the other.
pub(crate) fn concat(batches: &[Bytes]) -> Bytes {
    batches.concat().into()
}

/// Batches as a tree: their headers, and their records if they can be read.
pub(crate) fn shown(mut bytes: &[u8]) -> Tree {
    let mut batches = Vec::new();
    while !bytes.is_empty() {
        let whole =
            BatchHeader::parse(bytes).ok().filter(|header| header.size_bytes <= bytes.len());
        let Some(header) = whole else {
            batches.push(Tree::Atom(format!("<{} bytes that are no batch>", bytes.len())));
            break;
        };
        let (batch, rest) = bytes.split_at(header.size_bytes);
        batches.push(shown_batch(&header, batch));
        bytes = rest;
    }
    Tree::List(batches)
}

/// What a batch's header says that its records do not, and the records.
fn shown_batch(header: &BatchHeader, batch: &[u8]) -> Tree {
    let compression = header.attributes.compression();
    let body = &batch[BATCH_HEADER_BYTES..];
    let records: Option<Vec<Tree>> =
        compression.and_then(|compression| compression.decompress(body).ok()).and_then(|body| {
            Records::new(&body).map(|record| record.ok().as_ref().map(shown_record)).collect()
        });
    let count = records.as_ref().map(Vec::len);
    let mut fields = vec![("offset".to_owned(), Tree::atom(header.base_offset))];
    let mut field = |name: &str, value: Tree| fields.push((name.to_owned(), value));
    // What another compressor makes of the records may have another size.
    if compression == Some(Compression::None) {
        field("bytes", Tree::atom(header.size_bytes));
    }
    if crc32c::crc32c(&batch[CHECKSUMMED_FROM..]) != header.checksum {
        field("checksum", Tree::atom("wrong"));
    }
    field("epoch", Tree::atom(header.leader_epoch));
    if header.attributes.0 != 0 {
        field("attributes", Tree::atom(format_args!("{:#b}", header.attributes.0)));
    }
    field("base_timestamp", Tree::atom(header.base_timestamp));
    if header.max_timestamp != header.base_timestamp {
        field("max_timestamp", Tree::atom(header.max_timestamp));
    }
    if let Some(producer) = header.producer {
        field("producer_id", Tree::atom(producer.id));
        field("producer_epoch", Tree::atom(producer.epoch));
        field("sequence", Tree::atom(producer.base_sequence));
    }
    if usize::try_from(header.record_count).ok() != count {
        field("record_count", Tree::atom(header.record_count));
    }
    if header.last_offset_delta.checked_add(1) != Some(header.record_count) {
        field("last_offset_delta", Tree::atom(header.last_offset_delta));
    }
    field("records", records.map_or_else(|| Tree::atom("<unreadable>"), Tree::List));
    Tree::Struct(fields)
}

const YEAR_MS: i64 = 365 * 24 * 3_600_000;

/// A record on one line: offset and timestamp as they differ from the batch's, key, value, headers.
fn shown_record(record: &Record<'_>) -> Tree {
    let headers: Vec<String> = record
        .headers()
        .map(|header| format!("{}: {}", header.key, shown_bytes(header.value)))
        .collect();
    let headers =
        if headers.is_empty() { String::new() } else { format!(" {{{}}}", headers.join(", ")) };
    // So far apart are only a time of the present and one that a case made up.
    let time = if record.timestamp_delta.abs() > YEAR_MS {
        "years".to_owned()
    } else {
        format!("{}ms", record.timestamp_delta)
    };
    let (key, value) = (shown_bytes(record.key), shown_bytes(record.value));
    Tree::Atom(format!("+{} +{time} {key}={value}{headers}", record.offset_delta))
}

fn shown_bytes(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| NULL.to_owned(), |bytes| Tree::Binary(bytes.to_vec()).on_one_line())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_shown_with_its_records() {
        let shown = shown(&batch(&["a", "b"])).on_one_line();
        assert!(shown.contains("+1 +1ms b\"k\"=b\"b\""), "{shown}");
        assert!(!shown.contains("checksum"), "{shown}");
    }

    #[test]
    fn damage_is_shown() {
        let good = batch(&["a"]);
        let whole = concat(&[damaged(&good, at::MAX_TIMESTAMP, &[1]), good.slice(..65)]);
        let shown = shown(&whole).on_one_line();
        assert!(shown.contains("checksum: wrong"), "{shown}");
        assert!(shown.contains("<65 bytes that are no batch>"), "{shown}");
        let altered = altered(&good, at::MAX_TIMESTAMP, &[0]);
        assert!(!super::shown(&altered).on_one_line().contains("checksum"));
    }
}
