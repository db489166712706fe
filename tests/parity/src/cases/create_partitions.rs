//! CreatePartitions.

use ottla_core::wire::{
    ApiKey,
    messages::create_partitions::{
        CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
    },
};

use super::{Cases, metadata};
use crate::case::{A, Case};

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    counts(cases);
    assignments(cases);
    wrong(cases);
}

fn to(name: &str, count: i32) -> CreatePartitionsRequest {
    let topic = CreatePartitionsTopic { name: name.to_owned(), count, assignments: None };
    CreatePartitionsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false }
}

fn assigned(name: &str, count: i32, assignments: &[&[i32]]) -> CreatePartitionsRequest {
    let mut request = to(name, count);
    let assignments = assignments
        .iter()
        .map(|&brokers| CreatePartitionsAssignment { broker_ids: brokers.to_vec() });
    request.topics[0].assignments = Some(assignments.collect());
    request
}

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::CreatePartitions.versions(), "plain", |c, v| {
        let topic = c.topic("t", 1)?;
        c.ask(v, to(&topic.name, 3))?;
        c.ask_until(12, metadata::named(&[&topic.name]), |answer| {
            answer.topics[0].partitions.len() == 3
        })?;
        Ok(())
    });
    cases.each(ApiKey::CreatePartitions.versions(), "validate-only", |c, v| {
        let topic = c.topic("t", 1)?;
        c.ask(v, CreatePartitionsRequest { validate_only: true, ..to(&topic.name, 3) })?;
        c.note("nothing was made");
        c.ask(12, metadata::named(&[&topic.name]))?;
        Ok(())
    });
}

fn counts(cases: &mut Cases) {
    for (what, count) in [("less", 1), ("equal", 2), ("zero", 0), ("negative", -1)] {
        for version in [0, 3] {
            cases.each(version..=version, &format!("count-{what}"), move |c, v| {
                let topic = c.topic("t", 2)?;
                c.outcome(A, v, to(&topic.name, count))?;
                Ok(())
            });
        }
    }
}

fn assignments(cases: &mut Cases) {
    let assignments: [(&str, i32, &'static [&[i32]]); 7] = [
        ("good", 3, &[&[1], &[1]]),
        ("empty", 3, &[]),
        ("too-few", 3, &[&[1]]),
        ("too-many", 3, &[&[1], &[1], &[1]]),
        ("unknown-broker", 2, &[&[7]]),
        ("broker-twice", 2, &[&[1, 1]]),
        ("no-brokers", 2, &[&[]]),
    ];
    for (what, count, assignments) in assignments {
        cases.case(&format!("assignment-{what}"), move |c| {
            let topic = c.topic("t", 1)?;
            c.outcome(A, 3, assigned(&topic.name, count, assignments))?;
            Ok(())
        });
    }
}

fn wrong(cases: &mut Cases) {
    cases.each(ApiKey::CreatePartitions.versions(), "unknown-topic", |c, v| {
        let name = c.name("no-such");
        c.ask(v, to(&name, 3))?;
        Ok(())
    });
    for (what, name) in [("empty-name", ""), ("bad-name", "a b")] {
        cases.case(what, move |c| {
            c.ask(3, to(name, 3))?;
            Ok(())
        });
    }
    let twice = |c: &mut Case, counts: [i32; 2]| {
        let (t, u) = (c.topic("t", 1)?, c.topic("u", 1)?);
        let mut request = to(&t.name, counts[0]);
        request.topics.extend(to(&u.name, 2).topics);
        request.topics.extend(to(&t.name, counts[1]).topics);
        c.ask(3, request)?;
        Ok(())
    };
    cases.case("topic-twice", move |c| twice(c, [2, 3]));
    cases.case("topic-twice-same-count", move |c| twice(c, [2, 2]));
    cases.case("some-fail", |c| {
        let topic = c.topic("t", 1)?;
        let unknown = c.name("no-such");
        let mut request = to(&unknown, 2);
        request.topics.extend(to(&topic.name, 2).topics);
        c.ask(3, request)?;
        Ok(())
    });
    cases.case("no-topics", |c| {
        c.ask(3, CreatePartitionsRequest::default())?;
        Ok(())
    });
    for (what, timeout_ms) in [("timeout-0", 0), ("timeout-negative", -1)] {
        cases.case(what, move |c| {
            let topic = c.topic("t", 1)?;
            c.ask(3, CreatePartitionsRequest { timeout_ms, ..to(&topic.name, 2) })?;
            Ok(())
        });
    }
}
