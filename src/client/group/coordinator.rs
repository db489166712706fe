//! The broker that coordinates a group.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use ottla_core::{
    types::BrokerId,
    wire::{
        ApiKey,
        api::RequestMessage,
        messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse},
    },
};
use tokio::sync::Semaphore;

use super::GroupError;
use crate::client::{Backoff, CallOptions, Client, Connection, ServerError, nodes::lock};

/// How long to look for a coordinator that answers. A cluster's first group waits for its coordinators to be made.
const LIMIT: Duration = Duration::from_secs(30);
/// The kind of key that a group is.
const GROUP_KEY: i8 = 0;

/// The way to a group's coordinator. It has a connection of its own, for a JoinGroup may stay unanswered until all other
/// members have joined, and they must not stand in line behind it.
#[derive(Debug)]
pub(super) struct Coordinator {
    pub(super) client: Client,
    pub(super) group: String,
    connection: Mutex<Option<Arc<Connection>>>,
    /// One connects at a time.
    connecting: Semaphore,
}

impl Coordinator {
    pub(super) fn new(client: Client, group: String) -> Self {
        Self { client, group, connection: Mutex::new(None), connecting: Semaphore::new(1) }
    }

    /// Which broker it is at present.
    pub(super) async fn find(&self) -> Result<BrokerId, GroupError> {
        let request = FindCoordinatorRequest {
            key: self.group.clone(),
            key_type: GROUP_KEY,
            coordinator_keys: vec![self.group.clone()],
        };
        let mut backoff = Backoff::for_at_most(LIMIT);
        loop {
            let outcome = match self.client.call_any(&request).await {
                Ok(response) => self.read(response),
                Err(error) => Err(GroupError::Call(error)),
            };
            match outcome {
                Err(error) if error.is_retriable() && backoff.pause().await => {}
                outcome => return outcome,
            }
        }
    }

    fn read(&self, response: FindCoordinatorResponse) -> Result<BrokerId, GroupError> {
        let key = ApiKey::FindCoordinator;
        // From version 4 on the answer is a list.
        let (id, host, port, code, message) = match response.coordinators.into_iter().next() {
            Some(found) => {
                (found.node_id, found.host, found.port, found.error_code, found.error_message)
            }
            None => (
                response.node_id,
                response.host,
                response.port,
                response.error_code,
                response.error_message,
            ),
        };
        ServerError::check(code, message.as_deref()).map_err(|error| self.refused(key, error))?;
        if host.is_empty() {
            return Err(GroupError::Missing { key });
        }
        self.client.learn_broker(BrokerId(id), &host, port);
        Ok(BrokerId(id))
    }

    /// Makes an error of what the coordinator answers about the group.
    pub(super) fn refused(&self, key: ApiKey, error: ServerError) -> GroupError {
        GroupError::Refused { key, group: self.group.clone(), error }
    }

    /// As [`ServerError::check`].
    pub(super) fn check(
        &self,
        key: ApiKey,
        code: i16,
        message: Option<&str>,
    ) -> Result<(), GroupError> {
        ServerError::check(code, message).map_err(|error| self.refused(key, error))
    }

    /// The next call looks for the coordinator anew and uses a new connection.
    pub(super) fn forget(&self) {
        *lock(&self.connection) = None;
    }

    async fn connection(&self) -> Result<Arc<Connection>, GroupError> {
        let open = || lock(&self.connection).clone().filter(|known| known.end().is_none());
        if let Some(connection) = open() {
            return Ok(connection);
        }
        // Nobody closes the semaphore.
        let _permit = self.connecting.acquire().await;
        if let Some(connection) = open() {
            return Ok(connection);
        }
        let broker = self.find().await?;
        let connection = self.client.private_connection(broker).await?;
        *lock(&self.connection) = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// Asks once.
    pub(super) async fn call<R: RequestMessage>(
        &self,
        request: &R,
        options: CallOptions,
    ) -> Result<R::Response, GroupError> {
        Ok(self.connection().await?.call(request, options).await?)
    }

    /// Asks until `read` makes something of the answer, wherever the coordinator moves.
    pub(super) async fn ask<R: RequestMessage, T>(
        &self,
        request: &R,
        options: CallOptions,
        read: impl Fn(R::Response) -> Result<T, GroupError>,
    ) -> Result<T, GroupError> {
        let mut backoff = Backoff::for_at_most(LIMIT);
        loop {
            let outcome = self.call(request, options).await.and_then(&read);
            match outcome {
                Err(error) if error.is_retriable() && backoff.pause().await => self.forget(),
                outcome => return outcome,
            }
        }
    }
}
