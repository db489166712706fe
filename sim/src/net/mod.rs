//! The network between the machines: connections that are slow, late, cut, reset and forgotten, as TCP's are.
//!
//! What is sent arrives in order or not at all. Between connections there is no order; a lost segment is one that comes later,
//! and so do those behind it. A cut link carries nothing, not even the end of a connection: what waited leaves again when it is
//! mended. When a process ends, its machine closes what it had open, and what it had sent still arrives. When a machine loses
//! power nobody is told; once it is back it answers with a reset what still comes for connections of before.

mod connection;
mod ends;
mod frames;
mod links;
mod listener;
mod pipe;
mod plan;
mod state;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use ends::{NetReader, NetWriter};
pub use listener::NetListener;
use ottla::world;
pub use plan::NetPlan;

use self::{
    connection::{ConnectionNumber, Side},
    ends::Half,
    links::Links,
    state::{Backlog, Met, State},
};
use crate::{
    dice::Dice,
    disk::SimFile,
    faults::Fault,
    node::{Incarnation, NodeIndex},
    sometimes,
    world::Environment,
};

/// The network between the machines. Clones share it.
#[derive(Clone)]
pub struct SimNet(Arc<Shared>);

struct Shared {
    environment: Environment,
    state: Mutex<State>,
}

impl fmt::Debug for SimNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimNet")
    }
}

/// How long a caller waits before it tries again to connect, the first time; then twice as long each time.
const SYN_AGAIN: Duration = Duration::from_secs(1);

impl SimNet {
    /// A network between so many machines.
    pub fn new(nodes: u8, plan: NetPlan, dice: Dice, environment: Environment) -> Self {
        let links = Links::new(nodes, plan, dice, environment.clone());
        let state = Mutex::new(State::new(links, environment.clone()));
        Self(Arc::new(Shared { environment, state }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// The network as a process has it.
    pub fn handle_for(&self, node: NodeIndex, incarnation: Incarnation) -> NodeNet {
        NodeNet { net: self.clone(), node, incarnation }
    }

    /// A process has ended, in whatever way: its machine closes what it had open.
    pub fn end_process(&self, node: NodeIndex, incarnation: Incarnation) {
        self.state().end_process(node, incarnation);
    }

    /// A machine has lost power. Nobody is told.
    pub fn power_loss(&self, node: NodeIndex, incarnation: Incarnation) {
        self.state().lose_power(node, incarnation);
    }

    /// A machine has power again.
    pub fn power_up(&self, node: NodeIndex) {
        self.state().power_up(node);
    }

    /// What was wrong with single connections is over. A dead one stays dead.
    pub fn heal(&self) {
        self.state().heal();
    }

    /// Cuts the link in this direction.
    pub fn cut(&self, from: NodeIndex, to: NodeIndex) {
        self.state().set_cut(from, to, true);
    }

    /// Mends the link in this direction.
    pub fn mend(&self, from: NodeIndex, to: NodeIndex) {
        self.state().set_cut(from, to, false);
    }

    /// Makes the link so many times as slow as usual, in this direction.
    pub fn slow_down(&self, from: NodeIndex, to: NodeIndex, times: u32) {
        self.state().links.set_slowness(from, to, times);
    }

    /// Draws whether and when a new connection is reset or goes dead.
    fn plan_trouble(&self, number: ConnectionNumber, node: NodeIndex) {
        let (resets, dies, after) = {
            let mut state = self.state();
            let plan = state.links.plan.clone();
            let dice = state.links.dice();
            let (resets, dies) = (dice.chance(plan.reset), dice.chance(plan.half_open));
            (resets, dies, dice.exponential(plan.trouble_after))
        };
        if !resets && !dies {
            return;
        }
        let net = self.clone();
        self.environment().timers.call_after(after, move || {
            let fault = if resets { Fault::NetReset } else { Fault::NetHalfOpen };
            let mut state = net.state();
            let text = || format!("c{}", number.0);
            if state.exists(number) && net.environment().faults.strike(fault, node, text) {
                if resets {
                    state.reset(number);
                } else {
                    state.deaden(number);
                }
            }
        });
    }
}

/// The network as a process has it.
#[derive(Debug, Clone)]
pub struct NodeNet {
    net: SimNet,
    node: NodeIndex,
    incarnation: Incarnation,
}

impl NodeNet {
    /// Connects. It may take for ever: who does not want to wait has a timeout of its own.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<(NetReader, NetWriter)> {
        let std::net::IpAddr::V4(ip) = address.ip() else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let to = NodeIndex::of_ip(ip).ok_or(io::ErrorKind::HostUnreachable)?;
        let mut again = SYN_AGAIN;
        loop {
            if let Some(outcome) = self.call(to, address).await {
                return outcome;
            }
            self.net.environment().timers.sleep(again).await;
            again *= 2;
        }
    }

    /// Tries to connect once; nothing if there is no answer.
    async fn call(
        &self,
        to: NodeIndex,
        address: SocketAddr,
    ) -> Option<io::Result<(NetReader, NetWriter)>> {
        let timers = &self.net.environment().timers;
        let there = {
            let mut state = self.net.state();
            if state.links.is_cut(self.node, to) || state.links.is_cut(to, self.node) {
                sometimes!(ConnectInPartition);
                return None;
            }
            state.links.latency(self.node, to)
        };
        timers.sleep(there).await;
        let (met, back) = {
            let mut state = self.net.state();
            let met = state.meet((self.node, self.incarnation), to, address);
            (met, state.links.latency(to, self.node))
        };
        let number = match met {
            Met::Accepted(number) => number,
            Met::Refused => {
                timers.sleep(back).await;
                return Some(Err(io::ErrorKind::ConnectionRefused.into()));
            }
            Met::Silence => return None,
        };
        // Whoever no longer waits drops them, and so closes the connection.
        let half = || Half { net: self.net.clone(), number, side: Side::Caller };
        let ends = (NetReader(half()), NetWriter(half()));
        self.net.plan_trouble(number, self.node);
        timers.sleep(back).await;
        Some(Ok(ends))
    }
}

impl world::Net for NodeNet {
    type Listener = NetListener;
    type Handle = SimFile;

    async fn bind(&self, address: &str) -> io::Result<NetListener> {
        let address: SocketAddr = address.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
        if address.ip() != self.node.ip() {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let incarnation = self.incarnation;
        let mut state = self.net.state();
        let waiting = std::collections::VecDeque::new();
        let backlog = Backlog { incarnation, waiting, acceptor: None };
        if state.listeners.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        state.listeners.insert(address, backlog);
        drop(state);
        Ok(NetListener { net: self.net.clone(), address, incarnation })
    }
}
