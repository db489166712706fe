//! What is common to all models: how they are searched, walked, looked at and judged.

mod clock;
mod configuration;
#[cfg(feature = "checker")]
mod exhaust;
mod model;
mod outcome;
mod schedule;
mod search;
mod subject;
mod walk;

#[cfg(all(test, feature = "checker"))]
mod toy;

pub use clock::{Stopwatch, peak_memory_mib};
pub use configuration::{Caught, Configuration, Size, Verdict};
pub use model::{Expectation, Model, Property};
pub use outcome::{Outcome, Progress, Violation, counted};
pub use schedule::Replayed;
pub(crate) use schedule::replay;
pub use search::{Limits, search, visit_all};
pub use subject::{Line, Order, Story, Subject};
pub use walk::{Walks, WalksOutcome};
