//! The world: machines with their clocks and disks, and the network between them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ottla::world;
use tokio::sync::Notify;

use crate::{
    clock::NodeClock,
    disk::NodeDisk,
    faults::Faults,
    net::NodeNet,
    node::{Incarnation, NodeIndex},
    timers::Timers,
    trace::Trace,
};

/// What everything in the world has to do with.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Time.
    pub timers: Timers,
    /// What happened.
    pub trace: Trace,
    /// What goes wrong.
    pub faults: Faults,
}

/// The world as the process of a broker knows it.
#[derive(Debug, Clone)]
pub struct NodeWorld {
    pub(crate) net: NodeNet,
    pub(crate) disk: NodeDisk,
    pub(crate) clock: NodeClock,
    pub(crate) seed: u64,
}

impl world::World for NodeWorld {
    type Net = NodeNet;
    type Disk = NodeDisk;
    type Clock = NodeClock;

    fn net(&self) -> &NodeNet {
        &self.net
    }

    fn disk(&self) -> &NodeDisk {
        &self.disk
    }

    fn clock(&self) -> &NodeClock {
        &self.clock
    }

    fn seed(&self) -> u64 {
        self.seed
    }
}

/// The phases of a run: chaos, and then calm, in which everything must come to an end. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Phases(Arc<(AtomicBool, Notify)>);

impl Phases {
    /// Whether the world is whole.
    pub fn is_healed(&self) -> bool {
        self.0.0.load(Ordering::Relaxed)
    }

    /// Waits until the world is whole.
    pub async fn healed(&self) {
        let healed = self.0.1.notified();
        if !self.is_healed() {
            healed.await;
        }
    }

    /// The world is whole.
    pub fn heal(&self) {
        self.0.0.store(true, Ordering::Relaxed);
        self.0.1.notify_waiters();
    }
}

/// What clients need.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Time, trace, faults.
    pub environment: Environment,
    /// Where the brokers listen.
    pub brokers: Vec<SocketAddr>,
    /// Whether the world is whole.
    pub phases: Phases,
    /// The machines of clients.
    pub machines: Vec<ClientMachine>,
}

/// A machine on which clients run, each a process of its own.
#[derive(Debug, Clone)]
pub struct ClientMachine {
    /// Which.
    pub node: NodeIndex,
    /// Its clock.
    pub clock: NodeClock,
}

/// A process of a client. It ends by [`kill`](Self::kill), as by `kill -9`: its connections end, what it had sent may still arrive.
#[derive(Debug, Clone)]
pub struct ClientProcess {
    /// Where it runs.
    pub node: NodeIndex,
    /// Which process it is.
    pub incarnation: Incarnation,
    /// The network as it has it.
    pub net: NodeNet,
    /// The clock of its machine.
    pub clock: NodeClock,
}

impl ClientMachine {
    /// Begins a process, and spawns its first task.
    pub fn begin<F: Future<Output = ()> + Send + 'static>(
        &self,
        main: impl FnOnce(ClientProcess) -> F,
    ) -> ClientProcess {
        let net = self.net();
        let incarnation = Incarnation(0);
        let process =
            ClientProcess { node: self.node, incarnation, net, clock: self.clock.clone() };
        tokio::spawn(main(process.clone()));
        process
    }

    fn net(&self) -> NodeNet {
        unreachable!("no machine is made yet")
    }
}

impl ClientProcess {
    /// Kills it.
    pub fn kill(&self) {}
}
