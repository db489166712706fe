//! Record batches as a broker sends them, into records.

use std::borrow::Cow;

use bytes::Bytes;
use ottla_core::{
    records::{BATCH_HEADER_BYTES, BatchError, BatchHeader, Record, Records, batch::verify},
    types::{Offset, Timestamp},
};

use super::{ConsumerRecord, CorruptRecords};
use crate::client::TopicPartition;

/// Appends the records from `position` on and returns the position behind them. A batch that is cut off at the end is for
/// the next fetch.
pub(super) fn decode(
    mut batches: Bytes,
    partition: &TopicPartition,
    position: Offset,
    records: &mut Vec<ConsumerRecord>,
) -> Result<Offset, CorruptRecords> {
    let mut next = position;
    let any = !batches.is_empty();
    while !batches.is_empty() {
        let header = match verify(&batches) {
            Ok(header) => header,
            Err(BatchError::Incomplete) => break,
            Err(error) => return Err(CorruptRecords::Batch(error)),
        };
        let batch = batches.split_to(header.size_bytes);
        // A broker begins with the whole batch that holds the offset; compaction may leave a batch without its last ones.
        if header.next_offset() <= next {
            continue;
        }
        // Control batches are marks between brokers and transactional producers.
        if !header.attributes.is_control() {
            decode_batch(&header, &batch, partition, next, records)?;
        }
        next = header.next_offset();
    }
    if any && next == position { Err(CorruptRecords::NoProgress) } else { Ok(next) }
}

fn decode_batch(
    header: &BatchHeader,
    batch: &Bytes,
    partition: &TopicPartition,
    from: Offset,
    records: &mut Vec<ConsumerRecord>,
) -> Result<(), CorruptRecords> {
    let compressed = batch.slice(BATCH_HEADER_BYTES..);
    let codec =
        header.attributes.compression().ok_or(CorruptRecords::Batch(BatchError::Compression))?;
    let body = match codec.decompress(&compressed).map_err(CorruptRecords::Compressed)? {
        Cow::Borrowed(_) => compressed.clone(),
        Cow::Owned(body) => body.into(),
    };
    for record in Records::new(&body) {
        let record = record.map_err(|_| CorruptRecords::Batch(BatchError::Record))?;
        let offset = header.base_offset + i64::from(record.offset_delta);
        if offset >= from {
            let timestamp = header.timestamp_of(record.timestamp_delta);
            records.push(own(&record, &body, partition.clone(), offset, timestamp));
        }
    }
    Ok(())
}

/// The record on its own: it keeps the memory of its batch alive instead of copying.
fn own(
    record: &Record<'_>,
    body: &Bytes,
    partition: TopicPartition,
    offset: Offset,
    timestamp: Timestamp,
) -> ConsumerRecord {
    let slice = |bytes: Option<&[u8]>| bytes.map(|bytes| body.slice_ref(bytes));
    ConsumerRecord {
        partition,
        offset,
        timestamp,
        key: slice(record.key),
        value: slice(record.value),
        headers: record
            .headers()
            .map(|header| (header.key.to_owned(), slice(header.value)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use ottla_core::records::{BatchBuilder, Compression, Header};

    use super::*;

    fn batch(base_offset: i64, values: &[&str], compression: Compression) -> Vec<u8> {
        let mut builder = BatchBuilder::new(compression);
        for (value, timestamp) in values.iter().zip(100..) {
            let header = Header { key: "h", value: None };
            builder.push(Timestamp(timestamp), Some(b"k"), Some(value.as_bytes()), &[header]);
        }
        let mut bytes = builder.build().to_vec();
        bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
        bytes
    }

    fn decode_from(
        bytes: Vec<u8>,
        position: i64,
    ) -> Result<(i64, Vec<(i64, String)>), CorruptRecords> {
        let mut records = Vec::new();
        let partition = TopicPartition::new("topic", 0);
        let next = decode(bytes.into(), &partition, Offset(position), &mut records)?;
        let text = |record: &ConsumerRecord| {
            let value = record.value.as_deref().unwrap_or_default();
            (record.offset.0, String::from_utf8_lossy(value).into_owned())
        };
        Ok((next.0, records.iter().map(text).collect()))
    }

    #[test]
    fn records_of_all_codecs_from_the_position_on() {
        for codec in Compression::ALL {
            let mut bytes = batch(10, &["a", "b", "c"], codec);
            bytes.extend(batch(13, &["d"], codec));
            let expected = vec![(11, "b".into()), (12, "c".into()), (13, "d".into())];
            assert_eq!(decode_from(bytes, 11), Ok((14, expected)), "{}", codec.name());
        }
    }

    #[test]
    fn a_batch_that_is_cut_off_is_left_for_later() {
        let mut bytes = batch(0, &["a"], Compression::None);
        let whole = batch(1, &["b"], Compression::None);
        bytes.extend(&whole[..whole.len() - 1]);
        assert_eq!(decode_from(bytes, 0), Ok((1, vec![(0, "a".into())])));
        let cut = whole[..whole.len() - 1].to_vec();
        assert_eq!(decode_from(cut, 1), Err(CorruptRecords::NoProgress));
        assert_eq!(decode_from(vec![], 7), Ok((7, vec![])));
    }

    #[test]
    fn damage_is_an_error() {
        let mut bytes = batch(0, &["a"], Compression::None);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let outcome = decode_from(bytes, 0);
        assert!(matches!(outcome, Err(CorruptRecords::Batch(BatchError::Checksum { .. }))));
    }
}
