//! What an answer to a Produce means for the batch.

use ottla_core::{
    types::{ErrorCode, Offset, Timestamp},
    wire::messages::produce::ProduceResponse,
};

use super::ProduceError;
use crate::client::{CallError, ServerError, TopicPartition};

/// What becomes of a batch after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is in the log.
    Acknowledged {
        /// From this offset on; none when the broker only knows that it has it already.
        base_offset: Option<Offset>,
        /// What the broker's clock said, if that counts.
        log_append_time: Option<Timestamp>,
    },
    /// It goes out again.
    Retry {
        /// What the attempt met.
        error: ProduceError,
        /// Whether it may be in the log.
        may_be_written: bool,
    },
    /// It is not in the log and will not be.
    Refused(ProduceError),
}

/// Reads the answer about one partition. While `recovering`, an earlier batch is on its way again, and so it is no wonder
/// if this one's sequence is out of order.
pub(super) fn judge(
    outcome: Result<ProduceResponse, CallError>,
    partition: &TopicPartition,
    recovering: bool,
) -> Verdict {
    let response = match outcome {
        Ok(response) => response,
        Err(error) => {
            let (again, may_be_written) = (error.is_retriable(), error.may_have_arrived());
            let error = ProduceError::Call(error);
            // Without an answer that can be read, only another attempt can tell.
            return if again || may_be_written {
                Verdict::Retry { error, may_be_written }
            } else {
                Verdict::Refused(error)
            };
        }
    };
    let answer = response
        .responses
        .into_iter()
        .flat_map(|topic| topic.partition_responses)
        .find(|answer| answer.index == partition.partition.0);
    let Some(answer) = answer else {
        let error = ProduceError::Missing(partition.clone());
        return Verdict::Retry { error, may_be_written: true };
    };
    match ServerError::check(answer.error_code, answer.error_message.as_deref()) {
        Ok(()) => Verdict::Acknowledged {
            base_offset: (answer.base_offset >= 0).then_some(Offset(answer.base_offset)),
            log_append_time: (answer.log_append_time_ms >= 0)
                .then_some(Timestamp(answer.log_append_time_ms)),
        },
        Err(error) if error.is(ErrorCode::DuplicateSequenceNumber) => {
            Verdict::Acknowledged { base_offset: None, log_append_time: None }
        }
        Err(error) => {
            let again = error.is_retriable()
                || (recovering && error.is(ErrorCode::OutOfOrderSequenceNumber));
            let may_be_written = error.is(ErrorCode::RequestTimedOut)
                || error.is(ErrorCode::NotEnoughReplicasAfterAppend);
            let error = ProduceError::Refused { partition: partition.clone(), error };
            if again { Verdict::Retry { error, may_be_written } } else { Verdict::Refused(error) }
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_core::wire::messages::produce::{PartitionProduceResponse, TopicProduceResponse};

    use super::*;

    fn judge_code(code: ErrorCode, recovering: bool) -> Verdict {
        let partition = PartitionProduceResponse {
            index: 3,
            error_code: code.code(),
            base_offset: 17,
            ..Default::default()
        };
        let topic =
            TopicProduceResponse { partition_responses: vec![partition], ..Default::default() };
        let response = ProduceResponse { responses: vec![topic], ..Default::default() };
        judge(Ok(response), &TopicPartition::new("topic", 3), recovering)
    }

    fn kind(verdict: &Verdict) -> (&'static str, bool) {
        match verdict {
            Verdict::Acknowledged { base_offset, .. } => ("acknowledged", base_offset.is_some()),
            Verdict::Retry { may_be_written, .. } => ("retry", *may_be_written),
            Verdict::Refused(_) => ("refused", false),
        }
    }

    #[test]
    fn each_answer_has_its_meaning() {
        for (code, recovering, expected) in [
            (ErrorCode::None, false, ("acknowledged", true)),
            (ErrorCode::DuplicateSequenceNumber, false, ("acknowledged", false)),
            (ErrorCode::NotLeaderOrFollower, false, ("retry", false)),
            (ErrorCode::NotEnoughReplicas, false, ("retry", false)),
            (ErrorCode::NotEnoughReplicasAfterAppend, false, ("retry", true)),
            (ErrorCode::RequestTimedOut, false, ("retry", true)),
            (ErrorCode::OutOfOrderSequenceNumber, false, ("refused", false)),
            (ErrorCode::OutOfOrderSequenceNumber, true, ("retry", false)),
            (ErrorCode::MessageTooLarge, true, ("refused", false)),
        ] {
            assert_eq!(kind(&judge_code(code, recovering)), expected, "{code}");
        }
    }

    #[test]
    fn an_answer_about_something_else_tells_nothing() {
        let response = ProduceResponse::default();
        let verdict = judge(Ok(response), &TopicPartition::new("topic", 3), false);
        assert_eq!(kind(&verdict), ("retry", true));
    }
}
