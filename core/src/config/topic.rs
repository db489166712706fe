//! The settings of topics.

use alloc::{collections::BTreeMap, string::String};

use super::{
    broker,
    definition::{ConfigError, Definition, Kind, Rule, Scope, distance, list, permille},
    resolve::Layers,
};
use crate::log::{LogConfig, TimestampType};

macro_rules! topic_keys {
    ($($key:literal $kind:ident $default:literal $rule:expr, $broker_keys:expr, $doc:literal;)*) => {
        /// The settings of topics.
        pub const DEFINITIONS: &[Definition] = &[$(Definition {
            key: $key,
            kind: Kind::$kind,
            default: Some($default),
            rule: $rule,
            scope: Scope::Topic($broker_keys),
            doc: $doc,
        },)*];
    };
}

const POLICIES: &[&str] = &["compact", "delete"];
const MEBIBYTE: i64 = 1 << 20;

topic_keys! {
    "cleanup.policy" List "delete" Rule::SomeOf(POLICIES), &["log.cleanup.policy"],
        "How old records go: by age and size (delete), or once a later one has the same key (compact), or both.";
    "compression.gzip.level" Int "-1" Rule::Level(-1, 1, 9), &["compression.gzip.level"],
        "Without effect: batches stay as their producer compressed them.";
    "compression.lz4.level" Int "9" Rule::Between(1, 17), &["compression.lz4.level"],
        "Without effect: batches stay as their producer compressed them.";
    "compression.type" String "producer" Rule::OneOf(&["producer"]), &["compression.type"],
        "The codec of the stored batches: that which the producer chose.";
    "compression.zstd.level" Int "3" Rule::Between(-131_072, 22), &["compression.zstd.level"],
        "Without effect: batches stay as their producer compressed them.";
    "delete.retention.ms" Long "86400000" Rule::AtLeast(0), &["log.cleaner.delete.retention.ms"],
        "How long a compacted topic keeps tombstones, in milliseconds.";
    "file.delete.delay.ms" Long "60000" Rule::AtLeast(0), &["log.segment.delete.delay.ms"],
        "Without effect: files are removed at once; who is reading one keeps it until the end.";
    "flush.messages" Long "1" Rule::AtLeast(1), &["log.flush.interval.messages"],
        "With 1, nothing is acknowledged or shown before it is on disk. With more, a sync begins after so many records, and acknowledgements do not wait for it.";
    "flush.ms" Long "9223372036854775807" Rule::AtLeast(0), &["log.flush.interval.ms"],
        "After how many milliseconds a sync begins at the latest.";
    "follower.replication.throttled.replicas" List "" Rule::Any, &[],
        "Without effect on a single broker.";
    "index.interval.bytes" Int "4096" Rule::AtLeast(0), &["log.index.interval.bytes"],
        "After how many bytes the indexes get an entry.";
    "internal.segment.bytes" Int "0" Rule::AtLeast(0), &[],
        "For tests: the size of a segment, where segment.bytes does not go low enough; 0 for none.";
    "leader.replication.throttled.replicas" List "" Rule::Any, &[],
        "Without effect on a single broker.";
    "local.retention.bytes" Long "-2" Rule::AtLeast(-2), &["log.local.retention.bytes"],
        "Without effect: there is no tiered storage.";
    "local.retention.ms" Long "-2" Rule::AtLeast(-2), &["log.local.retention.ms"],
        "Without effect: there is no tiered storage.";
    "max.compaction.lag.ms" Long "9223372036854775807" Rule::AtLeast(1),
        &["log.cleaner.max.compaction.lag.ms"],
        "After how many milliseconds a record is compacted at the latest.";
    "max.message.bytes" Int "1048588" Rule::AtLeast(0), &["message.max.bytes"],
        "How large a batch may be, as the producer compressed it.";
    "message.timestamp.after.max.ms" Long "3600000" Rule::AtLeast(0),
        &["log.message.timestamp.after.max.ms"],
        "How many milliseconds a record's timestamp may lie in the future.";
    "message.timestamp.before.max.ms" Long "9223372036854775807" Rule::AtLeast(0),
        &["log.message.timestamp.before.max.ms"],
        "How many milliseconds a record's timestamp may lie in the past.";
    "message.timestamp.type" String "CreateTime" Rule::OneOf(&["CreateTime", "LogAppendTime"]),
        &["log.message.timestamp.type"],
        "What timestamps mean: when the producer made the record, or when the broker appended it.";
    "min.cleanable.dirty.ratio" Double "0.5" Rule::PermilleBetween(0, 1_000),
        &["log.cleaner.min.cleanable.ratio"],
        "Which part of a log must be new before it is compacted again.";
    "min.compaction.lag.ms" Long "0" Rule::AtLeast(0), &["log.cleaner.min.compaction.lag.ms"],
        "For how many milliseconds a record is not compacted.";
    "min.insync.replicas" Int "1" Rule::AtLeast(1), &["min.insync.replicas"],
        "How many replicas must have a record before it is acknowledged with acks=all.";
    "preallocate" Boolean "false" Rule::Any, &["log.preallocate"],
        "Without effect: files grow as they are written.";
    "remote.log.copy.disable" Boolean "false" Rule::Any, &[],
        "Without effect: there is no tiered storage.";
    "remote.log.delete.on.disable" Boolean "false" Rule::Any, &[],
        "Without effect: there is no tiered storage.";
    "remote.storage.enable" Boolean "false" Rule::Any, &[],
        "There is no tiered storage: only false is possible.";
    "retention.bytes" Long "-1" Rule::Any, &["log.retention.bytes"],
        "How large a partition may grow before its oldest segments go; -1 for no limit.";
    "retention.ms" Long "604800000" Rule::AtLeast(-1),
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
        "How old records may become before their segments go, in milliseconds; -1 for no limit.";
    "segment.bytes" Int "1073741824" Rule::AtLeast(MEBIBYTE), &["log.segment.bytes"],
        "How large a segment's file may be.";
    "segment.index.bytes" Int "10485760" Rule::AtLeast(4), &["log.index.size.max.bytes"],
        "How large an index of a segment may be.";
    "segment.jitter.ms" Long "0" Rule::AtLeast(0), &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        "Without effect: segments are rolled when they are due.";
    "segment.ms" Long "604800000" Rule::AtLeast(1), &["log.roll.ms", "log.roll.hours"],
        "After how many milliseconds a segment is closed even if it is not full.";
    "unclean.leader.election.enable" Boolean "false" Rule::Any, &["unclean.leader.election.enable"],
        "Whether a replica may lead that is not in sync, at the price of records.";
}

/// The setting with this key.
pub fn definition(key: &str) -> Option<&'static Definition> {
    DEFINITIONS.iter().find(|definition| definition.key == key)
}

/// The known key that is most like this one.
pub fn nearest(key: &str) -> &'static str {
    let nearest =
        DEFINITIONS.iter().map(|known| known.key).min_by_key(|known| distance(key, known));
    nearest.unwrap_or_default()
}

/// Checks a setting of a topic, by itself.
pub fn validate(key: &str, value: &str) -> Result<(), ConfigError> {
    let definition = definition(key)
        .ok_or_else(|| ConfigError::UnknownKey { key: key.into(), nearest: nearest(key) })?;
    definition.validate(value)
}

/// Checks what a topic's settings say together, in Kafka's words.
pub fn validate_together(configs: &BTreeMap<String, String>) -> Result<(), String> {
    let number = |key: &str| configs.get(key).and_then(|value| value.trim().parse::<i64>().ok());
    if configs.get("remote.storage.enable").is_some_and(|value| value.trim() == "true") {
        return Err("Tiered Storage functionality is disabled in the broker. \
                    Topic cannot be configured with remote log storage."
            .into());
    }
    if let (Some(least), Some(most)) =
        (number("min.compaction.lag.ms"), number("max.compaction.lag.ms"))
        && least > most
    {
        return Err(alloc::format!(
            "conflict topic config setting min.compaction.lag.ms ({least}) > max.compaction.lag.ms ({most})"
        ));
    }
    Ok(())
}

impl LogConfig {
    /// What counts for a topic.
    pub fn resolve(layers: &Layers<'_>) -> Self {
        let text = |key: &str| {
            let definition = definition(key).expect("the key is in the table above");
            layers.topic_value(definition)
        };
        // All values were validated when they were set.
        let number = |key: &str| text(key).trim().parse::<i64>().unwrap_or_default();
        let infinite = |key: &str| u64::try_from(number(key)).unwrap_or(u64::MAX);
        let size = |key: &str| u32::try_from(number(key)).unwrap_or_default();
        let retention_ms = number("retention.ms");
        let policy = text("cleanup.policy");
        let stamped = text("message.timestamp.type") == "LogAppendTime";
        let internal_bytes = size("internal.segment.bytes");
        Self {
            segment_bytes: if internal_bytes > 0 { internal_bytes } else { size("segment.bytes") },
            segment_ms: number("segment.ms"),
            segment_index_bytes: size("segment.index.bytes"),
            index_interval_bytes: size("index.interval.bytes"),
            retention_ms: if retention_ms < 0 { i64::MAX } else { retention_ms },
            retention_bytes: infinite("retention.bytes"),
            delete: list(&policy).any(|policy| policy == "delete"),
            compact: list(&policy).any(|policy| policy == "compact"),
            min_cleanable_dirty_permille: permille(text("min.cleanable.dirty.ratio").trim())
                .and_then(|value| u32::try_from(value).ok())
                .unwrap_or_default(),
            min_compaction_lag_ms: number("min.compaction.lag.ms"),
            max_compaction_lag_ms: number("max.compaction.lag.ms"),
            delete_retention_ms: number("delete.retention.ms"),
            max_message_bytes: usize::try_from(number("max.message.bytes")).unwrap_or_default(),
            timestamp_type: if stamped {
                TimestampType::LogAppendTime
            } else {
                TimestampType::CreateTime
            },
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            flush_messages: infinite("flush.messages"),
            flush_ms: number("flush.ms"),
            has_journal: broker::journal_bytes(layers) > 0,
        }
    }
}
