//! A fetch that waits until there are enough records, or its time is over.

use alloc::vec::Vec;

use super::{Outcome, Part, PendingFetch};
use crate::{
    api::Pending,
    log::LogPosition,
    session::RequestId,
    shard::{Shard, Step},
    types::ErrorCode,
};

/// What a part could be answered with.
struct Available {
    bytes: u32,
    /// No more will come to it: the next segment has begun.
    is_all: bool,
}

impl Shard {
    pub(super) fn has_enough(&self, fetch: &PendingFetch) -> bool {
        if fetch.is_due {
            return true;
        }
        let mut known = fetch.parts.iter().filter(|part| !part.is_unknown()).peekable();
        if known.peek().is_none() {
            return true;
        }
        // Partitions that are not known do not end the wait, or clients that hope for them would ask without pause.
        let mut bytes = 0_u64;
        for part in known {
            match part.outcome {
                Outcome::Failed(_) | Outcome::Diverging { .. } => return true,
                Outcome::Nothing | Outcome::Records(_) => {
                    let Some(available) = self.available(part) else { continue };
                    // An answer has records of one segment alone: no more come to those behind which the next one begins.
                    if available.is_all {
                        return true;
                    }
                    let most = u32::try_from(part.terms.bytes_max).unwrap_or_default();
                    bytes += u64::from(available.bytes.min(most));
                }
            }
        }
        bytes >= u64::from(fetch.min_bytes)
    }

    fn available(&self, part: &Part) -> Option<Available> {
        let partition = self.partition(part.slot?)?;
        let limit = partition.high_watermark();
        let (from, bytes) = partition.log()?.available(self.position(part)?, limit)?;
        Some(Available { bytes, is_all: from.segment < limit.segment })
    }

    /// Where the part's records begin, unless they have moved since that was found.
    pub(super) fn position(&self, part: &Part) -> Option<LogPosition> {
        let layout = self.partition(part.slot?)?.layout();
        part.position.filter(|(found_in, _)| *found_in == layout).map(|(_, position)| position)
    }

    pub(super) fn watch(&mut self, id: RequestId) {
        let Some(Pending::Fetch(fetch)) = self.pending.get(&id) else { return };
        for slot in fetch.parts.iter().filter_map(|part| part.slot) {
            self.watchers.entry(slot).or_default().insert(id);
        }
    }

    pub(super) fn unwatch(&mut self, id: RequestId) {
        let Some(Pending::Fetch(fetch)) = self.pending.get(&id) else { return };
        for slot in fetch.parts.iter().filter_map(|part| part.slot) {
            if let Some(watchers) = self.watchers.get_mut(&slot)
                && watchers.remove(&id)
                && watchers.is_empty()
            {
                self.watchers.remove(&slot);
            }
        }
    }

    /// There is more to read in a partition, or something is wrong with it.
    pub(crate) fn wake_watchers(&mut self, slot: u32, step: &mut Step<'_>) {
        let Some(watchers) = self.watchers.get(&slot) else { return };
        for id in watchers.iter().copied().collect::<Vec<_>>() {
            let Some(Pending::Fetch(mut fetch)) = self.pending.remove(&id) else { continue };
            if self.partition(slot).is_none_or(|partition| partition.log().is_none()) {
                for part in fetch.parts.iter_mut().filter(|part| part.slot == Some(slot)) {
                    part.outcome = Outcome::Failed(match self.partition(slot) {
                        Some(_) => ErrorCode::KafkaStorageError,
                        None => ErrorCode::UnknownTopicOrPartition,
                    });
                }
            }
            self.locate_parts(id, &mut fetch, Some(slot), step);
            self.pending.insert(id, Pending::Fetch(fetch));
            self.go_on_fetching(id, step);
        }
    }

    /// A fetch has waited long enough.
    pub(crate) fn fetch_is_due(&mut self, id: RequestId, step: &mut Step<'_>) {
        if let Some(Pending::Fetch(fetch)) = self.pending.get_mut(&id) {
            fetch.is_due = true;
            self.go_on_fetching(id, step);
        }
    }
}
