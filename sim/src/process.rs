//! The processes of a broker's machine: they begin, die, stand still and end, one after the other.
//!
//! Each process is a node of madsim's of its own, so that nothing of one is left to the next. What a dead process still drops has
//! no effect: its disk, its network and its place here are no longer its own.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use madsim::{runtime::Handle, task::NodeId};
use ottla::server::{BrokerConfig, serve};
use tokio::sync::{Notify, oneshot};

use crate::{
    clock::NodeClock,
    dice::Dice,
    disk::SimDisk,
    faults::{Family, Fault},
    nemesis::NemesisPlan,
    net::SimNet,
    node::{Incarnation, NodeIndex},
    sometimes,
    trace::Kind,
    world::{Environment, NodeWorld, Phases},
};

/// A machine on which a broker runs. Clones share it.
#[derive(Clone)]
pub struct BrokerMachine(Arc<Shared>);

/// What a machine is made of.
pub struct MachineParts {
    /// Which it is.
    pub node: NodeIndex,
    /// Time, trace, faults.
    pub environment: Environment,
    /// Whether the world is whole.
    pub phases: Phases,
    /// The network.
    pub net: SimNet,
    /// Its disk.
    pub disk: SimDisk,
    /// Its clock.
    pub clock: NodeClock,
    /// What the broker is started with.
    pub config: BrokerConfig,
    /// When the power goes.
    pub nemesis: NemesisPlan,
    /// What decides about this machine.
    pub dice: Dice,
}

struct Shared {
    parts: MachineParts,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    starts: u32,
    running: Option<Running>,
    /// Whether it once served, and then did not end in order.
    has_crashed: bool,
    /// It ended by itself, though nothing had gone wrong with its disk.
    unexplained: Vec<String>,
    seeds: Option<Dice>,
}

struct Running {
    incarnation: Incarnation,
    process: NodeId,
    stop: Option<oneshot::Sender<()>>,
    is_ready: bool,
    is_paused: bool,
}

/// How a process came to its end.
#[derive(Debug)]
enum End {
    InOrder,
    ByItself(String),
}

/// After how long a broker is started that has ended by itself.
const RESTART: Duration = Duration::from_millis(500);

impl fmt::Debug for BrokerMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrokerMachine({})", self.0.parts.node)
    }
}

impl BrokerMachine {
    /// A machine without a process.
    pub fn new(parts: MachineParts) -> Self {
        let seeds = Some(parts.dice.clone());
        let state = Mutex::new(State { seeds, ..State::default() });
        Self(Arc::new(Shared { parts, state, changed: Notify::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which machine it is.
    pub fn node(&self) -> NodeIndex {
        self.0.parts.node
    }

    /// Time, trace, faults.
    pub fn environment(&self) -> &Environment {
        &self.0.parts.environment
    }

    /// Its disk.
    pub fn disk(&self) -> &SimDisk {
        &self.0.parts.disk
    }

    /// Whether there is a process that is not standing still.
    pub fn is_running(&self) -> bool {
        self.state().running.as_ref().is_some_and(|running| !running.is_paused)
    }

    /// Whether clients are served.
    pub fn is_ready(&self) -> bool {
        self.state().running.as_ref().is_some_and(|running| running.is_ready && !running.is_paused)
    }

    fn is_recovering(&self) -> bool {
        let state = self.state();
        let is_ready = state.running.as_ref().is_some_and(|running| running.is_ready);
        state.starts > 1 && !is_ready
    }

    /// Waits until clients are served.
    pub async fn ready(&self) {
        loop {
            let changed = self.0.changed.notified();
            if self.is_ready() {
                return;
            }
            changed.await;
        }
    }

    /// Whenever a broker ended by itself without a reason: what it said.
    pub fn unexplained_ends(&self) -> Vec<String> {
        self.state().unexplained.clone()
    }

    fn tell(&self, what: u64, incarnation: Incarnation, text: impl FnOnce() -> String) {
        let figures = [what, u64::from(incarnation.0), 0];
        let node = self.node();
        self.environment()
            .trace
            .row(node, Kind::Process, figures, || format!("{incarnation} {}", text()));
    }

    /// Starts a process, if there is none.
    pub fn start(&self) {
        let parts = &self.0.parts;
        let mut state = self.state();
        if state.running.is_some() {
            return;
        }
        state.starts += 1;
        let incarnation = Incarnation(state.starts);
        let Some(dice) = state.seeds.as_mut() else { return };
        let (seed, crash) = (dice.number(), parts.nemesis.draw_crash(dice));
        let restart = dice.exponential(Duration::from_millis(500));
        let name = format!("{}.{incarnation}", parts.node);
        let process = Handle::current().create_node().name(name).build();
        let (stop, stops) = oneshot::channel();
        state.running = Some(Running {
            incarnation,
            process: process.id(),
            stop: Some(stop),
            is_ready: false,
            is_paused: false,
        });
        drop(state);
        self.tell(0, incarnation, || "begins".into());
        parts.net.power_up(parts.node);
        let world = NodeWorld {
            net: parts.net.handle_for(parts.node, incarnation),
            disk: parts.disk.handle_for(incarnation),
            clock: parts.clock.clone(),
            seed,
            recording: parts.environment.recording.clone(),
        };
        if let Some((operations, fault)) = crash.filter(|_| !parts.phases.is_healed()) {
            self.crash_at(operations, fault, incarnation, restart);
        }
        process.spawn(main(self.clone(), world, incarnation, stops));
    }

    /// Has a process be killed, or the power go, at its n-th operation.
    fn crash_at(&self, operations: u64, fault: Fault, incarnation: Incarnation, restart: Duration) {
        let Some(promise) = self.environment().faults.promise(fault) else { return };
        let machine = self.clone();
        // It is the machine's: should the process have ended before, it strikes the next.
        let crash = move || {
            let text = || format!("number {operations} since {incarnation} began");
            machine.environment().faults.keep(promise, machine.node(), text);
            sometimes!(CrashedInRecovery, machine.is_recovering());
            if fault == Fault::ProcessPowerAtOperation {
                machine.power_loss();
            } else {
                machine.kill();
            }
            let again = machine.clone();
            machine.environment().timers.call_after(restart, move || again.start());
        };
        self.disk().crash_at(operations, Box::new(crash));
    }

    /// Takes the process away, if there is one.
    fn take(&self) -> Option<Running> {
        let mut state = self.state();
        let running = state.running.take()?;
        state.has_crashed |= running.is_ready;
        drop(state);
        Handle::current().kill(running.process);
        self.0.changed.notify_waiters();
        Some(running)
    }

    /// Kills the process: what it wrote stays in the page cache, its connections are closed.
    pub fn kill(&self) {
        let Some(running) = self.take() else { return };
        self.disk().kill(running.incarnation);
        self.0.parts.net.end_process(self.node(), running.incarnation);
        self.tell(1, running.incarnation, || "is killed".into());
    }

    /// Takes the power away: what was not synced may be gone, and nobody is told.
    pub fn power_loss(&self) {
        let running = self.take();
        let incarnation = running.map_or(Incarnation(0), |running| running.incarnation);
        self.disk().kill(incarnation);
        self.disk().power_loss();
        if let Some(recording) = &self.environment().recording {
            recording.power_failed();
        }
        self.0.parts.net.power_loss(self.node(), incarnation);
        self.tell(2, incarnation, || "loses power".into());
    }

    /// Has the process stand still.
    pub fn pause(&self) {
        let mut state = self.state();
        let Some(running) = state.running.as_mut() else { return };
        running.is_paused = true;
        let (incarnation, process) = (running.incarnation, running.process);
        drop(state);
        Handle::current().pause(process);
        self.tell(3, incarnation, || "stands still".into());
    }

    /// Has the process go on.
    pub fn resume(&self) {
        let mut state = self.state();
        let Some(running) = state.running.as_mut().filter(|running| running.is_paused) else {
            return;
        };
        running.is_paused = false;
        let (incarnation, process) = (running.incarnation, running.process);
        drop(state);
        Handle::current().resume(process);
        self.0.changed.notify_waiters();
        self.tell(4, incarnation, || "goes on".into());
    }

    /// Has the process end in order, and waits until it has ended, in whatever way.
    pub async fn stop(&self) {
        let incarnation = {
            let mut state = self.state();
            let Some(running) = state.running.as_mut() else { return };
            if let Some(stop) = running.stop.take() {
                let _ = stop.send(());
            }
            running.incarnation
        };
        self.tell(5, incarnation, || "is to end".into());
        loop {
            let changed = self.0.changed.notified();
            let is_there = |running: &Running| running.incarnation == incarnation;
            if !self.state().running.as_ref().is_some_and(is_there) {
                return;
            }
            changed.await;
        }
    }

    /// The machine is whole from now on: its disk, and a process that runs. One whose disk had failed it is killed, for it
    /// has given up on what it could not write.
    pub fn heal(&self) {
        self.disk().heal();
        self.resume();
        let failures = [Family::DiskError, Family::DiskSync, Family::DiskFull, Family::DiskRot];
        if self.environment().faults.any_struck(&failures) {
            self.kill();
        }
        self.start();
    }

    fn serves(&self, incarnation: Incarnation) {
        let mut state = self.state();
        sometimes!(RestartedAfterCrash, state.has_crashed);
        state.has_crashed = false;
        let Some(running) = state.running.as_mut() else { return };
        running.is_ready = true;
        drop(state);
        self.0.changed.notify_waiters();
        self.tell(6, incarnation, || "serves".into());
    }

    /// A process has come to its end by itself, or because it was told to.
    fn ended(&self, incarnation: Incarnation, end: &End) {
        let is_there = |running: &Running| running.incarnation == incarnation;
        if !self.state().running.as_ref().is_some_and(is_there) {
            return;
        }
        let _ = self.take();
        self.disk().kill(incarnation);
        self.0.parts.net.end_process(self.node(), incarnation);
        self.tell(7, incarnation, || format!("ended: {end:?}"));
        match end {
            End::InOrder => {
                self.state().has_crashed = false;
                sometimes!(StoppedInOrder);
            }
            End::ByItself(reason) => {
                if !self.may_end() {
                    self.state().unexplained.push(format!("{incarnation}: {reason}"));
                }
                let machine = self.clone();
                self.environment().timers.call_after(RESTART, move || machine.start());
            }
        }
    }

    /// Whether anything has happened for which a broker may give up.
    fn may_end(&self) -> bool {
        let reasons = [
            Family::DiskSlow,
            Family::DiskError,
            Family::DiskSync,
            Family::DiskFull,
            Family::DiskRot,
            Family::ProcessPause,
        ];
        self.environment().faults.any_struck(&reasons)
    }
}

async fn main(
    machine: BrokerMachine,
    world: NodeWorld,
    incarnation: Incarnation,
    stops: oneshot::Receiver<()>,
) {
    let config = machine.0.parts.config.clone();
    let end = match serve(world, config).await {
        Err(error) => End::ByItself(error.to_string()),
        Ok(mut broker) => {
            machine.serves(incarnation);
            let is_told = tokio::select! {
                biased;
                () = broker.ended() => false,
                _ = stops => true,
            };
            if is_told {
                broker.stop().await;
                End::InOrder
            } else {
                End::ByItself("its shard has ended".into())
            }
        }
    };
    machine.ended(incarnation, &end);
}
