//! Idempotent producers: ids, epochs and sequences.

use bytes::Bytes;
use ottla_core::wire::messages::{
    init_producer_id::InitProducerIdRequest, produce::ProduceRequest,
};

use super::{Cases, keep_log};
use crate::{
    batch::{altered, at, concat, from_producer},
    case::{A, Case, Done},
    client::Failure,
    requests::produce,
};

const TRANSACTIONAL: i16 = 0x10;

pub(super) fn cases(cases: &mut Cases) {
    sequences(cases);
    epochs(cases);
    odd(cases);
    transactional(cases);
}

fn producer_id(c: &mut Case) -> Result<i64, Failure> {
    let response = c.quiet(4, InitProducerIdRequest::default())?;
    if response.error_code != 0 {
        return Err(Failure::Unexpected(format!("no producer id was given: {response:?}")));
    }
    Ok(response.producer_id)
}

/// Batches of one producer in turn, each with its epoch, first sequence and values; then what the log has of them.
fn appends(cases: &mut Cases, name: &str, batches: &'static [(i16, i32, &[&str])]) {
    cases.case(name, move |c| {
        let topic = c.topic("t", 1)?;
        let id = producer_id(c)?;
        for &(epoch, sequence, values) in batches {
            c.ask(12, produce(12, &topic, from_producer(id, epoch, sequence, values)))?;
        }
        keep_log(c, &topic)
    });
}

fn sequences(cases: &mut Cases) {
    appends(cases, "sequence-in-order", &[(0, 0, &["a", "b"]), (0, 2, &["c"]), (0, 3, &["d"])]);
    appends(cases, "sequence-gap", &[(0, 0, &["a"]), (0, 2, &["c"]), (0, 1, &["b"])]);
    appends(cases, "sequence-duplicate", &[(0, 0, &["a"]), (0, 0, &["a"]), (0, 1, &["b"])]);
    appends(
        cases,
        "sequence-duplicate-of-older",
        &[(0, 0, &["a"]), (0, 1, &["b"]), (0, 2, &["c"]), (0, 0, &["a"]), (0, 1, &["b"])],
    );
    appends(
        cases,
        "sequence-duplicate-six-back",
        &[
            (0, 0, &["a"]),
            (0, 1, &["b"]),
            (0, 2, &["c"]),
            (0, 3, &["d"]),
            (0, 4, &["e"]),
            (0, 5, &["f"]),
            (0, 1, &["b"]),
            (0, 0, &["a"]),
        ],
    );
    appends(cases, "sequence-overlaps", &[(0, 0, &["a", "b"]), (0, 1, &["b", "c"])]);
    appends(cases, "sequence-part-of-older", &[(0, 0, &["a", "b", "c"]), (0, 1, &["b"])]);
    appends(cases, "sequence-same-start-longer", &[(0, 0, &["a"]), (0, 0, &["a", "b"])]);
    appends(cases, "sequence-first-is-5", &[(0, 5, &["a"]), (0, 6, &["b"])]);
    appends(
        cases,
        "sequence-wraps",
        &[(0, i32::MAX - 1, &["a", "b", "c"]), (0, 1, &["d"]), (0, i32::MAX - 1, &["a", "b", "c"])],
    );
    appends(cases, "sequence-negative", &[(0, -1, &["a"]), (0, -2, &["a"])]);
    for version in [3, 7, 8, 13] {
        cases.each(version..=version, "sequence-gap", |c, v| {
            let topic = c.topic("t", 1)?;
            let id = producer_id(c)?;
            for sequence in [0, 5] {
                c.ask(v, produce(v, &topic, from_producer(id, 0, sequence, &["a"])))?;
            }
            Ok(())
        });
        cases.each(version..=version, "sequence-duplicate", |c, v| {
            let topic = c.topic("t", 1)?;
            let id = producer_id(c)?;
            for sequence in [0, 1, 0] {
                c.ask(v, produce(v, &topic, from_producer(id, 0, sequence, &["a"])))?;
            }
            Ok(())
        });
    }
}

fn epochs(cases: &mut Cases) {
    appends(cases, "epoch-new", &[(0, 0, &["a"]), (1, 0, &["b"]), (1, 1, &["c"])]);
    appends(cases, "epoch-new-sequence-not-0", &[(0, 0, &["a"]), (1, 1, &["b"])]);
    appends(cases, "epoch-old", &[(1, 0, &["a"]), (0, 1, &["b"]), (0, 0, &["b"])]);
    appends(cases, "epoch-skipped", &[(0, 0, &["a"]), (7, 0, &["b"])]);
    appends(cases, "epoch-first-is-3", &[(3, 0, &["a"]), (3, 1, &["b"])]);
    appends(cases, "epoch-negative", &[(-1, 0, &["a"]), (-2, 0, &["a"])]);
    appends(cases, "epoch-greatest", &[(i16::MAX, 0, &["a"])]);
    for version in [7, 9, 13] {
        cases.each(version..=version, "epoch-old", |c, v| {
            let topic = c.topic("t", 1)?;
            let id = producer_id(c)?;
            for epoch in [1, 0] {
                c.ask(v, produce(v, &topic, from_producer(id, epoch, 0, &["a"])))?;
            }
            Ok(())
        });
    }
}

fn odd(cases: &mut Cases) {
    cases.case("producer-never-given-out", |c| {
        let topic = c.topic("t", 1)?;
        for sequence in [3, 0, 1] {
            c.ask(12, produce(12, &topic, from_producer(4_000_000_000, 0, sequence, &["a"])))?;
        }
        Ok(())
    });
    cases.case("two-batches-of-a-producer", |c| {
        let topic = c.topic("t", 1)?;
        let id = producer_id(c)?;
        let two = concat(&[from_producer(id, 0, 0, &["a"]), from_producer(id, 0, 1, &["b"])]);
        c.outcome(A, 12, produce(12, &topic, two))?;
        keep_log(c, &topic)
    });
    cases.case("two-producers-on-a-partition", |c| {
        let topic = c.topic("t", 1)?;
        let (one, two) = (producer_id(c)?, producer_id(c)?);
        for (id, sequence) in [(one, 0), (two, 0), (one, 1), (two, 1)] {
            c.ask(12, produce(12, &topic, from_producer(id, 0, sequence, &["a"])))?;
        }
        keep_log(c, &topic)
    });
    cases.case("duplicate-with-acks-1", |c| {
        let topic = c.topic("t", 1)?;
        let id = producer_id(c)?;
        let request = produce(12, &topic, from_producer(id, 0, 0, &["a", "b"]));
        for _ in 0..2 {
            c.ask(12, ProduceRequest { acks: 1, ..request.clone() })?;
        }
        Ok(())
    });
    cases.case("duplicate-keeps-append-time", |c| {
        let topic = c.topic_with("t", 1, &[("message.timestamp.type", "LogAppendTime")])?;
        let id = producer_id(c)?;
        let request = produce(12, &topic, from_producer(id, 0, 0, &["a"]));
        let first = c.ask(12, request.clone())?;
        let second = c.ask(12, request)?;
        let [first, second] = [first, second]
            .map(|answer| answer.responses[0].partition_responses[0].log_append_time_ms);
        c.note(if first == second { "the same time" } else { "not the same time" });
        Ok(())
    });
    cases.case("refused-batch-leaves-sequence", |c| {
        let topic = c.topic("t", 1)?;
        let id = producer_id(c)?;
        let good = from_producer(id, 0, 0, &["a"]);
        let broken = altered(&good, at::RECORD_COUNT, &2_i32.to_be_bytes());
        for records in [broken, good] {
            c.ask(12, produce(12, &topic, records))?;
        }
        Ok(())
    });
}

/// Transactions are not begun here: what a broker says to batches that claim to be part of one.
fn transactional(cases: &mut Cases) {
    let claims = |c: &mut Case, transactional_id: Option<&str>, attributes: i16| -> Done {
        let topic = c.topic("t", 1)?;
        let id = producer_id(c)?;
        let batch = from_producer(id, 0, 0, &["a"]);
        let batch: Bytes = altered(&batch, at::ATTRIBUTES, &attributes.to_be_bytes());
        for version in [9, 11, 12] {
            let request = ProduceRequest {
                transactional_id: transactional_id.map(|label| c.name(label)),
                ..produce(version, &topic, batch.clone())
            };
            c.outcome(A, version, request)?;
        }
        Ok(())
    };
    cases.case("transactional-batch-without-id", move |c| claims(c, None, TRANSACTIONAL));
    cases.case("transactional-id-plain-batch", move |c| claims(c, Some("x"), 0));
    cases.case("transactional-batch-unknown-id", move |c| claims(c, Some("x"), TRANSACTIONAL));
}
