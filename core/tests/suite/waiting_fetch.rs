//! What happens to a partition while a fetch waits for more of it.

use ottla_core::{
    records::Compression,
    types::ErrorCode,
    wire::messages::fetch::{FetchRequest, FetchResponse},
};

use crate::support::{
    broker::{BEGINNING, Broker},
    client::{batch, fetch_request},
};

const TOPIC: &str = "orders";
const VERSION: i16 = 12;

/// Three records of one byte; then a fetch from the beginning that wants more than there is, and `meanwhile`.
fn fetched(meanwhile: impl FnOnce(&mut Broker)) -> FetchResponse {
    let mut broker = Broker::new(1, &[]).with_topic(TOPIC, 1, &[]);
    broker.start();
    for _ in 0..3 {
        broker.produce(TOPIC, batch(Compression::None, &[(BEGINNING.0, None, Some(b"a"))]));
    }
    let connection = broker.connect();
    let request =
        FetchRequest { max_wait_ms: 5_000, min_bytes: 100_000, ..fetch_request(TOPIC, 0, 0) };
    let ticket = broker.send(connection, VERSION, request);
    broker.settle();
    meanwhile(&mut broker);
    assert!(broker.answer::<FetchRequest>(ticket, VERSION).is_none(), "it waits");
    broker.sleep_ms(5_001);
    broker.answer::<FetchRequest>(ticket, VERSION).expect("it waited long enough")
}

#[test]
fn what_is_there_must_do_in_the_end() {
    let answer = fetched(|_| ());
    let partition = &answer.responses[0].partitions[0];
    assert_eq!((partition.error_code, partition.high_watermark), (0, 3));
    assert_ne!(partition.records.as_ref().expect("records").len(), 0);
}

/// Records that DeleteRecords has taken away meanwhile are not shown, though they are still in the file.
#[test]
fn records_deleted_meanwhile_are_not_shown() {
    let answer = fetched(|broker| {
        let connection = broker.connect();
        let ticket = broker.begin_delete_records(connection, TOPIC, 2);
        broker.settle();
        assert_eq!(broker.records_deleted(ticket), Some((0, 2)));
    });
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(partition.error_code, ErrorCode::OffsetOutOfRange as i16);
    assert_eq!(partition.records.as_ref().map_or(0, |records| records.len()), 0);
}

/// An answer has records of one segment alone, so where the next one has begun there is nothing to wait for.
#[test]
fn who_reads_an_old_segment_does_not_wait() {
    let small = [("internal.segment.bytes", "150")];
    let mut broker = Broker::new(1, &[]).with_topic(TOPIC, 1, &small);
    broker.start();
    for _ in 0..5 {
        broker.produce(TOPIC, batch(Compression::None, &[(BEGINNING.0, None, Some(b"a"))]));
    }
    let connection = broker.connect();
    let mut fetch = |offset| {
        let request = FetchRequest {
            max_wait_ms: 5_000,
            min_bytes: 100_000,
            ..fetch_request(TOPIC, 0, offset)
        };
        let ticket = broker.send(connection, VERSION, request);
        broker.settle();
        broker.answer::<FetchRequest>(ticket, VERSION)
    };
    let answer = fetch(0).expect("the next segment has begun");
    assert_ne!(answer.responses[0].partitions[0].records.as_ref().expect("records").len(), 0);
    assert!(fetch(4).is_none(), "more may come to the last segment");
}
