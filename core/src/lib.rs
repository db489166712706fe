//! The broker as state machines.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod api;
pub mod config;
pub mod controller;
pub mod disk;
pub mod group;
pub mod inspect;
pub mod job;
pub mod journal;
pub mod log;
pub mod machine;
pub mod metadata;
pub mod mutants;
pub mod notice;
pub mod partition;
pub mod records;
pub mod replica;
pub mod session;
pub mod shard;
pub mod types;
pub mod wire;
