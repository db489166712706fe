//! Ottla: an event broker that speaks Apache Kafka's wire protocol.

pub mod cli;
pub mod client;
pub mod quorum;
pub mod server;
pub mod world;
