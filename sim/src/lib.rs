//! The whole broker under madsim: faults from a seed, a workload, an oracle.
//!
//! A run is decided by its seed alone. `plan` draws everything from it; `world` builds the nodes with their `clock`s, `disk`s and
//! the `net` between them; `nemesis` troubles them while `workload` works; `run` heals them, demands progress, and judges.
//! Every step is a row of the `trace`. What needs no world is there in any build, so that any build tests it.

#[cfg(madsim)]
pub mod advised;
#[cfg(madsim)]
pub mod cli;
#[cfg(madsim)]
pub mod clock;
pub mod dice;
pub mod disk;
#[cfg(madsim)]
pub mod faults;
#[cfg(madsim)]
pub mod marks;
#[cfg(madsim)]
pub mod mutants;
#[cfg(madsim)]
pub mod nemesis;
#[cfg(madsim)]
pub mod net;
#[cfg(madsim)]
pub mod node;
#[cfg(madsim)]
pub mod oracle;
#[cfg(madsim)]
pub mod plan;
#[cfg(madsim)]
pub mod process;
pub mod replay;
#[cfg(madsim)]
pub mod run;
#[cfg(madsim)]
pub mod script;
#[cfg(madsim)]
pub mod timers;
#[cfg(madsim)]
pub mod trace;
#[cfg(madsim)]
pub mod workload;
#[cfg(madsim)]
pub mod world;
