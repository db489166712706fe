//! Ottla: an event broker that speaks Apache Kafka's wire protocol.

// The simulator has the broker; what talks to it there are clients of its own.
#[cfg(not(madsim))]
pub mod cli;
#[cfg(not(madsim))]
pub mod client;
pub mod quorum;
pub mod server;
pub mod world;
