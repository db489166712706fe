//! The producer id that makes a broker tell a batch that is sent again from a new one.

use std::sync::Mutex;

use ottla_core::{
    types::{ProducerEpoch, ProducerId},
    wire::messages::init_producer_id::InitProducerIdRequest,
};
use tokio::sync::Semaphore;

use super::ProduceError;
use crate::client::{Backoff, Client, ServerError, nodes::lock};

/// A producer id and its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: ProducerId,
    pub(super) epoch: ProducerEpoch,
}

/// The id that all partitions of a producer begin with.
#[derive(Debug)]
pub(super) struct Identities {
    first: Mutex<Option<Identity>>,
    /// One asks at a time; the others then find the answer.
    asking: Semaphore,
}

impl Default for Identities {
    fn default() -> Self {
        Self { first: Mutex::default(), asking: Semaphore::new(1) }
    }
}

impl Identities {
    /// The id that all partitions begin with.
    pub(super) async fn first(
        &self,
        client: &Client,
        backoff: &mut Backoff,
    ) -> Result<Identity, ProduceError> {
        // Nobody closes the semaphore.
        let _permit = self.asking.acquire().await;
        if let Some(identity) = *lock(&self.first) {
            return Ok(identity);
        }
        let identity = ask(client, backoff).await?;
        *lock(&self.first) = Some(identity);
        Ok(identity)
    }
}

/// Has a broker give out a new id.
pub(super) async fn ask(client: &Client, backoff: &mut Backoff) -> Result<Identity, ProduceError> {
    let request = InitProducerIdRequest { transaction_timeout_ms: i32::MAX, ..Default::default() };
    loop {
        let (error, again) = match client.call_any(&request).await {
            Ok(response) => match ServerError::check(response.error_code, None) {
                Ok(()) => {
                    return Ok(Identity {
                        id: ProducerId(response.producer_id),
                        epoch: ProducerEpoch(response.producer_epoch),
                    });
                }
                Err(error) => (ProduceError::ProducerId(error.clone()), error.is_retriable()),
            },
            Err(error) => (ProduceError::Call(error.clone()), error.is_retriable()),
        };
        if !again || !backoff.pause().await {
            return Err(error);
        }
    }
}
