//! What a replica knows of the metadata.

use alloc::{collections::BTreeMap, vec::Vec};

use crate::{
    metadata::{BrokerStatus, Image},
    types::{BrokerEpoch, BrokerId, LeaderEpoch, TopicPartition},
};

/// What a replica knows of the metadata: the state of its partition, and who its peers are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct View {
    /// All replicas.
    pub replicas: Vec<BrokerId>,
    /// Those in sync, as far as the controller has decided.
    pub isr: Vec<BrokerId>,
    /// The leader.
    pub leader: Option<BrokerId>,
    /// Counts the leaders.
    pub leader_epoch: LeaderEpoch,
    /// Counts the states.
    pub partition_epoch: i32,
    /// The leader was not in sync when it was elected.
    pub is_recovering: bool,
    /// How many replicas must be in sync for records to be safe.
    pub min_insync: usize,
    /// The brokers of the replicas.
    pub peers: BTreeMap<BrokerId, Peer>,
}

/// A broker, as its peers know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Tells its incarnations apart.
    pub epoch: BrokerEpoch,
    /// Whether it may be in sync.
    pub is_active: bool,
}

impl View {
    /// What a replica knows before it has been told anything.
    pub const fn unknown() -> Self {
        Self {
            replicas: Vec::new(),
            isr: Vec::new(),
            leader: None,
            leader_epoch: LeaderEpoch(-1),
            partition_epoch: -1,
            is_recovering: false,
            min_insync: 1,
            peers: BTreeMap::new(),
        }
    }

    /// What the image says of a partition.
    pub fn of(image: &Image, id: TopicPartition) -> Option<Self> {
        let state = image.partition(id.topic, id.partition)?;
        let peer = |id: &BrokerId| {
            let broker = image.brokers().get(id)?;
            let is_active = broker.status == BrokerStatus::Active;
            Some((*id, Peer { epoch: broker.epoch, is_active }))
        };
        Some(Self {
            replicas: state.replicas.clone(),
            isr: state.isr.clone(),
            leader: state.leader,
            leader_epoch: state.leader_epoch,
            partition_epoch: state.partition_epoch,
            is_recovering: state.is_recovering,
            min_insync: image.rules(id.topic).effective_min_insync(state.replicas.len()),
            peers: state.replicas.iter().filter_map(peer).collect(),
        })
    }
}
