//! Settings, under Kafka's own names.
//!
//! A [`Definition`] says what a key means and which values it takes; [`topic::DEFINITIONS`] and [`broker::DEFINITIONS`] list
//! those that have one. What counts for a topic comes, in this order, from the topic's own settings, the broker's dynamic
//! settings, all brokers' dynamic settings, the broker's configuration, and the default.

pub mod broker;
mod definition;
mod foreign;
mod resolve;
pub mod topic;

pub use broker::Settings;
pub use definition::Scope;
pub use definition::{ConfigError, Definition, Kind, Rule};
pub use resolve::{Layers, Resolved, Source, Synonym};
