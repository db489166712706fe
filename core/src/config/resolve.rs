//! Which value counts.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use super::definition::{Definition, Scope};

/// Where a value comes from, with Kafka's number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The topic's own setting.
    DynamicTopic = 1,
    /// A broker's setting that was changed while it ran.
    DynamicBroker = 2,
    /// All brokers' setting that was changed while they ran.
    DynamicDefaultBroker = 3,
    /// The broker's configuration.
    StaticBroker = 4,
    /// The default.
    Default = 5,
}

impl Source {
    /// Kafka's number.
    pub const fn code(self) -> i8 {
        self as i8
    }
}

/// One of the values that were given for a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synonym {
    /// The key that gave it.
    pub key: &'static str,
    /// The value.
    pub value: String,
    /// Where it comes from.
    pub source: Source,
}

/// The value that counts, and all that were given, the strongest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The value that counts; a few settings may have none.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// All that were given.
    pub synonyms: Vec<Synonym>,
}

type Values = BTreeMap<String, String>;

/// Where settings come from.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    /// The topic's own.
    pub topic: Option<&'a Values>,
    /// The broker's, changed while it ran.
    pub broker: Option<&'a Values>,
    /// All brokers', changed while they ran.
    pub all_brokers: Option<&'a Values>,
    /// The broker's configuration.
    pub configuration: &'a Values,
}

/// The value of a broker's key in the unit of the topic's: some are in hours or minutes, not milliseconds.
fn in_topic_unit(broker_key: &str, value: &str) -> String {
    let factor = match broker_key.rsplit('.').next() {
        Some("hours") => 3_600_000,
        Some("minutes") => 60_000,
        Some(_) | None => return value.into(),
    };
    match value.trim().parse::<i64>() {
        Ok(number) if number >= 0 => alloc::format!("{}", number.saturating_mul(factor)),
        Ok(_) | Err(_) => value.into(),
    }
}

/// The default of a setting under one of the broker's keys for it. Where there are several, the last one has it; and
/// `log.flush.interval.ms` stands aside for `log.flush.scheduler.interval.ms` in Kafka.
fn default_under(key: &str, definition: &Definition) -> Option<&'static str> {
    match key {
        "log.flush.interval.ms"
        | "log.retention.ms"
        | "log.retention.minutes"
        | "log.roll.ms"
        | "log.roll.jitter.ms" => None,
        "log.retention.hours" | "log.roll.hours" => Some("168"),
        "log.roll.jitter.hours" => Some("0"),
        _ => definition.default,
    }
}

impl Layers<'_> {
    /// All values that were given for a setting, and its default.
    pub fn resolve(&self, definition: &Definition) -> Resolved {
        let mut synonyms = Vec::new();
        let own_key = [definition.key];
        let (broker_keys, is_topic): (&[&'static str], bool) = match definition.scope {
            Scope::Topic(broker_keys) => (broker_keys, true),
            Scope::DynamicBroker | Scope::Broker => (&own_key, false),
        };
        if is_topic && let Some(value) = self.topic.and_then(|topic| topic.get(definition.key)) {
            let (key, value) = (definition.key, value.clone());
            synonyms.push(Synonym { key, value, source: Source::DynamicTopic });
        }
        let layers = [
            (self.broker, Source::DynamicBroker),
            (self.all_brokers, Source::DynamicDefaultBroker),
            (Some(self.configuration), Source::StaticBroker),
        ];
        for (values, source) in layers {
            for &key in broker_keys {
                if let Some(value) = values.and_then(|values| values.get(key)) {
                    synonyms.push(Synonym { key, value: value.clone(), source });
                }
            }
        }
        let strongest = synonyms.first();
        let in_unit = |given: &Synonym| match is_topic {
            true => in_topic_unit(given.key, &given.value),
            false => given.value.clone(),
        };
        let value = strongest.map(in_unit).or_else(|| definition.default.map(String::from));
        let source = strongest.map_or(Source::Default, |synonym| synonym.source);
        for &key in broker_keys {
            if let Some(default) = default_under(key, definition) {
                synonyms.push(Synonym { key, value: default.into(), source: Source::Default });
            }
        }
        // Kafka tells nothing that comes before the first key: of a time in hours only if one in milliseconds was given.
        let first = broker_keys.first().copied();
        let told = synonyms.iter().position(|synonym| {
            synonym.source == Source::DynamicTopic || Some(synonym.key) == first
        });
        synonyms.drain(..told.unwrap_or(synonyms.len()));
        Resolved { value, source, synonyms }
    }

    /// The value that counts for a topic.
    pub fn topic_value(&self, definition: &Definition) -> String {
        self.resolve(definition).value.unwrap_or_default()
    }
}
