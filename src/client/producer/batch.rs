//! Batches as they go out.

use bytes::Bytes;
use ottla_core::{
    records::{BATCH_HEADER_BYTES, BatchHeader, batch::BatchProducer},
    types::{Offset, Timestamp},
};
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::Instant,
};

use super::{ProduceError, RecordMetadata, accumulator::OpenBatch};
use crate::client::TopicPartition;

/// Who waits for a record, and the memory that it takes until then.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) outcome: oneshot::Sender<Result<RecordMetadata, ProduceError>>,
    pub(super) timestamp: Timestamp,
    pub(super) _memory: OwnedSemaphorePermit,
}

/// A batch as it goes out, as often as it takes.
#[derive(Debug)]
pub(super) struct SealedBatch {
    pub(super) bytes: Bytes,
    pub(super) record_count: i32,
    pub(super) since: Instant,
    /// Whether an attempt ended without a word on whether the batch is in the log.
    pub(super) may_be_written: bool,
    /// What the last attempt met.
    pub(super) last: Option<ProduceError>,
    waiters: Vec<Waiter>,
}

impl SealedBatch {
    pub(super) fn new(batch: OpenBatch<Waiter>, producer: Option<BatchProducer>) -> Self {
        let record_count = batch.builder.record_count();
        let builder = match producer {
            Some(producer) => batch.builder.with_producer(producer),
            None => batch.builder,
        };
        Self {
            bytes: builder.build(),
            record_count,
            since: batch.since,
            may_be_written: false,
            last: None,
            waiters: batch.deliveries,
        }
    }

    /// Makes it a batch of another producer id, or at another sequence.
    pub(super) fn reseal(&mut self, producer: BatchProducer) {
        self.bytes = resealed(&self.bytes, producer);
    }

    /// Tells everybody that the batch is in the log, from `base_offset` on if that is known.
    pub(super) fn acknowledge(
        self,
        partition: &TopicPartition,
        base_offset: Option<Offset>,
        log_append_time: Option<Timestamp>,
    ) {
        for (delta, waiter) in (0..).zip(self.waiters) {
            let metadata = RecordMetadata {
                partition: partition.partition,
                offset: base_offset.map(|base| base + delta),
                timestamp: log_append_time.unwrap_or(waiter.timestamp),
            };
            // Who sent it may not care.
            let _ = waiter.outcome.send(Ok(metadata));
        }
    }

    /// Tells everybody that the batch is given up.
    pub(super) fn fail(self, error: &ProduceError) {
        for waiter in self.waiters {
            let _ = waiter.outcome.send(Err(error.clone()));
        }
    }
}

/// Tells those who wait for a batch that was never sealed.
pub(super) fn fail_unsealed(batch: OpenBatch<Waiter>, error: &ProduceError) {
    for waiter in batch.deliveries {
        let _ = waiter.outcome.send(Err(error.clone()));
    }
}

fn resealed(batch: &Bytes, producer: BatchProducer) -> Bytes {
    let header = BatchHeader::parse(batch).expect("the batch was built here");
    let body = &batch[BATCH_HEADER_BYTES..];
    let header = BatchHeader { producer: Some(producer), ..header }.sealed(body);
    let mut bytes = Vec::with_capacity(batch.len());
    bytes.extend_from_slice(&header.to_bytes());
    bytes.extend_from_slice(body);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use ottla_core::{
        records::{BatchBuilder, Compression, batch::verify},
        types::{ProducerEpoch, ProducerId, Sequence},
    };

    use super::*;

    #[test]
    fn a_batch_gets_another_sequence_and_the_checksum_for_it() {
        let mut builder = BatchBuilder::new(Compression::Lz4);
        builder.push(Timestamp(5), None, Some(b"value"), &[]);
        let batch = builder.build();
        let producer = BatchProducer {
            id: ProducerId(7),
            epoch: ProducerEpoch(1),
            base_sequence: Sequence(42),
        };
        let resealed = resealed(&batch, producer);
        let header = verify(&resealed);
        assert_eq!(header.map(|header| header.producer), Ok(Some(producer)));
        assert_eq!(resealed[BATCH_HEADER_BYTES..], batch[BATCH_HEADER_BYTES..]);
    }
}
