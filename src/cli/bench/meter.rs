//! What is counted and timed.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::{BenchError, process::Process, process::Usage};

/// The shortest and the longest time that a histogram tells apart.
const NANOSECONDS_MIN: u64 = 100;
const NANOSECONDS_MAX: u64 = 600_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// Times, as a histogram.
#[derive(Debug, Clone)]
pub(super) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(super) fn new() -> Self {
        let histogram =
            Histogram::new_with_bounds(NANOSECONDS_MIN, NANOSECONDS_MAX, SIGNIFICANT_DIGITS);
        Self(histogram.expect("the bounds are in order"))
    }

    #[inline]
    pub(super) fn add(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    fn milliseconds(&self) -> [(&'static str, f64); 5] {
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1e6;
        [
            ("p50", at(0.5)),
            ("p90", at(0.9)),
            ("p99", at(0.99)),
            ("p999", at(0.999)),
            ("max", self.0.max() as f64 / 1e6),
        ]
    }

    /// In milliseconds.
    pub(super) fn json(&self) -> Value {
        let mut object: serde_json::Map<String, Value> = self
            .milliseconds()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        object.insert("count".to_owned(), json!(self.0.len()));
        Value::Object(object)
    }

    /// In milliseconds.
    pub(super) fn text(&self) -> String {
        let values =
            self.milliseconds().map(|(name, value)| format!("{name} {}", three_digits(value)));
        values.join("  ").replace("p999", "p99.9")
    }
}

/// A number to three significant digits.
pub(super) fn three_digits(value: f64) -> String {
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else if value >= 1.0 {
        2
    } else {
        3
    };
    format!("{value:.decimals$}")
}

/// What the loader and the broker used between two moments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) loader: Duration,
    /// Its processor time, and its memory at the end.
    pub(super) broker: Option<(Duration, Usage)>,
}

/// Counts from the end of the warm-up on.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) begins: Instant,
    /// When the last counted thing happened.
    pub(super) ended: Instant,
    pub(super) bytes: u64,
    pub(super) records: u64,
    pub(super) requests: u64,
    pub(super) latencies: Latencies,
    broker: Option<Process>,
    before: Option<(Usage, Option<Usage>)>,
}

impl Meter {
    pub(super) fn new(begins: Instant, broker: Option<Process>) -> Self {
        Self {
            begins,
            ended: begins,
            bytes: 0,
            records: 0,
            requests: 0,
            latencies: Latencies::new(),
            broker,
            before: None,
        }
    }

    /// Looks at the processes when the warm-up is over.
    pub(super) fn tick(&mut self, now: Instant) -> Result<(), BenchError> {
        if self.before.is_none() && now >= self.begins {
            self.before = Some(self.usage()?);
        }
        Ok(())
    }

    fn usage(&self) -> Result<(Usage, Option<Usage>), BenchError> {
        let broker = self.broker.as_ref().map(Process::usage).transpose()?;
        Ok((Process::Loader.usage()?, broker))
    }

    #[inline]
    pub(super) fn count(&mut self, now: Instant, bytes: u64, records: u64) {
        if now >= self.begins {
            self.ended = now;
            self.bytes += bytes;
            self.records += records;
        }
    }

    /// Counts a request that should have been sent at `since` and is done now.
    #[inline]
    pub(super) fn request(&mut self, since: Instant, now: Instant) {
        if now >= self.begins {
            self.ended = now;
            self.requests += 1;
        }
        if since >= self.begins {
            self.latencies.add(now.saturating_duration_since(since));
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.ended.saturating_duration_since(self.begins)
    }

    /// What was used since the end of the warm-up.
    pub(super) fn used(&self) -> Result<Used, BenchError> {
        let (loader, broker) = self.usage()?;
        let (loader_before, broker_before) = self.before.unwrap_or((loader, broker));
        let broker = broker.zip(broker_before);
        Ok(Used {
            loader: loader.cpu.saturating_sub(loader_before.cpu),
            broker: broker.map(|(after, before)| (after.cpu.saturating_sub(before.cpu), after)),
        })
    }
}

/// When to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// After so many bytes.
    Bytes(u64),
    /// After so long.
    Time(Duration),
}

impl Goal {
    /// Whether it is reached with so many bytes since `begins`.
    pub(super) fn is_reached(self, bytes: u64, begins: Instant, now: Instant) -> bool {
        match self {
            Self::Bytes(wanted) => bytes >= wanted,
            Self::Time(wanted) => now >= begins + wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_after_the_warm_up_counts() {
        let begins = Instant::now() + Duration::from_secs(10);
        let second = Duration::from_secs(1);
        let mut meter = Meter::new(begins, None);
        meter.count(begins - second, 10, 1);
        meter.request(begins - second, begins - second);
        assert_eq!((meter.bytes, meter.requests, meter.latencies.0.len()), (0, 0, 0));
        meter.count(begins + second, 10, 1);
        meter.request(begins - second, begins + second);
        assert_eq!((meter.bytes, meter.requests, meter.latencies.0.len()), (10, 1, 0));
        meter.request(begins, begins + second);
        assert_eq!((meter.requests, meter.latencies.0.len()), (2, 1));
        assert_eq!(meter.elapsed(), second);
    }

    #[test]
    fn percentiles_in_milliseconds() {
        let mut latencies = Latencies::new();
        (1..=1000).for_each(|time| latencies.add(Duration::from_micros(time * 10)));
        assert_eq!(latencies.text(), "p50 5.00  p90 9.00  p99 9.90  p99.9 9.99  max 10.0");
        assert_eq!(latencies.json()["count"], 1000);
    }

    #[test]
    fn goals() {
        let begins = Instant::now();
        let second = Duration::from_secs(1);
        assert!(!Goal::Bytes(10).is_reached(9, begins, begins + second));
        assert!(Goal::Bytes(10).is_reached(10, begins, begins));
        assert!(!Goal::Time(second).is_reached(99, begins, begins));
        assert!(Goal::Time(second).is_reached(0, begins, begins + second));
    }
}
