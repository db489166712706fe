//! The operator's wish to end early, and pauses that it ends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::CompareError;

/// How long a wish may go unnoticed in a pause.
const STEP: Duration = Duration::from_millis(20);

/// The operator's wish to end early. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Fails if it is time to end.
    pub(super) fn check(&self) -> Result<(), CompareError> {
        if self.0.load(Ordering::Relaxed) { Err(CompareError::Interrupted) } else { Ok(()) }
    }

    /// Sleeps, unless it is time to end.
    pub(super) fn pause(&self, time: Duration) -> Result<(), CompareError> {
        let end = Instant::now() + time;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(STEP));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_when_it_is_interrupted() {
        let interrupt = Interrupt::default();
        assert_eq!(interrupt.pause(Duration::from_millis(1)), Ok(()));
        interrupt.clone().set();
        assert_eq!(interrupt.pause(Duration::from_secs(3600)), Err(CompareError::Interrupted));
    }
}
