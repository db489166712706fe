//! What the cluster's metadata are at one moment.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::types::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionIndex, TopicId, Uuid};

/// The cluster's metadata.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Image {
    pub(crate) topics: BTreeMap<TopicId, Topic>,
    pub(crate) names: BTreeMap<String, TopicId>,
    pub(crate) configs: BTreeMap<ConfigResource, BTreeMap<String, String>>,
    pub(crate) brokers: BTreeMap<BrokerId, Broker>,
    pub(crate) next_producer_id: i64,
    /// The epoch of the broker that registered last.
    pub(crate) last_broker_epoch: i64,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its partitions, by index.
    pub partitions: Vec<PartitionState>,
}

/// Who has a partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartitionState {
    /// All replicas, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Those in sync with the leader, in the order of the replicas.
    pub isr: Vec<BrokerId>,
    /// Those that were in sync when there were too few, and so have all that was ever acknowledged (KIP-966).
    pub elr: Vec<BrokerId>,
    /// Those that a reassignment adds.
    pub adding: Vec<BrokerId>,
    /// Those that it will remove.
    pub removing: Vec<BrokerId>,
    /// The leader, if there is one.
    pub leader: Option<BrokerId>,
    /// Counts the leaders.
    pub leader_epoch: LeaderEpoch,
    /// Counts the changes.
    pub partition_epoch: i32,
    /// The leader was not in sync when it was elected, and has not altered the partition since: records may be lost.
    pub is_recovering: bool,
}

impl PartitionState {
    /// A partition that begins: all of `replicas` that are in `isr` are in sync, and the first of them leads.
    pub fn new(replicas: Vec<BrokerId>, isr: Vec<BrokerId>) -> Self {
        Self {
            leader: isr.first().copied(),
            replicas,
            isr,
            elr: Vec::new(),
            adding: Vec::new(),
            removing: Vec::new(),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
            is_recovering: false,
        }
    }

    fn check(&self) {
        assert!(
            self.leader.is_none_or(|leader| self.isr.contains(&leader)),
            "a leader is in sync with itself"
        );
        let is_replica = |broker: &BrokerId| self.replicas.contains(broker);
        assert!(self.isr.iter().all(is_replica), "who is in sync is a replica");
        assert!(
            self.elr.iter().all(|broker| is_replica(broker) && !self.isr.contains(broker)),
            "who was in sync is a replica, and is so no more"
        );
        assert!(self.adding.iter().all(is_replica), "who is added is a replica");
    }
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Broker {
    /// Its current incarnation.
    pub incarnation: Uuid,
    /// Where clients reach it.
    pub host: String,
    /// And at which port.
    pub port: u16,
    /// Where it stands.
    pub rack: Option<String>,
    /// Names its data folder.
    pub directory: Uuid,
    /// Tells its incarnations apart, and those of all brokers.
    pub epoch: BrokerEpoch,
    /// Whether it may lead and be in sync.
    pub status: BrokerStatus,
}

/// Whether a broker may lead partitions and be in sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BrokerStatus {
    /// It serves.
    Active = 0,
    /// It is gone, or has not come yet.
    Fenced = 1,
    /// It is about to stop (KIP-841).
    ShuttingDown = 2,
}

impl BrokerStatus {
    /// The status with this number.
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            0 => Some(Self::Active),
            1 => Some(Self::Fenced),
            2 => Some(Self::ShuttingDown),
            _ => None,
        }
    }

    /// Its number in a snapshot.
    pub const fn code(self) -> i8 {
        self as i8
    }
}

/// What kind of thing has settings, with Kafka's number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// A topic.
    Topic = 2,
    /// A broker; the empty name stands for all.
    Broker = 4,
}

impl ResourceKind {
    /// The kind with this number.
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            2 => Some(Self::Topic),
            4 => Some(Self::Broker),
            _ => None,
        }
    }

    /// Kafka's number.
    pub const fn code(self) -> i8 {
        self as i8
    }
}

/// What has settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    /// Of which kind.
    pub kind: ResourceKind,
    /// Which of the kind.
    pub name: String,
}

impl Image {
    /// The topics in the order of their names.
    pub fn topics(&self) -> impl Iterator<Item = (TopicId, &Topic)> {
        self.names.values().map(|id| (*id, &self.topics[id]))
    }

    /// How many topics there are.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// A topic by its id.
    pub fn topic(&self, id: TopicId) -> Option<&Topic> {
        self.topics.get(&id)
    }

    /// The id of the topic that has this name now.
    pub fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.names.get(name).copied()
    }

    /// A topic by its name.
    pub fn topic_by_name(&self, name: &str) -> Option<(TopicId, &Topic)> {
        let id = self.topic_id(name)?;
        self.topics.get(&id).map(|topic| (id, topic))
    }

    /// A partition.
    pub fn partition(&self, id: TopicId, index: PartitionIndex) -> Option<&PartitionState> {
        let index = usize::try_from(index.0).ok()?;
        self.topics.get(&id)?.partitions.get(index)
    }

    /// The settings that were made for a resource.
    pub fn configs(&self, kind: ResourceKind, name: &str) -> Option<&BTreeMap<String, String>> {
        // A map cannot be asked with borrowed parts of its key; there are few resources, and this is no hot path.
        self.configs.get(&ConfigResource { kind, name: name.into() })
    }

    /// The brokers.
    pub const fn brokers(&self) -> &BTreeMap<BrokerId, Broker> {
        &self.brokers
    }

    /// How many partitions there are in all.
    pub fn partition_count(&self) -> usize {
        self.topics.values().map(|topic| topic.partitions.len()).sum()
    }

    /// Asserts the invariants.
    pub fn check(&self) {
        assert_eq!(self.topics.len(), self.names.len(), "each topic has a name of its own");
        for (name, id) in &self.names {
            let topic = self.topics.get(id).expect("a name stands for a topic");
            assert_eq!(&topic.name, name, "a topic is found by its name");
            topic.partitions.iter().for_each(PartitionState::check);
        }
    }
}
