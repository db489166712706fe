//! The wall clock.
#![expect(clippy::disallowed_methods, reason = "the client's only look at the wall clock is here")]

use std::time::{SystemTime, UNIX_EPOCH};

use ottla_core::types::Timestamp;

/// What the wall clock says.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A number that is not the same for everybody.
pub(crate) fn arbitrary() -> usize {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.subsec_nanos() as usize
}
