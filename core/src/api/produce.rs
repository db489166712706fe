//! Produce.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use crate::{
    api::Pending,
    machine::CloseReason,
    partition::{AppendResult, AppendTarget, ProduceError},
    replica::Acks,
    session::RequestId,
    shard::{Incoming, Shard, Step, Timer},
    types::{ErrorCode, Instant, TopicId, Uuid},
    wire::messages::produce::{
        BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceRequest, ProduceResponse,
        TopicProduceData, TopicProduceResponse,
    },
};

/// The topic that holds the groups' state.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// How often requests are looked for that have waited too long.
const SWEEP: core::time::Duration = core::time::Duration::from_millis(500);

/// For how long an answer waits for the disk, however short the client's timeout: in Kafka that counts for replicas alone.
const DISK_PATIENCE: core::time::Duration = core::time::Duration::from_secs(5);

/// Stands for the base offset of a batch that is not answered.
const UNANSWERED: i64 = i64::MIN;

/// A Produce whose batches are not all durable.
#[derive(Debug)]
pub(crate) struct PendingProduce {
    response: ProduceResponse,
    /// Where each of its partitions stands in the response.
    places: Vec<(usize, usize)>,
    /// How many of them are not answered.
    left: usize,
    deadline: Instant,
}

impl Shard {
    pub(super) fn produce(
        &mut self,
        asked: &Incoming,
        request: ProduceRequest,
        step: &mut Step<'_>,
    ) {
        let acks = request.acks;
        let refused = self.refuse_whole_produce(&request);
        let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or_default();
        let mut responses = Vec::with_capacity(request.topic_data.len());
        let mut places = Vec::new();
        let mut appends = Vec::new();
        for topic in merged(request.topic_data) {
            let topic_refused = refused
                .clone()
                .or_else(|| self.refuse_topic(&topic.name, topic.topic_id, asked).err());
            let mut partitions = Vec::with_capacity(topic.partition_data.len());
            for partition in topic.partition_data {
                let index = partition.index;
                let slot = if asked.version >= 13 {
                    self.slot_by_id(TopicId(topic.topic_id), index)
                } else {
                    self.slot_by_name(&topic.name, index)
                };
                let append = match (&topic_refused, slot) {
                    (Some(error), _) => Err(error.clone()),
                    (None, None) => Err(ErrorCode::UnknownTopicOrPartition.into()),
                    (None, Some(slot)) => Ok((slot, partition.records.unwrap_or_default())),
                };
                places.push((responses.len(), partitions.len()));
                partitions.push(PartitionProduceResponse {
                    index,
                    base_offset: UNANSWERED,
                    ..Default::default()
                });
                appends.push(append);
            }
            responses.push(TopicProduceResponse {
                name: topic.name,
                topic_id: topic.topic_id,
                partition_responses: partitions,
            });
        }
        let response = ProduceResponse { responses, ..Default::default() };
        if acks == 0 {
            self.append_unacknowledged(asked, appends, step);
            return;
        }
        let acks = if acks == -1 { Acks::All } else { Acks::Leader };
        let patience = core::time::Duration::from_millis(timeout_ms).max(DISK_PATIENCE);
        let deadline = step.now.instant + patience;
        let left = places.len();
        let pending = PendingProduce { response, places, left, deadline };
        self.pending.insert(asked.id, Pending::Produce(pending));
        for (index, append) in appends.into_iter().enumerate() {
            let target = AppendTarget::Produce { request: asked.id, index };
            let began = append.and_then(|(slot, records)| {
                let version = asked.version;
                self.with_partition(slot, step, |partition, context| {
                    partition.produce(&records, version, acks, target, context)
                })
                .unwrap_or_else(|| Err(ErrorCode::UnknownTopicOrPartition.into()))
            });
            if let Err(error) = began {
                self.produced(asked.id, index, Err(error), step);
            }
        }
        if left == 0 {
            self.answer_produce(asked.id, step);
        } else {
            self.set_timer_no_later(Timer::Requests, step.now.instant + SWEEP);
        }
    }

    /// What is wrong with the request as such.
    fn refuse_whole_produce(&self, request: &ProduceRequest) -> Option<ProduceError> {
        if !(-1..=1).contains(&request.acks) {
            return Some(ErrorCode::InvalidRequiredAcks.into());
        }
        if self.writes_refused {
            let free = self.disk_space.map_or(0, |space| space.free_bytes);
            let message = format!(
                "The broker's disk is nearly full ({free} bytes are free): it takes no records."
            );
            return Some(ProduceError::new(ErrorCode::KafkaStorageError, message));
        }
        None
    }

    fn refuse_topic(&self, name: &str, id: Uuid, asked: &Incoming) -> Result<(), ProduceError> {
        let name: String = if asked.version >= 13 {
            let topic = self.image.topic(TopicId(id)).ok_or(ErrorCode::UnknownTopicId)?;
            topic.name.clone()
        } else {
            name.into()
        };
        if name == OFFSETS_TOPIC && asked.client_id.as_deref() != Some("__admin_client") {
            let message = format!("Cannot append to internal topic {name}");
            return Err(ProduceError::new(ErrorCode::InvalidTopic, message));
        }
        Ok(())
    }

    /// Nobody waits for an answer: the client learns of a failure by the end of its connection.
    fn append_unacknowledged(
        &mut self,
        asked: &Incoming,
        appends: Vec<Result<(u32, bytes::Bytes), ProduceError>>,
        step: &mut Step<'_>,
    ) {
        let mut failure = None;
        for append in appends {
            let began = append.and_then(|(slot, records)| {
                let version = asked.version;
                self.with_partition(slot, step, |partition, context| {
                    let target = AppendTarget::Nobody;
                    partition.produce(&records, version, Acks::Leader, target, context)
                })
                .unwrap_or_else(|| Err(ErrorCode::UnknownTopicOrPartition.into()))
            });
            failure = failure.or(began.err());
        }
        self.answer_nothing(asked.id, step);
        if let Some(error) = failure {
            let detail = error.message.unwrap_or_else(|| error.code.message().into());
            let reason = CloseReason::UnacknowledgedProduceFailed { detail };
            self.close(asked.id.connection, reason, step);
        }
    }

    /// One of the batches of a Produce is durable, or was refused.
    pub(crate) fn produced(
        &mut self,
        request: RequestId,
        index: usize,
        result: AppendResult,
        step: &mut Step<'_>,
    ) {
        let Some(Pending::Produce(pending)) = self.pending.get_mut(&request) else { return };
        let (topic, partition) = pending.places[index];
        let place = &mut pending.response.responses[topic].partition_responses[partition];
        let index = place.index;
        *place = match result {
            Ok(appended) => PartitionProduceResponse {
                index,
                base_offset: appended.base_offset.0,
                log_append_time_ms: appended.log_append_time.0,
                log_start_offset: appended.log_start_offset.0,
                ..Default::default()
            },
            Err(error) => refusal(index, error),
        };
        pending.left -= 1;
        if pending.left == 0 {
            self.answer_produce(request, step);
        }
    }

    fn answer_produce(&mut self, request: RequestId, step: &mut Step<'_>) {
        if let Some(Pending::Produce(pending)) = self.pending.remove(&request) {
            self.answer(request, pending.response, step);
        }
    }

    /// Answers those that have waited for longer than their clients want: the records may yet become durable, and the client
    /// is told that this is not known.
    pub(super) fn expire_produces(&mut self, step: &mut Step<'_>) {
        let now = step.now.instant;
        let mut any_left = false;
        let mut overdue = Vec::new();
        for (id, pending) in &self.pending {
            if let Pending::Produce(pending) = pending {
                any_left = true;
                if pending.deadline <= now {
                    overdue.push(*id);
                }
            }
        }
        if any_left {
            self.set_timer_no_later(Timer::Requests, now + SWEEP);
        }
        for id in overdue {
            let Some(Pending::Produce(mut pending)) = self.pending.remove(&id) else { continue };
            for topic in &mut pending.response.responses {
                for place in &mut topic.partition_responses {
                    if place.base_offset == UNANSWERED {
                        *place = refusal(place.index, ErrorCode::RequestTimedOut.into());
                    }
                }
            }
            self.answer(id, pending.response, step);
        }
    }
}

/// Each topic and each partition once, as Kafka understands a request that names one again: the last batch counts. A topic
/// without partitions is passed over.
fn merged(topics: Vec<TopicProduceData>) -> Vec<TopicProduceData> {
    let mut merged: Vec<TopicProduceData> = Vec::with_capacity(topics.len());
    let mut topic_places = BTreeMap::new();
    let mut partition_places = BTreeMap::new();
    for topic in topics {
        if topic.partition_data.is_empty() {
            continue;
        }
        let key = (topic.name.clone(), topic.topic_id);
        let place = *topic_places.entry(key).or_insert(merged.len());
        if place == merged.len() {
            let partition_data = Vec::with_capacity(topic.partition_data.len());
            merged.push(TopicProduceData { partition_data, ..topic });
        }
        let partitions = &mut merged[place].partition_data;
        for partition in topic.partition_data {
            let again =
                *partition_places.entry((place, partition.index)).or_insert(partitions.len());
            if again == partitions.len() {
                partitions.push(partition);
            } else {
                partitions[again] = partition;
            }
        }
    }
    merged
}

fn refusal(index: i32, error: ProduceError) -> PartitionProduceResponse {
    let record_errors = error.records.into_iter().map(|(batch_index, message)| {
        BatchIndexAndErrorMessage { batch_index, batch_index_error_message: Some(message) }
    });
    PartitionProduceResponse {
        index,
        error_code: error.code.code(),
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: error.log_start_offset.0,
        record_errors: record_errors.collect(),
        error_message: error.message,
        ..Default::default()
    }
}
