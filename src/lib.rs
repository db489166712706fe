//! Ottla: an event broker that speaks Apache Kafka's wire protocol.

pub mod cli;
pub mod client;
