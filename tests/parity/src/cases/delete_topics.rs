//! DeleteTopics.

use ottla_core::{
    types::Uuid,
    wire::{
        ApiKey,
        messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest},
    },
};

use super::{Cases, metadata};
use crate::{
    batch::batch,
    case::{A, Case, Done},
    mask::UNKNOWN_TOPIC_ID,
    requests::{fetch, list_offsets, produce},
    setup::{LATEST, Topic},
};

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    by_id(cases);
    wrong(cases);
    afterwards(cases);
}

/// A request of this version for topics by name.
fn named(version: i16, names: &[&str]) -> DeleteTopicsRequest {
    let names = names.iter().map(|&name| name.to_owned());
    if version < 6 {
        let topic_names = names.collect();
        return DeleteTopicsRequest { topic_names, timeout_ms: 10_000, ..Default::default() };
    }
    let topics = names.map(|name| DeleteTopicState { name: Some(name), ..Default::default() });
    DeleteTopicsRequest { topics: topics.collect(), timeout_ms: 10_000, ..Default::default() }
}

fn states(topics: &[(Option<&str>, Uuid)]) -> DeleteTopicsRequest {
    let topics = topics
        .iter()
        .map(|&(name, topic_id)| DeleteTopicState { name: name.map(str::to_owned), topic_id });
    DeleteTopicsRequest { topics: topics.collect(), timeout_ms: 10_000, ..Default::default() }
}

/// Keeps what Metadata says once the topic is gone.
fn keep_absence(c: &mut Case, topic: &Topic) -> Done {
    c.ask_until(12, metadata::named(&[&topic.name]), |answer| answer.topics[0].error_code != 0)?;
    Ok(())
}

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::DeleteTopics.versions(), "plain", |c, v| {
        let topic = c.topic("t", 2)?;
        c.ask(v, named(v, &[&topic.name]))?;
        keep_absence(c, &topic)
    });
    cases.each(ApiKey::DeleteTopics.versions(), "unknown-topic", |c, v| {
        let name = c.name("no-such");
        c.ask(v, named(v, &[&name]))?;
        Ok(())
    });
}

fn by_id(cases: &mut Cases) {
    cases.each(6..=6, "by-id", |c, v| {
        let topic = c.topic("t", 1)?;
        c.ask(v, states(&[(None, topic.id)]))?;
        keep_absence(c, &topic)
    });
    cases.each(6..=6, "unknown-id", |c, v| {
        c.ask(v, states(&[(None, UNKNOWN_TOPIC_ID)]))?;
        Ok(())
    });
    cases.each(6..=6, "neither-name-nor-id", |c, v| {
        c.outcome(A, v, states(&[(None, Uuid::ZERO)]))?;
        Ok(())
    });
    cases.each(6..=6, "name-and-id", |c, v| {
        let topic = c.topic("t", 1)?;
        c.ask(v, states(&[(Some(&topic.name), topic.id)]))?;
        Ok(())
    });
    cases.each(6..=6, "name-and-id-among-others", |c, v| {
        let (t, u) = (c.topic("t", 1)?, c.topic("u", 1)?);
        c.ask(v, states(&[(Some(&t.name), t.id), (Some(&u.name), Uuid::ZERO)]))?;
        Ok(())
    });
    cases.each(6..=6, "id-twice", |c, v| {
        let topic = c.topic("t", 1)?;
        c.ask(v, states(&[(None, topic.id), (None, topic.id)]))?;
        Ok(())
    });
    cases.each(6..=6, "name-and-then-its-id", |c, v| {
        let topic = c.topic("t", 1)?;
        c.ask(v, states(&[(Some(&topic.name), Uuid::ZERO), (None, topic.id)]))?;
        Ok(())
    });
}

fn wrong(cases: &mut Cases) {
    for version in [1, 4, 6] {
        cases.each(version..=version, "topic-twice", |c, v| {
            let topic = c.topic("t", 1)?;
            c.ask(v, named(v, &[&topic.name, &topic.name]))?;
            Ok(())
        });
        cases.each(version..=version, "some-fail", |c, v| {
            let topic = c.topic("t", 1)?;
            let unknown = c.name("no-such");
            c.ask(v, named(v, &[&unknown, &topic.name]))?;
            Ok(())
        });
        for (what, name) in [("empty-name", ""), ("bad-name", "a b")] {
            cases.each(version..=version, what, move |c, v| {
                c.ask(v, named(v, &[name]))?;
                Ok(())
            });
        }
        cases.each(version..=version, "no-topics", |c, v| {
            c.ask(v, named(v, &[]))?;
            Ok(())
        });
    }
    for (what, timeout_ms) in [("timeout-0", 0), ("timeout-negative", -1)] {
        cases.case(what, move |c| {
            let topic = c.topic("t", 1)?;
            c.ask(6, DeleteTopicsRequest { timeout_ms, ..named(6, &[&topic.name]) })?;
            Ok(())
        });
    }
}

fn afterwards(cases: &mut Cases) {
    cases.case("afterwards", |c| {
        let topic = c.filled_topic("t", batch(&["a"]))?;
        c.ask(6, named(6, &[&topic.name]))?;
        keep_absence(c, &topic)?;
        c.ask_until(12, produce(12, &topic, batch(&["b"])), |answer| {
            answer.responses[0].partition_responses[0].error_code != 0
        })?;
        c.ask(13, produce(13, &topic, batch(&["b"])))?;
        c.ask(12, fetch(12, &topic, 0))?;
        c.ask(13, fetch(13, &topic, 0))?;
        c.ask(7, list_offsets(&topic, &[(0, LATEST)]))?;
        c.ask(6, named(6, &[&topic.name]))?;
        Ok(())
    });
    cases.case("made-again", |c| {
        let topic = c.filled_topic("t", batch(&["a"]))?;
        c.ask(6, named(6, &[&topic.name]))?;
        keep_absence(c, &topic)?;
        let again = c.topic("t", 1)?;
        c.note("it is empty, and the old id is unknown");
        c.ask(7, list_offsets(&again, &[(0, LATEST)]))?;
        c.ask(13, fetch(13, &topic, 0))?;
        c.ask(13, fetch(13, &again, 0))?;
        Ok(())
    });
}
