//! The sign of life that a member gives, and what the coordinator says to it.

use std::{sync::Arc, time::Duration};

use ottla_core::{
    types::ErrorCode,
    wire::{ApiKey, messages::heartbeat::HeartbeatRequest},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use super::{GroupError, coordinator::Coordinator};
use crate::client::CallOptions;

/// What a member learns from its heartbeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// The members join anew, and this one shall too.
    Rebalance,
    /// This one is no longer a member.
    Expelled(GroupError),
}

/// The heartbeats of one generation's member; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Heartbeat {
    events: mpsc::Receiver<Event>,
    _alive: oneshot::Sender<()>,
}

impl Heartbeat {
    pub(super) fn start(
        coordinator: Arc<Coordinator>,
        generation_id: i32,
        member_id: String,
        interval: Duration,
    ) -> Self {
        let request = HeartbeatRequest {
            group_id: coordinator.group.clone(),
            generation_id,
            member_id,
            group_instance_id: None,
        };
        let (sender, events) = mpsc::channel(1);
        let (alive, ended) = oneshot::channel();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = ended => {}
                () = beat(&coordinator, &request, interval, &sender) => {}
            }
        });
        Self { events, _alive: alive }
    }

    /// The next thing that the coordinator says. May be cancelled without loss.
    pub(super) async fn event(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }
}

async fn beat(
    coordinator: &Coordinator,
    request: &HeartbeatRequest,
    interval: Duration,
    events: &mpsc::Sender<Event>,
) {
    loop {
        sleep(interval).await;
        let outcome = coordinator
            .call(request, CallOptions::default())
            .await
            .and_then(|response| coordinator.check(ApiKey::Heartbeat, response.error_code, None));
        let Err(error) = outcome else { continue };
        let rebalance =
            error.refusal().is_some_and(|refusal| refusal.is(ErrorCode::RebalanceInProgress));
        if rebalance {
            // It goes on: until this member has joined anew it must seem alive. Once said is enough.
            let _ = events.try_send(Event::Rebalance);
        } else if error.is_retriable() {
            coordinator.forget();
        } else {
            let _ = events.send(Event::Expelled(error)).await;
            return;
        }
    }
}
