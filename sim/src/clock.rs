//! The clocks of a machine: a monotonic one that drifts, and a wall clock that jumps besides.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ottla::world;
use ottla_core::{
    machine::Now,
    types::{Instant, Timestamp},
};

use crate::{dice::nanos, timers::Timers};

/// When the wall clocks begin: 2026-01-01, in milliseconds.
pub const EPOCH_MS: i64 = 1_767_225_600_000;

/// The clocks of a machine. Clones share them.
#[derive(Debug, Clone)]
pub struct NodeClock {
    timers: Timers,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// When the rate was set: in the world's time and in the machine's.
    since: u64,
    base: u64,
    /// By how many millionths the clock runs too fast.
    rate: i64,
    /// By how much the wall clock is ahead of the monotonic one.
    wall_ms: i64,
}

impl State {
    fn monotonic(&self, now: u64) -> u64 {
        let passed = i128::from(now - self.since);
        let own = passed + passed * i128::from(self.rate) / 1_000_000;
        self.base + u64::try_from(own).unwrap_or_default()
    }
}

impl NodeClock {
    /// Clocks that are right, but for `ahead_ms`.
    pub fn new(timers: Timers, ahead_ms: i64) -> Self {
        let wall_ms = EPOCH_MS + ahead_ms;
        let state = State { since: timers.now(), base: 1_000_000_000, rate: 0, wall_ms };
        Self { timers, state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has both run too fast by so many millionths, or too slow.
    pub fn set_rate(&self, rate: i64) {
        let now = self.timers.now();
        let mut state = self.state();
        state.base = state.monotonic(now);
        state.since = now;
        state.rate = rate;
    }

    /// Has the wall clock jump.
    pub fn jump(&self, by_ms: i64) {
        self.state().wall_ms += by_ms;
    }

    /// How long it takes in the world until so much has passed here.
    fn in_the_world(&self, duration: Duration) -> Duration {
        let rate = i128::from(self.state().rate) + 1_000_000;
        let own = i128::from(nanos(duration)) * 1_000_000;
        // Not before it is over.
        Duration::from_nanos(u64::try_from((own + rate - 1) / rate).unwrap_or(u64::MAX))
    }
}

impl world::Clock for NodeClock {
    fn now(&self) -> Now {
        let now = self.timers.now();
        let state = self.state();
        let micros = state.monotonic(now) / 1_000;
        let millis = i64::try_from(micros / 1_000).unwrap_or_default();
        Now { instant: Instant(micros), timestamp: Timestamp(state.wall_ms + millis) }
    }

    async fn sleep(&self, duration: Duration) {
        // A clock in microseconds has reached an instant up to one of them late.
        let duration = self.in_the_world(duration.saturating_add(Duration::from_micros(1)));
        self.timers.sleep(duration).await;
    }
}
