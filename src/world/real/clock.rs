//! The machine's clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ottla_core::{
    machine::Now,
    types::{Instant as CoreInstant, Timestamp},
};

use crate::world::Clock;

/// The machine's clocks: the monotonic one counts from the start of the process.
#[derive(Debug, Clone, Copy)]
pub struct RealClock {
    origin: Instant,
}

impl RealClock {
    /// A clock that begins now.
    #[expect(clippy::disallowed_methods, reason = "time enters here")]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "time enters here")]
    fn now(&self) -> Now {
        let instant = u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX);
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
        Now { instant: CoreInstant(instant), timestamp: Timestamp(timestamp) }
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
