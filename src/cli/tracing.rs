//! What is told on standard error while a command runs.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// How much is told: `error`, `warn`, `info`, `debug` or `trace`.
const LEVEL: &str = "OTTLA_LOG_LEVEL";

/// Who tells.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    /// A broker, which logs each event worth waking for.
    Broker,
    /// A command, which speaks by its output.
    Command {
        /// Whether to tell what happens on the way.
        verbose: bool,
    },
}

/// Begins to write lines.
pub(super) fn begin(told: Told) {
    let level = std::env::var(LEVEL).ok().and_then(|level| level.parse().ok());
    let level: LevelFilter = match told {
        Told::Broker => level.unwrap_or(LevelFilter::INFO),
        Told::Command { verbose: true } => LevelFilter::DEBUG,
        Told::Command { verbose: false } => level.unwrap_or(LevelFilter::WARN),
    };
    // openraft tells each step of its algorithm, at a level that is meant for events.
    let targets =
        Targets::new().with_default(level).with_target("openraft", level.min(LevelFilter::ERROR));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    tracing_subscriber::registry().with(targets).with(lines).init();
}
