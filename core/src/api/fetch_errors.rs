//! What is told of a partition that cannot be fetched from, and why.

use alloc::vec::Vec;

use crate::{
    mutants::{Mutant, planted},
    partition::ReadError,
    types::{ErrorCode, LeaderEpoch},
    wire::{
        RecordData,
        messages::fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData},
    },
};

/// Compares the leader epoch that a client knows, if it knows one, with the current one (KIP-320).
pub(crate) fn check_epoch(known: i32, current: LeaderEpoch) -> Result<(), ErrorCode> {
    if known == -1 || known == current.0 || planted(Mutant::AnyEpochAccepted) {
        Ok(())
    } else if known < current.0 {
        Err(ErrorCode::FencedLeaderEpoch)
    } else {
        Err(ErrorCode::UnknownLeaderEpoch)
    }
}

/// Why records cannot be had.
pub(crate) const fn error_code(error: ReadError) -> ErrorCode {
    match error {
        ReadError::Damaged => ErrorCode::CorruptMessage,
        ReadError::Moved => ErrorCode::OffsetOutOfRange,
        ReadError::Storage => ErrorCode::KafkaStorageError,
    }
}

/// A partition with nothing but an error.
pub(super) fn failed(partition_index: i32, error: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index,
        error_code: error.code(),
        high_watermark: -1,
        records: Some(RecordData::default()),
        ..Default::default()
    }
}

/// An error for all that is asked for; where topics have no names, it stands alone.
pub(super) fn refuse(request: FetchRequest, version: i16, error: ErrorCode) -> FetchResponse {
    let topics = request.topics.into_iter().filter(|_| version < 13);
    let responses = topics.map(|topic| FetchableTopicResponse {
        topic: topic.topic,
        partitions: topic
            .partitions
            .iter()
            .map(|partition| PartitionData {
                aborted_transactions: Some(Vec::new()),
                ..failed(partition.partition, error)
            })
            .collect(),
        ..Default::default()
    });
    FetchResponse { error_code: error.code(), responses: responses.collect(), ..Default::default() }
}
