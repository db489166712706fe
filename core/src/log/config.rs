//! The settings that a log goes by, out of its topic's configuration.

/// What a record's timestamp means: `message.timestamp.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// When the producer made it.
    CreateTime,
    /// When the broker appended it.
    LogAppendTime,
}

/// A log's settings. Times are in milliseconds; an infinite one is `i64::MAX`, an infinite size `u64::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogConfig {
    /// `segment.bytes`
    pub segment_bytes: u32,
    /// `segment.ms`
    pub segment_ms: i64,
    /// `segment.index.bytes`
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`
    pub index_interval_bytes: u32,
    /// `retention.ms`
    pub retention_ms: i64,
    /// `retention.bytes`
    pub retention_bytes: u64,
    /// Whether `cleanup.policy` has `delete`.
    pub delete: bool,
    /// Whether `cleanup.policy` has `compact`.
    pub compact: bool,
    /// `min.cleanable.dirty.ratio`, in thousandths.
    pub min_cleanable_dirty_permille: u32,
    /// `min.compaction.lag.ms`
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`
    pub max_compaction_lag_ms: i64,
    /// `delete.retention.ms`
    pub delete_retention_ms: i64,
    /// `max.message.bytes`
    pub max_message_bytes: usize,
    /// `message.timestamp.type`
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`
    pub timestamp_after_max_ms: i64,
    /// `flush.messages`: with 1 nothing is acknowledged or shown before it is durable.
    pub flush_messages: u64,
    /// `flush.ms`
    pub flush_ms: i64,
    /// Whether there is a journal, which wants what is not durable: `ottla.journal.bytes`.
    pub has_journal: bool,
}

impl LogConfig {
    /// Whether an acknowledgement means that the record is on disk.
    pub const fn is_durable(&self) -> bool {
        self.flush_messages <= 1
    }
}
