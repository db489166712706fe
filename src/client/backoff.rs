//! Waiting longer each time.

use std::time::Duration;

use tokio::time::{Instant, sleep};

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// The pauses between attempts.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    deadline: Option<Instant>,
    next: Duration,
}

impl Backoff {
    /// Attempts are made until somebody else ends them.
    pub(super) fn unlimited() -> Self {
        Self { deadline: None, next: FIRST }
    }

    /// Attempts are made for this long.
    pub(super) fn for_at_most(limit: Duration) -> Self {
        Self { deadline: Some(Instant::now() + limit), next: FIRST }
    }

    /// The next pause is short again.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// Pauses, and says whether there is time for another attempt.
    pub(super) async fn pause(&mut self) -> bool {
        if self.deadline.is_some_and(|deadline| Instant::now() + self.next > deadline) {
            return false;
        }
        sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST);
        true
    }
}
