//! CreateTopics.

use ottla_core::wire::{
    ApiKey,
    messages::create_topics::{
        CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
    },
};

use super::{
    Cases,
    configs::{describe, resource},
    metadata,
};
use crate::{
    case::{A, Case, Done},
    requests::create_topic,
};

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    names(cases);
    counts(cases);
    assignments(cases);
    configs(cases);
    several(cases);
    validation(cases);
}

/// Asks for a topic with one field changed, and for what Metadata says of it.
fn try_topic(c: &mut Case, version: i16, change: impl FnOnce(&mut CreatableTopic)) -> Done {
    c.leave_out("configs");
    let mut request = create_topic(&c.name("t"), 1, &[]);
    change(&mut request.topics[0]);
    c.outcome(A, version, request)?;
    c.leave_nothing_out();
    Ok(())
}

/// The versions that differ in what they answer.
const VERSIONS: [i16; 4] = [2, 4, 5, 7];

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::CreateTopics.versions(), "plain", |c, v| {
        let name = c.name("t");
        c.ask(v, create_topic(&name, 3, &[("retention.ms", "1000")]))?;
        c.ask_until(12, metadata::named(&[&name]), |answer| {
            answer.topics[0].partitions.iter().filter(|p| p.leader_id == 1).count() == 3
        })?;
        Ok(())
    });
    cases.each(ApiKey::CreateTopics.versions(), "existing", |c, v| {
        let topic = c.topic("t", 1)?;
        c.ask(v, create_topic(&topic.name, 1, &[]))?;
        Ok(())
    });
}

fn names(cases: &mut Cases) {
    for (what, name) in [
        ("empty", String::new()),
        ("dot", ".".to_owned()),
        ("dot-dot", "..".to_owned()),
        ("bad-character", "a b".to_owned()),
        ("slash", "a/b".to_owned()),
        ("not-ascii", "t\u{f6}pic".to_owned()),
        ("too-long", "x".repeat(250)),
    ] {
        for version in [2, 7] {
            let name = name.clone();
            cases.each(version..=version, &format!("name-{what}"), move |c, v| {
                try_topic(c, v, |topic| topic.name.clone_from(&name))
            });
        }
    }
    cases.case("name-longest", |c| {
        let name = format!("{:x<249}", c.name("t"));
        try_topic(c, 7, |topic| topic.name = name)
    });
    cases.case("name-all-characters", |c| {
        let name = c.name("aZ09._-");
        try_topic(c, 7, |topic| topic.name = name)
    });
    for (what, existing, new) in
        [("dot-with-underscore", "a_b", "a.b"), ("underscore-with-dot", "a.b", "a_b")]
    {
        cases.case(&format!("name-collides-{what}"), move |c| {
            let existing = c.topic(existing, 1)?;
            let name = c.name(new);
            c.note(&format!("there is {:?}", existing.name));
            try_topic(c, 7, |topic| topic.name = name)
        });
    }
    cases.case("name-internal", |c| {
        try_topic(c, 7, |topic| topic.name = "__consumer_offsets".to_owned())
    });
    cases.case("name-collides-within-request", |c| {
        let (one, two) = (c.name("a.b"), c.name("a_b"));
        let mut request = create_topic(&one, 1, &[]);
        request.topics.extend(create_topic(&two, 1, &[]).topics);
        c.ask(7, request)?;
        Ok(())
    });
}

fn counts(cases: &mut Cases) {
    for version in VERSIONS {
        for (what, count) in [("0", 0), ("default", -1), ("minus-2", -2)] {
            cases.each(version..=version, &format!("partitions-{what}"), move |c, v| {
                try_topic(c, v, |topic| topic.num_partitions = count)
            });
        }
        for (what, factor) in [("0", 0), ("default", -1), ("minus-2", -2), ("3", 3)] {
            cases.each(version..=version, &format!("replicas-{what}"), move |c, v| {
                try_topic(c, v, |topic| topic.replication_factor = factor)
            });
        }
    }
    cases
        .case("partitions-too-many", |c| try_topic(c, 7, |topic| topic.num_partitions = 1_000_000));
    cases.case("partitions-greatest", |c| try_topic(c, 7, |topic| topic.num_partitions = i32::MAX));
    cases.case("both-default", |c| {
        try_topic(c, 7, |topic| {
            topic.num_partitions = -1;
            topic.replication_factor = -1;
        })
    });
    for (what, timeout_ms) in [("timeout-0", 0), ("timeout-negative", -1)] {
        cases.case(what, move |c| {
            let name = c.name("t");
            c.ask(7, CreateTopicsRequest { timeout_ms, ..create_topic(&name, 1, &[]) })?;
            Ok(())
        });
    }
}

fn assigned(partitions: &[(i32, &[i32])]) -> Vec<CreatableReplicaAssignment> {
    partitions
        .iter()
        .map(|&(partition_index, brokers)| CreatableReplicaAssignment {
            partition_index,
            broker_ids: brokers.to_vec(),
        })
        .collect()
}

/// Partitions, and the brokers that each is assigned to.
type Assignments = &'static [(i32, &'static [i32])];

fn assignments(cases: &mut Cases) {
    let assignments: [(&str, Assignments); 9] = [
        ("good", &[(0, &[1]), (1, &[1])]),
        ("out-of-order", &[(1, &[1]), (0, &[1])]),
        ("gap", &[(0, &[1]), (2, &[1])]),
        ("not-from-0", &[(1, &[1]), (2, &[1])]),
        ("partition-twice", &[(0, &[1]), (0, &[1])]),
        ("partition-negative", &[(-1, &[1])]),
        ("unknown-broker", &[(0, &[7])]),
        ("broker-twice", &[(0, &[1, 1])]),
        ("no-brokers", &[(0, &[])]),
    ];
    for (what, partitions) in assignments {
        for version in [2, 7] {
            cases.each(version..=version, &format!("assignment-{what}"), move |c, v| {
                try_topic(c, v, |topic| {
                    topic.num_partitions = -1;
                    topic.replication_factor = -1;
                    topic.assignments = assigned(partitions);
                })
            });
        }
    }
    cases.case("assignment-different-replica-counts", |c| {
        try_topic(c, 7, |topic| {
            topic.num_partitions = -1;
            topic.replication_factor = -1;
            topic.assignments = assigned(&[(0, &[1]), (1, &[1, 2])]);
        })
    });
    for (what, partitions, replicas) in [("partitions", 2, -1), ("replicas", -1, 1), ("both", 2, 1)]
    {
        cases.case(&format!("assignment-and-count-of-{what}"), move |c| {
            try_topic(c, 7, |topic| {
                topic.num_partitions = partitions;
                topic.replication_factor = replicas;
                topic.assignments = assigned(&[(0, &[1]), (1, &[1])]);
            })
        });
    }
}

fn config(name: &str, value: Option<&str>) -> CreatableTopicConfig {
    CreatableTopicConfig { name: name.to_owned(), value: value.map(str::to_owned) }
}

fn configs(cases: &mut Cases) {
    for (what, name, value) in [
        ("unknown", "no.such.config", Some("1")),
        ("empty-name", "", Some("1")),
        ("null", "retention.ms", None),
        ("empty", "retention.ms", Some("")),
        ("not-a-number", "retention.ms", Some("soon")),
        ("too-small", "retention.ms", Some("-2")),
        ("too-large", "retention.ms", Some("9223372036854775808")),
        ("int-too-large", "max.message.bytes", Some("2147483648")),
        ("segment-too-small", "segment.bytes", Some("1024")),
        ("policy-unknown", "cleanup.policy", Some("shred")),
        ("policy-upper-case", "cleanup.policy", Some("COMPACT")),
        ("compression-unknown", "compression.type", Some("brotli")),
        ("compression-gzip", "compression.type", Some("gzip")),
        ("gzip-level-out-of-range", "compression.gzip.level", Some("10")),
        ("boolean-odd", "preallocate", Some("yes")),
        ("ratio-out-of-range", "min.cleanable.dirty.ratio", Some("1.5")),
        ("min-insync-0", "min.insync.replicas", Some("0")),
        ("timestamp-type-unknown", "message.timestamp.type", Some("Now")),
        ("remote-storage", "remote.storage.enable", Some("true")),
        ("removed", "message.format.version", Some("2.8")),
        ("of-the-broker", "log.retention.ms", Some("1000")),
    ] {
        cases.case(&format!("config-{what}"), move |c| {
            try_topic(c, 7, |topic| topic.configs = vec![config(name, value)])
        });
    }
    for (what, name, value) in [
        ("number-with-spaces", "retention.ms", " 1000 "),
        ("policy-empty", "cleanup.policy", ""),
        ("policy-twice", "cleanup.policy", "compact,compact"),
        ("policy-with-spaces", "cleanup.policy", "compact, delete"),
        ("boolean-upper-case", "preallocate", "TRUE"),
    ] {
        cases.case(&format!("config-taken-{what}"), move |c| {
            try_topic(c, 7, |topic| topic.configs = vec![config(name, Some(value))])?;
            let request = describe(resource::TOPIC, &c.name("t"), Some(&[name]));
            c.ask_until(4, request, |answer| answer.results[0].error_code == 0)?;
            Ok(())
        });
    }
    cases.case("config-twice", |c| {
        try_topic(c, 7, |topic| {
            topic.configs =
                vec![config("retention.ms", Some("1")), config("retention.ms", Some("2"))];
        })?;
        let request = describe(resource::TOPIC, &c.name("t"), Some(&["retention.ms"]));
        c.ask_until(4, request, |answer| answer.results[0].error_code == 0)?;
        Ok(())
    });
    cases.case("config-lag-exceeds-limit", |c| {
        try_topic(c, 7, |topic| {
            topic.configs = vec![
                config("min.compaction.lag.ms", Some("2000")),
                config("max.compaction.lag.ms", Some("1000")),
            ];
        })
    });
    for version in [2, 4, 6] {
        cases.each(version..=version, "config-unknown", |c, v| {
            try_topic(c, v, |topic| topic.configs = vec![config("no.such.config", Some("1"))])
        });
    }
}

fn several(cases: &mut Cases) {
    for version in VERSIONS {
        cases.each(version..=version, "topic-twice", |c, v| {
            c.leave_out("configs");
            let (name, other) = (c.name("t"), c.name("u"));
            let mut request = create_topic(&name, 1, &[]);
            request.topics.extend(create_topic(&other, 1, &[]).topics);
            request.topics.extend(create_topic(&name, 2, &[]).topics);
            c.ask(v, request)?;
            Ok(())
        });
        cases.each(version..=version, "some-fail", |c, v| {
            c.leave_out("configs");
            let existing = c.topic("existing", 1)?;
            let (good, bad) = (c.name("good"), c.name("bad"));
            let mut request = create_topic(&good, 2, &[]);
            request.topics.extend(create_topic(&existing.name, 1, &[]).topics);
            request.topics.extend(create_topic(&bad, 0, &[]).topics);
            c.ask(v, request)?;
            Ok(())
        });
    }
    cases.case("no-topics", |c| {
        c.ask(7, CreateTopicsRequest::default())?;
        Ok(())
    });
}

fn validation(cases: &mut Cases) {
    cases.each(ApiKey::CreateTopics.versions(), "validate-only", |c, v| {
        let name = c.name("t");
        let request = create_topic(&name, 3, &[("cleanup.policy", "compact")]);
        c.ask(v, CreateTopicsRequest { validate_only: true, ..request })?;
        c.note("nothing was made");
        c.ask(12, metadata::named(&[&name]))?;
        Ok(())
    });
    for version in [2, 7] {
        cases.each(version..=version, "validate-only-existing", |c, v| {
            let topic = c.topic("t", 1)?;
            let request = create_topic(&topic.name, 1, &[]);
            c.ask(v, CreateTopicsRequest { validate_only: true, ..request })?;
            Ok(())
        });
        cases.each(version..=version, "validate-only-bad-config", |c, v| {
            let name = c.name("t");
            let request = create_topic(&name, 1, &[("retention.ms", "soon")]);
            c.ask(v, CreateTopicsRequest { validate_only: true, ..request })?;
            Ok(())
        });
    }
}
