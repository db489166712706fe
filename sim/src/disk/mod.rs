//! The disks of the machines.
//!
//! A [`SimDisk`](device::SimDisk) outlives the processes that use it; each process has a [`NodeDisk`](device::NodeDisk) of its
//! own, which does nothing any more once the process is dead. What is on the disk is an [`image`]; `device` gives it time, and
//! `trouble` what goes wrong with it, after a `plan`. An `atlas` says where a disk may spoil what it was trusted with: what has
//! no other copy, nowhere.

#[cfg(madsim)]
pub mod atlas;
#[cfg(madsim)]
mod coverage;
#[cfg(madsim)]
pub mod device;
pub mod image;
pub mod operations;
#[cfg(all(test, not(madsim)))]
mod parity;
#[cfg(madsim)]
pub mod plan;
#[cfg(madsim)]
mod rows;
#[cfg(madsim)]
mod state;
#[cfg(all(test, madsim))]
mod tests;
#[cfg(madsim)]
mod trouble;

#[cfg(madsim)]
pub use self::{
    device::{NodeDisk, SimDisk, SimFile},
    plan::DiskPlan,
};
