//! Produce.

mod batches;
mod idempotence;
mod topics;

use ottla_core::wire::{ApiKey, messages::produce::ProduceRequest};

use super::Cases;
use crate::{
    batch::batch,
    case::{A, Case, Done},
    mask::UNKNOWN_TOPIC_ID,
    requests::{fetch, list_offsets, produce, produce_to},
    setup::{LATEST, Topic},
};

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    acks(cases);
    unknown(cases);
    shapes(cases);
    batches::cases(cases);
    idempotence::cases(cases);
    topics::cases(cases);
}

/// Keeps what the topic's first partition holds.
fn keep_log(c: &mut Case, topic: &Topic) -> Done {
    c.ask(12, fetch(12, topic, 0))?;
    Ok(())
}

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::Produce.versions(), "plain", |c, v| {
        let topic = c.topic("t", 1)?;
        c.ask(v, produce(v, &topic, batch(&["a", "b"])))?;
        c.ask(v, produce(v, &topic, batch(&["c"])))?;
        keep_log(c, &topic)
    });
}

fn acks(cases: &mut Cases) {
    for version in [3, 8, 9, 12, 13] {
        cases.each(version..=version, "acks-1", |c, v| {
            let topic = c.topic("t", 1)?;
            c.ask(v, ProduceRequest { acks: 1, ..produce(v, &topic, batch(&["a"])) })?;
            Ok(())
        });
        cases.each(version..=version, "acks-0", |c, v| {
            let topic = c.topic("t", 1)?;
            let request = ProduceRequest { acks: 0, ..produce(v, &topic, batch(&["a"])) };
            c.no_answer(v, request)?;
            c.ask_until(7, list_offsets(&topic, &[(0, LATEST)]), |answer| {
                answer.topics[0].partitions[0].offset == 1
            })?;
            Ok(())
        });
        for (what, acks) in [("acks-minus-2", -2), ("acks-2", 2)] {
            cases.each(version..=version, what, move |c, v| {
                let topic = c.topic("t", 1)?;
                c.ask(v, ProduceRequest { acks, ..produce(v, &topic, batch(&["a"])) })?;
                Ok(())
            });
        }
    }
    cases.each(12..=13, "acks-0-unknown-topic", |c, v| {
        let unknown = Topic::imagined(c.name("no-such"), UNKNOWN_TOPIC_ID);
        let request = ProduceRequest { acks: 0, ..produce(v, &unknown, batch(&["a"])) };
        c.outcome(A, v, request)?;
        Ok(())
    });
    cases.case("acks-all-too-few-replicas", |c| {
        let topic = c.topic_with("t", 1, &[("min.insync.replicas", "2")])?;
        for acks in [-1, 1] {
            c.ask(12, ProduceRequest { acks, ..produce(12, &topic, batch(&["a"])) })?;
        }
        Ok(())
    });
}

fn unknown(cases: &mut Cases) {
    cases.each(ApiKey::Produce.versions(), "unknown-topic", |c, v| {
        let unknown = Topic::imagined(c.name("no-such"), UNKNOWN_TOPIC_ID);
        c.ask(v, produce(v, &unknown, batch(&["a"])))?;
        Ok(())
    });
    for version in [3, 7, 8, 12, 13] {
        cases.each(version..=version, "unknown-partition", |c, v| {
            let topic = c.topic("t", 1)?;
            for partition in [1, -1] {
                c.ask(v, produce_to(v, &topic, &[(partition, Some(batch(&["a"])))]))?;
            }
            Ok(())
        });
    }
    for (what, name) in [("empty-name", ""), ("bad-name", "a b")] {
        cases.case(what, move |c| {
            let topic = Topic::imagined(name.to_owned(), UNKNOWN_TOPIC_ID);
            c.ask(12, produce(12, &topic, batch(&["a"])))?;
            Ok(())
        });
    }
    cases.each(13..=13, "zero-topic-id", |c, v| {
        let topic = Topic::imagined(String::new(), ottla_core::types::Uuid::ZERO);
        c.ask(v, produce(v, &topic, batch(&["a"])))?;
        Ok(())
    });
    cases.case("internal-topic", |c| {
        let offsets = Topic::imagined("__consumer_offsets".to_owned(), UNKNOWN_TOPIC_ID);
        c.ask(12, produce(12, &offsets, batch(&["a"])))?;
        Ok(())
    });
}

/// Requests whose lists are empty, or name something twice.
fn shapes(cases: &mut Cases) {
    for version in [3, 9, 12, 13] {
        cases.each(version..=version, "two-partitions", |c, v| {
            let topic = c.topic("t", 3)?;
            let (one, two) = (batch(&["a"]), batch(&["b", "c"]));
            c.ask(v, produce_to(v, &topic, &[(2, Some(one)), (0, Some(two))]))?;
            Ok(())
        });
        cases.each(version..=version, "some-partitions-fail", |c, v| {
            let topic = c.topic("t", 1)?;
            let records = || Some(batch(&["a"]));
            c.ask(v, produce_to(v, &topic, &[(7, records()), (0, records())]))?;
            Ok(())
        });
    }
    cases.each(12..=13, "two-topics", |c, v| {
        let (t, u) = (c.topic("t", 1)?, c.topic("u", 1)?);
        let mut request = produce(v, &t, batch(&["a"]));
        request.topic_data.extend(produce(v, &u, batch(&["b"])).topic_data);
        c.ask(v, request)?;
        Ok(())
    });
    cases.each(12..=13, "no-topics", |c, v| {
        c.ask(v, ProduceRequest { acks: -1, timeout_ms: 1000, ..Default::default() })?;
        Ok(())
    });
    cases.each(12..=13, "no-partitions", |c, v| {
        let topic = c.topic("t", 1)?;
        c.ask(v, produce_to(v, &topic, &[]))?;
        Ok(())
    });
    cases.each(12..=13, "partition-twice", |c, v| {
        let topic = c.topic("t", 1)?;
        let (one, two) = (batch(&["a"]), batch(&["b"]));
        c.outcome(A, v, produce_to(v, &topic, &[(0, Some(one)), (0, Some(two))]))?;
        keep_log(c, &topic)
    });
    cases.each(12..=13, "topic-twice", |c, v| {
        let topic = c.topic("t", 2)?;
        let mut request = produce(v, &topic, batch(&["a"]));
        request.topic_data.extend(produce_to(v, &topic, &[(1, Some(batch(&["b"])))]).topic_data);
        c.outcome(A, v, request)?;
        Ok(())
    });
    for (what, timeout_ms) in [("timeout-0", 0), ("timeout-negative", -5)] {
        cases.case(what, move |c| {
            let topic = c.topic("t", 1)?;
            c.ask(12, ProduceRequest { timeout_ms, ..produce(12, &topic, batch(&["a"])) })?;
            Ok(())
        });
    }
    cases.case("without-client-id", |c| {
        let topic = c.topic("t", 1)?;
        for client_id in [None, Some("")] {
            c.client(A)?.set_client_id(client_id);
            c.ask(12, produce(12, &topic, batch(&["a"])))?;
        }
        Ok(())
    });
}
