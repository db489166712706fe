//! What happens when time passes.

use alloc::collections::{BTreeMap, BTreeSet};

use super::{Shard, Step};
use crate::{session::RequestId, types::Instant};

/// Why a shard wants to be called at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// A fetch has waited long enough.
    Fetch(RequestId),
    /// Requests may have waited longer than their clients want.
    Requests,
    /// A partition's `flush.ms` is over.
    Flush(u32),
    /// The recovery points are to be moved.
    Checkpoint,
    /// Old segments are to be looked for, and idle producers.
    Retention,
    /// Something is due in a coordinator's groups.
    Groups(u32),
    /// Expired offsets are to be looked for.
    Offsets,
    /// Something may have to be compacted.
    Cleaner,
    /// In-sync replicas are to be asked for again.
    Alterations,
}

/// The timers, each of a kind at most once.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Instant, Timer)>,
    by_kind: BTreeMap<Timer, Instant>,
}

impl Timers {
    pub(super) fn first(&self) -> Option<(Instant, Timer)> {
        self.by_time.first().copied()
    }

    fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let due = self.by_time.first().copied().filter(|(at, _)| *at <= now)?;
        let (_, timer) = due;
        self.by_time.remove(&due);
        self.by_kind.remove(&timer);
        Some(timer)
    }
}

impl Shard {
    /// Sets a timer, in place of an earlier setting.
    pub(crate) fn set_timer(&mut self, timer: Timer, at: Instant) {
        self.clear_timer(timer);
        self.timers.by_time.insert((at, timer));
        self.timers.by_kind.insert(timer, at);
    }

    /// Sets a timer, unless it is set for an earlier time already.
    pub(crate) fn set_timer_no_later(&mut self, timer: Timer, at: Instant) {
        if self.timers.by_kind.get(&timer).is_none_or(|set| *set > at) {
            self.set_timer(timer, at);
        }
    }

    /// Takes a timer back.
    pub(crate) fn clear_timer(&mut self, timer: Timer) {
        if let Some(at) = self.timers.by_kind.remove(&timer) {
            self.timers.by_time.remove(&(at, timer));
        }
    }

    pub(super) fn take_timeouts(&mut self, step: &mut Step<'_>) {
        while let Some(timer) = self.timers.pop_due(step.now.instant) {
            match timer {
                Timer::Fetch(request) => self.fetch_is_due(request, step),
                Timer::Requests => self.expire_requests(step),
                Timer::Flush(slot) => self.note_dirty(slot, step),
                Timer::Checkpoint => self.begin_checkpoint(step),
                Timer::Retention => self.delete_old(step),
                Timer::Groups(index) => self.groups_are_due(index, step),
                Timer::Offsets => self.expire_offsets(step),
                Timer::Cleaner => self.look_for_dirt(step),
                Timer::Alterations => self.ask_for_alterations_again(step),
            }
            self.process_events(step);
        }
    }
}
