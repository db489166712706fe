//! What is told of a partition that cannot be fetched from, and why.

use alloc::vec::Vec;

use crate::{
    partition::ReadError,
    types::ErrorCode,
    wire::{
        RecordData,
        messages::fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData},
    },
};

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
