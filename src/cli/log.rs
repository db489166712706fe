//! The log: lines on standard error.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// How much is told: `error`, `warn`, `info`, `debug` or `trace`.
const LEVEL: &str = "OTTLA_LOG_LEVEL";

/// Begins to write the log.
pub(super) fn begin() {
    let level = std::env::var(LEVEL).ok().and_then(|level| level.parse().ok());
    let level: LevelFilter = level.unwrap_or(LevelFilter::INFO);
    // openraft tells each step of its algorithm, at a level that is meant for events.
    let targets =
        Targets::new().with_default(level).with_target("openraft", level.min(LevelFilter::ERROR));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    tracing_subscriber::registry().with(targets).with(lines).init();
}
