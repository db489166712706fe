//! What members tell each other through the coordinator, which does not read it.

use bytes::Bytes;
use ottla_core::wire::{
    Reader, Version, Wire, Writer,
    messages::consumer_protocol::{
        AssignedPartitions, ConsumerProtocolAssignment, ConsumerProtocolSubscription,
        TopicPartition,
    },
};

/// A partition by its topic's name.
pub(super) type Named = (String, i32);

/// What a member wants, and what it has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Subscription {
    pub(super) topics: Vec<String>,
    pub(super) owned: Vec<Named>,
    /// In which generation it was assigned what it has.
    pub(super) generation: i32,
}

fn encode(message: &impl Wire, number: i16) -> Bytes {
    let mut bytes = Writer::new();
    bytes.put_i16(number);
    message.encode(&mut bytes, Version { number, flexible: false });
    bytes.freeze()
}

fn decode<T: Wire + Default>(bytes: Bytes) -> T {
    let plain = |number| Version { number, flexible: false };
    let mut reader = Reader::new(bytes);
    let Ok(number) = i16::decode(&mut reader, plain(0)) else { return T::default() };
    T::decode(&mut reader, plain(number)).unwrap_or_default()
}

impl Subscription {
    pub(super) fn to_bytes(&self) -> Bytes {
        let owned = self.owned.iter().map(|(topic, index)| TopicPartition {
            topic: topic.clone(),
            partitions: vec![*index],
        });
        let message = ConsumerProtocolSubscription {
            topics: self.topics.clone(),
            owned_partitions: owned.collect(),
            generation_id: self.generation,
            ..Default::default()
        };
        encode(&message, 3)
    }

    pub(super) fn from_bytes(bytes: Bytes) -> Self {
        let message: ConsumerProtocolSubscription = decode(bytes);
        let owned = message.owned_partitions.into_iter().flat_map(|topic| {
            let name = topic.topic;
            topic.partitions.into_iter().map(move |index| (name.clone(), index))
        });
        Self { topics: message.topics, owned: owned.collect(), generation: message.generation_id }
    }
}

pub(super) fn assignment_to_bytes(partitions: &[Named]) -> Bytes {
    let assigned = partitions.iter().map(|(topic, index)| AssignedPartitions {
        topic: topic.clone(),
        partitions: vec![*index],
    });
    let message =
        ConsumerProtocolAssignment { assigned_partitions: assigned.collect(), user_data: None };
    encode(&message, 0)
}

pub(super) fn assignment_from_bytes(bytes: Bytes) -> Vec<Named> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let message: ConsumerProtocolAssignment = decode(bytes);
    let partitions = message.assigned_partitions.into_iter().flat_map(|topic| {
        let name = topic.topic;
        topic.partitions.into_iter().map(move |index| (name.clone(), index))
    });
    partitions.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let subscription = Subscription {
            topics: vec!["a".into(), "b".into()],
            owned: vec![("a".into(), 1), ("b".into(), 0)],
            generation: 7,
        };
        assert_eq!(Subscription::from_bytes(subscription.to_bytes()), subscription);
        assert_eq!(
            assignment_from_bytes(assignment_to_bytes(&subscription.owned)),
            subscription.owned
        );
        assert_eq!(assignment_from_bytes(Bytes::new()), []);
    }
}
