//! DeleteRecords.

use alloc::{collections::BTreeMap, vec::Vec};

use crate::{
    api::{Pending, topic_rules::is_internal},
    session::RequestId,
    shard::{Incoming, Shard, Step},
    types::{ErrorCode, Offset},
    wire::messages::delete_records::{
        DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
        DeleteRecordsTopicResult,
    },
};

/// Stands for the high watermark.
const HIGH_WATERMARK: i64 = -1;

/// A DeleteRecords that waits for its start offsets to be written down.
#[derive(Debug)]
pub(crate) struct PendingDeleteRecords {
    response: DeleteRecordsResponse,
    places: Vec<(usize, usize)>,
    left: usize,
}

impl Shard {
    pub(super) fn delete_records(
        &mut self,
        asked: &Incoming,
        request: DeleteRecordsRequest,
        step: &mut Step<'_>,
    ) {
        let mut topics = Vec::with_capacity(request.topics.len());
        let mut places = Vec::new();
        let mut deletions = Vec::new();
        for topic in request.topics {
            // Of a partition that is named twice the last offset counts.
            let offsets: BTreeMap<i32, i64> = topic
                .partitions
                .iter()
                .map(|partition| (partition.partition_index, partition.offset))
                .collect();
            let mut partitions = Vec::with_capacity(offsets.len());
            for (partition_index, offset) in offsets {
                let target = self.deletion_target(&topic.name, partition_index, offset);
                let mut result = DeleteRecordsPartitionResult {
                    partition_index,
                    low_watermark: -1,
                    ..Default::default()
                };
                match target {
                    Err(error) => result.error_code = error.code(),
                    Ok((slot, offset)) => {
                        result.low_watermark = offset.0;
                        places.push((topics.len(), partitions.len()));
                        deletions.push((slot, offset));
                    }
                }
                partitions.push(result);
            }
            topics.push(DeleteRecordsTopicResult { name: topic.name, partitions });
        }
        let response = DeleteRecordsResponse { topics, ..Default::default() };
        if deletions.is_empty() {
            self.answer(asked.id, response, step);
            return;
        }
        let left = deletions.len();
        let pending = PendingDeleteRecords { response, places, left };
        self.pending.insert(asked.id, Pending::DeleteRecords(pending));
        for (index, (slot, offset)) in deletions.into_iter().enumerate() {
            self.delete_records_below(slot, offset, asked.id, index, step);
        }
    }

    fn deletion_target(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<(u32, Offset), ErrorCode> {
        if is_internal(topic) {
            return Err(ErrorCode::InvalidTopic);
        }
        let unknown = ErrorCode::UnknownTopicOrPartition;
        let slot = self.slot_by_name(topic, partition).ok_or(unknown)?;
        let partition = self.partition(slot).ok_or(unknown)?;
        let log = partition.log().ok_or(ErrorCode::KafkaStorageError)?;
        if log.config().compact && !log.config().delete {
            return Err(ErrorCode::PolicyViolation);
        }
        let high_watermark = partition.high_watermark().offset;
        let offset = if offset == HIGH_WATERMARK { high_watermark } else { Offset(offset) };
        if offset < Offset::ZERO || offset > high_watermark {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        Ok((slot, offset.max(log.start_offset())))
    }

    /// A start offset was written down, or could not be.
    pub(crate) fn records_deleted(
        &mut self,
        request: RequestId,
        index: usize,
        well: bool,
        step: &mut Step<'_>,
    ) {
        let Some(Pending::DeleteRecords(pending)) = self.pending.get_mut(&request) else { return };
        let (topic, partition) = pending.places[index];
        if !well {
            let result = &mut pending.response.topics[topic].partitions[partition];
            result.error_code = ErrorCode::KafkaStorageError.code();
            result.low_watermark = -1;
        }
        pending.left -= 1;
        if pending.left == 0
            && let Some(Pending::DeleteRecords(pending)) = self.pending.remove(&request)
        {
            self.answer(request, pending.response, step);
        }
    }
}
