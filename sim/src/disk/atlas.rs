//! Where disks may spoil what is durable.
//!
//! What was acknowledged is lost if every copy of it is. So that not being recovered is always a bug, and never too much chaos,
//! the places to spoil are chosen before anything happens: each area of the replicated data may be spoilt on so many machines and
//! no others.

use super::image::Spot;
use crate::node::NodeIndex;

/// How many consecutive pages of a file share their fate.
const PAGES_PER_AREA: usize = 16;

/// Where the disk of a machine may spoil what is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Atlas {
    /// Nowhere: what was acknowledged has no other copy.
    #[default]
    Spared,
    /// In areas that enough other machines keep.
    Areas {
        /// What decides which.
        seed: u64,
        /// Of how many machines.
        machines: u8,
        /// On how many of them an area may be spoilt.
        spoilt_max: u8,
    },
    /// Anywhere. Nobody may expect to get back what was acknowledged, only to be told so.
    Everywhere,
}

impl Atlas {
    /// Whether what was acknowledged must be there in the end.
    pub fn demands_recovery(&self) -> bool {
        *self != Self::Everywhere
    }

    /// Whether a whole disk may be lost.
    pub fn allows_wipe(&self, node: NodeIndex) -> bool {
        match self {
            Self::Spared => false,
            // A disk is an area of its own: the others of the same machines may be spoilt, but not those of any other.
            Self::Areas { .. } => self.is_spoilt_area(node, "", "disk", 0),
            Self::Everywhere => true,
        }
    }

    /// Whether a page may be spoilt on this machine.
    pub fn allows(&self, node: NodeIndex, spot: &Spot) -> bool {
        match self {
            Self::Spared => false,
            Self::Areas { .. } => {
                self.is_spoilt_area(node, &spot.directory, &spot.file, spot.page / PAGES_PER_AREA)
            }
            Self::Everywhere => true,
        }
    }

    fn is_spoilt_area(&self, node: NodeIndex, directory: &str, file: &str, area: usize) -> bool {
        let &Self::Areas { seed, machines, spoilt_max } = self else { return false };
        // What is not a log belongs to the logs as a whole.
        let is_log = file.ends_with(".log");
        let area = if is_log { area as u64 } else { 0 };
        let names = directory.bytes().chain(file.bytes().filter(|_| is_log)).map(u64::from);
        let hash = names.chain([area]).fold(seed, |hash, number| {
            (hash ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        });
        let first = (hash >> 7) % u64::from(machines.max(1));
        let rank = (u64::from(node.0) + u64::from(machines) - first) % u64::from(machines.max(1));
        rank < u64::from(spoilt_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_area_is_kept_by_enough_machines() {
        let atlas = Atlas::Areas { seed: 7, machines: 3, spoilt_max: 1 };
        let mut spoilt = [0; 3];
        for area in 0..300 {
            let allowed: Vec<_> = (0..3)
                .filter(|node| atlas.is_spoilt_area(NodeIndex(*node), "t-0", "1.log", area))
                .collect();
            assert_eq!(allowed.len(), 1);
            spoilt[usize::from(allowed[0])] += 1;
        }
        assert!(spoilt.iter().all(|count| *count > 50), "{spoilt:?}");
    }

    #[test]
    fn a_single_copy_is_spared() {
        assert!(!Atlas::Spared.allows_wipe(NodeIndex(0)));
        assert!(Atlas::Everywhere.allows_wipe(NodeIndex(0)));
        assert!(!Atlas::Everywhere.demands_recovery());
    }
}
