//! Building a batch out of records.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{
    BATCH_HEADER_BYTES, BatchHeader, Compression,
    batch::{Attributes, BatchProducer},
    record::Header,
    varint,
};
use crate::types::{LeaderEpoch, Offset, Timestamp};

/// A batch that grows by records.
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    compression: Compression,
    producer: Option<BatchProducer>,
    base_timestamp: Timestamp,
    max_timestamp: Timestamp,
    body: Vec<u8>,
    record_count: i32,
}

impl BatchBuilder {
    /// An empty batch.
    pub const fn new(compression: Compression) -> Self {
        Self {
            compression,
            producer: None,
            base_timestamp: Timestamp::NONE,
            max_timestamp: Timestamp::NONE,
            body: Vec::new(),
            record_count: 0,
        }
    }

    /// The batch is that of an idempotent producer.
    #[must_use]
    pub const fn with_producer(mut self, producer: BatchProducer) -> Self {
        self.producer = Some(producer);
        self
    }

    /// Whether no record was added.
    pub const fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// How many records were added.
    pub const fn record_count(&self) -> i32 {
        self.record_count
    }

    /// How large the batch would be without compression.
    pub const fn size_bytes(&self) -> usize {
        BATCH_HEADER_BYTES + self.body.len()
    }

    /// Adds a record.
    pub fn push(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) {
        if self.is_empty() {
            self.base_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let mut record = Vec::with_capacity(
            32 + key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + 16 * headers.len(),
        );
        record.push(0); // no attribute is defined for records
        varint::put(&mut record, timestamp.0 - self.base_timestamp.0);
        varint::put(&mut record, i64::from(self.record_count));
        put_nullable(&mut record, key);
        put_nullable(&mut record, value);
        put_length(&mut record, headers.len());
        for header in headers {
            put_nullable(&mut record, Some(header.key.as_bytes()));
            put_nullable(&mut record, header.value);
        }
        put_length(&mut self.body, record.len());
        self.body.extend_from_slice(&record);
        self.record_count += 1;
    }

    /// The finished batch, at base offset 0.
    pub fn build(self) -> Bytes {
        let body = self.compression.compress(&self.body);
        let header = BatchHeader {
            base_offset: Offset::ZERO,
            size_bytes: BATCH_HEADER_BYTES + body.len(),
            leader_epoch: LeaderEpoch(-1),
            checksum: 0,
            attributes: Attributes(self.compression.code()),
            last_offset_delta: self.record_count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer: self.producer,
            record_count: self.record_count,
        }
        .sealed(&body);
        let mut batch = Vec::with_capacity(header.size_bytes);
        batch.extend_from_slice(&header.to_bytes());
        batch.extend_from_slice(&body);
        batch.into()
    }
}

fn put_length(buffer: &mut Vec<u8>, length: usize) {
    varint::put(buffer, i64::try_from(length).expect("a length fits 63 bits"));
}

fn put_nullable(buffer: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => varint::put(buffer, -1),
        Some(bytes) => {
            put_length(buffer, bytes.len());
            buffer.extend_from_slice(bytes);
        }
    }
}
