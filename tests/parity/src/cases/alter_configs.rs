//! AlterConfigs: replaces all that a resource sets.

use ottla_core::wire::{
    ApiKey,
    messages::alter_configs::{AlterConfigsRequest, AlterConfigsResource, AlterableConfig},
};

use super::{
    Cases,
    configs::{BROKER_NAME, describe, resource},
};
use crate::{
    case::{A, Case, Done},
    setup::Topic,
};

pub(super) fn cases(cases: &mut Cases) {
    topics(cases);
    wrong(cases);
    brokers(cases);
    shapes(cases);
}

fn alter(
    resource_type: i8,
    resource_name: &str,
    configs: &[(&str, Option<&str>)],
) -> AlterConfigsRequest {
    let configs = configs.iter().map(|&(name, value)| AlterableConfig {
        name: name.to_owned(),
        value: value.map(str::to_owned),
    });
    AlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type,
            resource_name: resource_name.to_owned(),
            configs: configs.collect(),
        }],
        validate_only: false,
    }
}

const KEYS: &[&str] = &["retention.ms", "retention.bytes"];

/// Keeps the topic's configurations once the first of [`KEYS`] has this value.
fn keep_configs(c: &mut Case, topic: &Topic, retention_ms: &str) -> Done {
    c.ask_until(4, describe(resource::TOPIC, &topic.name, Some(KEYS)), |answer| {
        answer.results[0]
            .configs
            .iter()
            .any(|config| config.name == KEYS[0] && config.value.as_deref() == Some(retention_ms))
    })?;
    Ok(())
}

fn topics(cases: &mut Cases) {
    cases.each(ApiKey::AlterConfigs.versions(), "plain", |c, v| {
        let topic = c.topic_with("t", 1, &[("retention.bytes", "12345")])?;
        c.ask(v, alter(resource::TOPIC, &topic.name, &[("retention.ms", Some("1000"))]))?;
        c.note("what the request does not name is as nobody had set it");
        keep_configs(c, &topic, "1000")
    });
    cases.each(ApiKey::AlterConfigs.versions(), "validate-only", |c, v| {
        let topic = c.topic("t", 1)?;
        let request = alter(resource::TOPIC, &topic.name, &[("retention.ms", Some("1000"))]);
        c.ask(v, AlterConfigsRequest { validate_only: true, ..request })?;
        keep_configs(c, &topic, "-1")
    });
    cases.case("nothing-set", |c| {
        let topic = c.topic_with("t", 1, &[("retention.ms", "5000")])?;
        c.ask(2, alter(resource::TOPIC, &topic.name, &[]))?;
        keep_configs(c, &topic, "-1")
    });
}

fn wrong(cases: &mut Cases) {
    cases.each(ApiKey::AlterConfigs.versions(), "unknown-topic", |c, v| {
        let name = c.name("no-such");
        c.ask(v, alter(resource::TOPIC, &name, &[("retention.ms", Some("1000"))]))?;
        Ok(())
    });
    for (what, name, value) in [
        ("unknown-key", "no.such.key", Some("1")),
        ("empty-key", "", Some("1")),
        ("null-value", "retention.ms", None),
        ("empty-value", "retention.ms", Some("")),
        ("invalid-value", "retention.ms", Some("soon")),
        ("out-of-range", "retention.ms", Some("-2")),
    ] {
        cases.case(what, move |c| {
            let topic = c.topic("t", 1)?;
            c.outcome(A, 2, alter(resource::TOPIC, &topic.name, &[(name, value)]))?;
            Ok(())
        });
    }
    for (what, resource_type) in [
        ("unknown", resource::UNKNOWN),
        ("odd", 3),
        ("broker-logger", resource::BROKER_LOGGER),
        ("client-metrics", resource::CLIENT_METRICS),
        ("group", resource::GROUP),
    ] {
        cases.case(&format!("resource-type-{what}"), move |c| {
            let name = c.name("x");
            c.outcome(A, 2, alter(resource_type, &name, &[("no.such.key", Some("1"))]))?;
            Ok(())
        });
    }
    cases.case("topic-empty-name", |c| {
        c.outcome(A, 2, alter(resource::TOPIC, "", &[("retention.ms", Some("1"))]))?;
        Ok(())
    });
}

fn brokers(cases: &mut Cases) {
    for (what, broker) in [("unknown", "7"), ("not-a-number", "one")] {
        cases.case(&format!("broker-{what}"), move |c| {
            let request = alter(resource::BROKER, broker, &[("log.cleaner.threads", Some("2"))]);
            c.outcome(A, 2, request)?;
            Ok(())
        });
    }
    for (what, name, value) in [
        ("read-only", "num.partitions", "3"),
        ("unknown-key", "no.such.key", "1"),
        ("invalid-value", "log.cleaner.threads", "many"),
    ] {
        cases.case(&format!("broker-{what}"), move |c| {
            let request = alter(resource::BROKER, BROKER_NAME, &[(name, Some(value))]);
            c.outcome(A, 2, AlterConfigsRequest { validate_only: true, ..request })?;
            Ok(())
        });
    }
}

fn shapes(cases: &mut Cases) {
    cases.case("key-twice", |c| {
        let topic = c.topic("t", 1)?;
        let twice = [("retention.ms", Some("1000")), ("retention.ms", Some("2000"))];
        c.ask(2, alter(resource::TOPIC, &topic.name, &twice))?;
        Ok(())
    });
    cases.case("resource-twice", |c| {
        let (t, u) = (c.topic("t", 1)?, c.topic("u", 1)?);
        let mut request = alter(resource::TOPIC, &t.name, &[("retention.ms", Some("1000"))]);
        for topic in [&u, &t] {
            let other = alter(resource::TOPIC, &topic.name, &[("retention.bytes", Some("1"))]);
            request.resources.extend(other.resources);
        }
        c.no_answer(2, request)
    });
    cases.case("some-fail", |c| {
        let topic = c.topic("t", 1)?;
        let unknown = c.name("no-such");
        let mut request = alter(resource::TOPIC, &unknown, &[("retention.ms", Some("1"))]);
        let good = alter(resource::TOPIC, &topic.name, &[("retention.ms", Some("1000"))]);
        request.resources.extend(good.resources);
        c.ask(2, request)?;
        keep_configs(c, &topic, "1000")
    });
    cases.case("no-resources", |c| {
        c.ask(2, AlterConfigsRequest::default())?;
        Ok(())
    });
}
