//! What is measured: each case is a use of the other measurements, or something that this one does itself.

use std::{fmt, str::FromStr, time::Duration};

use serde_json::Value;

use crate::cli::arguments;

/// What is measured of every broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// Producing as fast as the broker takes it.
    Produce {
        /// Whether the broker is to sync each batch before it acknowledges it.
        is_durable: bool,
        batch_bytes: u64,
        partitions: u32,
    },
    /// Reading what is still in memory.
    Consume,
    /// 1,000 records a second, each alone.
    Latency {
        /// Whether the broker is to sync each record before it acknowledges it.
        is_durable: bool,
    },
    /// From starting the process to the first record that is acknowledged and durable, and then idleness.
    Start,
    /// What the disk, the processor and the loopback interface give without any broker.
    Limits,
}

/// What is measured unless cases are named.
pub(super) const DEFAULT: &str = "produce-64KiB-1,produce-64KiB-8,produce-16KiB-1,produce-16KiB-8,\
    produce-1KiB-1,produce-1KiB-8,consume,durable-64KiB-1,durable-64KiB-100,durable-64KiB-1000,\
    latency,latency-durable,start,limits";

/// A configuration of topics.
pub(super) const FLUSH_MESSAGES: &str = "flush.messages";
/// Batches from this size on are sent in full volume; smaller ones take a broker longer.
const FULL_VOLUME_BATCH_BYTES: u64 = 16 << 10;
/// How much of the volume is enough for smaller ones.
const SMALL_VOLUME_DIVISOR: u64 = 4;
/// Batches below this size go out in greater number at once.
const SMALL_BATCH_BYTES: u64 = 4 << 10;

/// One figure that a case gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) is_less_better: bool,
    /// Where it stands in the JSON of the measurement.
    pointer: &'static str,
}

const fn less(name: &'static str, pointer: &'static str) -> Metric {
    Metric { name, is_less_better: true, pointer }
}

const fn more(name: &'static str, pointer: &'static str) -> Metric {
    Metric { name, is_less_better: false, pointer }
}

const COST: Metric = less("CPU-s/GB", "/broker/cpu_seconds_per_gb");
const RATE: Metric = more("MB/s", "/mb_per_second");
const VOLUME_METRICS: &[Metric] = &[COST, RATE];
const DURABLE_METRICS: &[Metric] = &[RATE, COST];
const LATENCY_METRICS: &[Metric] = &[
    less("ack p50 ms", "/latency_ms/p50"),
    less("ack p99 ms", "/latency_ms/p99"),
    less("ack p99.9 ms", "/latency_ms/p999"),
    less("consumer p50 ms", "/end_to_end_ms/p50"),
    less("consumer p99 ms", "/end_to_end_ms/p99"),
    less("consumer p99.9 ms", "/end_to_end_ms/p999"),
];
const START_METRICS: &[Metric] = &[
    less("first durable record ms", "/first_record_ms"),
    less("idle memory MB", "/idle_memory_mb"),
    less("idle % of a core", "/idle_cpu_percent"),
];
const LIMIT_METRICS: &[Metric] = &[
    more("64 KiB append+fdatasync MB/s", "/fdatasync_64_kib/mb_per_second"),
    less("64 KiB append+fdatasync p50 ms", "/fdatasync_64_kib/latency_ms/p50"),
    less("64 KiB append+fdatasync p99 ms", "/fdatasync_64_kib/latency_ms/p99"),
    more("1 MiB append+fdatasync MB/s", "/fdatasync_1_mib/mb_per_second"),
    less("1 MiB append+fdatasync p50 ms", "/fdatasync_1_mib/latency_ms/p50"),
    less("1 MiB append+fdatasync p99 ms", "/fdatasync_1_mib/latency_ms/p99"),
    more("CRC-32C of 64 KiB GB/s", "/crc32c_gb_per_second"),
    more("loopback copy GB/s", "/loopback/gb_per_second"),
    less("loopback copy CPU-s/GB", "/loopback/cpu_seconds_per_gb"),
];

/// How much is done in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Volume {
    pub(super) bytes: u64,
    pub(super) latency: Duration,
    pub(super) latency_warmup: Duration,
    pub(super) idle: Duration,
}

impl Metric {
    /// What a measurement says of it.
    pub(super) fn value(&self, report: &Value) -> Option<f64> {
        report.pointer(self.pointer)?.as_f64()
    }
}

impl Case {
    pub(super) fn metrics(self) -> &'static [Metric] {
        match self {
            Self::Produce { is_durable: false, .. } | Self::Consume => VOLUME_METRICS,
            Self::Produce { is_durable: true, .. } => DURABLE_METRICS,
            Self::Latency { .. } => LATENCY_METRICS,
            Self::Start => START_METRICS,
            Self::Limits => LIMIT_METRICS,
        }
    }

    /// The arguments to `ottla bench`, if that measures it. Topics keep the broker's own promise if it `knows_flush` not.
    pub(super) fn loader(self, volume: &Volume, knows_flush: bool) -> Option<Vec<String>> {
        let bytes = volume.bytes.to_string();
        let (words, is_durable) = match self {
            Self::Produce { is_durable, batch_bytes, partitions } => {
                let (connections, in_flight) = match (is_durable, batch_bytes) {
                    (true, _) => (8, 20),
                    (false, ..SMALL_BATCH_BYTES) => (4, 50),
                    (false, _) => (4, 5),
                };
                let is_full = batch_bytes >= FULL_VOLUME_BATCH_BYTES;
                let divisor = if is_full { 1 } else { SMALL_VOLUME_DIVISOR };
                let bytes = volume.bytes / divisor;
                let words = format!(
                    "produce --prime --batch-bytes {batch_bytes} --partitions {partitions} \
                     --connections {connections} --in-flight {in_flight} --total-bytes {bytes}"
                );
                (words, is_durable)
            }
            Self::Consume => {
                (format!("consume --data-bytes {} --total-bytes {bytes}", volume.bytes / 2), false)
            }
            Self::Latency { is_durable } => {
                let (time, warmup) =
                    (volume.latency.as_millis(), volume.latency_warmup.as_millis());
                let words = format!("latency --rate 1000 --duration {time}ms --warmup {warmup}ms");
                (words, is_durable)
            }
            Self::Start | Self::Limits => return None,
        };
        let mut arguments: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        if knows_flush {
            arguments.extend(["--topic-config".to_owned(), flush_messages(is_durable)]);
        }
        Some(arguments)
    }

    /// The case that is the same without the promise of durability: what a broker is compared with that gives none.
    pub(super) fn without_durability(self) -> Option<Self> {
        match self {
            Self::Produce { is_durable: true, batch_bytes, partitions } => {
                Some(Self::Produce { is_durable: false, batch_bytes, partitions })
            }
            Self::Latency { is_durable: true } => Some(Self::Latency { is_durable: false }),
            Self::Produce { .. }
            | Self::Consume
            | Self::Latency { .. }
            | Self::Start
            | Self::Limits => None,
        }
    }
}

/// The topic's configuration that makes a broker sync each batch, or leave it to the system.
pub(super) fn flush_messages(is_durable: bool) -> String {
    let messages = if is_durable { 1 } else { i64::MAX };
    format!("{FLUSH_MESSAGES}={messages}")
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Produce { is_durable, batch_bytes, partitions } => {
                f.write_str(if is_durable { "durable" } else { "produce" })?;
                if batch_bytes % 1024 == 0 {
                    write!(f, "-{}KiB-{partitions}", batch_bytes / 1024)
                } else {
                    write!(f, "-{batch_bytes}-{partitions}")
                }
            }
            Self::Consume => f.write_str("consume"),
            Self::Latency { is_durable: false } => f.write_str("latency"),
            Self::Latency { is_durable: true } => f.write_str("latency-durable"),
            Self::Start => f.write_str("start"),
            Self::Limits => f.write_str("limits"),
        }
    }
}

/// The text names no case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidCase;

impl fmt::Display for InvalidCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not produce-SIZE-PARTITIONS, durable-SIZE-PARTITIONS, consume, latency, \
             latency-durable, start or limits",
        )
    }
}

impl std::error::Error for InvalidCase {}

impl FromStr for Case {
    type Err = InvalidCase;

    fn from_str(text: &str) -> Result<Self, InvalidCase> {
        let plain = [
            Self::Consume,
            Self::Latency { is_durable: false },
            Self::Latency { is_durable: true },
            Self::Start,
            Self::Limits,
        ];
        if let Some(case) = plain.into_iter().find(|case| case.to_string() == text) {
            return Ok(case);
        }
        let mut parts = text.split('-');
        let is_durable = match parts.next() {
            Some("produce") => false,
            Some("durable") => true,
            Some(_) | None => return Err(InvalidCase),
        };
        let batch_bytes = parts.next().and_then(|size| arguments::bytes(size).ok());
        let partitions = parts.next().and_then(|count| count.parse().ok());
        match (batch_bytes, partitions, parts.next()) {
            (Some(batch_bytes @ 1..), Some(partitions @ 1..), None) => {
                Ok(Self::Produce { is_durable, batch_bytes, partitions })
            }
            _ => Err(InvalidCase),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const VOLUME: Volume = Volume {
        bytes: 1_000_000,
        latency: Duration::from_secs(10),
        latency_warmup: Duration::from_secs(2),
        idle: Duration::from_secs(5),
    };

    fn parse(text: &str) -> Case {
        text.parse().expect("a case")
    }

    #[test]
    fn cases_are_what_they_are_called() {
        for name in DEFAULT.split(',').chain(["durable-4KiB-10000", "produce-100-3"]) {
            assert_eq!(parse(name).to_string(), name);
        }
        for name in ["", "produce", "produce-64KiB", "produce-0-1", "durable-1KiB-0", "idle"] {
            assert_eq!(name.parse::<Case>(), Err(InvalidCase), "{name}");
        }
        assert_eq!("produce-1KiB-1-1".parse::<Case>(), Err(InvalidCase));
    }

    #[test]
    fn each_is_a_use_of_the_loader() {
        let loader = |name, knows_flush| {
            parse(name).loader(&VOLUME, knows_flush).map(|arguments| arguments.join(" "))
        };
        assert_eq!(
            loader("produce-64KiB-8", true).as_deref(),
            Some(
                "produce --prime --batch-bytes 65536 --partitions 8 --connections 4 --in-flight 5 \
                 --total-bytes 1000000 --topic-config flush.messages=9223372036854775807"
            )
        );
        assert_eq!(
            loader("durable-4KiB-100", true).as_deref(),
            Some(
                "produce --prime --batch-bytes 4096 --partitions 100 --connections 8 --in-flight 20 \
                 --total-bytes 250000 --topic-config flush.messages=1"
            )
        );
        assert_eq!(
            loader("consume", false).as_deref(),
            Some("consume --data-bytes 500000 --total-bytes 1000000")
        );
        assert_eq!(
            loader("latency-durable", false).as_deref(),
            Some("latency --rate 1000 --duration 10000ms --warmup 2000ms")
        );
        assert_eq!(loader("start", true), None);
    }

    #[test]
    fn figures_are_found_in_the_measurement() {
        let report = json!({
            "mb_per_second": 5.5, "latency_ms": { "p999": 3 },
            "broker": { "cpu_seconds_per_gb": null },
        });
        let values = |name| -> Vec<_> {
            parse(name).metrics().iter().map(|metric| metric.value(&report)).collect()
        };
        assert_eq!(values("consume"), [None, Some(5.5)]);
        assert_eq!(values("latency"), [None, None, Some(3.0), None, None, None]);
    }

    #[test]
    fn what_a_durable_case_is_without_durability() {
        let without = |name| parse(name).without_durability().map(|case| case.to_string());
        assert_eq!(without("durable-64KiB-1").as_deref(), Some("produce-64KiB-1"));
        assert_eq!(without("latency-durable").as_deref(), Some("latency"));
        assert_eq!(without("produce-64KiB-1"), None);
    }
}
