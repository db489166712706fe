//! What members of a consumer group tell each other through the coordinator, which does not read it.

use std::sync::Arc;

use bytes::Bytes;
use ottla_core::{
    types::PartitionIndex,
    wire::{
        DecodeError, Reader, Version, Wire, Writer,
        messages::consumer_protocol::{
            AssignedPartitions, ConsumerProtocolAssignment, ConsumerProtocolSubscription,
        },
    },
};

use crate::client::{TopicPartition, topic_partition::by_topic};

/// The kind of group that consumers form.
pub(super) const PROTOCOL_TYPE: &str = "consumer";
/// A subscription of this version has all that a member without state to hand over can say.
const SUBSCRIPTION_VERSION: i16 = 1;
const ASSIGNMENT_VERSION: i16 = 0;
/// The latest versions that can be read: a later one begins with the same fields.
const SUBSCRIPTION_VERSION_MAX: i16 = 3;
const ASSIGNMENT_VERSION_MAX: i16 = 3;

fn version(number: i16) -> Version {
    Version { number, flexible: false }
}

fn encode(message: &impl Wire, number: i16) -> Bytes {
    let mut bytes = Writer::new();
    bytes.put_i16(number);
    message.encode(&mut bytes, version(number));
    bytes.freeze()
}

fn decode<T: Wire>(bytes: Bytes, number_max: i16) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    let number = i16::decode(&mut reader, version(0))?;
    // What a later version adds stands behind, and is left.
    T::decode(&mut reader, version(number.min(number_max)))
}

/// A member's wish for these topics.
pub(super) fn encode_subscription(topics: &[Arc<str>]) -> Bytes {
    let message = ConsumerProtocolSubscription {
        topics: topics.iter().map(|topic| topic.to_string()).collect(),
        ..Default::default()
    };
    encode(&message, SUBSCRIPTION_VERSION)
}

/// The topics that a member wishes for.
pub(super) fn decode_subscription(bytes: Bytes) -> Result<Vec<Arc<str>>, DecodeError> {
    let message: ConsumerProtocolSubscription = decode(bytes, SUBSCRIPTION_VERSION_MAX)?;
    Ok(message.topics.into_iter().map(Arc::from).collect())
}

/// What a member shall read.
pub(super) fn encode_assignment(partitions: &[TopicPartition]) -> Bytes {
    let items = partitions.iter().map(|partition| (partition.clone(), ()));
    let topics = by_topic(items).into_iter().map(|(topic, partitions)| AssignedPartitions {
        topic: topic.to_string(),
        partitions: partitions.into_iter().map(|(PartitionIndex(index), ())| index).collect(),
    });
    let message =
        ConsumerProtocolAssignment { assigned_partitions: topics.collect(), user_data: None };
    encode(&message, ASSIGNMENT_VERSION)
}

/// What a member shall read: nothing, if it is told nothing.
pub(super) fn decode_assignment(bytes: Bytes) -> Result<Vec<TopicPartition>, DecodeError> {
    if bytes.is_empty() {
        return Ok(vec![]);
    }
    let message: ConsumerProtocolAssignment = decode(bytes, ASSIGNMENT_VERSION_MAX)?;
    let partitions = message.assigned_partitions.into_iter().flat_map(|assigned| {
        let topic: Arc<str> = assigned.topic.into();
        assigned
            .partitions
            .into_iter()
            .map(move |partition| TopicPartition::new(Arc::clone(&topic), partition))
    });
    Ok(partitions.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let topics: Vec<Arc<str>> = vec!["a".into(), "b".into()];
        assert_eq!(decode_subscription(encode_subscription(&topics)), Ok(topics));
        let partitions = vec![TopicPartition::new("a", 0), TopicPartition::new("b", 7)];
        assert_eq!(decode_assignment(encode_assignment(&partitions)), Ok(partitions));
        assert_eq!(decode_assignment(Bytes::new()), Ok(vec![]));
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let mut later = encode_assignment(&[TopicPartition::new("a", 1)]).to_vec();
        later[1] = 9;
        later.extend_from_slice(b"more");
        assert_eq!(decode_assignment(later.into()), Ok(vec![TopicPartition::new("a", 1)]));
    }
}
