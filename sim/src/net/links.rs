//! The links between machines, one for each direction.

use std::time::Duration;

use super::{pipe::NEVER, plan::NetPlan};
use crate::{
    dice::{Dice, nanos},
    faults::Fault,
    node::NodeIndex,
    world::Environment,
};

#[derive(Debug, Clone, Copy)]
struct Link {
    is_cut: bool,
    /// How many times as slow as usual it is.
    slowness: u32,
}

/// The links between machines.
#[derive(Debug)]
pub(super) struct Links {
    nodes: u8,
    links: Vec<Link>,
    pub(super) plan: NetPlan,
    dice: Dice,
    environment: Environment,
}

/// After how long a segment that was lost is sent again, the first time.
const RETRANSMISSION: Duration = Duration::from_millis(200);

impl Links {
    pub(super) fn new(nodes: u8, plan: NetPlan, dice: Dice, environment: Environment) -> Self {
        let count = usize::from(nodes) * usize::from(nodes);
        let links = vec![Link { is_cut: false, slowness: 1 }; count];
        Self { nodes, links, plan, dice, environment }
    }

    fn link(&mut self, from: NodeIndex, to: NodeIndex) -> &mut Link {
        let index = from.index() * usize::from(self.nodes) + to.index();
        &mut self.links[index]
    }

    pub(super) fn is_cut(&mut self, from: NodeIndex, to: NodeIndex) -> bool {
        self.link(from, to).is_cut
    }

    pub(super) fn set_cut(&mut self, from: NodeIndex, to: NodeIndex, is_cut: bool) -> bool {
        let link = self.link(from, to);
        std::mem::replace(&mut link.is_cut, is_cut) != is_cut
    }

    pub(super) fn set_slowness(&mut self, from: NodeIndex, to: NodeIndex, slowness: u32) {
        self.link(from, to).slowness = slowness;
    }

    /// How long one segment without a payload takes, if the link carries.
    pub(super) fn latency(&mut self, from: NodeIndex, to: NodeIndex) -> Duration {
        let mean = self.plan.latency_mean;
        let latency = self.plan.latency_min + self.dice.exponential(mean);
        latency * self.link(from, to).slowness
    }

    /// How long it takes until what was lost comes after all.
    pub(super) fn retransmission(&mut self) -> Duration {
        let attempts = u32::try_from(self.dice.below(4)).unwrap_or_default();
        RETRANSMISSION * (1 << attempts)
    }

    /// When a segment arrives that leaves at `departure`, and until when its sender is busy with it.
    pub(super) fn carry(
        &mut self,
        from: NodeIndex,
        to: NodeIndex,
        departure: u64,
        bytes: usize,
    ) -> (u64, u64) {
        let slowness = u64::from(self.link(from, to).slowness);
        let speed = self.plan.bytes_per_second / slowness;
        let sending = (bytes as u64).saturating_mul(1_000_000_000) / speed.max(1);
        let busy_until = departure + sending;
        let mut delay = self.latency(from, to);
        if self.dice.chance(self.plan.loss) {
            let more = self.retransmission();
            let text = || format!("to {to}, again after {more:?}");
            if self.environment.faults.strike(Fault::NetLoss, from, text) {
                delay += more;
            }
        }
        if self.dice.chance(self.plan.hold) {
            let more = self.dice.exponential(self.plan.hold_mean);
            let text = || format!("to {to}, for {more:?}");
            if self.environment.faults.strike(Fault::NetHold, from, text) {
                delay += more;
            }
        }
        let arrives = if self.is_cut(from, to) { NEVER } else { busy_until + nanos(delay) };
        (arrives, busy_until)
    }

    /// Draws for something that happens to a new connection.
    pub(super) const fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }
}
