//! What a topic's configuration makes of records.

use bytes::Bytes;
use ottla_core::records::Compression;

use super::{Cases, keep_log};
use crate::{
    batch::{T0, at_times, batch, compressed, concat, keyed, with_body},
    case::{Case, Done},
    requests::produce,
};

pub(super) fn cases(cases: &mut Cases) {
    compacted(cases);
    timestamps(cases);
    append_time(cases);
    sizes(cases);
    recompression(cases);
}

/// Produces records into a topic so configured, in a version without messages and one with, and keeps the log.
fn try_with(c: &mut Case, configs: &[(&str, &str)], records: &Bytes) -> Done {
    let topic = c.topic_with("t", 1, configs)?;
    for version in [7, 12] {
        c.ask(version, produce(version, &topic, records.clone()))?;
    }
    keep_log(c, &topic)
}

fn compacted(cases: &mut Cases) {
    for policy in ["compact", "compact,delete"] {
        cases.case(&format!("null-key-{policy}").replace(',', "-"), move |c| {
            let records = keyed(&[(Some("k"), Some("1")), (None, Some("2")), (None, None)]);
            try_with(c, &[("cleanup.policy", policy)], &records)
        });
    }
    cases.case("null-key-compact-compressed", |c| {
        let body = Compression::Gzip.compress(b"\x0e\0\0\0\x01\x02v\0").into_owned();
        let records = with_body(&compressed(Compression::Gzip, &["v"]), &body);
        try_with(c, &[("cleanup.policy", "compact")], &records)
    });
    cases.case("tombstone-compact", |c| {
        let records = keyed(&[(Some("k"), Some("1")), (Some("k"), None), (Some(""), None)]);
        try_with(c, &[("cleanup.policy", "compact")], &records)
    });
    cases.case("null-key-second-batch-compact", |c| {
        let records = concat(&[batch(&["a"]), keyed(&[(None, Some("1"))])]);
        try_with(c, &[("cleanup.policy", "compact")], &records)
    });
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.expect("after 1970").as_millis()).expect("the present fits 64 bits")
}

const HOUR_MS: i64 = 3_600_000;

fn timestamps(cases: &mut Cases) {
    for (what, codec) in [("", Compression::None), ("-compressed", Compression::Gzip)] {
        cases.case(&format!("timestamp-far-ahead{what}"), move |c| {
            let records = at_times(codec, &[now(), now() + 2 * HOUR_MS, T0]);
            try_with(c, &[], &records)
        });
        cases.case(&format!("timestamp-too-old{what}"), move |c| {
            let records = at_times(codec, &[now(), T0, T0 + 1]);
            try_with(c, &[("message.timestamp.before.max.ms", "3600000")], &records)
        });
        cases.case(&format!("timestamp-ahead-allowed{what}"), move |c| {
            let records = at_times(codec, &[now() + 2 * HOUR_MS]);
            try_with(c, &[("message.timestamp.after.max.ms", "86400000")], &records)
        });
    }
    cases.case("timestamp-all-wrong", |c| {
        let records = at_times(Compression::None, &[now() + 2 * HOUR_MS, now() + 3 * HOUR_MS]);
        try_with(c, &[], &records)
    });
    cases.case("timestamp-greatest", |c| {
        try_with(c, &[], &at_times(Compression::None, &[i64::MAX]))
    });
}

fn append_time(cases: &mut Cases) {
    let append_time = &[("message.timestamp.type", "LogAppendTime")];
    for codec in [Compression::None, Compression::Gzip] {
        cases.case(&format!("append-time-{}", codec.name()), move |c| {
            try_with(c, append_time, &compressed(codec, &["a", "b"]))
        });
    }
    cases.case("append-time-far-ahead", |c| {
        try_with(c, append_time, &at_times(Compression::None, &[now() + 2 * HOUR_MS]))
    });
    for version in [3, 13] {
        cases.each(version..=version, "append-time", |c, v| {
            let topic = c.topic_with("t", 1, append_time)?;
            c.ask(v, produce(v, &topic, batch(&["a"])))?;
            Ok(())
        });
    }
}

fn sizes(cases: &mut Cases) {
    let value = |bytes: usize| "x".repeat(bytes);
    cases.case("batch-too-large-for-topic", move |c| {
        // A record of n bytes makes a batch of n + 71 bytes, as long as n has one length byte.
        let topic = c.topic_with("t", 1, &[("max.message.bytes", "120")])?;
        for bytes in [49, 50, 30] {
            for version in [7, 12] {
                c.ask(version, produce(version, &topic, batch(&[&value(bytes)])))?;
            }
        }
        keep_log(c, &topic)
    });
    cases.case("batch-too-large-for-broker", move |c| {
        let topic = c.topic("t", 1)?;
        for bytes in [1_048_588, 1_048_400] {
            c.ask(12, produce(12, &topic, batch(&[&value(bytes)])))?;
        }
        Ok(())
    });
    cases.case("batch-small-enough-when-compressed", move |c| {
        let topic = c.topic_with("t", 1, &[("max.message.bytes", "300")])?;
        c.ask(12, produce(12, &topic, compressed(Compression::Zstd, &[&value(5000)])))?;
        Ok(())
    });
    cases.case("second-batch-too-large", move |c| {
        let records = concat(&[batch(&["a"]), batch(&[&value(500)])]);
        try_with(c, &[("max.message.bytes", "300")], &records)
    });
    cases.case("batch-larger-than-segment", move |c| {
        let configs = [("segment.bytes", "1048576"), ("max.message.bytes", "3000000")];
        let topic = c.topic_with("t", 1, &configs)?;
        c.ask(12, produce(12, &topic, batch(&[&value(2_000_000)])))?;
        Ok(())
    });
}

/// A topic may name its codec: here, that of its producers.
fn recompression(cases: &mut Cases) {
    cases.case("recompressed-lz4-to-producer", move |c| {
        let records = compressed(Compression::Lz4, &["a", "b"]);
        try_with(c, &[("compression.type", "producer")], &records)
    });
}
