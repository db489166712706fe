//! What is common to all models: how they are searched, walked, looked at and judged.

mod clock;
mod configuration;
mod exhaust;
mod outcome;
mod search;
mod subject;
mod walk;

#[cfg(test)]
mod toy;

pub use clock::{Stopwatch, peak_memory_mib};
pub use configuration::{Caught, Configuration, Size, Verdict};
pub use outcome::{Outcome, Progress, Violation};
pub use search::{Limits, search};
pub use subject::{Line, Order, Story, Subject};
pub use walk::{Walks, WalksOutcome};
