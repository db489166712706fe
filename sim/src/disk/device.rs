//! The disk of a machine, in time.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use ottla::world::{self, Done};
use ottla_core::disk::{DiskOp, FileRef, IoId};

use super::{
    image::Inode,
    plan::DiskPlan,
    state::{Accepted, Crash, State},
};
use crate::{
    dice::Dice,
    node::{Incarnation, NodeIndex},
    world::Environment,
};

/// The disk of a machine. It outlives the processes that use it.
#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    environment: Environment,
    state: Mutex<State>,
}

/// A disk as a process has it.
#[derive(Debug, Clone)]
pub struct NodeDisk {
    disk: SimDisk,
    incarnation: Incarnation,
}

impl SimDisk {
    /// An empty disk.
    pub fn new(node: NodeIndex, plan: DiskPlan, dice: Dice, environment: Environment) -> Self {
        let state = State::new(node, plan, dice, environment.clone());
        Self(Arc::new(Shared { environment, state: Mutex::new(state) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, or the run is over.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk as a process has it. What a process that is dead asks for is not done.
    pub fn handle_for(&self, incarnation: Incarnation) -> NodeDisk {
        let mut state = self.state();
        let dead = state.end_process();
        state.begin_process(incarnation);
        drop(state);
        drop(dead);
        NodeDisk { disk: self.clone(), incarnation }
    }

    /// The process is dead: what it wrote stays in the page cache, and nothing that it asked for is told.
    pub fn kill(&self, incarnation: Incarnation) {
        let mut state = self.state();
        let dead = if state.is_alive(incarnation) { state.end_process() } else { None };
        drop(state);
        drop(dead);
    }

    /// The machine has lost power: of what was not synced, anything may be gone.
    pub fn power_loss(&self) {
        let mut state = self.state();
        let dead = state.end_process();
        state.lose_power();
        drop(state);
        drop(dead);
    }

    /// Whether the machine may come back with an empty disk, as far as what was acknowledged goes.
    pub fn may_be_wiped(&self) -> bool {
        let state = self.state();
        state.plan.atlas.allows_wipe(state.node)
    }

    /// The machine comes back with an empty disk.
    pub fn wipe(&self) {
        let mut state = self.state();
        let dead = state.end_process();
        state.image.wipe();
        drop(state);
        drop(dead);
    }

    /// From now on the disk is whole: no more faults begin, those that last end. What they did stays done.
    pub fn heal(&self) {
        let mut state = self.state();
        let crash = state.heal();
        let limit = state.now() + HEALED_WITHIN;
        let pending = state.pending();
        drop(state);
        drop(crash);
        for (incarnation, number) in pending {
            let disk = self.clone();
            self.0.environment.timers.call_at(limit, move || disk.finish(incarnation, number));
        }
    }

    /// Has the process that is running die at the n-th operation from now on: before it, in the middle of it, or when it is done
    /// but not told. The disk sees to that; `crash` is called at once to end the rest of the process.
    pub fn crash_at(&self, operations: u64, crash: Box<dyn FnOnce() + Send>) {
        let crash = Crash { operations: operations.max(1), call: crash };
        let before = self.state().crash.replace(crash);
        drop(before);
    }

    fn submit(&self, incarnation: Incarnation, io: IoId, op: DiskOp, done: Done) {
        let mut state = self.state();
        if !state.is_alive(incarnation) {
            return;
        }
        state.befall();
        match state.accept(io, op, done) {
            Accepted::Pending(number) => self.go_on(state, incarnation, number),
            Accepted::Dead(process, crash) => {
                drop(state);
                drop(process);
                (crash.call)();
            }
        }
    }

    /// Begins an operation whose time has come, or sees to it that it begins when it comes.
    fn go_on(&self, mut state: MutexGuard<'_, State>, incarnation: Incarnation, number: u64) {
        let now = state.now();
        let Some(at) = state.beginning(number) else { return };
        let disk = self.clone();
        let timers = &self.0.environment.timers;
        if at > now {
            timers.call_at(at, move || disk.begin(incarnation, number));
            return;
        }
        let Some(end) = state.begin(number) else { return };
        if end > now {
            timers.call_at(end, move || disk.finish(incarnation, number));
            return;
        }
        let told = state.finish(number);
        drop(state);
        if let Some(told) = told {
            told.tell();
        }
    }

    fn begin(&self, incarnation: Incarnation, number: u64) {
        let state = self.state();
        if !state.is_alive(incarnation) {
            return;
        }
        if state.beginning(number).is_some() {
            return self.go_on(state, incarnation, number);
        }
        // It began earlier, for a file that it concerns was opened.
        drop(state);
        self.finish(incarnation, number);
    }

    fn finish(&self, incarnation: Incarnation, number: u64) {
        let mut state = self.state();
        if !state.is_alive(incarnation) {
            return;
        }
        // It may have been asked to hurry before it began.
        let _ = state.begin(number);
        let told = state.finish(number);
        drop(state);
        if let Some(told) = told {
            told.tell();
        }
    }
}

/// Within how many nanoseconds everything ends once the disk is whole.
const HEALED_WITHIN: u64 = 10_000_000;

impl NodeDisk {
    /// A file as long as it is open.
    fn hold(&self, inode: Inode) -> SimFile {
        SimFile(Arc::new(Held { disk: self.clone(), inode }))
    }
}

impl world::Disk for NodeDisk {
    type Handle = SimFile;

    fn submit(&self, io: IoId, op: DiskOp, done: Done) {
        self.disk.submit(self.incarnation, io, op, done);
    }

    fn open(&self, file: FileRef) -> io::Result<SimFile> {
        let mut state = self.disk.state();
        let inode = if state.is_alive(self.incarnation) { state.open(file) } else { None };
        drop(state);
        inode.map(|inode| self.hold(inode)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn space(&self) -> io::Result<(u64, u64)> {
        Ok(self.disk.state().space())
    }
}

/// An open file: it can be read even when its name is gone.
#[derive(Debug, Clone)]
pub struct SimFile(Arc<Held>);

#[derive(Debug)]
struct Held {
    disk: NodeDisk,
    inode: Inode,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.disk.disk.state();
        // Whatever a dead process had open is closed already.
        if state.is_alive(self.disk.incarnation) {
            state.image.close(self.inode);
        }
    }
}

impl world::FileHandle for SimFile {
    async fn read(&self, position: u64, length: usize) -> io::Result<Bytes> {
        let Held { disk: NodeDisk { disk, incarnation }, inode } = &*self.0;
        let latency = disk.state().begin_reading();
        if latency > 0 {
            disk.0.environment.timers.sleep(Duration::from_nanos(latency)).await;
        }
        let mut state = disk.state();
        if !state.is_alive(*incarnation) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        state.end_reading(*inode, position, length)
    }
}
