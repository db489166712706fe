//! Records as the workload writes and reads them.

use bytes::Bytes;
use ottla_core::{
    records::{
        BATCH_HEADER_BYTES, BatchBuilder, BatchError, Compression, Header, Record, Records,
        batch::{BatchProducer, verify},
    },
    types::{ProducerEpoch, ProducerId, Sequence, Timestamp, Uuid},
};
use ottla_jepsen::{
    history::{Bad, BadReason, ProducerIdentity, Send, Value},
    payload::Payload,
};

/// The name of the header that holds a tombstone's payload: its value is null.
const HEADER: &str = "p";

/// Where a batch is written to, and how.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// The topic.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
    /// How the records are compressed.
    pub compression: Compression,
    /// How large each is, or less.
    pub size_bytes: usize,
    /// The first one's timestamp.
    pub timestamp: i64,
}

/// A batch as bytes.
pub fn build(send: &Send, shape: Shape) -> Bytes {
    let mut builder = BatchBuilder::new(shape.compression);
    if let Some(ProducerIdentity { id, epoch, sequence }) = send.producer {
        builder = builder.with_producer(BatchProducer {
            id: ProducerId(id),
            epoch: ProducerEpoch(epoch),
            base_sequence: Sequence(sequence),
        });
    }
    for (place, value) in send.values.iter().enumerate() {
        let key = send.keys.get(place).copied();
        let topic_id = shape.topic_id.to_bytes();
        let payload = Payload { value: *value, topic_id, partition: shape.partition, key };
        let payload = payload.to_bytes(shape.size_bytes);
        let key = key.map(u32::to_be_bytes);
        let key = key.as_ref().map(|key| &key[..]);
        let is_tombstone = send.tombstones.iter().any(|tombstone| *tombstone as usize == place);
        let timestamp = Timestamp(shape.timestamp + i64::try_from(place).unwrap_or(0));
        if is_tombstone {
            let header = Header { key: HEADER, value: Some(&payload) };
            builder.push(timestamp, key, None, &[header]);
        } else {
            builder.push(timestamp, key, Some(&payload), &[]);
        }
    }
    builder.build()
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decoded {
    /// Offsets and values.
    pub records: Vec<(i64, Value)>,
    /// For each record the epoch of the leader that appended it.
    pub epochs: Vec<i32>,
    /// What is not as it should be.
    pub bad: Vec<Bad>,
    /// The last thing that is bad is a batch that is no batch, or whose checksum is wrong; all else is within whole batches.
    pub is_damaged: bool,
    /// Where to go on.
    pub next: i64,
    /// The epoch of the last batch; -1 if there is none.
    pub last_epoch: i32,
}

/// Reads the records from `position` on. A batch that is cut off at the end is for the next fetch.
pub fn decode(mut batches: Bytes, position: i64, topic_id: Uuid, partition: i32) -> Decoded {
    let mut decoded = Decoded { next: position, last_epoch: -1, ..Decoded::default() };
    while !batches.is_empty() {
        let header = match verify(&batches) {
            Ok(header) => header,
            Err(BatchError::Incomplete) => break,
            Err(error) => {
                let reason = BadReason::Corrupt(format!("a batch: {error:?}"));
                decoded.is_damaged = true;
                decoded.bad.push(Bad { offset: decoded.next, reason });
                break;
            }
        };
        let batch = batches.split_to(header.size_bytes);
        if header.next_offset().0 <= decoded.next {
            continue;
        }
        let compressed = &batch[BATCH_HEADER_BYTES..];
        let body =
            header.attributes.compression().and_then(|codec| codec.decompress(compressed).ok());
        let Some(body) = body else {
            let reason = BadReason::Corrupt("a batch cannot be decompressed".into());
            decoded.bad.push(Bad { offset: header.base_offset.0, reason });
            break;
        };
        decode_body(&body, header.base_offset.0, topic_id, partition, &mut decoded);
        decoded.epochs.resize(decoded.records.len(), header.leader_epoch.0);
        decoded.next = header.next_offset().0;
        decoded.last_epoch = header.leader_epoch.0;
    }
    decoded
}

fn decode_body(body: &[u8], base: i64, topic_id: Uuid, partition: i32, decoded: &mut Decoded) {
    for record in Records::new(body) {
        let Ok(record) = record else {
            let reason = BadReason::Corrupt("a record is malformed".into());
            decoded.bad.push(Bad { offset: base, reason });
            return;
        };
        let offset = base + i64::from(record.offset_delta);
        if offset < decoded.next {
            continue;
        }
        match read_payload(&record) {
            Ok(payload)
                if (payload.topic_id, payload.partition) == (topic_id.to_bytes(), partition) =>
            {
                decoded.records.push((offset, payload.value));
            }
            Ok(payload) => {
                let id = Uuid::from_bytes(payload.topic_id);
                let home = format!("partition {} of topic {id}", payload.partition);
                let reason = BadReason::Stray { value: payload.value, home };
                decoded.bad.push(Bad { offset, reason });
            }
            Err(reason) => {
                decoded.bad.push(Bad { offset, reason: BadReason::Corrupt(reason) });
            }
        }
    }
}

fn read_payload(record: &Record<'_>) -> Result<Payload, String> {
    let bytes = match record.value {
        Some(value) => value,
        None => record
            .headers()
            .find(|header| header.key == HEADER)
            .and_then(|header| header.value)
            .ok_or("a record without a value has no payload")?,
    };
    let payload = Payload::from_bytes(bytes)?;
    let key = record.key.map(<[u8; 4]>::try_from);
    match (payload.key, key) {
        (None, None) => Ok(payload),
        (Some(key), Some(Ok(bytes))) if bytes == key.to_be_bytes() => Ok(payload),
        _ => Err("the key is not the record's own".into()),
    }
}

#[cfg(test)]
mod tests {
    use ottla_jepsen::history::Partition;

    use super::*;

    #[test]
    fn what_is_built_is_read() {
        let topic_id = Uuid::from_bytes([7; 16]);
        for compression in Compression::ALL {
            let send = Send {
                partition: Partition(0),
                values: vec![Value(1), Value(2), Value(3)],
                keys: vec![4, 5, 6],
                tombstones: vec![1],
                ..Send::default()
            };
            let shape = Shape { topic_id, partition: 2, compression, size_bytes: 90, timestamp: 1 };
            let bytes = build(&send, shape);
            let decoded = decode(bytes.clone(), 1, topic_id, 2);
            assert_eq!(decoded.records, [(1, Value(2)), (2, Value(3))]);
            assert_eq!((decoded.next, &decoded.bad[..]), (3, &[][..]));
            let elsewhere = decode(bytes.clone(), 0, topic_id, 1);
            assert_eq!((elsewhere.records.len(), elsewhere.bad.len()), (0, 3));
            let mut damaged = bytes.to_vec();
            *damaged.last_mut().expect("it has bytes") ^= 1;
            assert_eq!(decode(damaged.into(), 0, topic_id, 2).bad.len(), 1);
        }
    }
}
