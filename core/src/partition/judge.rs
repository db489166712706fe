//! Judging a producer's batch: a pure computation, which is run beside the shard where records have to be decompressed. A few
//! bytes may become a hundred megabytes.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::ops::RangeInclusive;

use bytes::Bytes;

use super::produce::ProduceError;
use crate::{
    log::{LogConfig, PreparedBatch, TimestampType},
    records::{
        BATCH_HEADER_BYTES, Compression, Record, Records,
        batch::{self, BatchError, BatchHeader, Requirements, Validated},
    },
    types::{ErrorCode, Timestamp},
};

/// A batch that is intact, and what it is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judge {
    /// The batch's header.
    pub header: BatchHeader,
    /// The batch.
    pub batch: Bytes,
    /// The topic's settings.
    pub config: LogConfig,
    /// The partition's name.
    pub partition: String,
    /// By the broker's clock.
    pub now: Timestamp,
}

impl Judge {
    /// Whether records have to be decompressed.
    pub fn is_heavy(&self) -> bool {
        let config = &self.config;
        let is_compressed = self.header.attributes.compression() != Some(Compression::None);
        let range = self.timestamp_range();
        let has_outliers = [self.header.base_timestamp, self.header.max_timestamp]
            .iter()
            .any(|timestamp| is_outlier(*timestamp, &range));
        is_compressed
            && (config.compact
                || config.timestamp_type == TimestampType::CreateTime && has_outliers)
    }

    /// Whether an intact batch may be appended, and in what form.
    pub fn run(&self) -> Result<PreparedBatch, ProduceError> {
        let Self { header, batch: bytes, config, .. } = self;
        if header.attributes.is_control() {
            let message = "Clients are not allowed to write control records";
            return Err(ProduceError::new(ErrorCode::InvalidRecord, message));
        }
        let requirements = Requirements { keys: config.compact };
        if let Some(producer) = header.producer.filter(|producer| producer.base_sequence.0 < 0) {
            let message =
                format!("Invalid sequence number {} in record batch", producer.base_sequence);
            return Err(ProduceError::new(ErrorCode::InvalidRecord, message));
        }
        let Validated { header, min_timestamp } = batch::validate(header, bytes, requirements)
            .map_err(|error| self.describe(error, header, bytes))?;
        let mut batch = PreparedBatch::new(header, bytes);
        match config.timestamp_type {
            TimestampType::LogAppendTime => batch.stamp(self.now),
            TimestampType::CreateTime => {
                let range = self.timestamp_range();
                let outliers = [min_timestamp, header.max_timestamp];
                if outliers.iter().any(|timestamp| is_outlier(*timestamp, &range)) {
                    return Err(refuse_timestamps(&header, bytes, &range));
                }
                batch.keep_create_time();
            }
        }
        Ok(batch)
    }

    fn describe(&self, error: BatchError, header: &BatchHeader, batch: &Bytes) -> ProduceError {
        let invalid = |message| ProduceError::new(ErrorCode::InvalidRecord, message);
        match error {
            BatchError::MissingKey { .. } => {
                let message = format!(
                    "Compacted topic cannot accept message without key in topic partition {}",
                    self.partition
                );
                let keyless = |record: &Record<'_>| record.key.is_none().then(|| message.clone());
                let records = blame(header, batch, keyless);
                let message = summary(&records);
                ProduceError { records, ..invalid(message) }
            }
            BatchError::Count if header.record_count <= 0 => {
                invalid(format!("Invalid reported count for record batch: {}", header.record_count))
            }
            BatchError::Count => invalid(format!(
                "Inconsistent batch offset range [{}, {}] and count of records {}",
                header.base_offset,
                header.last_offset(),
                header.record_count
            )),
            BatchError::Incomplete
            | BatchError::TooSmall
            | BatchError::Magic(_)
            | BatchError::Checksum { .. }
            | BatchError::Compression
            | BatchError::Decompress
            | BatchError::Record => invalid(error.to_string()),
        }
    }

    /// Which timestamps are taken.
    fn timestamp_range(&self) -> RangeInclusive<i64> {
        let earliest = self.now.0.saturating_sub(self.config.timestamp_before_max_ms);
        earliest..=self.now.0.saturating_add(self.config.timestamp_after_max_ms)
    }
}

fn is_outlier(timestamp: Timestamp, range: &RangeInclusive<i64>) -> bool {
    timestamp != Timestamp::NONE && !range.contains(&timestamp.0)
}

fn refuse_timestamps(
    header: &BatchHeader,
    batch: &Bytes,
    range: &RangeInclusive<i64>,
) -> ProduceError {
    let (earliest, latest) = (range.start(), range.end());
    let records = blame(header, batch, |record| {
        let timestamp = header.timestamp_of(record.timestamp_delta);
        is_outlier(timestamp, range).then(|| {
            format!(
                "Timestamp {timestamp} of message with offset {} is out of range. The timestamp should be within [{earliest}, {latest}]",
                record.offset_delta
            )
        })
    });
    let message = "One or more records have been rejected due to invalid timestamp";
    ProduceError { records, ..ProduceError::new(ErrorCode::InvalidTimestamp, message) }
}

/// How many records are told of: the answer must not be many times as large as the batch.
const BLAMED_MAX: usize = 1_000;

/// The records of a batch with which something is wrong.
fn blame(
    header: &BatchHeader,
    batch: &Bytes,
    problem: impl Fn(&Record<'_>) -> Option<String>,
) -> Vec<(i32, String)> {
    let Some(compression) = header.attributes.compression() else { return Vec::new() };
    let Ok(body) = compression.decompress(&batch[BATCH_HEADER_BYTES..]) else { return Vec::new() };
    let records = Records::new(&body).map_while(Result::ok);
    let blamed = (0..).zip(records).filter_map(|(index, record)| Some((index, problem(&record)?)));
    blamed.take(BLAMED_MAX).collect()
}

/// What is wrong with some records, in Kafka's words.
fn summary(records: &[(i32, String)]) -> String {
    let first = records
        .iter()
        .take(3)
        .map(|(index, message)| format!("RecordError(batchIndex={index}, message='{message}')"));
    format!(
        "One or more records have been rejected due to {} record errors in total, and only showing the first three errors at most: [{}]",
        records.len(),
        first.collect::<Vec<_>>().join(", ")
    )
}
