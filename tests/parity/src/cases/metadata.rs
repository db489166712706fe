//! Metadata: brokers, and topics by name and by id.

use ottla_core::{
    types::Uuid,
    wire::{
        ApiKey,
        messages::metadata::{MetadataRequest, MetadataRequestTopic},
    },
};

use super::Cases;
use crate::{case::Case, mask::UNKNOWN_TOPIC_ID};

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    unknown_topics(cases);
    auto_creation(cases);
    by_id(cases);
    authorized_operations(cases);
}

/// Topics by name, none of them to be made.
pub(super) fn named(names: &[&str]) -> MetadataRequest {
    let topics = names
        .iter()
        .map(|&name| MetadataRequestTopic { name: Some(name.to_owned()), ..Default::default() });
    MetadataRequest {
        topics: Some(topics.collect()),
        allow_auto_topic_creation: false,
        ..Default::default()
    }
}

fn with_id(topic_id: Uuid, name: Option<&str>) -> MetadataRequest {
    let topic = MetadataRequestTopic { topic_id, name: name.map(str::to_owned) };
    MetadataRequest {
        topics: Some(vec![topic]),
        allow_auto_topic_creation: false,
        ..Default::default()
    }
}

/// All topics: an empty list in version 0, null in the others.
fn all(version: i16) -> MetadataRequest {
    MetadataRequest { topics: (version == 0).then(Vec::new), ..Default::default() }
}

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::Metadata.versions(), "plain", |c, v| {
        let topic = c.topic("t", 2)?;
        c.ask(v, named(&[&topic.name]))?;
        Ok(())
    });
    for version in [0, 1, 9, 12, 13] {
        cases.each(version..=version, "all-topics", |c, v| {
            c.topic("t", 1)?;
            c.topic("u", 2)?;
            c.ask_own(v, all(v))?;
            Ok(())
        });
    }
    for version in [1, 7, 13] {
        cases.each(version..=version, "no-topics", |c, v| {
            c.ask(v, named(&[]))?;
            Ok(())
        });
    }
    for version in [1, 12] {
        cases.each(version..=version, "internal-topic", |c, v| {
            c.ask(v, named(&["__consumer_offsets"]))?;
            Ok(())
        });
    }
    cases.each(12..=12, "two-topics", |c, v| {
        let (t, u) = (c.topic("t", 1)?, c.topic("u", 1)?);
        c.ask(v, named(&[&u.name, &t.name]))?;
        c.note("the same topic twice");
        c.ask(v, named(&[&t.name, &t.name]))?;
        Ok(())
    });
}

fn unknown_topics(cases: &mut Cases) {
    cases.each(ApiKey::Metadata.versions(), "unknown-topic", |c, v| {
        // Before version 4 a request cannot say that nothing is to be created.
        let name = if v < 4 { "no/such".to_owned() } else { c.name("no-such") };
        c.ask(v, named(&[&name]))?;
        Ok(())
    });
    for (what, name) in [
        ("empty-name", String::new()),
        ("dot", ".".to_owned()),
        ("dot-dot", "..".to_owned()),
        ("bad-character", "a b".to_owned()),
        ("name-too-long", "x".repeat(250)),
        ("longest-name", "x".repeat(249)),
    ] {
        cases.case(what, move |c| {
            c.ask(12, named(&[&name]))?;
            c.ask(1, named(&[&name]))?;
            Ok(())
        });
    }
    cases.each(12..=12, "known-and-unknown", |c, v| {
        let topic = c.topic("t", 1)?;
        let unknown = c.name("no-such");
        c.ask(v, named(&[&unknown, &topic.name, "a b"]))?;
        Ok(())
    });
}

fn auto_creation(cases: &mut Cases) {
    let allowed =
        |names: &[&str]| MetadataRequest { allow_auto_topic_creation: true, ..named(names) };
    for version in [0, 3, 4, 9, 12, 13] {
        cases.each(version..=version, "auto-create", move |c, v| {
            let name = c.name("new");
            c.ask(v, allowed(&[&name]))?;
            c.note("once it is there");
            c.ask_until(v, allowed(&[&name]), |answer| answer.topics[0].error_code == 0)?;
            Ok(())
        });
    }
    cases.each(12..=12, "auto-create-two-and-invalid", move |c, v| {
        let (one, two) = (c.name("one"), c.name("two"));
        c.ask(v, allowed(&[&one, "a b", &two]))?;
        c.ask_until(v, allowed(&[&one, &two]), |answer| {
            answer.topics.iter().all(|topic| topic.error_code == 0)
        })?;
        Ok(())
    });
    cases.each(12..=12, "auto-create-colliding-name", move |c, v| {
        let topic = c.topic("a.b", 1)?;
        let colliding = topic.name.replace("a.b", "a_b");
        c.ask(v, allowed(&[&colliding]))?;
        c.ask(v, allowed(&[&colliding]))?;
        Ok(())
    });
}

fn by_id(cases: &mut Cases) {
    cases.each(10..=13, "topic-id", |c, v| {
        let topic = c.topic("t", 1)?;
        c.ask(v, with_id(topic.id, None))?;
        Ok(())
    });
    cases.each(12..=13, "unknown-topic-id", |c, v| {
        c.ask(v, with_id(UNKNOWN_TOPIC_ID, None))?;
        Ok(())
    });
    cases.each(12..=12, "topic-id-and-name", |c, v| {
        let topic = c.topic("t", 1)?;
        c.ask(v, with_id(topic.id, Some(&topic.name)))?;
        let other = c.name("other");
        c.ask(v, with_id(topic.id, Some(&other)))?;
        Ok(())
    });
    cases.each(10..=13, "null-name-and-no-id", |c, v| {
        c.outcome(crate::case::A, v, with_id(Uuid::ZERO, None))?;
        Ok(())
    });
    cases.each(12..=12, "ids-and-names-mixed", |c, v| {
        let (t, u) = (c.topic("t", 1)?, c.topic("u", 1)?);
        let mut request = with_id(t.id, None);
        request.topics.get_or_insert_default().extend(named(&[&u.name]).topics.unwrap_or_default());
        c.ask(v, request)?;
        Ok(())
    });
}

fn authorized_operations(cases: &mut Cases) {
    let with_operations = |c: &mut Case| -> Result<MetadataRequest, crate::client::Failure> {
        let topic = c.topic("t", 1)?;
        Ok(MetadataRequest {
            include_cluster_authorized_operations: true,
            include_topic_authorized_operations: true,
            ..named(&[&topic.name])
        })
    };
    for version in [8, 10, 11, 13] {
        cases.each(version..=version, "authorized-operations", move |c, v| {
            let request = with_operations(c)?;
            c.ask(v, request)?;
            Ok(())
        });
    }
}
