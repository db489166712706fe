//! Incremental fetch sessions (KIP-227).

use ottla_core::{
    types::Uuid,
    wire::messages::{
        delete_topics::DeleteTopicsRequest,
        fetch::{FetchRequest, ForgottenTopic},
        metadata::{MetadataRequest, MetadataRequestTopic},
    },
};

use super::{Cases, three_batches};
use crate::{
    batch::batch,
    case::{A, Case},
    client::Failure,
    requests::{fetch, fetch_from},
    setup::Topic,
};

pub(super) fn cases(cases: &mut Cases) {
    life(cases);
    wrong(cases);
    partitions(cases);
    topics(cases);
}

/// Epochs with a meaning of their own.
const FIRST: i32 = 0;
const FINAL: i32 = -1;

/// Versions that name topics by name and by id.
const VERSIONS: [i16; 4] = [7, 12, 13, 18];

/// Begins a session over a topic's partitions.
fn begin(
    c: &mut Case,
    version: i16,
    topic: &Topic,
    partitions: &[(i32, i64)],
) -> Result<i32, Failure> {
    let request = FetchRequest { session_epoch: FIRST, ..fetch_from(version, topic, partitions) };
    Ok(c.ask(version, request)?.session_id)
}

/// A request within a session that changes nothing about it.
fn next(session_id: i32, session_epoch: i32) -> FetchRequest {
    FetchRequest { session_id, session_epoch, max_bytes: 1 << 20, ..Default::default() }
}

fn life(cases: &mut Cases) {
    for version in VERSIONS {
        cases.each(version..=version, "session", |c, v| {
            let topic = c.topic("t", 2)?;
            let id = begin(c, v, &topic, &[(0, 0), (1, 0)])?;
            c.note("nothing new");
            c.ask(v, next(id, 1))?;
            c.produce_to(&topic, 1, batch(&["a"]))?;
            c.note("records in one partition");
            c.ask(v, next(id, 2))?;
            c.note("the same, because the session still asks from offset 0");
            c.ask(v, next(id, 3))?;
            c.note("from the end");
            c.ask(
                v,
                FetchRequest { topics: fetch_from(v, &topic, &[(1, 1)]).topics, ..next(id, 4) },
            )?;
            c.ask(v, next(id, 5))?;
            Ok(())
        });
        cases.each(version..=version, "session-close", |c, v| {
            let topic = three_batches(c, "t")?;
            let id = begin(c, v, &topic, &[(0, 5)])?;
            c.ask(v, next(id, FINAL))?;
            c.note("it is gone");
            c.ask(v, next(id, 1))?;
            Ok(())
        });
        cases.each(version..=version, "session-replaced", |c, v| {
            let topic = three_batches(c, "t")?;
            let id = begin(c, v, &topic, &[(0, 5)])?;
            let request =
                FetchRequest { session_id: id, session_epoch: FIRST, ..fetch(v, &topic, 3) };
            c.ask(v, request)?;
            c.note("the first one is gone");
            c.ask(v, next(id, 1))?;
            Ok(())
        });
    }
}

fn wrong(cases: &mut Cases) {
    for version in VERSIONS {
        cases.each(version..=version, "session-unknown", |c, v| {
            let topic = three_batches(c, "t")?;
            for epoch in [1, FIRST, FINAL] {
                c.ask(
                    v,
                    FetchRequest {
                        session_id: 123_456_789,
                        session_epoch: epoch,
                        ..fetch(v, &topic, 5)
                    },
                )?;
            }
            Ok(())
        });
        cases.each(version..=version, "session-wrong-epoch", |c, v| {
            let topic = three_batches(c, "t")?;
            let id = begin(c, v, &topic, &[(0, 5)])?;
            for epoch in [2, 1, 1] {
                c.ask(v, next(id, epoch))?;
            }
            Ok(())
        });
        cases.each(version..=version, "session-none-but-an-epoch", |c, v| {
            let topic = three_batches(c, "t")?;
            c.ask(v, FetchRequest { session_epoch: 1, ..fetch(v, &topic, 5) })?;
            Ok(())
        });
        cases.each(version..=version, "session-of-nothing", |c, v| {
            c.ask(v, FetchRequest { session_epoch: FIRST, ..Default::default() })?;
            Ok(())
        });
    }
    cases.case("session-epoch-negative", |c| {
        let topic = three_batches(c, "t")?;
        let id = begin(c, 12, &topic, &[(0, 5)])?;
        c.ask(12, next(id, -2))?;
        Ok(())
    });
}

fn forgotten(version: i16, topic: &Topic, partitions: &[i32]) -> Vec<ForgottenTopic> {
    let by_id = version >= 13;
    vec![ForgottenTopic {
        topic: if by_id { String::new() } else { topic.name.clone() },
        topic_id: if by_id { topic.id } else { Uuid::ZERO },
        partitions: partitions.to_vec(),
    }]
}

fn partitions(cases: &mut Cases) {
    for version in VERSIONS {
        cases.each(version..=version, "session-forgets-partition", |c, v| {
            let topic = c.topic("t", 2)?;
            let id = begin(c, v, &topic, &[(0, 0), (1, 0)])?;
            c.ask(
                v,
                FetchRequest { forgotten_topics_data: forgotten(v, &topic, &[1]), ..next(id, 1) },
            )?;
            for partition in 0..2 {
                c.produce_to(&topic, partition, batch(&["a"]))?;
            }
            c.ask(v, next(id, 2))?;
            Ok(())
        });
        cases.each(version..=version, "session-adds-partition", |c, v| {
            let topic = c.topic("t", 2)?;
            let id = begin(c, v, &topic, &[(0, 0)])?;
            c.ask(
                v,
                FetchRequest { topics: fetch_from(v, &topic, &[(1, 0)]).topics, ..next(id, 1) },
            )?;
            c.produce_to(&topic, 1, batch(&["a"]))?;
            c.ask(v, next(id, 2))?;
            Ok(())
        });
        cases.each(version..=version, "session-unknown-partition", |c, v| {
            let topic = c.topic("t", 1)?;
            let id = begin(c, v, &topic, &[(0, 0), (5, 0)])?;
            c.note("an error is told each time");
            c.ask(v, next(id, 1))?;
            Ok(())
        });
        cases.each(version..=version, "session-offset-out-of-range", |c, v| {
            let topic = c.topic("t", 1)?;
            let id = begin(c, v, &topic, &[(0, 9)])?;
            c.ask(v, next(id, 1))?;
            Ok(())
        });
    }
    cases.case("session-forgets-what-it-adds", |c| {
        let topic = three_batches(c, "t")?;
        let id = begin(c, 12, &topic, &[(0, 5)])?;
        c.ask(
            12,
            FetchRequest {
                topics: fetch(12, &topic, 3).topics,
                forgotten_topics_data: forgotten(12, &topic, &[0]),
                ..next(id, 1)
            },
        )?;
        c.ask(12, next(id, 2))?;
        Ok(())
    });
    cases.case("session-forgets-everything", |c| {
        let topic = three_batches(c, "t")?;
        let id = begin(c, 12, &topic, &[(0, 5)])?;
        for epoch in [1, 2] {
            c.ask(
                12,
                FetchRequest {
                    forgotten_topics_data: forgotten(12, &topic, &[0, 7]),
                    ..next(id, epoch)
                },
            )?;
        }
        Ok(())
    });
}

/// Deletes a topic and waits until Metadata does not know it.
fn delete(c: &mut Case, topic: &Topic) -> Result<(), Failure> {
    let topic_names = vec![topic.name.clone()];
    c.quiet(5, DeleteTopicsRequest { topic_names, timeout_ms: 10_000, ..Default::default() })?;
    let asked = MetadataRequestTopic { name: Some(topic.name.clone()), ..Default::default() };
    let request = MetadataRequest {
        topics: Some(vec![asked]),
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    c.until(9, request, |answer| answer.topics[0].error_code != 0)?;
    Ok(())
}

fn topics(cases: &mut Cases) {
    for version in [12, 13] {
        cases.each(version..=version, "session-topic-deleted", |c, v| {
            let topic = three_batches(c, "t")?;
            let id = begin(c, v, &topic, &[(0, 5)])?;
            delete(c, &topic)?;
            c.ask_until(v, fetch(v, &topic, 5), |answer| {
                answer.responses[0].partitions[0].error_code != 0
            })?;
            c.ask(v, next(id, 1))?;
            Ok(())
        });
        cases.each(version..=version, "session-topic-made-again", |c, v| {
            let topic = three_batches(c, "t")?;
            let id = begin(c, v, &topic, &[(0, 0)])?;
            delete(c, &topic)?;
            let again = c.topic("t", 1)?;
            c.produce(&again, batch(&["new"]))?;
            c.ask(v, next(id, 1))?;
            Ok(())
        });
    }
    for (what, first, second) in [("id-to-name", 13, 12), ("name-to-id", 12, 13)] {
        cases.case(&format!("session-from-{what}"), move |c| {
            let topic = three_batches(c, "t")?;
            let id = begin(c, first, &topic, &[(0, 5)])?;
            let request = FetchRequest { topics: fetch(second, &topic, 5).topics, ..next(id, 1) };
            c.outcome(A, second, request)?;
            Ok(())
        });
    }
}
