//! What to compact, and how much at a time.

use alloc::{collections::VecDeque, vec::Vec};
use core::ops::Range;

use crate::{
    disk::FileRef,
    log::{Log, Segment},
    types::{Offset, Timestamp},
};

/// What of a log could be compacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirt {
    /// The dirty part, as far as it may be looked at.
    pub range: Range<Offset>,
    /// How large it is.
    pub dirty_bytes: u64,
    /// How large the part before it is.
    pub clean_bytes: u64,
    /// A record in it has waited for `max.compaction.lag.ms`.
    pub is_overdue: bool,
}

impl Dirt {
    /// The dirty part of the whole, in thousandths.
    pub fn permille(&self) -> u64 {
        let total = self.dirty_bytes + self.clean_bytes;
        (self.dirty_bytes * 1_000).checked_div(total).unwrap_or_default()
    }
}

/// A segment that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) base_offset: Offset,
    pub(super) next_base: Offset,
    pub(super) file: FileRef,
    pub(super) size_bytes: u32,
    index_bytes: u32,
    time_index_bytes: u32,
}

impl Source {
    /// No record of it has this offset or a later one: they are the next segment's, or too far from the base offset.
    pub(super) fn offsets_end(&self) -> Offset {
        self.next_base.min(Offset(self.base_offset.0.saturating_add(i64::from(i32::MAX) + 1)))
    }
}

impl Log {
    /// What could be compacted, if anything.
    ///
    /// Only segments that lie below the recovery point as a whole are touched, and not the one in which it lies: its snapshot
    /// says at which byte recovery begins.
    pub fn dirt(&self, now: Timestamp) -> Option<Dirt> {
        if !self.config.compact || self.is_replacing || self.cut.is_some() {
            return None;
        }
        let from = self.cleaned_to.max(self.start_offset);
        let mut dirt =
            Dirt { range: from..from, dirty_bytes: 0, clean_bytes: 0, is_overdue: false };
        for pair in self.segments.windows(2) {
            let [segment, next] = pair else { break };
            if next.base_offset <= from {
                dirt.clean_bytes += u64::from(segment.size_bytes);
                continue;
            }
            let lag = now.0.saturating_sub(segment.retention_timestamp().0);
            let is_settled = next.base_offset < self.recovery_point;
            if !is_settled || lag < self.config.min_compaction_lag_ms {
                break;
            }
            dirt.dirty_bytes += u64::from(segment.size_bytes);
            dirt.range.end = next.base_offset;
            dirt.is_overdue |= self.has_waited_long(segment, now);
        }
        (dirt.range.end > from).then_some(dirt)
    }

    fn has_waited_long(&self, segment: &Segment, now: Timestamp) -> bool {
        let first = segment.first_timestamp.filter(|first| first.0 >= 0);
        let first = first.unwrap_or_else(|| segment.retention_timestamp());
        now.0.saturating_sub(first.0) > self.config.max_compaction_lag_ms
    }

    fn source(&self, index: usize) -> Option<Source> {
        let segment = self.segments.get(index)?;
        Some(Source {
            base_offset: segment.base_offset,
            next_base: self.segments.get(index + 1)?.base_offset,
            file: segment.file,
            size_bytes: segment.size_bytes,
            index_bytes: segment.offset_index.size_bytes(),
            time_index_bytes: segment.time_index.size_bytes(),
        })
    }

    /// The segments that hold these offsets. The last one of the log is not among them.
    pub(super) fn sources(&self, range: Range<Offset>) -> VecDeque<Source> {
        let sources = (0..self.segments.len()).filter_map(|index| self.source(index));
        sources
            .filter(|source| source.next_base > range.start && source.base_offset < range.end)
            .collect()
    }

    /// The segments below `limit`, by groups that will fit into one segment.
    pub(super) fn groups(&self, limit: Offset) -> VecDeque<Vec<Source>> {
        let mut groups: VecDeque<Vec<Source>> = VecDeque::new();
        for source in self.sources(Offset::ZERO..limit) {
            match groups.back_mut() {
                Some(group) if self.fits(group, &source) => group.push(source),
                Some(_) | None => groups.push_back([source].into()),
            }
        }
        groups
    }

    fn fits(&self, group: &[Source], another: &Source) -> bool {
        let sum = |bytes: fn(&Source) -> u32| -> u64 {
            group.iter().chain([another]).map(|source| u64::from(bytes(source))).sum()
        };
        let span = group.first().map_or(0, |first| another.next_base - first.base_offset);
        sum(|source| source.size_bytes) <= u64::from(self.config.segment_bytes)
            && sum(|source| source.index_bytes) <= u64::from(self.config.segment_index_bytes)
            && sum(|source| source.time_index_bytes) <= u64::from(self.config.segment_index_bytes)
            && span <= i64::from(i32::MAX)
    }

    /// Whether these segments are still what they were.
    pub(super) fn holds(&self, group: &[Source]) -> bool {
        let Some(first) = group.first().and_then(|first| self.segment_index(first.base_offset))
        else {
            return false;
        };
        group
            .iter()
            .zip(first..)
            .all(|(source, index)| self.source(index).is_some_and(|now| now == *source))
    }
}
