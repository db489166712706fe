//! Judging a producer's batch, and answering when it is safe.

use alloc::{
    collections::VecDeque,
    format,
    string::{String, ToString},
    vec::Vec,
};

use bytes::Bytes;

use super::{Context, Event, Partition, State, judge::Judge};
use crate::{
    disk::{IoError, IoId},
    job::Job,
    log::{Log, PreparedBatch, producers::SequenceCheck},
    mutants::{Mutant, planted},
    records::{
        BATCH_HEADER_BYTES, Compression,
        batch::{self, BatchError, BatchHeader, MAGIC},
    },
    replica::Acks,
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
struct PendingAppend {
    end_offset: Offset,
    result: Appended,
    target: AppendTarget,
}

/// Appends that were not answered, in the order of their offsets: each is answered by what it waits for.
#[derive(Debug, Default)]
pub(super) struct PendingAppends {
    of_leader: VecDeque<PendingAppend>,
    of_all: VecDeque<PendingAppend>,
}

impl PendingAppends {
    const fn waiting_for(&mut self, acks: Acks) -> &mut VecDeque<PendingAppend> {
        match acks {
            Acks::Leader => &mut self.of_leader,
            Acks::All => &mut self.of_all,
        }
    }
}

/// A batch that was not judged.
#[derive(Debug)]
pub(super) struct Unjudged {
    judge: Judge,
    acks: Acks,
    target: AppendTarget,
    /// The computation, if it has begun.
    job: Option<u64>,
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
    /// Where the log begins, if the batch came as far as the log.
    pub log_start_offset: Offset,
}

impl ProduceError {
    /// With a message of its own.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..code.into() }
    }

    fn at(self, log_start_offset: Offset) -> Self {
        Self { log_start_offset, ..self }
    }
}

impl From<ErrorCode> for ProduceError {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: None, records: Vec::new(), log_start_offset: Offset(-1) }
    }
}

impl Partition {
    /// Appends the batch that a Produce brings for this partition. What can be refused at once is; otherwise the answer comes as
    /// an event.
    pub fn produce(
        &mut self,
        records: &Bytes,
        version: i16,
        acks: Acks,
        target: AppendTarget,
        context: &mut Context<'_>,
    ) -> Result<(), ProduceError> {
        let name = || super::directory_name(&self.topic_name, self.id.partition);
        let header = only_batch(records, version)?;
        let start = self.log().map_or(Offset(-1), Log::start_offset);
        if header.attributes.is_transactional() {
            let message = "Transactions are not supported yet.";
            return Err(ProduceError::new(ErrorCode::InvalidTxnState, message));
        }
        if header.base_offset != Offset::ZERO {
            return Err(ProduceError::new(
                ErrorCode::InvalidRecord,
                format!(
                    "The baseOffset of the record batch in the append to {} should be 0, but it is {}",
                    name(),
                    header.base_offset
                ),
            )
            .at(start));
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
        if u64::from(self.config.segment_bytes) < header.size_bytes as u64 {
            return Err(ProduceError::new(
                ErrorCode::RecordListTooLarge,
                format!(
                    "Message batch size is {} bytes in append to partition {}, which exceeds the maximum configured segment size of {}.",
                    header.size_bytes,
                    name(),
                    self.config.segment_bytes
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
        self.check_open(acks).map_err(|error| error.at(start))?;
        let judge = Judge {
            header,
            batch: bytes,
            config: self.config,
            partition: name(),
            now: context.now.timestamp,
        };
        if self.unjudged.is_empty() && !judge.is_heavy() {
            let batch = judge.run().map_err(|error| error.at(start))?;
            return self
                .append_batch(batch, acks, target, context)
                .map_err(|error| error.at(start));
        }
        self.unjudged.push_back(Unjudged { judge, acks, target, job: None });
        self.go_on_judging(context);
        Ok(())
    }

    /// Judges the batches that wait for it, in the order in which they came, up to the first that takes a while.
    fn go_on_judging(&mut self, context: &mut Context<'_>) {
        while let Some(first) = self.unjudged.front_mut() {
            if first.job.is_some() {
                return;
            }
            if first.judge.is_heavy() {
                let job = Job::Judge(first.judge.clone().into());
                first.job = Some(context.disk.compute(job).number);
                return;
            }
            let judged = first.judge.run();
            self.take_judgement(judged, context);
        }
    }

    /// The first of the batches that wait was judged beside the shard.
    pub(super) fn judged(
        &mut self,
        io: IoId,
        judged: Result<PreparedBatch, ProduceError>,
        context: &mut Context<'_>,
    ) {
        if self.unjudged.front().is_some_and(|first| first.job == Some(io.number)) {
            self.take_judgement(judged, context);
            self.go_on_judging(context);
        }
    }

    fn take_judgement(
        &mut self,
        judged: Result<PreparedBatch, ProduceError>,
        context: &mut Context<'_>,
    ) {
        let Some(Unjudged { acks, target, .. }) = self.unjudged.pop_front() else { return };
        let start = self.log().map_or(Offset(-1), Log::start_offset);
        let appended = judged.and_then(|batch| self.append_batch(batch, acks, target, context));
        if let Err(error) = appended {
            let result = Err(error.at(start));
            context.events.push(Event::Appended { target, result });
        }
    }

    /// Whether anything can be appended.
    fn check_open(&self, acks: Acks) -> Result<(), ProduceError> {
        match &self.state {
            State::Open(_) => Ok(self.replica.judge_append(acks)?),
            State::Opening { .. } => Err(ErrorCode::NotLeaderOrFollower.into()),
            State::Failed { error, .. } => Err(storage_error(*error)),
        }
    }

    /// Appends a batch of the broker's own making.
    pub fn append_own(
        &mut self,
        batch: &Bytes,
        target: AppendTarget,
        context: &mut Context<'_>,
    ) -> Result<(), ProduceError> {
        let header = BatchHeader::parse(batch).map_err(|_| ErrorCode::CorruptMessage)?;
        self.append_batch(PreparedBatch::new(header, batch), Acks::All, target, context)
    }

    fn append_batch(
        &mut self,
        batch: PreparedBatch,
        acks: Acks,
        target: AppendTarget,
        context: &mut Context<'_>,
    ) -> Result<(), ProduceError> {
        self.check_open(acks)?;
        let State::Open(log) = &mut self.state else {
            return Err(ErrorCode::NotLeaderOrFollower.into());
        };
        let header = *batch.header();
        if let Some(producer) = header.producer {
            match log.producers().check(producer, header.record_count) {
                SequenceCheck::InSequence => {}
                SequenceCheck::Duplicate(known) => {
                    let is_mistaken = planted(Mutant::DuplicateGetsEndOffset);
                    let first_offset = known.first_offset();
                    let result = Appended {
                        base_offset: if is_mistaken { log.end_offset() } else { first_offset },
                        // Kafka keeps no more than this of a batch, whatever its timestamps mean.
                        log_append_time: known.timestamp,
                        log_start_offset: log.start_offset(),
                    };
                    if planted(Mutant::DuplicateAnsweredEarly) {
                        context.events.push(Event::Appended { target, result: Ok(result) });
                        return Ok(());
                    }
                    self.answer_when_safe(known.last_offset + 1, result, (acks, target), context);
                    return Ok(());
                }
                SequenceCheck::OutOfOrder { last } => {
                    return Err(ProduceError::new(
                        ErrorCode::OutOfOrderSequenceNumber,
                        format!(
                            "Out of order sequence number at offset {} in partition {}: {} (incoming seq. number), {} (current end sequence number)",
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
                            "Producer epoch at offset {} in {} is {}, which is smaller than the last seen epoch {current}",
                            log.end_offset(),
                            super::directory_name(&self.topic_name, self.id.partition),
                            producer.epoch,
                        ),
                    ));
                }
            }
        }
        let epoch = self.replica.leader_epoch();
        let base_offset = log.append(batch, epoch, context.now, &mut context.disk);
        self.ends.push_back(log.end());
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
        self.answer_when_safe(end_offset, result, (acks, target), context);
        Ok(())
    }

    fn answer_when_safe(
        &mut self,
        end_offset: Offset,
        result: Appended,
        (acks, target): (Acks, AppendTarget),
        context: &mut Context<'_>,
    ) {
        if planted(Mutant::AcknowledgeBeforeSync) {
            context.events.push(Event::Appended { target, result: Ok(result) });
        } else if target != AppendTarget::Nobody {
            let append = PendingAppend { end_offset, result, target };
            self.appends.waiting_for(acks).push_back(append);
            self.answer_appends(context);
        }
    }

    /// Answers the appends that are as safe as their producers want them.
    pub(super) fn answer_appends(&mut self, context: &mut Context<'_>) {
        for acks in [Acks::Leader, Acks::All] {
            let safe = self.acknowledged(acks);
            let waiting = self.appends.waiting_for(acks);
            while let Some(append) = waiting.pop_front_if(|append| append.end_offset <= safe) {
                let PendingAppend { target, result, .. } = append;
                context.events.push(Event::Appended { target, result: Ok(result) });
            }
        }
    }

    /// Whether an append could be answered and was not.
    pub(super) fn has_unanswered(&self) -> bool {
        let PendingAppends { of_leader, of_all } = &self.appends;
        [(Acks::Leader, of_leader), (Acks::All, of_all)].into_iter().any(|(acks, waiting)| {
            waiting.front().is_some_and(|append| append.end_offset <= self.acknowledged(acks))
        })
    }

    /// Refuses all appends that were not answered. They may be on disk all the same; a client asks again.
    pub(super) fn refuse_pending(&mut self, error: &ProduceError, context: &mut Context<'_>) {
        let unjudged = self.unjudged.drain(..).map(|unjudged| unjudged.target);
        let PendingAppends { of_leader, of_all } = core::mem::take(&mut self.appends);
        let waiting = of_leader.into_iter().chain(of_all).map(|append| append.target);
        for target in waiting.chain(unjudged) {
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

/// The least length of a message in the formats before version 2: what Kafka measures all lengths by first.
const LEGACY_OVERHEAD_BYTES: i32 = 14;

/// What bytes say of the length of the batch that they begin with.
fn claimed_length(records: &Bytes) -> i32 {
    let length = records.get(8..12).and_then(|bytes| bytes.first_chunk());
    length.map_or(0, |bytes| i32::from_be_bytes(*bytes))
}

/// The header of the one batch that a Produce may bring for a partition (KIP-98).
fn only_batch(records: &Bytes, version: i16) -> Result<BatchHeader, ProduceError> {
    let invalid = |message| ProduceError::new(ErrorCode::InvalidRecord, message);
    let allowed =
        format_args!("Produce requests with version {version} are only allowed to contain")
            .to_string();
    let header = match BatchHeader::parse(records) {
        Ok(header) => header,
        Err(BatchError::Magic(magic)) if !(0..=MAGIC).contains(&magic) => {
            let message = format!("Invalid magic found in record: {magic}");
            return Err(ProduceError::new(ErrorCode::CorruptMessage, message));
        }
        Err(BatchError::Magic(_)) => {
            return Err(invalid(format!("{allowed} record batches with magic version {MAGIC}")));
        }
        Err(BatchError::TooSmall) => {
            let message = format!(
                "Record size {} is less than the minimum record overhead ({LEGACY_OVERHEAD_BYTES})",
                claimed_length(records)
            );
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
