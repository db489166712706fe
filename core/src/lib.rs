//! The broker as state machines.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod records;
pub mod types;
pub mod wire;
