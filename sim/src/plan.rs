//! What a seed decides.

use std::collections::{BTreeMap, BTreeSet};

use crate::{disk::DiskPlan, faults::Family, net::NetPlan, workload::WorkloadPlan};

/// What a seed decides.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// How many brokers there are.
    pub brokers: u8,
    /// Which faults there may be.
    pub families: BTreeSet<Family>,
    /// The brokers' configuration.
    pub settings: BTreeMap<String, String>,
    /// The network.
    pub net: NetPlan,
    /// The brokers' disks.
    pub disks: Vec<DiskPlan>,
    /// What clients do.
    pub workload: WorkloadPlan,
}
