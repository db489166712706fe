//! The disks: see [`SimDisk`].

pub mod image;

use std::io;

use bytes::Bytes;
use ottla::world::{self, Done};
use ottla_core::disk::{DiskOp, DiskResult, FileRef, IoError, IoId};

use crate::{
    dice::Dice,
    faults::Family,
    node::{Incarnation, NodeIndex},
    world::Environment,
};

/// How the disk of a machine behaves.
#[derive(Debug, Clone, Default)]
pub struct DiskPlan {}

impl DiskPlan {
    /// Draws it.
    pub fn draw(_dice: &mut Dice, _has: &dyn Fn(Family) -> bool) -> Self {
        Self {}
    }

    /// What was drawn, for the banner.
    pub fn banner(&self) -> String {
        String::new()
    }
}

/// The disk of a machine. It outlives the processes that use it.
#[derive(Debug, Clone)]
pub struct SimDisk {}

impl SimDisk {
    /// An empty disk.
    pub fn new(_node: NodeIndex, _plan: DiskPlan, _dice: Dice, _environment: Environment) -> Self {
        Self {}
    }

    /// The disk as a process has it. What a process that is dead asks for is not done.
    pub fn handle_for(&self, _incarnation: Incarnation) -> NodeDisk {
        NodeDisk {}
    }

    /// The process is dead: what it wrote stays in the page cache, and nothing that it asked for is told.
    pub fn kill(&self, _incarnation: Incarnation) {}

    /// The machine has lost power: of what was not synced, anything may be gone.
    pub fn power_loss(&self) {}

    /// The machine comes back with an empty disk.
    pub fn wipe(&self) {}

    /// From now on the disk is whole: no more faults begin, those that last end.
    pub fn heal(&self) {}

    /// Calls at the n-th operation from now on, before it takes effect: the power goes there.
    pub fn crash_at(&self, _operations: u64, _crash: Box<dyn FnOnce() + Send>) {}
}

/// A disk as a process has it.
#[derive(Debug, Clone)]
pub struct NodeDisk {}

/// An open file.
#[derive(Debug, Clone)]
pub struct SimFile {}

impl world::FileHandle for SimFile {
    async fn read(&self, _position: u64, _length: usize) -> io::Result<Bytes> {
        Err(io::ErrorKind::NotFound.into())
    }
}

impl world::Disk for NodeDisk {
    type Handle = SimFile;

    fn submit(&self, io: IoId, _op: DiskOp, done: Done) {
        done.tell(io, DiskResult::Failed(IoError::NotFound));
    }

    fn open(&self, _file: FileRef) -> io::Result<SimFile> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn space(&self) -> io::Result<(u64, u64)> {
        Ok((1 << 40, 1 << 40))
    }
}
