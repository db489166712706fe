//! The whole broker under madsim: faults from a seed, a workload, an oracle.
//!
//! A run is decided by its seed alone. [`plan`] draws everything from it; [`world`] builds the nodes with their [`clock`]s, [`disk`]s and
//! the [`net`] between them; [`nemesis`] troubles them while [`workload`] works; [`run`] heals them, demands progress, and judges.
//! Every step is a row of the [`trace`].
#![cfg(madsim)]

pub mod cli;
pub mod clock;
pub mod dice;
pub mod disk;
pub mod faults;
pub mod marks;
pub mod mutants;
pub mod nemesis;
pub mod net;
pub mod node;
pub mod plan;
pub mod process;
pub mod run;
pub mod timers;
pub mod trace;
pub mod workload;
pub mod world;
