//! What was measured, for people and for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    BenchError,
    meter::{Latencies, Meter, Used, three_digits},
};

/// What was measured.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) benchmark: &'static str,
    pub(super) topic: String,
    pub(super) pid: Option<u32>,
    /// What the meter's latencies are of, if they are of anything.
    pub(super) latency_of: Option<&'static str>,
    meter: Meter,
    used: Used,
    /// From the intended time of sending until a consumer has it.
    pub(super) end_to_end: Option<Latencies>,
    /// From the intended time of sending until it was sent.
    pub(super) delays: Option<Latencies>,
}

impl Report {
    /// Looks at what was used until now.
    pub(super) fn new(
        benchmark: &'static str,
        topic: &str,
        pid: Option<u32>,
        latency_of: Option<&'static str>,
        meter: Meter,
    ) -> Result<Self, BenchError> {
        let used = meter.used()?;
        let topic = topic.to_owned();
        let (end_to_end, delays) = (None, None);
        Ok(Self { benchmark, topic, pid, latency_of, meter, used, end_to_end, delays })
    }

    fn per_second(&self, count: u64) -> f64 {
        let seconds = self.meter.elapsed().as_secs_f64();
        if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
    }

    /// Processor seconds for each gigabyte.
    fn per_gigabyte(&self, cpu: Duration) -> Option<f64> {
        let gigabytes = self.meter.bytes as f64 / 1e9;
        (gigabytes > 0.0).then(|| cpu.as_secs_f64() / gigabytes)
    }

    pub(super) fn json(&self) -> Value {
        let broker = self.used.broker.map(|(cpu, usage)| {
            json!({
                "pid": self.pid,
                "cpu_seconds": cpu.as_secs_f64(),
                "cpu_seconds_per_gb": self.per_gigabyte(cpu),
                "memory_bytes": usage.memory_bytes,
                "memory_peak_bytes": usage.memory_peak_bytes,
            })
        });
        json!({
            "benchmark": self.benchmark,
            "topic": self.topic,
            "seconds": self.meter.elapsed().as_secs_f64(),
            "bytes": self.meter.bytes,
            "records": self.meter.records,
            "requests": self.meter.requests,
            "mb_per_second": self.per_second(self.meter.bytes) / 1e6,
            "records_per_second": self.per_second(self.meter.records),
            "requests_per_second": self.per_second(self.meter.requests),
            "latency_of": self.latency_of,
            "latency_ms": self.latency_of.map(|_| self.meter.latencies.json()),
            "end_to_end_ms": self.end_to_end.as_ref().map(Latencies::json),
            "send_delay_ms": self.delays.as_ref().map(Latencies::json),
            "broker": broker,
            "loader": {
                "cpu_seconds": self.used.loader.as_secs_f64(),
                "cpu_seconds_per_gb": self.per_gigabyte(self.used.loader),
            },
        })
    }

    pub(super) fn text(&self) -> String {
        let seconds = self.meter.elapsed().as_secs_f64();
        let mut lines = vec![format!(
            "{}: {} MB in {} s: {} MB/s, {:.0} requests/s, {:.0} records/s",
            self.benchmark,
            three_digits(self.meter.bytes as f64 / 1e6),
            three_digits(seconds),
            three_digits(self.per_second(self.meter.bytes) / 1e6),
            self.per_second(self.meter.requests),
            self.per_second(self.meter.records),
        )];
        let latencies = [
            (self.latency_of.unwrap_or_default(), self.latency_of.map(|_| &self.meter.latencies)),
            ("produce to consume", self.end_to_end.as_ref()),
            ("lateness of sending", self.delays.as_ref()),
        ];
        lines.extend(latencies.iter().filter_map(|(name, latencies)| {
            Some(format!("{name}, ms: {}", latencies.as_ref()?.text()))
        }));
        let cost = |cpu: Duration| {
            let per_gigabyte = self.per_gigabyte(cpu).map_or_else(|| "-".into(), three_digits);
            let cores = if seconds > 0.0 { cpu.as_secs_f64() / seconds } else { 0.0 };
            format!("{per_gigabyte} CPU-s/GB ({cores:.2} cores)")
        };
        if let Some((cpu, usage)) = self.used.broker {
            lines.push(format!(
                "broker: {}, memory {} MB, at most {} MB",
                cost(cpu),
                three_digits(usage.memory_bytes as f64 / 1e6),
                three_digits(usage.memory_peak_bytes as f64 / 1e6),
            ));
        }
        lines.push(format!("loader: {}", cost(self.used.loader)));
        lines.join("\n") + "\n"
    }
}
