//! The world: machines with their clocks and disks, and the network between them.

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use madsim::{runtime::Handle, task::NodeId};
use ottla::{
    server::{BrokerConfig, Tape},
    world,
};
use ottla_core::types::Uuid;
use tokio::sync::Notify;

use crate::{
    clock::NodeClock,
    dice::Dice,
    disk::{NodeDisk, SimDisk},
    faults::Faults,
    net::{NodeNet, SimNet},
    node::{Incarnation, NodeIndex},
    plan::Plan,
    process::{BrokerMachine, MachineParts},
    replay::Recording,
    timers::Timers,
    trace::{Kind, Trace},
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
    /// What shards are told and say, if that is to be kept.
    pub recording: Option<Arc<Recording>>,
}

/// The world as the process of a broker knows it.
#[derive(Debug, Clone)]
pub struct NodeWorld {
    pub(crate) net: NodeNet,
    pub(crate) disk: NodeDisk,
    pub(crate) clock: NodeClock,
    pub(crate) seed: u64,
    pub(crate) recording: Option<Arc<Recording>>,
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

    fn tape(&self) -> Option<Arc<dyn Tape>> {
        self.recording.clone().map(|recording| recording as Arc<dyn Tape>)
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
    environment: Environment,
    net: SimNet,
    begun: Arc<AtomicU32>,
}

/// A process of a client. It ends by [`kill`](Self::kill), as by `kill -9`: its connections end, what it had sent may still
/// arrive.
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
    process: NodeId,
    machine: ClientMachine,
}

impl ClientMachine {
    fn new(node: NodeIndex, clock: NodeClock, environment: Environment, net: SimNet) -> Self {
        Self { node, clock, environment, net, begun: Arc::default() }
    }

    /// Begins a process, and spawns its first task.
    pub fn begin<F: Future<Output = ()> + Send + 'static>(
        &self,
        main: impl FnOnce(ClientProcess) -> F,
    ) -> ClientProcess {
        let incarnation = Incarnation(self.begun.fetch_add(1, Ordering::Relaxed) + 1);
        let name = format!("{}.{incarnation}", self.node);
        let node = Handle::current().create_node().name(name).build();
        let process = ClientProcess {
            node: self.node,
            incarnation,
            net: self.net.handle_for(self.node, incarnation),
            clock: self.clock.clone(),
            process: node.id(),
            machine: self.clone(),
        };
        node.spawn(main(process.clone()));
        process
    }
}

impl ClientProcess {
    /// Kills it.
    pub fn kill(&self) {
        Handle::current().kill(self.process);
        self.machine.net.end_process(self.node, self.incarnation);
        let figures = [1, u64::from(self.incarnation.0), 0];
        self.machine
            .environment
            .trace
            .row(self.node, Kind::Process, figures, || format!("{} is killed", self.incarnation));
    }
}

/// The world: machines with their clocks and disks, and the network between them. Clones share it.
#[derive(Debug, Clone)]
pub struct World {
    /// Time, trace, faults.
    pub environment: Environment,
    /// Whether it is whole.
    pub phases: Phases,
    /// The network.
    pub net: SimNet,
    /// The machines of brokers.
    pub brokers: Vec<BrokerMachine>,
    /// The machines of clients.
    pub clients: Vec<ClientMachine>,
    /// The clocks of all machines.
    pub clocks: Vec<(NodeIndex, NodeClock)>,
    count: u8,
}

/// The port on which brokers listen.
const PORT: u16 = 9_092;

impl World {
    /// Builds what a plan says. To be called within madsim's runtime.
    pub fn build(plan: &Plan, environment: Environment) -> Self {
        let seed = plan.seed;
        let count = plan.brokers + plan.workload.machines;
        let net_dice = Dice::new(seed, "net-events", 0);
        let net = SimNet::new(count, plan.net.clone(), net_dice, environment.clone());
        let phases = Phases::default();
        let mut clock_dice = Dice::new(seed, "clocks", 0);
        let clocks: Vec<_> = (0..count)
            .map(|number| {
                let ahead = clock_dice.range(0..2_000).cast_signed() - 1_000;
                (NodeIndex(number), NodeClock::new(environment.timers.clone(), ahead))
            })
            .collect();
        let brokers = (0..plan.brokers)
            .map(|number| {
                let node = NodeIndex(number);
                let disk_dice = Dice::new(seed, "disk-events", number.into());
                let disk_plan = plan.disks[node.index()].clone();
                BrokerMachine::new(MachineParts {
                    node,
                    environment: environment.clone(),
                    phases: phases.clone(),
                    net: net.clone(),
                    disk: SimDisk::new(node, disk_plan, disk_dice, environment.clone()),
                    clock: clocks[node.index()].1.clone(),
                    config: broker_config(plan, node),
                    nemesis: plan.nemesis.clone(),
                    dice: Dice::new(seed, "process", number.into()),
                })
            })
            .collect();
        let clients = (plan.brokers..count)
            .map(|number| {
                let node = NodeIndex(number);
                let clock = clocks[node.index()].1.clone();
                ClientMachine::new(node, clock, environment.clone(), net.clone())
            })
            .collect();
        Self { environment, phases, net, brokers, clients, clocks, count }
    }

    /// All machines.
    pub fn nodes(&self) -> Vec<NodeIndex> {
        (0..self.count).map(NodeIndex).collect()
    }

    /// What clients need.
    pub fn stage(&self) -> Stage {
        let address = |broker: &BrokerMachine| SocketAddr::from((broker.node().ip(), PORT));
        Stage {
            environment: self.environment.clone(),
            brokers: self.brokers.iter().map(address).collect(),
            phases: self.phases.clone(),
            machines: self.clients.clone(),
        }
    }

    /// Makes everything whole, for good.
    pub fn heal(&self) {
        self.environment.faults.heal();
        self.net.heal();
        for from in self.nodes() {
            for to in self.nodes() {
                self.net.mend(from, to);
                self.net.slow_down(from, to, 1);
            }
        }
        for broker in &self.brokers {
            broker.heal();
        }
        self.phases.heal();
    }
}

fn broker_config(plan: &Plan, node: NodeIndex) -> BrokerConfig {
    let mut ids = Dice::new(plan.seed, "ids", 0);
    let cluster_id = Uuid::from_random(u128::from(ids.number()) << 64).to_string();
    let mut ids = Dice::new(plan.seed, "directory-id", node.0.into());
    let mut configuration = plan.settings.clone();
    configuration.insert("node.id".into(), (node.0 + 1).to_string());
    BrokerConfig {
        listen: format!("{}:{PORT}", node.ip()),
        advertise: None,
        configuration,
        cluster_id,
        directory_id: Uuid::from_random(u128::from(ids.number()) << 64),
        log_directory: "/data".into(),
    }
}
