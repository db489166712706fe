//! Where a record is.

use crate::types::Offset;

/// An offset, and where its batch begins on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    /// The offset.
    pub offset: Offset,
    /// The base offset of the segment.
    pub segment: Offset,
    /// The byte of the segment.
    pub byte: u32,
}

impl LogPosition {
    /// The beginning of an empty log, or of a segment.
    pub const fn segment_start(base_offset: Offset) -> Self {
        Self { offset: base_offset, segment: base_offset, byte: 0 }
    }
}
