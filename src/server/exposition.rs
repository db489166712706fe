//! Metrics in the text format of Prometheus (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::{
    collections::BTreeMap,
    fmt::{Display, Write},
};

use ottla_core::inspect::{Inspection, PartitionFigures};

use super::metrics::{BUCKETS_US, Histogram, Metrics};

/// Everything that is known.
pub(super) fn render(inspection: &Inspection, metrics: &Metrics) -> String {
    let mut page = Page::default();
    page.broker(inspection, metrics);
    page.requests(metrics);
    page.request_errors(inspection);
    page.partitions(&inspection.partitions);
    page.groups(inspection);
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: impl Display) {
        // A string takes everything.
        let _ = writeln!(self.text, "{line}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    fn broker(&mut self, inspection: &Inspection, metrics: &Metrics) {
        let counter = "counter";
        let gauge = "gauge";
        self.single(
            "ottla_received_bytes_total",
            counter,
            "Bytes received from clients.",
            metrics.bytes_in(),
        );
        self.single(
            "ottla_sent_bytes_total",
            counter,
            "Bytes sent to clients.",
            metrics.bytes_out(),
        );
        self.single(
            "ottla_connections_accepted_total",
            counter,
            "Connections accepted.",
            metrics.connections(),
        );
        self.single(
            "ottla_connections_refused_total",
            counter,
            "Connections refused for being too many.",
            metrics.refused(),
        );
        self.single(
            "ottla_connections_closed_total",
            counter,
            "Connections that the broker ended for what the client sent.",
            metrics.closed_by_us(),
        );
        self.single("ottla_connections", gauge, "Connections.", inspection.connections);
        self.single(
            "ottla_waiting_requests",
            gauge,
            "Requests that wait for records, for the disk or for a timer.",
            inspection.waiting_requests,
        );
        self.single(
            "ottla_writes_refused",
            gauge,
            "1 while records are refused because the disk is nearly full.",
            u8::from(inspection.writes_refused),
        );
        self.head(
            "ottla_sync_seconds",
            "histogram",
            "How long syncs took, each for all that was waiting.",
        );
        self.histogram("ottla_sync_seconds", "", &metrics.syncs);
        self.single(
            "ottla_sync_failures_total",
            counter,
            "Syncs that failed.",
            metrics.sync_failures(),
        );
        if let Some((resident, peak)) = memory() {
            self.single("process_resident_memory_bytes", gauge, "Memory in use.", resident);
            self.single(
                "ottla_resident_memory_peak_bytes",
                gauge,
                "The most memory that was in use.",
                peak,
            );
        }
    }

    fn requests(&mut self, metrics: &Metrics) {
        self.head(
            "ottla_request_seconds",
            "histogram",
            "How long requests took from their arrival to their response, waiting included.",
        );
        for (key, histogram) in metrics.requests() {
            let (counts, _) = histogram.read();
            if counts.iter().any(|count| *count > 0) {
                let label = format!("api=\"{}\"", key.name());
                self.histogram("ottla_request_seconds", &label, histogram);
            }
        }
    }

    fn request_errors(&mut self, inspection: &Inspection) {
        self.head(
            "ottla_request_errors_total",
            "counter",
            "Requests whose response tells of an error, be it that of one of many things asked for.",
        );
        for (key, count) in &inspection.request_errors {
            self.line(format_args!("ottla_request_errors_total{{api=\"{}\"}} {count}", key.name()));
        }
    }

    fn histogram(&mut self, name: &str, label: &str, histogram: &Histogram) {
        let (counts, sum_us) = histogram.read();
        let separator = if label.is_empty() { "" } else { "," };
        let mut total = 0;
        for (bound, count) in BUCKETS_US.iter().zip(&counts) {
            total += count;
            let seconds = seconds(*bound);
            self.line(format_args!("{name}_bucket{{{label}{separator}le=\"{seconds}\"}} {total}"));
        }
        total += counts.last().copied().unwrap_or_default();
        self.line(format_args!("{name}_bucket{{{label}{separator}le=\"+Inf\"}} {total}"));
        let braces = if label.is_empty() { String::new() } else { format!("{{{label}}}") };
        self.line(format_args!("{name}_sum{braces} {}", seconds(sum_us)));
        self.line(format_args!("{name}_count{braces} {total}"));
    }

    fn partitions(&mut self, partitions: &[PartitionFigures]) {
        type Figure = fn(&PartitionFigures) -> u64;
        let by_topic: [(&str, &str, Figure); 3] = [
            ("ottla_topic_records_in_total", "Records appended.", |p| p.traffic.records_in),
            ("ottla_topic_bytes_in_total", "Bytes of records appended.", |p| p.traffic.bytes_in),
            ("ottla_topic_bytes_out_total", "Bytes of records sent.", |p| p.traffic.bytes_out),
        ];
        for (name, help, figure) in by_topic {
            self.head(name, "counter", help);
            let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
            for partition in partitions {
                *sums.entry(&partition.topic).or_default() += figure(partition);
            }
            for (topic, sum) in sums {
                self.line(format_args!("{name}{{topic=\"{topic}\"}} {sum}"));
            }
        }
        let by_partition: [(&str, &str, Figure); 6] = [
            ("ottla_partition_size_bytes", "Bytes of records on disk.", |p| p.size_bytes),
            ("ottla_partition_segments", "Segments on disk.", |p| p.segments as u64),
            ("ottla_partition_start_offset", "The first offset.", |p| {
                p.start_offset.0.cast_unsigned()
            }),
            (
                "ottla_partition_high_watermark",
                "The offset after the last that consumers see.",
                |p| p.high_watermark.0.cast_unsigned(),
            ),
            ("ottla_partition_end_offset", "The offset after the last.", |p| {
                p.end_offset.0.cast_unsigned()
            }),
            ("ottla_partition_failed", "1 if the disk failed the partition.", |p| {
                u64::from(p.is_failed)
            }),
        ];
        for (name, help, figure) in by_partition {
            self.head(name, "gauge", help);
            for partition in partitions {
                let PartitionFigures { topic, partition: index, .. } = partition;
                let value = figure(partition);
                self.line(format_args!(
                    "{name}{{topic=\"{topic}\",partition=\"{index}\"}} {value}"
                ));
            }
        }
    }

    fn groups(&mut self, inspection: &Inspection) {
        self.head("ottla_group_members", "gauge", "Members of a group.");
        for group in &inspection.groups {
            let (name, state) = (escape(&group.group), group.state);
            let members = group.members;
            self.line(format_args!(
                "ottla_group_members{{group=\"{name}\",state=\"{state}\"}} {members}"
            ));
        }
        let ends: BTreeMap<(&str, i32), i64> = inspection
            .partitions
            .iter()
            .map(|p| ((p.topic.as_str(), p.partition), p.high_watermark.0))
            .collect();
        self.head(
            "ottla_group_lag",
            "gauge",
            "Records that a group has yet to process, by what it committed.",
        );
        for group in &inspection.groups {
            let name = escape(&group.group);
            for (topic, partition, offset) in &group.offsets {
                let Some(end) = ends.get(&(topic.as_str(), *partition)) else { continue };
                let lag = (end - offset.0).max(0);
                self.line(format_args!(
                    "ottla_group_lag{{group=\"{name}\",topic=\"{topic}\",partition=\"{partition}\"}} {lag}"
                ));
            }
        }
    }
}

/// A group may be called anything.
fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Microseconds as seconds.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The memory in use, and the most that was.
fn memory() -> Option<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib << 10)
    };
    Some((field("VmRSS:")?, field("VmHWM:")?))
}
