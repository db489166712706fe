//! InitProducerId and DescribeProducers.

use alloc::{string::String, vec::Vec};

use crate::{
    api::topic_rules::check_topic_name,
    session::RequestId,
    shard::{Incoming, Shard, Step},
    types::{ErrorCode, ProducerId},
    wire::messages::{
        describe_producers::{
            DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState,
            TopicResponse,
        },
        init_producer_id::{InitProducerIdRequest, InitProducerIdResponse},
    },
};

impl Shard {
    pub(super) fn init_producer_id(
        &mut self,
        asked: &Incoming,
        request: &InitProducerIdRequest,
        step: &mut Step<'_>,
    ) {
        let error = match &request.transactional_id {
            Some(id) if id.is_empty() => Some(ErrorCode::InvalidRequest),
            // There is no transaction coordinator yet, and a client that is told so fails at once.
            Some(_) => Some(ErrorCode::TransactionalIdAuthorizationFailed),
            None if (request.producer_id == -1) != (request.producer_epoch == -1) => {
                Some(ErrorCode::InvalidRequest)
            }
            None => None,
        };
        if let Some(error) = error {
            let response = InitProducerIdResponse {
                error_code: error.code(),
                producer_epoch: -1,
                ..Default::default()
            };
            self.answer(asked.id, response, step);
            return;
        }
        self.give_producer_id(asked.id, step);
    }

    /// A producer gets its id, or none can be had now.
    pub(crate) fn producer_id_given(
        &mut self,
        request: RequestId,
        id: Option<ProducerId>,
        step: &mut Step<'_>,
    ) {
        let response = match id {
            Some(id) => InitProducerIdResponse { producer_id: id.0, ..Default::default() },
            None => InitProducerIdResponse {
                error_code: ErrorCode::CoordinatorLoadInProgress.code(),
                producer_epoch: -1,
                ..Default::default()
            },
        };
        self.answer(request, response, step);
    }

    pub(super) fn describe_producers(
        &mut self,
        asked: &Incoming,
        request: DescribeProducersRequest,
        step: &mut Step<'_>,
    ) {
        let topics = request.topics.into_iter().map(|topic| {
            let is_topic = self.image.topic_id(&topic.name).is_some();
            let partitions = topic.partition_indexes.iter().map(|&partition_index| {
                if let Err(message) = check_topic_name(&topic.name) {
                    return refused(partition_index, ErrorCode::InvalidTopic, Some(message));
                }
                let slot = self.slot_by_name(&topic.name, partition_index);
                let log = slot.and_then(|slot| self.partition(slot)).map(|found| found.log());
                match log {
                    None if !is_topic => refused(
                        partition_index,
                        ErrorCode::UnknownTopicOrPartition,
                        Some(ErrorCode::UnknownTopicOrPartition.message().into()),
                    ),
                    None => refused(partition_index, ErrorCode::UnknownTopicOrPartition, None),
                    Some(None) => refused(partition_index, ErrorCode::KafkaStorageError, None),
                    Some(Some(log)) => PartitionResponse {
                        partition_index,
                        active_producers: describe(log.producers()),
                        ..Default::default()
                    },
                }
            });
            let partitions = partitions.collect();
            TopicResponse { name: topic.name, partitions }
        });
        let topics = topics.collect();
        self.answer(asked.id, DescribeProducersResponse { topics, ..Default::default() }, step);
    }
}

fn refused(
    partition_index: i32,
    error: ErrorCode,
    error_message: Option<String>,
) -> PartitionResponse {
    PartitionResponse {
        partition_index,
        error_code: error.code(),
        error_message,
        ..Default::default()
    }
}

fn describe(producers: &crate::log::producers::Producers) -> Vec<ProducerState> {
    let state = producers.iter().map(|(id, producer)| ProducerState {
        producer_id: id.0,
        producer_epoch: i32::from(producer.epoch.0),
        last_sequence: producer.last_sequence().map_or(-1, |sequence| sequence.0),
        last_timestamp: producer.batches.back().map_or(-1, |batch| batch.timestamp.0),
        coordinator_epoch: -1,
        current_txn_start_offset: -1,
    });
    state.collect()
}
