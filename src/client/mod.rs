//! A Kafka client: what the command line speaks to brokers with, Ottla's or any other's.
//!
//! A [`Client`] finds brokers and makes typed calls. On it stand a [`Producer`], a [`Consumer`] of partitions that it is
//! given, a [`GroupConsumer`] that shares them with the other members of its group, and the operator's calls of [`admin`].
//! All of it runs on one thread or many, needs no timer but tokio's, and keeps no hidden state beside the value that a
//! caller holds.

mod address;
pub mod admin;
mod backoff;
pub(crate) mod clock;
mod connection;
pub mod consumer;
mod error;
mod frames;
pub mod group;
mod metadata;
mod nodes;
pub mod offsets;
pub mod producer;
mod topic_names;
mod topic_partition;
mod versions;

use std::{sync::Arc, time::Duration};

use ottla_core::{types::BrokerId, wire::api::RequestMessage};

pub use address::{Address, InvalidAddress};
pub use connection::{CallOptions, Connection, Reply};
pub use consumer::Consumer;
pub use error::{CallError, ConnectionEnd, ServerError};
pub use group::GroupConsumer;
pub use metadata::{Broker, MetadataError, PartitionMetadata, TopicMetadata};
pub use producer::Producer;
pub use topic_partition::TopicPartition;

use backoff::Backoff;
use metadata::Metadata;
use nodes::Nodes;

/// How a client behaves.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// What the client calls itself: brokers name it in their logs and groups.
    pub client_id: String,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for an answer.
    pub request_timeout: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            client_id: "ottla".to_owned(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// A cluster as a client sees it. Clones share connections and metadata.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    nodes: Nodes,
    metadata: Metadata,
}

impl Client {
    /// A client of the cluster that one of `bootstrap` belongs to. Connects when it is first used.
    pub fn new(bootstrap: Vec<Address>, config: ClientConfig) -> Self {
        let nodes = Nodes::new(bootstrap, config);
        Self { shared: Arc::new(Shared { nodes, metadata: Metadata::default() }) }
    }

    /// The connection to a broker, which is made if there is none.
    pub async fn connection(&self, broker: BrokerId) -> Result<Arc<Connection>, CallError> {
        if !self.shared.nodes.knows(broker) {
            self.refresh_brokers().await?;
        }
        self.shared.nodes.connection(broker).await
    }

    /// A connection to a broker that nobody else uses.
    async fn private_connection(&self, broker: BrokerId) -> Result<Arc<Connection>, CallError> {
        if !self.shared.nodes.knows(broker) {
            self.refresh_brokers().await?;
        }
        self.shared.nodes.private_connection(broker).await
    }

    /// A connection to whichever broker answers first.
    pub async fn any_connection(&self) -> Result<Arc<Connection>, CallError> {
        self.shared.nodes.any_connection().await
    }

    /// Asks one broker.
    pub async fn call<R: RequestMessage>(
        &self,
        broker: BrokerId,
        request: &R,
    ) -> Result<R::Response, CallError> {
        self.connection(broker).await?.call(request, CallOptions::default()).await
    }

    /// Asks whichever broker answers first.
    pub async fn call_any<R: RequestMessage>(&self, request: &R) -> Result<R::Response, CallError> {
        self.any_connection().await?.call(request, CallOptions::default()).await
    }
}
