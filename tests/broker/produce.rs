//! Requests that are well formed, and wrong.

use ottla_core::{
    records::batch::CHECKSUMMED_FROM, wire::messages::init_producer_id::InitProducerIdRequest,
};

use crate::support::{Broker, Folder, batch, produce_request, sequenced};

const CORRUPT_MESSAGE: i16 = 2;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const INVALID_TOPIC: i16 = 17;
const INVALID_CONFIG: i16 = 40;
const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const INVALID_RECORD: i16 = 87;

#[test]
fn corrupt_batches() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = broker.client();
    assert_eq!(client.create("t", &[]).0, 0);
    let good = batch(b"value");
    // All that the checksum covers, and the checksum.
    for at in 17..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x01;
        assert_eq!(client.produce("t", bad).0, CORRUPT_MESSAGE, "byte {at}");
    }
    for length in [0, 1, 11, 60, good.len() - 1] {
        let (error, _) = client.produce("t", good[..length].to_vec());
        assert!([CORRUPT_MESSAGE, INVALID_RECORD].contains(&error), "{length} bytes: {error}");
    }
    // Records that are wrong under a checksum that is right.
    let mut wrong = good.clone();
    wrong[57..61].copy_from_slice(&2_i32.to_be_bytes());
    let checksum = crc32c::crc32c(&wrong[CHECKSUMMED_FROM..]);
    wrong[17..21].copy_from_slice(&checksum.to_be_bytes());
    let (error, _) = client.produce("t", wrong);
    assert!([CORRUPT_MESSAGE, INVALID_RECORD].contains(&error), "{error}");
    // Nothing of it came into the log.
    assert_eq!(client.produce("t", good), (0, 0));
    broker.check_alive();
}

#[test]
fn bad_sequences() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = broker.client();
    assert_eq!(client.create("t", &[]).0, 0);
    let request = InitProducerIdRequest { transaction_timeout_ms: 60_000, ..Default::default() };
    let id = client.call(2, request).producer_id;
    assert_eq!(client.produce("t", sequenced(id, 0, 0)), (0, 0));
    assert_eq!(client.produce("t", sequenced(id, 0, 1)), (0, 1));
    // Again: the same answer, and no second record.
    assert_eq!(client.produce("t", sequenced(id, 0, 1)), (0, 1));
    assert_eq!(client.produce("t", sequenced(id, 0, 5)).0, OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(client.produce("t", sequenced(id, 1, 0)), (0, 2));
    assert_eq!(client.produce("t", sequenced(id, 0, 2)).0, INVALID_PRODUCER_EPOCH);
    broker.check_alive();
}

#[test]
fn unknown_topics_and_invalid_names_and_settings() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = broker.client();
    assert_eq!(client.produce("nowhere", batch(b"v")).0, UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(client.fetch("nowhere", 0).0, UNKNOWN_TOPIC_OR_PARTITION);
    let long = "x".repeat(250);
    for name in ["", ".", "..", "a/b", "../../etc/passwd", "a b", "\u{fc}", "a\0b", &long] {
        assert_eq!(client.create(name, &[]).0, INVALID_TOPIC, "{name:?}");
    }
    for (key, value) in [
        ("retention.bites", "1"),
        ("retention.ms", "soon"),
        ("segment.bytes", "-5"),
        ("cleanup.policy", "burn"),
        ("compression.type", "zip"),
    ] {
        let (error, message) = client.create("t", &[(key, value)]);
        assert_eq!(error, INVALID_CONFIG, "{key}={value}");
        assert!(message.contains(key), "{message}");
    }
    assert_eq!(client.create("t", &[]).0, 0);
    let response = client.call(8, produce_request("t", 1, batch(b"v")));
    let error = response.responses[0].partition_responses[0].error_code;
    assert_eq!(error, UNKNOWN_TOPIC_OR_PARTITION);
    broker.check_alive();
}
