//! All configurations.

use crate::harness::Configuration;

/// All configurations, the small ones first.
pub fn all() -> Vec<Configuration> {
    crate::replication::configurations::all()
}
