//! The settings of a topic that decide who leads.

use alloc::{collections::BTreeMap, string::String};

use crate::{
    config::{Layers, topic},
    metadata::{ConfigResource, ResourceKind},
};

/// By which rules a topic is replicated. They come from the metadata log alone: every node must judge alike, whatever its
/// own configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rules {
    /// `min.insync.replicas`
    pub min_insync: usize,
    /// An acknowledgement means that the record is on disk: `flush.messages` is 1.
    pub is_durable: bool,
    /// `unclean.leader.election.enable`
    pub may_lose: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { min_insync: 1, is_durable: true, may_lose: false }
    }
}

impl Rules {
    /// Those of the topic with this name.
    pub fn of(
        configs: &BTreeMap<ConfigResource, BTreeMap<String, String>>,
        topic_name: &str,
    ) -> Self {
        if configs.is_empty() {
            return Self::default();
        }
        let resource = |kind, name: &str| configs.get(&ConfigResource { kind, name: name.into() });
        let layers = Layers {
            topic: resource(ResourceKind::Topic, topic_name),
            broker: None,
            all_brokers: resource(ResourceKind::Broker, ""),
            configuration: &BTreeMap::new(),
        };
        Self::resolve(&layers)
    }

    fn resolve(layers: &Layers<'_>) -> Self {
        let value = |key: &str| {
            let definition = topic::definition(key).expect("the key is in the table of settings");
            layers.topic_value(definition)
        };
        // All values were validated when they were set.
        let number = |key: &str| value(key).trim().parse::<usize>().unwrap_or(1);
        Self {
            min_insync: number("min.insync.replicas").max(1),
            is_durable: number("flush.messages") <= 1,
            may_lose: value("unclean.leader.election.enable") == "true",
        }
    }

    /// How many of `replicas` must be in sync: not more than there are.
    pub fn effective_min_insync(&self, replicas: usize) -> usize {
        self.min_insync.min(replicas)
    }
}
