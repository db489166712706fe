//! Batches that are odd or broken.

use bytes::Bytes;
use ottla_core::records::Compression;

use super::{Cases, keep_log};
use crate::{
    batch::{
        T0, altered, at, at_times, batch, compressed, concat, damaged, with_body, with_headers,
    },
    case::{A, Case, Done},
    requests::{produce, produce_to},
};

pub(super) fn cases(cases: &mut Cases) {
    frames(cases);
    headers(cases);
    records(cases);
    compression(cases);
    several(cases);
    across_versions(cases);
}

/// Produces records that may be refused, and keeps what the log has of them.
fn try_records(c: &mut Case, records: Bytes) -> Done {
    let topic = c.topic("t", 1)?;
    c.outcome(A, 12, produce(12, &topic, records))?;
    keep_log(c, &topic)
}

type MakeRecords = fn() -> Bytes;

fn attempt(cases: &mut Cases, name: &str, records: MakeRecords) {
    cases.case(name, move |c| try_records(c, records()));
}

/// The same refusals in versions that tell less of them, or name the topic otherwise.
fn across_versions(cases: &mut Cases) {
    let refused: [(&str, MakeRecords); 4] = [
        ("checksum-wrong", || damaged(&batch(&["a"]), at::CHECKSUM, &[1, 2, 3, 4])),
        ("record-count-wrong", || altered(&batch(&["a"]), at::RECORD_COUNT, &[0, 0, 0, 2])),
        ("magic-3", || damaged(&batch(&["a"]), at::MAGIC, &[3])),
        ("two-batches", || concat(&[batch(&["a"]), batch(&["b", "c"])])),
    ];
    for (what, records) in refused {
        for version in [3, 7, 8, 10, 13] {
            cases.each(version..=version, what, move |c, v| {
                let topic = c.topic("t", 1)?;
                c.outcome(A, v, produce(v, &topic, records()))?;
                Ok(())
            });
        }
    }
}

/// Bytes that are no batch.
fn frames(cases: &mut Cases) {
    for version in [3, 7, 12, 13] {
        cases.each(version..=version, "null-records", |c, v| {
            let topic = c.topic("t", 1)?;
            c.no_answer(v, produce_to(v, &topic, &[(0, None)]))
        });
    }
    attempt(cases, "empty-records", Bytes::new);
    attempt(cases, "one-byte", || Bytes::from_static(&[0]));
    attempt(cases, "cut-in-header", || batch(&["a"]).slice(..40));
    attempt(cases, "cut-in-records", || {
        let batch = batch(&["a", "b"]);
        batch.slice(..batch.len() - 3)
    });
    attempt(cases, "trailing-bytes", || concat(&[batch(&["a"]), Bytes::from_static(b"tail")]));
    attempt(cases, "length-too-large", || {
        damaged(&batch(&["a"]), at::LENGTH, &1000_i32.to_be_bytes())
    });
    attempt(cases, "length-too-small", || {
        damaged(&batch(&["a"]), at::LENGTH, &10_i32.to_be_bytes())
    });
    attempt(cases, "length-negative", || {
        damaged(&batch(&["a"]), at::LENGTH, &(-1_i32).to_be_bytes())
    });
    attempt(cases, "length-zero", || damaged(&batch(&["a"]), at::LENGTH, &0_i32.to_be_bytes()));
    attempt(cases, "checksum-wrong", || damaged(&batch(&["a"]), at::CHECKSUM, &[1, 2, 3, 4]));
    attempt(cases, "bit-flipped", || {
        let batch = batch(&["a"]);
        damaged(&batch, batch.len() - 2, b"!")
    });
    attempt(cases, "magic-0", || damaged(&batch(&["a"]), at::MAGIC, &[0]));
    attempt(cases, "magic-1", || damaged(&batch(&["a"]), at::MAGIC, &[1]));
    attempt(cases, "magic-3", || damaged(&batch(&["a"]), at::MAGIC, &[3]));
    attempt(cases, "magic-negative", || damaged(&batch(&["a"]), at::MAGIC, &[0xff]));
    attempt(cases, "message-format-1", || Bytes::from(MESSAGE_V1.to_vec()));
}

/// A message of format version 1: offset 0, length 26, checksum, magic, attributes, timestamp 1, key "k", value "v".
const MESSAGE_V1: [u8; 36] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24, 0x1f, 0x71, 0x5a, 0x2e, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
    0, 0, 1, b'k', 0, 0, 0, 1, b'v',
];

/// Intact batches whose headers say something odd.
fn headers(cases: &mut Cases) {
    attempt(cases, "base-offset-5", || {
        altered(&batch(&["a"]), at::BASE_OFFSET, &5_i64.to_be_bytes())
    });
    attempt(cases, "base-offset-negative", || {
        altered(&batch(&["a"]), at::BASE_OFFSET, &(-5_i64).to_be_bytes())
    });
    attempt(cases, "leader-epoch-9", || {
        altered(&batch(&["a"]), at::LEADER_EPOCH, &9_i32.to_be_bytes())
    });
    for (what, count) in [("0", 0_i32), ("1", 1), ("3", 3), ("negative", -1)] {
        cases.case(&format!("record-count-{what}-of-2"), move |c| {
            try_records(c, altered(&batch(&["a", "b"]), at::RECORD_COUNT, &count.to_be_bytes()))
        });
    }
    for (what, delta) in [("0", 0_i32), ("5", 5), ("negative", -1)] {
        cases.case(&format!("last-offset-delta-{what}-of-2"), move |c| {
            let batch = batch(&["a", "b"]);
            try_records(c, altered(&batch, at::LAST_OFFSET_DELTA, &delta.to_be_bytes()))
        });
    }
    attempt(cases, "count-and-delta-agree-but-are-wrong", || {
        let batch = altered(&batch(&["a", "b"]), at::LAST_OFFSET_DELTA, &2_i32.to_be_bytes());
        altered(&batch, at::RECORD_COUNT, &3_i32.to_be_bytes())
    });
    attempt(cases, "no-records", || {
        let batch = altered(&batch(&["a"]), at::LAST_OFFSET_DELTA, &(-1_i32).to_be_bytes());
        with_body(&altered(&batch, at::RECORD_COUNT, &[0; 4]), &[])
    });
    attempt(cases, "max-timestamp-lies", || {
        altered(&batch(&["a", "b"]), at::MAX_TIMESTAMP, &(T0 + 999).to_be_bytes())
    });
    attempt(cases, "max-timestamp-lies-compressed", || {
        let batch = compressed(Compression::Gzip, &["a", "b"]);
        altered(&batch, at::MAX_TIMESTAMP, &(T0 + 999).to_be_bytes())
    });
    attempt(cases, "log-append-time-claimed", || {
        altered(&batch(&["a"]), at::ATTRIBUTES, &0x08_i16.to_be_bytes())
    });
    attempt(cases, "control-batch", || {
        altered(&batch(&["a"]), at::ATTRIBUTES, &0x20_i16.to_be_bytes())
    });
    attempt(cases, "delete-horizon-claimed", || {
        altered(&batch(&["a"]), at::ATTRIBUTES, &0x40_i16.to_be_bytes())
    });
    attempt(cases, "unused-attribute", || {
        altered(&batch(&["a"]), at::ATTRIBUTES, &0x80_i16.to_be_bytes())
    });
    attempt(cases, "no-timestamp", || at_times(Compression::None, &[-1]));
    attempt(cases, "negative-timestamp", || at_times(Compression::None, &[-2]));
    attempt(cases, "timestamps-descend", || at_times(Compression::None, &[T0 + 5, T0, T0 + 3]));
}

/// Intact batches whose records are odd.
fn records(cases: &mut Cases) {
    attempt(cases, "record-headers", || {
        with_headers(&[("h", Some("1")), ("h", Some("2")), ("empty", Some("")), ("null", None)])
    });
    attempt(cases, "record-header-without-name", || with_headers(&[("", Some("1"))]));
    attempt(cases, "records-garbage", || with_body(&batch(&["a"]), &[0xff; 20]));
    attempt(cases, "records-empty", || with_body(&batch(&["a"]), &[]));
    attempt(cases, "records-trailing-bytes", || {
        // A record's bytes, and some that no record is made of.
        let batch = batch(&["a"]);
        with_body(&batch, &[&batch[61..], &[1, 2, 3]].concat())
    });
    attempt(cases, "records-surplus-record", || {
        let batch = batch(&["a", "b"]);
        let one = altered(&batch, at::RECORD_COUNT, &1_i32.to_be_bytes());
        altered(&one, at::LAST_OFFSET_DELTA, &0_i32.to_be_bytes())
    });
    attempt(cases, "record-offset-delta-wrong", || {
        // length 14 halved: attributes, timestamp delta, offset delta 1 where 0 belongs, key "k", value "v", no headers
        with_body(&batch(&["v"]), &[16, 0, 0, 2, 2, b'k', 2, b'v', 0])
    });
    attempt(cases, "record-length-wrong", || {
        with_body(&batch(&["v"]), &[14, 0, 0, 0, 2, b'k', 2, b'v', 0])
    });
    attempt(cases, "record-headers-negative-count", || {
        with_body(&batch(&["v"]), &[16, 0, 0, 0, 2, b'k', 2, b'v', 1])
    });
    attempt(cases, "record-attributes-set", || {
        with_body(&batch(&["v"]), &[16, 0x7f, 0, 0, 2, b'k', 2, b'v', 0])
    });
    attempt(cases, "empty-key-and-value", || with_body(&batch(&["v"]), &[12, 0, 0, 0, 0, 0, 0]));
    attempt(cases, "null-key-and-value", || with_body(&batch(&["v"]), &[12, 0, 0, 0, 1, 1, 0]));
}

fn compression(cases: &mut Cases) {
    for codec in Compression::ALL {
        cases.case(&format!("compressed-{}", codec.name()), move |c| {
            let topic = c.topic("t", 1)?;
            for version in [3, 6, 7, 12] {
                c.ask(version, produce(version, &topic, compressed(codec, &["a", "a", "b"])))?;
            }
            keep_log(c, &topic)
        });
        cases.case(&format!("compressed-{}-garbage", codec.name()), move |c| {
            try_records(c, with_body(&compressed(codec, &["a"]), b"not compressed at all"))
        });
    }
    for attributes in 5..=7_i16 {
        cases.case(&format!("compressed-unknown-{attributes}"), move |c| {
            try_records(c, altered(&batch(&["a"]), at::ATTRIBUTES, &attributes.to_be_bytes()))
        });
    }
    attempt(cases, "compressed-record-count-wrong", || {
        let batch = compressed(Compression::Lz4, &["a", "b"]);
        altered(&batch, at::RECORD_COUNT, &3_i32.to_be_bytes())
    });
    attempt(cases, "compressed-count-and-delta-wrong", || {
        let batch = compressed(Compression::Lz4, &["a", "b"]);
        let batch = altered(&batch, at::LAST_OFFSET_DELTA, &2_i32.to_be_bytes());
        altered(&batch, at::RECORD_COUNT, &3_i32.to_be_bytes())
    });
    attempt(cases, "compressed-fewer-counted", || {
        let batch = compressed(Compression::Lz4, &["a", "b"]);
        let batch = altered(&batch, at::LAST_OFFSET_DELTA, &0_i32.to_be_bytes());
        altered(&batch, at::RECORD_COUNT, &1_i32.to_be_bytes())
    });
    attempt(cases, "compressed-trailing-bytes", || {
        let body = Compression::Gzip.compress(b"\x10\0\0\0\x02k\x02v\0tail").into_owned();
        with_body(&compressed(Compression::Gzip, &["v"]), &body)
    });
}

/// More than one batch for a partition.
fn several(cases: &mut Cases) {
    attempt(cases, "two-batches", || concat(&[batch(&["a"]), batch(&["b", "c"])]));
    attempt(cases, "two-batches-second-broken", || {
        concat(&[batch(&["a"]), damaged(&batch(&["b"]), at::CHECKSUM, &[0; 4])])
    });
    attempt(cases, "two-batches-second-cut", || {
        concat(&[batch(&["a"]), batch(&["b"]).slice(..65)])
    });
    attempt(cases, "two-batches-different-codecs", || {
        concat(&[compressed(Compression::Gzip, &["a"]), compressed(Compression::Zstd, &["b"])])
    });
    attempt(cases, "two-compressed-batches", || {
        concat(&[compressed(Compression::Lz4, &["a"]), compressed(Compression::Lz4, &["b"])])
    });
}
