//! What the shell counts: plain atomics, read by whoever asks.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use ottla_core::wire::ApiKey;

/// The upper bounds of the latency histograms' buckets, in microseconds.
pub(super) const BUCKETS_US: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 5_000_000,
];

/// A histogram of latencies.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// How many were in each bucket; the last is for all that were longer.
    counts: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    pub(super) fn record(&self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.partition_point(|bound| *bound < us);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// How many were in each bucket, and the sum of all in microseconds.
    pub(super) fn read(&self) -> (Vec<u64>, u64) {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        (counts, self.sum_us.load(Ordering::Relaxed))
    }
}

/// What the shell counts.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    connections: AtomicU64,
    refused: AtomicU64,
    closed_by_us: AtomicU64,
    requests: [Histogram; ApiKey::ALL.len()],
    pub(super) syncs: Histogram,
    sync_failures: AtomicU64,
}

macro_rules! counters {
    ($($add:ident $read:ident $field:ident;)*) => {
        impl Metrics {
            $(
                pub(super) fn $add(&self, count: u64) {
                    self.$field.fetch_add(count, Ordering::Relaxed);
                }
                pub(super) fn $read(&self) -> u64 {
                    self.$field.load(Ordering::Relaxed)
                }
            )*
        }
    };
}

counters! {
    add_bytes_in bytes_in bytes_in;
    add_bytes_out bytes_out bytes_out;
    add_connections connections connections;
    add_refused refused refused;
    add_closed_by_us closed_by_us closed_by_us;
    add_sync_failures sync_failures sync_failures;
}

impl Metrics {
    /// A request was answered.
    pub(super) fn answered(&self, key: ApiKey, latency: Duration) {
        if let Ok(index) = ApiKey::ALL.binary_search(&key) {
            self.requests[index].record(latency);
        }
    }

    /// How long the requests of each API took.
    pub(super) fn requests(&self) -> impl Iterator<Item = (ApiKey, &Histogram)> {
        ApiKey::ALL.iter().copied().zip(&self.requests)
    }
}
