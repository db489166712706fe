//! All configurations.

use crate::{advisor, delivery, group, harness::Configuration, replication};

/// All configurations, the small ones first.
pub fn all() -> Vec<Configuration> {
    let mut all = replication::configurations::all();
    all.extend(group::configurations::all());
    all.extend(delivery::configurations::all());
    all.extend(advisor::beyond::configurations());
    all.sort_by_key(|known| known.size);
    all
}
