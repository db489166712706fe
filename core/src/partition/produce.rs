//! Judging a producer's batch, and answering when it is safe.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use bytes::Bytes;

use super::{Context, Event, Partition, State};
use crate::{
    disk::IoError,
    log::{PreparedBatch, TimestampType, producers::SequenceCheck},
    machine::Now,
    records::{
        BATCH_HEADER_BYTES, Compression,
        batch::{self, BatchError, BatchHeader, MAGIC, Requirements, Validated},
    },
    session::RequestId,
    types::{ErrorCode, Offset, Timestamp},
};

/// Who waits for the end of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendTarget {
    /// A Produce, for one of its partitions.
    Produce {
        /// The request.
        request: RequestId,
        /// Which of its partitions.
        index: usize,
    },
    /// A coordinator that keeps its state here.
    Coordinator {
        /// Which coordinator.
        coordinator: u32,
        /// Names the write to it.
        token: u64,
    },
    /// Nobody.
    Nobody,
}

/// An append that was not answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct PendingAppend {
    pub(super) end_offset: Offset,
    result: Appended,
    target: AppendTarget,
}

/// Where a batch was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// What the broker's clock said, where records are stamped by it.
    pub log_append_time: Timestamp,
    /// Where the log begins.
    pub log_start_offset: Offset,
}

/// What became of an append.
pub type AppendResult = Result<Appended, ProduceError>;

/// Why a batch was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProduceError {
    /// For the client's program.
    pub code: ErrorCode,
    /// For whoever reads its log.
    pub message: Option<String>,
    /// Which records of the batch are to blame, and why.
    pub records: Vec<(i32, String)>,
}

impl ProduceError {
    /// With a message of its own.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()), records: Vec::new() }
    }

    fn of_record(code: ErrorCode, index: i32, message: String) -> Self {
        let summary = format!(
            "One or more records have been rejected due to 1 record errors in total, and only showing the first three errors at most: [RecordError(batchIndex={index}, message='{message}')]"
        );
        Self { code, message: Some(summary), records: vec![(index, message)] }
    }
}

impl From<ErrorCode> for ProduceError {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: None, records: Vec::new() }
    }
}

impl Partition {
    /// Appends the batch that a Produce brings for this partition. What can be refused at once is; otherwise the answer comes as
    /// an event.
    pub fn produce(
        &mut self,
        records: &Bytes,
        version: i16,
        target: AppendTarget,
        context: &mut Context<'_>,
    ) -> Result<(), ProduceError> {
        let name = || super::directory_name(&self.topic_name, self.id.partition);
        let header = only_batch(records, version)?;
        if header.base_offset != Offset::ZERO {
            return Err(ProduceError::new(
                ErrorCode::InvalidRecord,
                format!(
                    "The baseOffset of the record batch in the append to {} should be 0, but it is {}",
                    name(),
                    header.base_offset
                ),
            ));
        }
        let limit = self.config.max_message_bytes;
        if header.size_bytes > limit {
            return Err(ProduceError::new(
                ErrorCode::MessageTooLarge,
                format!(
                    "The record batch size in the append to {} is {} bytes which exceeds the maximum configured value of {limit}.",
                    name(),
                    header.size_bytes
                ),
            ));
        }
        let bytes = records.slice(..header.size_bytes);
        if let Err(BatchError::Checksum { expected, .. }) = batch::verify(&bytes) {
            return Err(ProduceError::new(
                ErrorCode::CorruptMessage,
                format!(
                    "Record is corrupt (stored crc = {expected}) in topic partition {}.",
                    name()
                ),
            ));
        }
        let batch = self.judge(&header, &bytes, context.now)?;
        self.append_batch(batch, target, context)
    }

    /// Appends a batch of the broker's own making.
    pub fn append_own(
        &mut self,
        batch: &Bytes,
        target: AppendTarget,
        context: &mut Context<'_>,
    ) -> Result<(), ProduceError> {
        let header = BatchHeader::parse(batch).map_err(|_| ErrorCode::CorruptMessage)?;
        self.append_batch(PreparedBatch::new(header, batch), target, context)
    }

    /// Whether an intact batch may be appended, and in what form.
    fn judge(
        &self,
        header: &BatchHeader,
        bytes: &Bytes,
        now: Now,
    ) -> Result<PreparedBatch, ProduceError> {
        let config = &self.config;
        if u64::from(config.segment_bytes) < bytes.len() as u64 {
            return Err(ProduceError::new(
                ErrorCode::RecordListTooLarge,
                format!(
                    "Message batch size is {} bytes in append to partition {}, which exceeds the maximum configured segment size of {}.",
                    bytes.len(),
                    self.name(),
                    config.segment_bytes
                ),
            ));
        }
        if header.attributes.is_control() {
            let message = "Clients are not allowed to write control records";
            return Err(ProduceError::new(ErrorCode::InvalidRecord, message));
        }
        if header.attributes.is_transactional() {
            let message = "Transactions are not supported yet.";
            return Err(ProduceError::new(ErrorCode::InvalidTxnState, message));
        }
        let requirements = Requirements { keys: config.compact };
        let Validated { header, min_timestamp } = batch::validate(header, bytes, requirements)
            .map_err(|error| self.describe(error, header))?;
        let mut batch = PreparedBatch::new(header, bytes);
        match config.timestamp_type {
            TimestampType::LogAppendTime => batch.stamp(now.timestamp),
            TimestampType::CreateTime => {
                self.check_timestamps(min_timestamp, header.max_timestamp, now.timestamp)?;
                batch.correct_max_timestamp();
            }
        }
        Ok(batch)
    }

    fn describe(&self, error: BatchError, header: &BatchHeader) -> ProduceError {
        let invalid = |message| ProduceError::new(ErrorCode::InvalidRecord, message);
        match error {
            BatchError::MissingKey { record } => ProduceError::of_record(
                ErrorCode::InvalidRecord,
                record,
                format!(
                    "Compacted topic cannot accept message without key in topic partition {}.",
                    self.name()
                ),
            ),
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
            | BatchError::Record => invalid(error.to_string()),
        }
    }

    fn check_timestamps(
        &self,
        min: Timestamp,
        max: Timestamp,
        now: Timestamp,
    ) -> Result<(), ProduceError> {
        let earliest = now.0.saturating_sub(self.config.timestamp_before_max_ms);
        let latest = now.0.saturating_add(self.config.timestamp_after_max_ms);
        let outlier = [min, max].into_iter().find(|timestamp| {
            *timestamp != Timestamp::NONE && !(earliest..=latest).contains(&timestamp.0)
        });
        outlier.map_or(Ok(()), |timestamp| {
            let message = format!(
                "Timestamp {timestamp} of message with offset 0 is out of range. The timestamp should be within [{earliest}, {latest}]"
            );
            Err(ProduceError::of_record(ErrorCode::InvalidTimestamp, 0, message))
        })
    }

    fn append_batch(
        &mut self,
        batch: PreparedBatch,
        target: AppendTarget,
        context: &mut Context<'_>,
    ) -> Result<(), ProduceError> {
        let log = match &mut self.state {
            State::Open(log) => log,
            State::Opening(_) => return Err(ErrorCode::NotLeaderOrFollower.into()),
            State::Failed(error) => return Err(storage_error(*error)),
        };
        let header = *batch.header();
        if let Some(producer) = header.producer {
            match log.producers().check(producer, header.record_count) {
                SequenceCheck::InSequence => {}
                SequenceCheck::Duplicate(known) => {
                    let result = Appended {
                        base_offset: known.first_offset(),
                        log_append_time: Timestamp::NONE,
                        log_start_offset: log.start_offset(),
                    };
                    self.answer_when_durable(known.last_offset + 1, result, target, context);
                    return Ok(());
                }
                SequenceCheck::OutOfOrder { last } => {
                    return Err(ProduceError::new(
                        ErrorCode::OutOfOrderSequenceNumber,
                        format!(
                            "Out of order sequence number for producer {} at offset {} in partition {}: {} (incoming seq. number), {} (current end sequence number)",
                            producer.id,
                            log.end_offset(),
                            super::directory_name(&self.topic_name, self.id.partition),
                            producer.base_sequence,
                            last.map_or(-1, |sequence| sequence.0),
                        ),
                    ));
                }
                SequenceCheck::StaleEpoch { current } => {
                    return Err(ProduceError::new(
                        ErrorCode::InvalidProducerEpoch,
                        format!(
                            "Epoch of producer {} at offset {} in {} is {}, which is smaller than the last seen epoch {current}",
                            producer.id,
                            log.end_offset(),
                            super::directory_name(&self.topic_name, self.id.partition),
                            producer.epoch,
                        ),
                    ));
                }
            }
        }
        let base_offset = log.append(batch, self.leader_epoch, context.now, &mut context.disk);
        let result = Appended {
            base_offset,
            log_append_time: if header.attributes.is_log_append_time() {
                header.max_timestamp
            } else {
                Timestamp::NONE
            },
            log_start_offset: log.start_offset(),
        };
        let end_offset = log.end_offset();
        self.traffic.records_in += u64::from(header.record_count.cast_unsigned());
        self.traffic.bytes_in += header.size_bytes as u64;
        self.answer_when_durable(end_offset, result, target, context);
        Ok(())
    }

    fn answer_when_durable(
        &mut self,
        end_offset: Offset,
        result: Appended,
        target: AppendTarget,
        context: &mut Context<'_>,
    ) {
        if target != AppendTarget::Nobody {
            self.appends.push_back(PendingAppend { end_offset, result, target });
            self.answer_appends(context);
        }
    }

    /// Answers the appends that the high watermark has passed.
    pub(super) fn answer_appends(&mut self, context: &mut Context<'_>) {
        let high_watermark = self.high_watermark.offset;
        while let Some(append) =
            self.appends.pop_front_if(|append| append.end_offset <= high_watermark)
        {
            let PendingAppend { target, result, .. } = append;
            context.events.push(Event::Appended { target, result: Ok(result) });
        }
    }

    /// Refuses all appends that were not answered. They may be on disk all the same; a client asks again.
    pub(super) fn refuse_pending(&mut self, error: &ProduceError, context: &mut Context<'_>) {
        for PendingAppend { target, .. } in self.appends.drain(..) {
            context.events.push(Event::Appended { target, result: Err(error.clone()) });
        }
    }
}

/// Why a failed disk takes no records.
pub(super) fn storage_error(error: IoError) -> ProduceError {
    let message = match error {
        IoError::NoSpace => "The broker's disk is full.".to_string(),
        IoError::NotFound | IoError::Os(_) => format!("The broker's disk failed: {error}."),
    };
    ProduceError::new(ErrorCode::KafkaStorageError, message)
}

/// The header of the one batch that a Produce may bring for a partition (KIP-98).
fn only_batch(records: &Bytes, version: i16) -> Result<BatchHeader, ProduceError> {
    let invalid = |message| ProduceError::new(ErrorCode::InvalidRecord, message);
    let allowed =
        format_args!("Produce requests with version {version} are only allowed to contain")
            .to_string();
    let header = match BatchHeader::parse(records) {
        Ok(header) => header,
        Err(BatchError::Magic(_)) => {
            return Err(invalid(format!("{allowed} record batches with magic version {MAGIC}")));
        }
        Err(BatchError::TooSmall) => {
            let message = "Record batch is smaller than its header.";
            return Err(ProduceError::new(ErrorCode::CorruptMessage, message));
        }
        Err(_) => {
            return Err(invalid(format!(
                "Produce requests with version {version} must have at least one record batch"
            )));
        }
    };
    if header.size_bytes > records.len() {
        return Err(invalid(format!(
            "Produce requests with version {version} must have at least one record batch"
        )));
    }
    if version < 7 && header.attributes.compression() == Some(Compression::Zstd) {
        let message =
            "Produce requests with version < 7 are not allowed to use ZStandard compression";
        return Err(ProduceError::new(ErrorCode::UnsupportedCompressionType, message));
    }
    let rest = records.slice(header.size_bytes..);
    if rest.len() >= BATCH_HEADER_BYTES
        && BatchHeader::parse(&rest).is_ok_and(|next| next.size_bytes <= rest.len())
    {
        return Err(invalid(format!("{allowed} exactly one record batch")));
    }
    Ok(header)
}
