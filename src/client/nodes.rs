//! The brokers that are known, and one connection to each.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ottla_core::types::BrokerId;
use tokio::sync::Semaphore;

use super::{Address, CallError, ClientConfig, Connection};

#[derive(Debug)]
pub(super) struct Nodes {
    config: ClientConfig,
    bootstrap: Vec<Arc<Node>>,
    brokers: Mutex<BTreeMap<BrokerId, Arc<Node>>>,
}

/// A place to connect to.
#[derive(Debug)]
struct Node {
    address: Address,
    connection: Mutex<Option<Arc<Connection>>>,
    /// One connects at a time; the others then find the connection made.
    connecting: Semaphore,
}

impl Node {
    fn new(address: Address) -> Arc<Self> {
        Arc::new(Self { address, connection: Mutex::new(None), connecting: Semaphore::new(1) })
    }

    fn open_connection(&self) -> Option<Arc<Connection>> {
        lock(&self.connection).as_ref().filter(|connection| connection.end().is_none()).cloned()
    }

    async fn connection(&self, config: &ClientConfig) -> Result<Arc<Connection>, CallError> {
        if let Some(connection) = self.open_connection() {
            return Ok(connection);
        }
        // Nobody closes the semaphore.
        let _permit = self.connecting.acquire().await;
        if let Some(connection) = self.open_connection() {
            return Ok(connection);
        }
        let connection = Arc::new(Connection::open(self.address.clone(), config).await?);
        *lock(&self.connection) = Some(Arc::clone(&connection));
        Ok(connection)
    }
}

impl Nodes {
    pub(super) fn new(bootstrap: Vec<Address>, config: ClientConfig) -> Self {
        let bootstrap = bootstrap.into_iter().map(Node::new).collect();
        Self { config, bootstrap, brokers: Mutex::default() }
    }

    pub(super) fn knows(&self, broker: BrokerId) -> bool {
        lock(&self.brokers).contains_key(&broker)
    }

    /// Takes note of where a broker is. A broker that moved gets a new connection.
    pub(super) fn learn(&self, broker: BrokerId, address: Address) {
        let mut brokers = lock(&self.brokers);
        if brokers.get(&broker).is_none_or(|node| node.address != address) {
            brokers.insert(broker, Node::new(address));
        }
    }

    pub(super) async fn connection(&self, broker: BrokerId) -> Result<Arc<Connection>, CallError> {
        let node = lock(&self.brokers).get(&broker).cloned();
        node.ok_or(CallError::UnknownBroker(broker))?.connection(&self.config).await
    }

    /// A connection to a broker that nobody else uses, for requests that the broker answers late: it answers none behind
    /// them on the same connection.
    pub(super) async fn private_connection(
        &self,
        broker: BrokerId,
    ) -> Result<Arc<Connection>, CallError> {
        let node = lock(&self.brokers).get(&broker).cloned();
        let address = node.ok_or(CallError::UnknownBroker(broker))?.address.clone();
        Connection::open(address, &self.config).await.map(Arc::new)
    }

    /// A connection that is open, or else the first that can be made.
    pub(super) async fn any_connection(&self) -> Result<Arc<Connection>, CallError> {
        let mut nodes = self.bootstrap.clone();
        nodes.extend(lock(&self.brokers).values().cloned());
        if let Some(connection) = nodes.iter().find_map(|node| node.open_connection()) {
            return Ok(connection);
        }
        let mut failure = CallError::NoBootstrap;
        for node in nodes {
            match node.connection(&self.config).await {
                Ok(connection) => return Ok(connection),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// What is guarded is whole after any panic: it is only ever replaced.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
