//! Ids for idempotent producers: taken from the cluster in blocks, given out one by one.

use alloc::vec::Vec;

use super::{Shard, Step};
use crate::{
    api::Proposed,
    metadata::{Outcome, command::AllocateProducerIds},
    session::RequestId,
    types::ProducerId,
};

/// How many ids a block has, as Kafka's.
const BLOCK: i32 = 1_000;

/// The ids that this shard may give out.
#[derive(Debug, Default)]
pub(crate) struct ProducerIds {
    next: i64,
    left: i32,
    /// Requests that wait for a block.
    waiting: Vec<RequestId>,
}

impl Shard {
    /// Gives a producer its id: at once, or when a new block has come.
    pub(crate) fn give_producer_id(&mut self, request: RequestId, step: &mut Step<'_>) {
        if let Some(id) = self.producer_ids.take() {
            self.producer_id_given(request, Some(id), step);
            return;
        }
        self.producer_ids.waiting.push(request);
        if self.producer_ids.waiting.len() == 1 {
            let broker_id = self.broker_id.0;
            let command = AllocateProducerIds { broker_id, count: BLOCK };
            self.propose([command.into()].into(), Proposed::ProducerIds, step);
        }
    }

    /// The block has come, or none can be had.
    pub(crate) fn take_producer_ids(&mut self, outcome: Option<&Outcome>, step: &mut Step<'_>) {
        if let Some(Outcome::ProducerIds { first, count }) = outcome {
            self.producer_ids.next = *first;
            self.producer_ids.left = *count;
        }
        for request in core::mem::take(&mut self.producer_ids.waiting) {
            let id = self.producer_ids.take();
            self.producer_id_given(request, id, step);
        }
    }
}

impl ProducerIds {
    fn take(&mut self) -> Option<ProducerId> {
        if self.left == 0 {
            return None;
        }
        let id = ProducerId(self.next);
        self.next += 1;
        self.left -= 1;
        Some(id)
    }
}
