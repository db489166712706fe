//! The core's machines under a model checker: every interleaving within stated bounds.
//!
//! A model is a [`Model`](harness::Model), stateright's, whose state holds the core's own machines: an action is an input of theirs, and what they
//! say goes into the model's network, disk and clients. Nothing of the broker is written twice.
//!
//! - [`advisor`]: whether settings keep the promise of at-least-once delivery.
//! - [`conformance`]: whether what the whole broker did is what a model may do.
//! - [`delivery`]: both together, from the producer to the consumer.
//! - [`group`]: consumers and their coordinator.
//! - [`harness`] searches a model, walks in it at random, and says how many states there were and what was violated.
//! - [`replication`]: a partition on several brokers.
//! - [`schedules`]: counterexamples that are kept.
//! - [`registry`] lists all configurations: a model with bounds, the figures that are expected of it, and the mutants that it
//!   must notice.

pub mod advisor;
pub mod conformance;
pub mod delivery;
pub mod group;
pub mod harness;
pub mod registry;
pub mod replication;
pub mod schedules;
