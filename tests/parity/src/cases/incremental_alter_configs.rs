//! IncrementalAlterConfigs: sets, deletes, appends, subtracts.

use ottla_core::wire::{
    ApiKey,
    messages::incremental_alter_configs::{
        AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
    },
};

use super::{
    Cases,
    configs::{BROKER_NAME, describe, resource},
};
use crate::{
    case::{A, Case, Done},
    client::Failure,
    setup::Topic,
};

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    operations(cases);
    wrong(cases);
    brokers(cases);
    shapes(cases);
}

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

type Change<'a> = (i8, &'a str, Option<&'a str>);

fn alter(
    resource_type: i8,
    resource_name: &str,
    changes: &[Change<'_>],
) -> IncrementalAlterConfigsRequest {
    let configs = changes.iter().map(|&(config_operation, name, value)| AlterableConfig {
        name: name.to_owned(),
        config_operation,
        value: value.map(str::to_owned),
    });
    IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type,
            resource_name: resource_name.to_owned(),
            configs: configs.collect(),
        }],
        validate_only: false,
    }
}

fn alter_topic(topic: &Topic, changes: &[Change<'_>]) -> IncrementalAlterConfigsRequest {
    alter(resource::TOPIC, &topic.name, changes)
}

/// Makes a change and keeps the key's value once it is as expected.
fn change(
    c: &mut Case,
    version: i16,
    topic: &Topic,
    changes: &[Change<'_>],
    (key, expected): (&str, &str),
) -> Done {
    c.ask(version, alter_topic(topic, changes))?;
    c.ask_until(4, describe(resource::TOPIC, &topic.name, Some(&[key])), |answer| {
        answer.results[0].configs.iter().any(|config| config.value.as_deref() == Some(expected))
    })?;
    Ok(())
}

const RETENTION: &str = "retention.ms";
const POLICY: &str = "cleanup.policy";

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::IncrementalAlterConfigs.versions(), "set-and-delete", |c, v| {
        let topic = c.topic_with("t", 1, &[("retention.bytes", "12345")])?;
        change(c, v, &topic, &[(SET, RETENTION, Some("1000"))], (RETENTION, "1000"))?;
        change(c, v, &topic, &[(SET, RETENTION, Some("2000"))], (RETENTION, "2000"))?;
        change(c, v, &topic, &[(DELETE, RETENTION, None)], (RETENTION, "-1"))?;
        c.note("the other is as it was");
        c.ask(4, describe(resource::TOPIC, &topic.name, Some(&["retention.bytes"])))?;
        Ok(())
    });
    cases.each(ApiKey::IncrementalAlterConfigs.versions(), "validate-only", |c, v| {
        let topic = c.topic("t", 1)?;
        let request = alter_topic(&topic, &[(SET, RETENTION, Some("1000"))]);
        c.ask(v, IncrementalAlterConfigsRequest { validate_only: true, ..request })?;
        c.ask(4, describe(resource::TOPIC, &topic.name, Some(&[RETENTION])))?;
        Ok(())
    });
    cases.each(ApiKey::IncrementalAlterConfigs.versions(), "append-and-subtract", |c, v| {
        let topic = c.topic_with("t", 1, &[(POLICY, "delete")])?;
        let both = "delete,compact";
        change(c, v, &topic, &[(APPEND, POLICY, Some("compact"))], (POLICY, both))?;
        change(c, v, &topic, &[(APPEND, POLICY, Some("compact"))], (POLICY, both))?;
        change(c, v, &topic, &[(SUBTRACT, POLICY, Some("delete"))], (POLICY, "compact"))?;
        Ok(())
    });
}

fn operations(cases: &mut Cases) {
    let changes: [(&str, Change<'static>); 15] = [
        ("set-unknown-key", (SET, "no.such.key", Some("1"))),
        ("set-empty-key", (SET, "", Some("1"))),
        ("set-null", (SET, RETENTION, None)),
        ("set-empty", (SET, RETENTION, Some(""))),
        ("set-invalid", (SET, RETENTION, Some("soon"))),
        ("set-out-of-range", (SET, RETENTION, Some("-2"))),
        ("delete-not-set", (DELETE, RETENTION, None)),
        ("delete-with-value", (DELETE, RETENTION, Some("5"))),
        ("delete-unknown-key", (DELETE, "no.such.key", None)),
        ("append-to-number", (APPEND, RETENTION, Some("5"))),
        ("append-invalid", (APPEND, POLICY, Some("shred"))),
        ("append-null", (APPEND, POLICY, None)),
        ("subtract-absent", (SUBTRACT, POLICY, Some("compact"))),
        ("subtract-last", (SUBTRACT, POLICY, Some("delete"))),
        ("operation-unknown", (7, RETENTION, Some("5"))),
    ];
    for (what, change) in changes {
        cases.case(what, move |c| {
            let topic = c.topic("t", 1)?;
            c.outcome(A, 1, alter_topic(&topic, &[change]))?;
            Ok(())
        });
    }
    cases.case("operation-negative", |c| {
        let topic = c.topic("t", 1)?;
        c.outcome(A, 1, alter_topic(&topic, &[(-1, RETENTION, Some("5"))]))?;
        Ok(())
    });
    let taken: [(&str, &str, Change<'static>, &str); 4] = [
        ("append-to-default", "retention.ms", (APPEND, POLICY, Some("compact")), "delete,compact"),
        ("append-two", POLICY, (APPEND, POLICY, Some("delete,compact")), "compact,delete"),
        ("subtract-last", POLICY, (SUBTRACT, POLICY, Some("compact")), ""),
        ("set-with-spaces", POLICY, (SET, POLICY, Some(" delete , compact ")), "delete,compact"),
    ];
    for (what, key, taken, expected) in taken {
        cases.case(&format!("taken-{what}"), move |c| {
            let value = if key == POLICY { "compact" } else { "1000" };
            let topic = c.topic_with("t", 1, &[(key, value)])?;
            change(c, 1, &topic, &[taken], (POLICY, expected))
        });
    }
    cases.case("effect-on-records", |c| {
        let topic = c.topic("t", 1)?;
        let limit = ("max.message.bytes", "100");
        change(c, 1, &topic, &[(SET, limit.0, Some(limit.1))], limit)?;
        let records = crate::batch::batch(&[&"x".repeat(200)]);
        c.ask_until(12, crate::requests::produce(12, &topic, records), |answer| {
            answer.responses[0].partition_responses[0].error_code != 0
        })?;
        Ok(())
    });
}

fn wrong(cases: &mut Cases) {
    cases.each(ApiKey::IncrementalAlterConfigs.versions(), "unknown-topic", |c, v| {
        let name = c.name("no-such");
        c.ask(v, alter(resource::TOPIC, &name, &[(SET, RETENTION, Some("1000"))]))?;
        Ok(())
    });
    for (what, resource_type) in [
        ("unknown", resource::UNKNOWN),
        ("odd", 3),
        ("client-metrics", resource::CLIENT_METRICS),
        ("group", resource::GROUP),
    ] {
        cases.case(&format!("resource-type-{what}"), move |c| {
            let name = c.name("x");
            c.outcome(A, 1, alter(resource_type, &name, &[(SET, "no.such.key", Some("1"))]))?;
            Ok(())
        });
    }
    for (what, name) in [("empty-name", ""), ("bad-name", "a b")] {
        cases.case(&format!("topic-{what}"), move |c| {
            c.outcome(A, 1, alter(resource::TOPIC, name, &[(SET, RETENTION, Some("1"))]))?;
            Ok(())
        });
    }
}

const THREADS: &str = "log.cleaner.threads";

/// Keeps what the broker says of a setting once it has this value.
fn keep_broker_config(c: &mut Case, broker: &str, key: &str, value: &str) -> Result<(), Failure> {
    let mut request = describe(resource::BROKER, broker, Some(&[key]));
    request.include_synonyms = true;
    c.ask_until(4, request, |answer| {
        answer.results[0].configs.iter().any(|config| config.value.as_deref() == Some(value))
    })?;
    Ok(())
}

fn brokers(cases: &mut Cases) {
    cases.alone("broker-dynamic", |c| {
        c.ask(1, alter(resource::BROKER, BROKER_NAME, &[(SET, THREADS, Some("2"))]))?;
        keep_broker_config(c, BROKER_NAME, THREADS, "2")?;
        c.ask(1, alter(resource::BROKER, BROKER_NAME, &[(DELETE, THREADS, None)]))?;
        keep_broker_config(c, BROKER_NAME, THREADS, "1")
    });
    cases.alone("broker-default-dynamic", |c| {
        c.ask(1, alter(resource::BROKER, "", &[(SET, THREADS, Some("2"))]))?;
        keep_broker_config(c, BROKER_NAME, THREADS, "2")?;
        c.ask(4, describe(resource::BROKER, "", None))?;
        c.ask(1, alter(resource::BROKER, "", &[(DELETE, THREADS, None)]))?;
        keep_broker_config(c, BROKER_NAME, THREADS, "1")
    });
    cases.alone("broker-setting-of-topics", |c| {
        let topic = c.topic("t", 1)?;
        let key = "log.segment.bytes";
        c.ask(1, alter(resource::BROKER, BROKER_NAME, &[(SET, key, Some("2097152"))]))?;
        let mut request = describe(resource::TOPIC, &topic.name, Some(&["segment.bytes"]));
        request.include_synonyms = true;
        c.ask_until(4, request, |answer| {
            answer.results[0].configs[0].value.as_deref() == Some("2097152")
        })?;
        c.ask(1, alter(resource::BROKER, BROKER_NAME, &[(DELETE, key, None)]))?;
        keep_broker_config(c, BROKER_NAME, key, "1073741824")
    });
    for (what, broker, key, value) in [
        ("read-only", BROKER_NAME, "num.partitions", "3"),
        ("unknown-key", BROKER_NAME, "no.such.key", "1"),
        ("invalid-value", BROKER_NAME, THREADS, "many"),
        ("out-of-range", BROKER_NAME, THREADS, "-1"),
        ("unknown", "7", THREADS, "2"),
        ("not-a-number", "one", THREADS, "2"),
    ] {
        cases.case(&format!("broker-{what}"), move |c| {
            let request = alter(resource::BROKER, broker, &[(SET, key, Some(value))]);
            c.outcome(A, 1, IncrementalAlterConfigsRequest { validate_only: true, ..request })?;
            Ok(())
        });
    }
}

fn shapes(cases: &mut Cases) {
    cases.case("key-twice", |c| {
        let topic = c.topic("t", 1)?;
        let twice = [(SET, RETENTION, Some("1000")), (DELETE, RETENTION, None)];
        c.ask(1, alter_topic(&topic, &twice))?;
        Ok(())
    });
    cases.case("resource-twice", |c| {
        let (t, u) = (c.topic("t", 1)?, c.topic("u", 1)?);
        let mut request = alter_topic(&t, &[(SET, RETENTION, Some("1000"))]);
        for topic in [&u, &t] {
            let other = alter_topic(topic, &[(SET, "retention.bytes", Some("1"))]);
            request.resources.extend(other.resources);
        }
        c.ask(1, request)?;
        Ok(())
    });
    cases.case("one-of-two-keys-fails", |c| {
        let topic = c.topic("t", 1)?;
        let changes = [(SET, RETENTION, Some("1000")), (SET, "segment.bytes", Some("soon"))];
        c.ask(1, alter_topic(&topic, &changes))?;
        c.ask(4, describe(resource::TOPIC, &topic.name, Some(&[RETENTION])))?;
        Ok(())
    });
    cases.case("no-changes", |c| {
        let topic = c.topic("t", 1)?;
        c.ask(1, alter_topic(&topic, &[]))?;
        Ok(())
    });
    cases.case("no-resources", |c| {
        c.ask(1, IncrementalAlterConfigsRequest::default())?;
        Ok(())
    });
}
