//! DescribeConfigs.

use ottla_core::wire::{ApiKey, messages::describe_configs::DescribeConfigsRequest};

use super::{
    Cases,
    configs::{BROKER_NAME, describe, resource},
};
use crate::case::A;

pub(super) fn cases(cases: &mut Cases) {
    topics(cases);
    brokers(cases);
    wrong(cases);
    shapes(cases);
}

/// One of each kind: as the topic sets it, as the broker's file sets it, and as nobody does.
const TOPIC_KEYS: &[&str] = &["retention.bytes", "retention.ms", "cleanup.policy"];
const TOPIC_CONFIGS: &[(&str, &str)] = &[("retention.bytes", "12345")];
const BROKER_KEYS: &[&str] = &["num.partitions", "message.max.bytes", "node.id"];

fn topics(cases: &mut Cases) {
    cases.each(ApiKey::DescribeConfigs.versions(), "topic-keys", |c, v| {
        let topic = c.topic_with("t", 1, TOPIC_CONFIGS)?;
        c.ask(v, describe(resource::TOPIC, &topic.name, Some(TOPIC_KEYS)))?;
        Ok(())
    });
    cases.each(ApiKey::DescribeConfigs.versions(), "topic-synonyms", |c, v| {
        let topic = c.topic_with("t", 1, TOPIC_CONFIGS)?;
        let request = describe(resource::TOPIC, &topic.name, Some(TOPIC_KEYS));
        c.ask(v, DescribeConfigsRequest { include_synonyms: true, ..request })?;
        Ok(())
    });
    for version in [1, 4] {
        cases.each(version..=version, "topic-all-keys", |c, v| {
            let topic = c.topic_with("t", 1, TOPIC_CONFIGS)?;
            c.ask(v, describe(resource::TOPIC, &topic.name, None))?;
            Ok(())
        });
    }
    cases.each(4..=4, "topic-all-keys-synonyms", |c, v| {
        let topic = c.topic("t", 1)?;
        let request = describe(resource::TOPIC, &topic.name, None);
        c.ask(v, DescribeConfigsRequest { include_synonyms: true, ..request })?;
        Ok(())
    });
    cases.each(3..=4, "topic-documentation", |c, v| {
        let topic = c.topic("t", 1)?;
        let request = describe(resource::TOPIC, &topic.name, Some(TOPIC_KEYS));
        c.ask(v, DescribeConfigsRequest { include_documentation: true, ..request })?;
        Ok(())
    });
    cases.case("topic-internal", |c| {
        let keys = ["cleanup.policy", "segment.bytes", "compression.type"];
        c.ask(4, describe(resource::TOPIC, "__consumer_offsets", Some(&keys)))?;
        Ok(())
    });
}

fn brokers(cases: &mut Cases) {
    cases.each(ApiKey::DescribeConfigs.versions(), "broker-keys", |c, v| {
        c.ask(v, describe(resource::BROKER, BROKER_NAME, Some(BROKER_KEYS)))?;
        Ok(())
    });
    cases.each(ApiKey::DescribeConfigs.versions(), "broker-synonyms", |c, v| {
        let request = describe(resource::BROKER, BROKER_NAME, Some(BROKER_KEYS));
        c.ask(v, DescribeConfigsRequest { include_synonyms: true, ..request })?;
        Ok(())
    });
    cases.case("broker-all-keys", |c| {
        c.ask(4, describe(resource::BROKER, BROKER_NAME, None))?;
        Ok(())
    });
    cases.case("broker-default", |c| {
        c.ask(4, describe(resource::BROKER, "", None))?;
        Ok(())
    });
    for (what, name) in
        [("unknown", "7"), ("not-a-number", "one"), ("negative", "-1"), ("with-space", " 1")]
    {
        cases.case(&format!("broker-{what}"), move |c| {
            c.outcome(A, 4, describe(resource::BROKER, name, Some(BROKER_KEYS)))?;
            Ok(())
        });
    }
    cases.case("broker-sensitive", |c| {
        let keys = ["ssl.keystore.password", "sasl.jaas.config", "ssl.protocol"];
        c.ask(4, describe(resource::BROKER, BROKER_NAME, Some(&keys)))?;
        Ok(())
    });
}

fn wrong(cases: &mut Cases) {
    cases.each(ApiKey::DescribeConfigs.versions(), "unknown-topic", |c, v| {
        let name = c.name("no-such");
        c.ask(v, describe(resource::TOPIC, &name, Some(TOPIC_KEYS)))?;
        Ok(())
    });
    for (what, name) in [("empty-name", ""), ("bad-name", "a b"), ("dot", ".")] {
        cases.case(&format!("topic-{what}"), move |c| {
            c.ask(4, describe(resource::TOPIC, name, Some(TOPIC_KEYS)))?;
            Ok(())
        });
    }
    for (what, resource_type) in [
        ("unknown", resource::UNKNOWN),
        ("any", 1),
        ("odd", 3),
        ("negative", -1),
        ("broker-logger", resource::BROKER_LOGGER),
        ("client-metrics", resource::CLIENT_METRICS),
        ("group", resource::GROUP),
    ] {
        cases.case(&format!("resource-type-{what}"), move |c| {
            // A broker's loggers are many and its own; one that no broker has tells enough.
            let keys = ["no.such.key"];
            let name = if resource_type == resource::BROKER_LOGGER {
                BROKER_NAME.to_owned()
            } else {
                c.name("x")
            };
            c.outcome(A, 4, describe(resource_type, &name, Some(&keys)))?;
            Ok(())
        });
    }
    cases.case("unknown-key", |c| {
        let topic = c.topic("t", 1)?;
        let keys = ["no.such.key", "retention.ms"];
        c.ask(4, describe(resource::TOPIC, &topic.name, Some(&keys)))?;
        Ok(())
    });
}

fn shapes(cases: &mut Cases) {
    cases.case("no-keys", |c| {
        let topic = c.topic("t", 1)?;
        c.ask(4, describe(resource::TOPIC, &topic.name, Some(&[])))?;
        Ok(())
    });
    cases.case("key-twice", |c| {
        let topic = c.topic("t", 1)?;
        let keys = ["retention.ms", "retention.ms"];
        c.ask(4, describe(resource::TOPIC, &topic.name, Some(&keys)))?;
        Ok(())
    });
    cases.case("no-resources", |c| {
        c.ask(4, DescribeConfigsRequest::default())?;
        Ok(())
    });
    for (what, same) in [("resource-twice", true), ("two-resources", false)] {
        cases.case(what, move |c| {
            let (t, u) = (c.topic("t", 1)?, c.topic("u", 1)?);
            let keys = Some(&["retention.ms"][..]);
            let mut request = describe(resource::TOPIC, &u.name, keys);
            let other = if same { &u } else { &t };
            request.resources.extend(describe(resource::TOPIC, &other.name, keys).resources);
            c.ask(4, request)?;
            Ok(())
        });
    }
    cases.case("topic-and-broker", |c| {
        let topic = c.topic("t", 1)?;
        let mut request = describe(resource::TOPIC, &topic.name, Some(&["retention.ms"]));
        let broker = describe(resource::BROKER, BROKER_NAME, Some(&["num.partitions"]));
        request.resources.extend(broker.resources);
        c.ask(4, request)?;
        Ok(())
    });
}
