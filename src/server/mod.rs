//! The broker: connections, shards and the quorum, wired together.

mod acceptor;
mod connection;
pub mod data_folder;
#[cfg(not(madsim))]
mod exposition;
#[cfg(not(madsim))]
mod http;
#[cfg_attr(madsim, expect(dead_code, reason = "the simulator serves no metrics"))]
mod metrics;
mod notices;
mod run;
pub mod settings;
mod shard_loop;
#[cfg(not(madsim))]
pub mod standalone;
#[cfg(madsim)]
mod tape;
mod writes;

use ottla_core::{
    disk::{DiskResult, IoId},
    inspect::Inspection,
    machine::ConnectionId,
    shard::Input,
};
pub use run::{Broker, BrokerConfig, ServeError, serve};
pub use settings::ServeSettings;
#[cfg(madsim)]
pub use tape::{Said, Tape};
use tokio::sync::oneshot;

/// What a shard's loop is told.
#[derive(Debug)]
pub enum Event<H> {
    /// An input for the shard.
    Input(Input),
    /// A file operation has ended.
    Disk(IoId, DiskResult),
    /// A client has connected, and can be written to.
    Connected {
        /// The connection.
        connection: ConnectionId,
        /// Where the client is.
        host: String,
        /// To write to it.
        link: connection::Link<H>,
    },
    /// Somebody wants to know how things are.
    Inspect(oneshot::Sender<Inspection>),
}
