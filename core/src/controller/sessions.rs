//! The active controller's sessions with brokers (KIP-631): requests, and silence, become commands.
//!
//! Only time is kept here; what a command does is judged when it is applied.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use crate::{
    metadata::{
        BrokerStatus, Command, Image,
        command::{FenceBroker, ShutDownBroker, UnfenceBroker},
    },
    types::{BrokerEpoch, BrokerId, ErrorCode, Instant},
};

/// The sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    timeout: Duration,
    heard_of: BTreeMap<BrokerId, Instant>,
}

/// What a broker says of itself: BrokerHeartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// The broker.
    pub broker: BrokerId,
    /// Its epoch.
    pub epoch: BrokerEpoch,
    /// How much of the metadata log it has applied, by index.
    pub applied: u64,
    /// It wants to be fenced.
    pub wants_fence: bool,
    /// It wants to stop.
    pub wants_shutdown: bool,
}

/// What a broker is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    /// It has seen enough of the metadata log to serve.
    pub is_caught_up: bool,
    /// It does not serve.
    pub is_fenced: bool,
    /// Nobody needs it any more: it may stop.
    pub should_shut_down: bool,
}

impl Sessions {
    /// Those of a node that has just become the active controller: everybody is given the time of a session to be heard of.
    pub fn begin(timeout: Duration, image: &Image, now: Instant) -> Self {
        let brokers = image.brokers().iter();
        let unfenced = brokers.filter(|(_, broker)| broker.status != BrokerStatus::Fenced);
        Self { timeout, heard_of: unfenced.map(|(&id, _)| (id, now)).collect() }
    }

    /// A broker is heard of. `registered_at` is the index of its registration in the metadata log: who has not applied that has
    /// not seen what it is to serve.
    pub fn heartbeat(
        &mut self,
        heartbeat: Heartbeat,
        registered_at: u64,
        image: &Image,
        now: Instant,
        commands: &mut Vec<Command>,
    ) -> Result<HeartbeatAnswer, ErrorCode> {
        let Heartbeat { broker: id, epoch, applied, wants_fence, wants_shutdown } = heartbeat;
        let broker = image.brokers().get(&id).ok_or(ErrorCode::BrokerIdNotRegistered)?;
        if broker.epoch != epoch {
            return Err(ErrorCode::StaleBrokerEpoch);
        }
        self.heard_of.insert(id, now);
        let is_caught_up = applied >= registered_at;
        let (broker_id, broker_epoch) = (id.0, epoch.0);
        match broker.status {
            BrokerStatus::Active if wants_shutdown => {
                commands.push(ShutDownBroker { broker_id, broker_epoch }.into());
            }
            BrokerStatus::Active if wants_fence => {
                commands.push(FenceBroker { broker_id, broker_epoch }.into());
            }
            BrokerStatus::Fenced if !wants_fence && !wants_shutdown && is_caught_up => {
                commands.push(UnfenceBroker { broker_id, broker_epoch }.into());
            }
            BrokerStatus::Active | BrokerStatus::Fenced | BrokerStatus::ShuttingDown => {}
        }
        Ok(HeartbeatAnswer {
            is_caught_up,
            is_fenced: broker.status == BrokerStatus::Fenced,
            should_shut_down: wants_shutdown
                && broker.status != BrokerStatus::Active
                && !leads(image, id),
        })
    }

    /// Fences those that were not heard of for the time of a session.
    pub fn expire(&mut self, image: &Image, now: Instant, commands: &mut Vec<Command>) {
        let timeout = self.timeout;
        let silent = self.heard_of.iter().filter(|(_, heard_of)| **heard_of + timeout <= now);
        for id in silent.map(|(&id, _)| id).collect::<Vec<_>>() {
            self.heard_of.remove(&id);
            if let Some(broker) = image.brokers().get(&id)
                && broker.status != BrokerStatus::Fenced
            {
                let (broker_id, broker_epoch) = (id.0, broker.epoch.0);
                commands.push(FenceBroker { broker_id, broker_epoch }.into());
            }
        }
    }

    /// When [`Self::expire`] is to be called.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.heard_of.values().min().map(|&heard_of| heard_of + self.timeout)
    }
}

fn leads(image: &Image, broker: BrokerId) -> bool {
    let mut partitions = image.topics().flat_map(|(_, topic)| &topic.partitions);
    partitions.any(|partition| partition.leader == Some(broker))
}
