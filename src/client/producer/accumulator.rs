//! Records on their way into batches: a batch leaves when it is full, or has waited long enough for company.

use std::{collections::VecDeque, time::Duration};

use ottla_core::{
    records::{BatchBuilder, Compression, Header},
    types::Timestamp,
};
use tokio::time::Instant;

use super::ProducerRecord;

/// Records that go out together, and who waits for each.
#[derive(Debug)]
pub(super) struct OpenBatch<D> {
    pub(super) builder: BatchBuilder,
    pub(super) deliveries: Vec<D>,
    pub(super) since: Instant,
}

/// The records of one partition that are not sent yet.
#[derive(Debug)]
pub(super) struct Accumulator<D> {
    batch_bytes: usize,
    compression: Compression,
    linger: Duration,
    full: VecDeque<OpenBatch<D>>,
    open: Option<OpenBatch<D>>,
}

impl<D> Accumulator<D> {
    pub(super) fn new(batch_bytes: usize, compression: Compression, linger: Duration) -> Self {
        Self { batch_bytes, compression, linger, full: VecDeque::new(), open: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.full.is_empty() && self.open.is_none()
    }

    /// Adds a record. One that is larger than a batch makes a batch of its own.
    pub(super) fn push(
        &mut self,
        record: &ProducerRecord,
        timestamp: Timestamp,
        delivery: D,
        now: Instant,
    ) {
        let fits = |open: &OpenBatch<D>| {
            open.builder.size_bytes() + record.size_bytes_max() <= self.batch_bytes
        };
        if self.open.as_ref().is_some_and(|open| !fits(open)) {
            self.close();
        }
        let open = self.open.get_or_insert_with(|| OpenBatch {
            builder: BatchBuilder::new(self.compression),
            deliveries: Vec::new(),
            since: now,
        });
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(key, value)| Header { key, value: value.as_deref() })
            .collect();
        open.builder.push(timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
        open.deliveries.push(delivery);
        if open.builder.size_bytes() >= self.batch_bytes {
            self.close();
        }
    }

    /// Lets the last batch go without waiting for more.
    pub(super) fn close(&mut self) {
        self.full.extend(self.open.take());
    }

    /// The next batch that shall go.
    pub(super) fn take_ready(&mut self, now: Instant) -> Option<OpenBatch<D>> {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.close();
        }
        self.full.pop_front()
    }

    /// When the last batch has waited long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.since + self.linger)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINGER: Duration = Duration::from_millis(5);

    fn record(bytes: usize) -> ProducerRecord {
        ProducerRecord { value: Some(vec![b'x'; bytes].into()), ..Default::default() }
    }

    fn push_all(sizes: &[usize], now: Instant) -> Accumulator<usize> {
        let mut accumulator = Accumulator::new(1000, Compression::None, LINGER);
        for (index, &size) in sizes.iter().enumerate() {
            accumulator.push(&record(size), Timestamp(0), index, now);
        }
        accumulator
    }

    #[test]
    fn a_batch_waits_for_company_and_then_goes() {
        let now = Instant::now();
        let mut accumulator = push_all(&[100, 100], now);
        assert!(accumulator.take_ready(now).is_none());
        assert_eq!(accumulator.deadline(), Some(now + LINGER));
        let batch = accumulator.take_ready(now + LINGER).expect("it waited long enough");
        assert_eq!(batch.deliveries, [0, 1]);
        assert_eq!(batch.builder.record_count(), 2);
        assert!(accumulator.is_empty());
    }

    #[test]
    fn a_full_batch_goes_at_once_and_none_is_larger_than_allowed() {
        let now = Instant::now();
        let mut accumulator = push_all(&[300, 300, 300, 300, 300], now);
        let batch = accumulator.take_ready(now).expect("it is full");
        assert_eq!(batch.deliveries, [0, 1]);
        assert!(batch.builder.size_bytes() <= 1000);
        assert_eq!(accumulator.take_ready(now).map(|batch| batch.deliveries), Some(vec![2, 3]));
        assert!(accumulator.take_ready(now).is_none());
        assert!(!accumulator.is_empty());
    }

    #[test]
    fn a_record_that_is_larger_than_a_batch_goes_alone() {
        let now = Instant::now();
        let mut accumulator = push_all(&[10, 5000, 10], now);
        assert_eq!(accumulator.take_ready(now).map(|batch| batch.deliveries), Some(vec![0]));
        assert_eq!(accumulator.take_ready(now).map(|batch| batch.deliveries), Some(vec![1]));
        assert!(accumulator.take_ready(now).is_none());
        accumulator.close();
        assert_eq!(accumulator.take_ready(now).map(|batch| batch.deliveries), Some(vec![2]));
    }
}
