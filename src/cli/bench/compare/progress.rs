//! How far a comparison is, on standard error.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TEMPLATE: &str = "{msg}\n{wide_bar} {pos}/{len} {elapsed}, {eta} to go";

/// How far a comparison is: a bar on a terminal, a line for each step elsewhere.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    steps: u64,
    step: u64,
}

impl Progress {
    pub(super) fn new(steps: u64) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, steps, step: 0 }
    }

    /// Says what is done now.
    pub(super) fn say(&self, text: String) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(text);
                bar.tick();
            }
            None => eprintln!("[{}/{}] {text}", self.step, self.steps),
        }
    }

    /// Something is done.
    pub(super) fn step(&mut self) {
        self.step += 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Says something that stays.
    pub(super) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
