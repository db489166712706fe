//! Bytes that are no request that the broker serves, and requests that come in odd pieces.

use std::{thread, time::Duration};

use ottla_core::wire::{
    ApiKey, Wire, Writer,
    messages::{
        api_versions::ApiVersionsRequest,
        heartbeat::HeartbeatRequest,
        metadata::{MetadataRequest, MetadataRequestTopic},
    },
};

use super::Cases;
use crate::{
    case::{A, Case, Done},
    client::{frame, raw_request},
};

pub(super) fn cases(cases: &mut Cases) {
    lengths(cases);
    keys(cases);
    versions(cases);
    headers(cases);
    bodies(cases);
    pieces(cases);
}

const METADATA: i16 = 3;

/// The body of a Metadata request for no topics.
fn metadata_body(version: i16) -> Vec<u8> {
    let request = MetadataRequest { topics: Some(vec![]), ..Default::default() };
    let mut body = Writer::new();
    request.encode(&mut body, ApiKey::Metadata.version(version));
    body.as_slice().to_vec()
}

fn raw_metadata(c: &mut Case, what: &str, content: &[u8], version: i16) -> Done {
    c.raw::<MetadataRequest>(what, &frame(content), version)
}

fn lengths(cases: &mut Cases) {
    for (what, length) in [
        ("zero", 0_i32),
        ("negative", -1),
        ("least", i32::MIN),
        ("above-limit", 104_857_601),
        ("greatest", i32::MAX),
    ] {
        cases.case(&format!("length-{what}"), move |c| {
            let bytes = length.to_be_bytes();
            c.raw::<MetadataRequest>(&format!("the length {length} and nothing else"), &bytes, 0)
        });
    }
    for length in [1, 7, 8, 9] {
        cases.case(&format!("length-{length}"), move |c| {
            let request = raw_request(METADATA, 0, false, &[]);
            let what = format!("the first {length} bytes of a request, as a frame");
            raw_metadata(c, &what, &request[..length], 0)
        });
    }
    cases.case("length-without-the-rest", |c| {
        c.raw_unanswered::<MetadataRequest>("the length 100 and 3 bytes", &[0, 0, 0, 100, 0, 3, 0])
    });
    cases.case("half-a-length", |c| {
        c.raw_unanswered::<MetadataRequest>("2 bytes of a length", &[0, 0])
    });
    cases.case("text", |c| {
        c.raw::<MetadataRequest>("GET / HTTP/1.1", b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n", 0)
    });
    cases.case("tls-hello", |c| {
        // As a client begins that expects TLS: its first bytes are a length of 370,409,985.
        let hello = [0x16, 3, 1, 1, 0x31, 1, 0, 1, 0x2d, 3, 3, 0, 0];
        c.raw::<MetadataRequest>("the first bytes of a TLS connection", &hello, 0)
    });
}

fn keys(cases: &mut Cases) {
    for (what, key) in [
        ("negative", -1),
        ("removed-4", 4),
        ("removed-7", 7),
        ("of-controllers-52", 52),
        ("of-controllers-62", 62),
        ("not-yet-94", 94),
        ("1000", 1000),
        ("greatest", i16::MAX),
    ] {
        cases.case(&format!("key-{what}"), move |c| {
            let request = frame(&raw_request(key, 0, false, &[0; 20]));
            c.raw::<MetadataRequest>(&format!("a request with key {key} v0"), &request, 0)
        });
    }
}

/// Where Kafka serves versions beyond those of the codec.
const NEWEST_OF_KAFKA: &[(ApiKey, i16)] =
    &[(ApiKey::ListOffsets, 11), (ApiKey::DescribeLogDirs, 5)];

/// Of each API the versions just outside of what is served.
fn versions(cases: &mut Cases) {
    for &key in ApiKey::ALL {
        if key == ApiKey::ApiVersions {
            continue;
        }
        let newest = NEWEST_OF_KAFKA.iter().find(|(known, _)| *known == key);
        let newest = newest.map_or(*key.versions().end(), |&(_, version)| version);
        for (what, version) in [("above", newest + 1), ("below", key.versions().start() - 1)] {
            cases.case(&format!("version-{what}-{}", key.name()), move |c| {
                let flexible = key.version(version).flexible;
                let request = frame(&raw_request(key.code(), version, flexible, &[0; 40]));
                let what = format!("a request with key {} v{version}", key.code());
                c.raw::<MetadataRequest>(&what, &request, 0)
            });
        }
    }
}

fn headers(cases: &mut Cases) {
    cases.case("client-id-null", |c| {
        c.client(A)?.set_client_id(None);
        c.ask(9, MetadataRequest { topics: Some(vec![]), ..Default::default() })?;
        Ok(())
    });
    for (what, client_id) in [
        ("empty", String::new()),
        ("with-odd-characters", "a b/ü\n".to_owned()),
        ("long", "c".repeat(5000)),
    ] {
        cases.case(&format!("client-id-{what}"), move |c| {
            c.client(A)?.set_client_id(Some(&client_id));
            c.ask(9, MetadataRequest { topics: Some(vec![]), ..Default::default() })?;
            Ok(())
        });
    }
    for (what, client_id) in [
        ("longer-than-the-frame", &[0x7f, 0xff, b'x'][..]),
        ("negative-length", &[0xff, 0xfe]),
        ("not-utf-8", &[0, 2, 0xff, 0xfe]),
    ] {
        cases.case(&format!("client-id-{what}"), move |c| {
            let header = [0, 3, 0, 1, 0, 0, 0, 77];
            let content = [&header, client_id, &metadata_body(1)].concat();
            raw_metadata(c, &format!("Metadata v1 with a client id that is {what}"), &content, 1)
        });
    }
    cases.case("unknown-tag", |c| {
        // One tagged field, number 9, of two bytes.
        let body = [&[1, 9, 2, 0xaa, 0xbb], &metadata_body(9)[..]].concat();
        let content = raw_request(METADATA, 9, false, &body);
        raw_metadata(c, "Metadata v9 with an unknown tagged field in its header", &content, 9)
    });
    cases.case("tags-without-end", |c| {
        let content = raw_request(METADATA, 9, false, &[0xff, 0xff, 0xff, 0xff, 0x0f]);
        raw_metadata(c, "Metadata v9 with 2^32 - 1 tagged fields in its header", &content, 9)
    });
}

fn bodies(cases: &mut Cases) {
    for version in [1, 9] {
        cases.each(version..=version, "trailing-bytes", |c, v| {
            let body = [&metadata_body(v)[..], b"more"].concat();
            let content = raw_request(METADATA, v, v >= 9, &body);
            raw_metadata(c, &format!("Metadata v{v} and four bytes more"), &content, v)
        });
        cases.each(version..=version, "cut-off", |c, v| {
            let body = metadata_body(v);
            let content = raw_request(METADATA, v, v >= 9, &body[..body.len() - 1]);
            raw_metadata(c, &format!("Metadata v{v} without its last byte"), &content, v)
        });
        cases.each(version..=version, "no-body", |c, v| {
            let content = raw_request(METADATA, v, v >= 9, &[]);
            raw_metadata(c, &format!("Metadata v{v} without a body"), &content, v)
        });
    }
    for (what, count) in [("huge", i32::MAX), ("more-than-there-are", 3), ("negative", -2)] {
        cases.case(&format!("array-count-{what}"), move |c| {
            // Kafka takes a negative count for null, which asks for all topics.
            c.leave_out("topics");
            let content = raw_request(METADATA, 1, false, &count.to_be_bytes());
            raw_metadata(
                c,
                &format!("Metadata v1 for {count} topics, and none follow"),
                &content,
                1,
            )
        });
    }
    cases.case("array-count-huge-compact", |c| {
        let content = raw_request(METADATA, 9, true, &[0xff, 0xff, 0xff, 0xff, 0x0f]);
        raw_metadata(c, "Metadata v9 for 2^32 - 2 topics, and none follow", &content, 9)
    });
    cases.case("varint-too-long", |c| {
        let content = raw_request(METADATA, 9, true, &[0xff; 12]);
        raw_metadata(c, "Metadata v9 with a count of twelve bytes", &content, 9)
    });
    cases.case("string-null-where-it-must-not-be", |c| {
        let content = raw_request(METADATA, 1, false, &[0, 0, 0, 1, 0xff, 0xff]);
        raw_metadata(c, "Metadata v1 for a topic whose name is null", &content, 1)
    });
    cases.case("string-not-utf-8", |c| {
        let content = raw_request(METADATA, 1, false, &[0, 0, 0, 1, 0, 2, 0xff, 0xfe]);
        raw_metadata(c, "Metadata v1 for a topic whose name is not UTF-8", &content, 1)
    });
    cases.case("boolean-2", |c| {
        let content = raw_request(METADATA, 4, false, &[0, 0, 0, 0, 2]);
        raw_metadata(c, "Metadata v4 with 2 for a boolean", &content, 4)
    });
    cases.case("unknown-tag-in-body", |c| {
        // Without the empty list of tagged fields that the body ends with.
        let mut body = metadata_body(9);
        body.pop();
        let body = [&body[..], &[1, 0x7f, 3, 1, 2, 3]].concat();
        let content = raw_request(METADATA, 9, true, &body);
        raw_metadata(c, "Metadata v9 with an unknown tagged field in its body", &content, 9)
    });
    cases.case("broken-body-then-a-good-request", |c| {
        let content = raw_request(METADATA, 1, false, &[0, 0, 0, 9]);
        raw_metadata(c, "Metadata v1 for 9 topics, and none follow", &content, 1)?;
        let another = MetadataRequest { topics: Some(vec![]), ..Default::default() };
        c.outcome(crate::case::B, 1, another)?;
        Ok(())
    });
}

fn pieces(cases: &mut Cases) {
    cases.case("byte-by-byte", |c| {
        let whole = frame(&raw_request(METADATA, 1, false, &metadata_body(1)));
        let (last, others) = whole.split_last().expect("a request has bytes");
        for byte in others {
            c.client(A)?.send_bytes(&[*byte])?;
            thread::sleep(Duration::from_millis(2));
        }
        c.raw::<MetadataRequest>("Metadata v1, byte by byte", &[*last], 1)
    });
    cases.case("several-at-once", |c| {
        let topics = |name: &str| MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some(name.to_owned()),
                ..Default::default()
            }]),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        c.leave_out("api_keys");
        let first = c.send(A, 9, topics("a b"))?;
        let second = c.send(A, 4, HeartbeatRequest::default())?;
        let third = c.send(A, 0, ApiVersionsRequest::default())?;
        let fourth = c.send(A, 1, topics("c d"))?;
        c.note("answers come in the order of the requests");
        c.receive(first)?;
        c.receive(second)?;
        c.receive(third)?;
        c.receive(fourth)?;
        Ok(())
    });
}
