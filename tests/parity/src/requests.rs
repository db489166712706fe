//! Requests that many cases make, filled as a usual client would.

use bytes::Bytes;
use ottla_core::{
    types::Uuid,
    wire::messages::{
        create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
        fetch::{FetchPartition, FetchRequest, FetchTopic},
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
};

use crate::setup::Topic;

/// The first version that names topics by id, of the APIs that cases ask most.
const PRODUCE_BY_ID: i16 = 13;
const FETCH_BY_ID: i16 = 13;

/// A Produce of this version into partitions of a topic.
pub(crate) fn produce_to(
    version: i16,
    topic: &Topic,
    partitions: &[(i32, Option<Bytes>)],
) -> ProduceRequest {
    let partitions = partitions
        .iter()
        .map(|(index, records)| PartitionProduceData { index: *index, records: records.clone() });
    let by_id = version >= PRODUCE_BY_ID;
    ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![TopicProduceData {
            name: if by_id { String::new() } else { topic.name.clone() },
            topic_id: if by_id { topic.id } else { Uuid::ZERO },
            partition_data: partitions.collect(),
        }],
        ..Default::default()
    }
}

/// A Produce of this version into the topic's first partition.
pub(crate) fn produce(version: i16, topic: &Topic, records: Bytes) -> ProduceRequest {
    produce_to(version, topic, &[(0, Some(records))])
}

/// A Fetch of this version from partitions of a topic, without a session and without waiting.
pub(crate) fn fetch_from(version: i16, topic: &Topic, partitions: &[(i32, i64)]) -> FetchRequest {
    let partitions = partitions.iter().map(|&(partition, fetch_offset)| FetchPartition {
        partition,
        fetch_offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    });
    let by_id = version >= FETCH_BY_ID;
    FetchRequest {
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![FetchTopic {
            topic: if by_id { String::new() } else { topic.name.clone() },
            topic_id: if by_id { topic.id } else { Uuid::ZERO },
            partitions: partitions.collect(),
        }],
        ..Default::default()
    }
}

/// A Fetch of this version from the topic's first partition.
pub(crate) fn fetch(version: i16, topic: &Topic, offset: i64) -> FetchRequest {
    fetch_from(version, topic, &[(0, offset)])
}

/// A ListOffsets for these partitions and timestamps.
pub(crate) fn list_offsets(topic: &Topic, partitions: &[(i32, i64)]) -> ListOffsetsRequest {
    let partitions = partitions.iter().map(|&(partition_index, timestamp)| ListOffsetsPartition {
        partition_index,
        timestamp,
        ..Default::default()
    });
    ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: topic.name.clone(),
            partitions: partitions.collect(),
        }],
        ..Default::default()
    }
}

/// A CreateTopics for one topic.
pub(crate) fn create_topic(
    name: &str,
    num_partitions: i32,
    configs: &[(&str, &str)],
) -> CreateTopicsRequest {
    let configs = configs.iter().map(|&(name, value)| CreatableTopicConfig {
        name: name.to_owned(),
        value: Some(value.to_owned()),
    });
    CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: name.to_owned(),
            num_partitions,
            replication_factor: 1,
            configs: configs.collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}
