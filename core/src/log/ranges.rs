//! Sets of bytes.

use alloc::vec::Vec;
use core::{iter, ops::Range};

/// Which bytes of a segment are known to hold intact batches: ranges that neither touch nor overlap, in order, each from the
/// beginning of a batch to the end of one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranges {
    ranges: Vec<Range<u32>>,
}

impl Ranges {
    /// Adds a range.
    pub fn insert(&mut self, range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        // Appends come at the end.
        if let Some(last) = self.ranges.last_mut()
            && last.end == range.start
        {
            last.end = range.end;
            return;
        }
        let first = self.ranges.partition_point(|known| known.end < range.start);
        let after = self.ranges.partition_point(|known| known.start <= range.end);
        let start =
            self.ranges.get(first).map_or(range.start, |known| known.start.min(range.start));
        let end =
            self.ranges[first..after].last().map_or(range.end, |known| known.end.max(range.end));
        self.ranges.splice(first..after, iter::once(start.min(range.start)..end));
    }

    /// Where the known bytes end that `position` is the first or one of.
    pub fn end_from(&self, position: u32) -> Option<u32> {
        let index = self.ranges.partition_point(|known| known.end <= position);
        self.ranges.get(index).filter(|known| known.start <= position).map(|known| known.end)
    }

    /// Forgets everything from `position` on.
    pub fn truncate(&mut self, position: u32) {
        self.ranges.retain(|known| known.start < position);
        if let Some(last) = self.ranges.last_mut() {
            last.end = last.end.min(position);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_set_of_bytes(inserts in prop::collection::vec((0_u32..60, 0_u32..12), 0..20), cut in 0_u32..80) {
            let mut ranges = Ranges::default();
            let mut bytes = [false; 80];
            for (start, length) in inserts {
                ranges.insert(start..start + length);
                bytes[start as usize..(start + length) as usize].fill(true);
            }
            for truncated in [false, true] {
                if truncated {
                    ranges.truncate(cut);
                    bytes[cut as usize..].fill(false);
                }
                for position in 0..80_u32 {
                    let expected = bytes[position as usize].then(|| {
                        (position..80).find(|&at| !bytes[at as usize]).unwrap_or(80)
                    });
                    prop_assert_eq!(ranges.end_from(position), expected);
                }
                for pair in ranges.ranges.windows(2) {
                    prop_assert!(pair[0].end < pair[1].start);
                }
            }
        }
    }
}
