//! Fetch requests and what their answers say.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use ottla_core::{
    types::{LeaderEpoch, Offset, PartitionIndex, Uuid},
    wire::{
        RecordData,
        messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData},
    },
};

use super::ConsumerConfig;
use crate::client::{
    CallOptions, ServerError, TopicPartition, topic_names::TopicNames, topic_partition::by_topic,
};

/// The latest Fetch that names a topic by its name.
const VERSION_BY_NAME_MAX: i16 = 12;
/// How much longer than it may wait at the broker an answer may take.
const GRACE: Duration = Duration::from_secs(30);

/// A partition as it is asked for.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) partition: TopicPartition,
    pub(super) topic_id: Option<Uuid>,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) offset: Offset,
    /// Of which assignment it is: an answer to an earlier one is of no interest.
    pub(super) assignment: u64,
}

/// What a broker answers about one partition that was asked for.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) ask: Ask,
    pub(super) outcome: Result<Bytes, ServerError>,
}

/// The request for several partitions. `turn` moves each topic and partition to the front in turn, for a broker that runs
/// into the bound on a response's size begins at the front.
pub(super) fn request(
    asks: &[Ask],
    config: &ConsumerConfig,
    turn: usize,
) -> (FetchRequest, CallOptions) {
    let names = names(asks);
    let items = asks.iter().map(|ask| (ask.partition.clone(), ask));
    let mut topics: Vec<_> = by_topic(items)
        .into_iter()
        .map(|(name, mut partitions)| {
            let count = partitions.len();
            partitions.rotate_left(turn % count.max(1));
            FetchTopic {
                topic: name.to_string(),
                topic_id: names.id(&name),
                partitions: partitions
                    .into_iter()
                    .map(|(PartitionIndex(partition), ask)| FetchPartition {
                        partition,
                        current_leader_epoch: ask.leader_epoch.0,
                        fetch_offset: ask.offset.0,
                        partition_max_bytes: config.partition_max_bytes,
                        ..Default::default()
                    })
                    .collect(),
            }
        })
        .collect();
    let count = topics.len();
    topics.rotate_left(turn % count.max(1));
    let request = FetchRequest {
        max_wait_ms: i32::try_from(config.max_wait.as_millis()).unwrap_or(i32::MAX),
        min_bytes: config.min_bytes,
        max_bytes: config.max_bytes,
        topics,
        ..Default::default()
    };
    let timeout = Some(config.max_wait + GRACE);
    (request, CallOptions { timeout, ..names.options(VERSION_BY_NAME_MAX) })
}

fn names(asks: &[Ask]) -> TopicNames {
    TopicNames::new(asks.iter().map(|ask| (Arc::clone(&ask.partition.topic), ask.topic_id)))
}

/// What is decoded is bytes always: ranges are what a broker answers with.
fn received(records: Option<RecordData>) -> Bytes {
    match records {
        Some(RecordData::Bytes(bytes)) => bytes,
        Some(RecordData::Range(_)) | None => Bytes::new(),
    }
}

/// Pairs the answers with what was asked. What the broker does not mention is left out.
pub(super) fn answers(asks: Vec<Ask>, response: FetchResponse) -> Result<Vec<Answer>, ServerError> {
    ServerError::check(response.error_code, None)?;
    let names = names(&asks);
    let mut open: BTreeMap<TopicPartition, Ask> =
        asks.into_iter().map(|ask| (ask.partition.clone(), ask)).collect();
    let mut answers = Vec::new();
    for topic in response.responses {
        let Some(name) = names.name(topic.topic, topic.topic_id) else { continue };
        for PartitionData { partition_index, error_code, records, .. } in topic.partitions {
            let partition = TopicPartition::new(Arc::clone(&name), partition_index);
            if let Some(ask) = open.remove(&partition) {
                let outcome = ServerError::check(error_code, None).map(|()| received(records));
                answers.push(Answer { ask, outcome });
            }
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use ottla_core::{types::ErrorCode, wire::messages::fetch::FetchableTopicResponse};

    use super::*;

    fn ask(topic: &str, partition: i32, topic_id: Option<Uuid>) -> Ask {
        Ask {
            partition: TopicPartition::new(topic, partition),
            topic_id,
            leader_epoch: LeaderEpoch(3),
            offset: Offset(7),
            assignment: 0,
        }
    }

    fn order(request: &FetchRequest) -> Vec<(String, Vec<i32>)> {
        let partitions =
            |topic: &FetchTopic| topic.partitions.iter().map(|p| p.partition).collect();
        request.topics.iter().map(|topic| (topic.topic.clone(), partitions(topic))).collect()
    }

    #[test]
    fn each_topic_and_partition_comes_first_in_turn() {
        let asks = [ask("a", 0, None), ask("b", 0, None), ask("b", 1, None)];
        let config = ConsumerConfig::default();
        let (first, _) = request(&asks, &config, 0);
        assert_eq!(order(&first), [("a".into(), vec![0]), ("b".into(), vec![0, 1])]);
        let (second, _) = request(&asks, &config, 1);
        assert_eq!(order(&second), [("b".into(), vec![1, 0]), ("a".into(), vec![0])]);
    }

    #[test]
    fn topics_go_by_id_only_if_all_have_one() {
        let id = Uuid::from_random(1);
        let config = ConsumerConfig::default();
        let (with, options) = request(&[ask("a", 0, Some(id))], &config, 0);
        assert_eq!((with.topics[0].topic_id, options.version_max), (id, None));
        let (_, options) = request(&[ask("a", 0, Some(id)), ask("b", 0, None)], &config, 0);
        assert_eq!(options.version_max, Some(VERSION_BY_NAME_MAX));
    }

    #[test]
    fn an_answer_finds_its_question_by_name_or_id() {
        let id = Uuid::from_random(1);
        let partition = |code: ErrorCode| PartitionData {
            partition_index: 1,
            error_code: code.code(),
            ..Default::default()
        };
        let response = FetchResponse {
            responses: vec![
                FetchableTopicResponse {
                    topic: "a".into(),
                    partitions: vec![partition(ErrorCode::None)],
                    ..Default::default()
                },
                FetchableTopicResponse {
                    topic_id: id,
                    partitions: vec![partition(ErrorCode::OffsetOutOfRange)],
                    ..Default::default()
                },
                FetchableTopicResponse {
                    topic_id: Uuid::from_random(2),
                    partitions: vec![partition(ErrorCode::None)],
                    ..Default::default()
                },
            ],
            ..Default::default()
        };
        let asks = vec![ask("a", 1, None), ask("b", 1, Some(id)), ask("b", 2, Some(id))];
        let answers = answers(asks, response).expect("the response has no error");
        let seen: Vec<_> = answers
            .iter()
            .map(|answer| (answer.ask.partition.to_string(), answer.outcome.is_ok()))
            .collect();
        assert_eq!(seen, [("a-1".into(), true), ("b-1".into(), false)]);
    }
}
