//! What the loader's thread shares with the operator: the wish to stop, and progress.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{BenchError, meter::Goal};

/// How long nothing may move.
const STALL_MAX: Duration = Duration::from_secs(60);
/// How often progress is shown: drawing costs what the loader should not.
const DRAW_INTERVAL: Duration = Duration::from_millis(250);

/// Set to have the loader stop early.
pub(super) type Stop = Arc<AtomicBool>;

/// Watches over one run.
#[derive(Debug)]
pub(super) struct Control {
    stop: Stop,
    bar: ProgressBar,
    goal: Goal,
    drawn: Instant,
    moved: Instant,
}

impl Control {
    /// The bar is drawn on standard error, if that is a terminal.
    pub(super) fn new(stop: Stop, goal: Goal, label: &'static str) -> Self {
        let (length, template) = match goal {
            Goal::Bytes(bytes) => (
                bytes,
                "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}",
            ),
            Goal::Time(time) => (milliseconds(time), "{msg} {wide_bar} {elapsed}"),
        };
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(label);
        let now = Instant::now();
        Self { stop, bar, goal, drawn: now, moved: now }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Something went forward.
    #[inline]
    pub(super) fn moved(&mut self, now: Instant) {
        self.moved = now;
    }

    /// Shows how far it is since `begins`, and notices when nothing moves.
    pub(super) fn tick(
        &mut self,
        now: Instant,
        begins: Instant,
        bytes: u64,
    ) -> Result<(), BenchError> {
        if now.saturating_duration_since(self.moved) > STALL_MAX {
            return Err(BenchError::Stalled(STALL_MAX));
        }
        if now.saturating_duration_since(self.drawn) > DRAW_INTERVAL {
            self.drawn = now;
            self.bar.set_position(match self.goal {
                Goal::Bytes(_) => bytes,
                Goal::Time(_) => milliseconds(now.saturating_duration_since(begins)),
            });
        }
        Ok(())
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
