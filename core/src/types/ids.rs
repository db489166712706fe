//! Who and which: brokers, topics, partitions, epochs, producers.

use core::fmt;

use super::Uuid;

macro_rules! number {
    ($(#[$meta:meta])* $name:ident($type:ty)) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $type);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number! {
    /// A broker: `node.id`.
    BrokerId(i32)
}
number! {
    /// The place of a partition within its topic, from 0.
    PartitionIndex(i32)
}
number! {
    /// Counts the leaders of a partition: no two leaders share one.
    LeaderEpoch(i32)
}
number! {
    /// Counts the registrations of all brokers: no two incarnations of any broker share one (KIP-631).
    BrokerEpoch(i64)
}
number! {
    /// An idempotent producer.
    ProducerId(i64)
}
number! {
    /// Counts the incarnations of one producer id.
    ProducerEpoch(i16)
}

/// A topic for as long as it lives: a topic deleted and created again has another id (KIP-516).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub Uuid);

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One partition of one incarnation of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicId,
    /// The partition of it.
    pub partition: PartitionIndex,
}

/// The number of a record within one incarnation of an idempotent producer: from 0 to 2³¹ − 1, then 0 again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub i32);

impl Sequence {
    /// The sequence `count` records on.
    #[must_use]
    pub const fn plus(self, count: i32) -> Self {
        Self(self.0.wrapping_add(count) & i32::MAX)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Sequence;

    #[test]
    fn a_sequence_wraps_to_zero() {
        assert_eq!(Sequence(i32::MAX).plus(1), Sequence(0));
        assert_eq!(Sequence(i32::MAX - 1).plus(3), Sequence(1));
        assert_eq!(Sequence(5).plus(2), Sequence(7));
    }
}
