//! Compaction.

/// The extension of batches that compaction is writing.
pub const CLEANED_LOG: &str = "log.cleaned";
/// The extension of the offset index to them.
pub const CLEANED_INDEX: &str = "index.cleaned";
/// The extension of the time index to them.
pub const CLEANED_TIME_INDEX: &str = "timeindex.cleaned";
