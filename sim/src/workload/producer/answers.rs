//! What a producer makes of an answer. Only what certainly was not appended, and never will be, has failed.

use ottla_core::{
    types::ErrorCode,
    wire::messages::produce::{PartitionProduceResponse, ProduceResponse},
};
use ottla_jepsen::history::Answer;

use super::{Batch, OUTSTANDING_MAX, Producer};
use crate::{
    oracle::{NEXT_IN_ORDER, REPEATED_IS_KNOWN},
    workload::{client::error_name, connection::Waiting, plan::TopicKind},
};

/// What an error says of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// It was not appended, and will not be: it is wrong.
    Refused,
    /// It was not appended, or it was: it can be sent again.
    Unsettled,
    /// It was not appended this time: it can be sent again.
    NotNow,
    /// It does not follow what the broker knows.
    OutOfOrder,
}

const fn meaning(error: ErrorCode) -> Meaning {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others say that the batch is wrong")]
    match error {
        ErrorCode::NotEnoughReplicas | ErrorCode::LeaderNotAvailable => Meaning::NotNow,
        ErrorCode::OutOfOrderSequenceNumber => Meaning::OutOfOrder,
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::UnknownTopicId
        | ErrorCode::InconsistentTopicId
        | ErrorCode::NotLeaderOrFollower
        | ErrorCode::RequestTimedOut
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::KafkaStorageError
        | ErrorCode::UnknownServerError => Meaning::Unsettled,
        _ => Meaning::Refused,
    }
}

impl Producer {
    /// An answer came: to the first request that waits for one.
    pub(super) fn take_answer(&mut self, waiting: Waiting, response: ProduceResponse) {
        let Some(request) = self.in_flight.pop_front() else { return };
        debug_assert_eq!(request.waiting, waiting);
        let mut answers: Vec<_> = response
            .responses
            .into_iter()
            .flat_map(|topic| {
                let partitions = topic.partition_responses.into_iter();
                partitions.map(move |partition| (topic.name.clone(), topic.topic_id, partition))
            })
            .collect();
        for batch in request.batches {
            let found = answers.iter().position(|(name, id, partition)| {
                let is_topic = *name == batch.topic || *id == batch.topic_id;
                is_topic && partition.index == batch.index
            });
            match found {
                Some(found) => {
                    let (.., answer) = answers.swap_remove(found);
                    self.settle(batch, &answer);
                }
                None => {
                    let detail = format!("{}-{} was not answered", batch.topic, batch.index);
                    self.client.recorder.violation("each batch is answered", detail.clone());
                    self.conclude_unknown(batch, &detail);
                }
            }
        }
    }

    fn settle(&mut self, mut batch: Batch, answer: &PartitionProduceResponse) {
        let code = answer.error_code;
        let name = error_name(code);
        match ErrorCode::from_code(code) {
            Some(ErrorCode::None) => {
                let offset = Some(answer.base_offset).filter(|offset| *offset >= 0);
                self.accept(batch, offset);
            }
            // It is there, and where is not known any more.
            Some(ErrorCode::DuplicateSequenceNumber) => self.accept(batch, None),
            error => {
                let error = error.unwrap_or(ErrorCode::UnknownServerError);
                if self.is_gone(&batch, error) {
                    self.conclude(batch, error == ErrorCode::UnknownTopicId, &name);
                    return;
                }
                if self.is_given_up(&batch) {
                    let is_refused =
                        matches!(meaning(error), Meaning::Refused | Meaning::OutOfOrder);
                    self.conclude(batch, is_refused, &name);
                    return;
                }
                if matches!(error, ErrorCode::UnknownTopicId | ErrorCode::UnknownTopicOrPartition) {
                    self.refresh_at = 0;
                }
                match meaning(error) {
                    Meaning::NotNow => self.retry(batch, &name),
                    Meaning::Unsettled => {
                        batch.maybe_appended = true;
                        self.retry(batch, &name);
                    }
                    Meaning::Refused => self.refuse(batch, &name),
                    Meaning::OutOfOrder => self.out_of_order(batch, &name),
                }
            }
        }
    }

    fn accept(&mut self, batch: Batch, offset: Option<i64>) {
        self.client.recorder.ok(batch.begun, Answer::Sent { offset, attempts: 1 });
        let is_own = batch.send.producer.is_some_and(|producer| {
            self.identity == Some((producer.id, producer.epoch)) && !batch.is_trial
        });
        if is_own {
            let known = self.known.entry(batch.partition()).or_default();
            known.acknowledged.push_back(batch);
            if known.acknowledged.len() > OUTSTANDING_MAX {
                known.acknowledged.pop_front();
            }
        }
    }

    /// Whether it is of an identity that was given up meanwhile: for what another batch of the same request was answered. Those
    /// before it are not sent again, so that nothing is said by that it does not follow them.
    fn is_given_up(&self, batch: &Batch) -> bool {
        let own = batch.send.producer.filter(|_| !batch.is_trial);
        own.is_some_and(|producer| self.identity != Some((producer.id, producer.epoch)))
    }

    /// It has failed, if no earlier attempt can have been successful.
    fn conclude(&self, batch: Batch, is_refused: bool, reason: &str) {
        if is_refused && !batch.maybe_appended {
            self.client.recorder.fail(batch.begun, reason);
        } else {
            self.client.recorder.info(batch.begun, reason);
        }
    }

    fn refuse(&mut self, batch: Batch, reason: &str) {
        let is_numbered = batch.send.producer.is_some() && !batch.is_trial;
        self.conclude(batch, true, reason);
        if is_numbered {
            // Its sequence is missing, so nothing that follows would be accepted.
            self.begin_anew(reason);
        }
    }

    /// A batch before it may be missing, for it was refused or lost: then it is sent again behind that one. The first one that
    /// is not acknowledged cannot be out of order.
    fn out_of_order(&mut self, batch: Batch, reason: &str) {
        if batch.is_trial {
            // What was lost with power may be the batch itself.
            if batch.is_known && batch.kind != TopicKind::Relaxed {
                let detail = format!(
                    "{}-{}: {:?} was refused, and it was acknowledged before",
                    batch.topic, batch.index, batch.send.producer
                );
                self.client.recorder.violation(REPEATED_IS_KNOWN, detail);
            }
            self.conclude(batch, true, reason);
            return;
        }
        let (partition, sequence) = (batch.partition(), batch.sequence());
        let in_flight = self.in_flight.iter().flat_map(|request| &request.batches);
        let is_first = !in_flight
            .chain(&self.again)
            .any(|other| other.partition() == partition && other.sequence() < sequence);
        if !is_first {
            self.retry(batch, reason);
            return;
        }
        // What was lost with power may be the batches before it.
        if batch.kind != TopicKind::Relaxed {
            let detail = format!(
                "{}-{}: {:?} was refused, and all before it was acknowledged",
                batch.topic, batch.index, batch.send.producer
            );
            self.client.recorder.violation(NEXT_IN_ORDER, detail);
        }
        self.refuse(batch, reason);
    }
}
