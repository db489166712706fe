//! A partition by its topic's name, which is how people and groups name it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use ottla_core::types::PartitionIndex;

/// One partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition of it.
    pub partition: PartitionIndex,
}

impl TopicPartition {
    /// The partition of the topic.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition: PartitionIndex(partition) }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Sorts what belongs to partitions by topic, as requests want it.
pub(super) fn by_topic<T>(
    items: impl IntoIterator<Item = (TopicPartition, T)>,
) -> BTreeMap<Arc<str>, Vec<(PartitionIndex, T)>> {
    let mut topics: BTreeMap<Arc<str>, Vec<(PartitionIndex, T)>> = BTreeMap::new();
    for (TopicPartition { topic, partition }, item) in items {
        topics.entry(topic).or_default().push((partition, item));
    }
    topics
}
