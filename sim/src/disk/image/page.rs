//! A page: what the page cache has of it, and what the disk has.

use std::sync::Arc;

use super::file::Survival;
use crate::dice::Dice;

/// How much the page cache keeps, writes and forgets at once.
pub const PAGE_BYTES: usize = 4 << 10;
/// How much a disk writes at once: what is larger can tear.
pub const SECTOR_BYTES: usize = 512;

/// The bytes of a page, shared until somebody writes. What lies beyond their end is zero.
#[derive(Debug, Clone, Default)]
pub(super) struct Block(Option<Arc<Vec<u8>>>);

impl Block {
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether it is the same memory: then nothing was written since.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(own), Some(others)) => Arc::ptr_eq(own, others),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    pub(super) fn edit(&mut self) -> &mut Vec<u8> {
        Arc::make_mut(self.0.get_or_insert_default())
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        let block = self.edit();
        let end = at + bytes.len();
        if block.len() < end {
            block.resize(end, 0);
        }
        block[at..end].copy_from_slice(bytes);
    }

    /// Zeroes what lies from `at` on.
    pub(super) fn cut(&mut self, at: usize) {
        if at == 0 {
            self.0 = None;
        } else if self.bytes().len() > at {
            self.edit().truncate(at);
        }
    }

    fn sector(&self, sector: usize) -> &[u8] {
        let bytes = self.bytes();
        let end = bytes.len().min((sector + 1) * SECTOR_BYTES);
        &bytes[end.min(sector * SECTOR_BYTES)..end]
    }

    /// Puts the bytes of a sector in place of those that are there.
    fn set_sector(&mut self, sector: usize, bytes: &[u8]) {
        let (start, end) = (sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
        let there = self.bytes().len().min(end);
        if start < there {
            self.edit()[start..there].fill(0);
        }
        if !bytes.is_empty() {
            self.write(start, bytes);
        }
    }
}

/// A page of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    /// What is read.
    pub(super) cached: Block,
    /// What is there after a power loss.
    pub(super) durable: Block,
    /// When `cached` was written.
    pub(super) version: u64,
    /// Which version `durable` is.
    pub(super) durable_version: u64,
    /// Whether the page cache knows that the disk has yet to get it. One that is clean need not be durable: a sync may have
    /// failed.
    pub(super) is_dirty: bool,
}

/// What became of a page that was dirty when the power failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Torn {
    /// Sectors that did not get to the disk.
    pub(super) dropped: u64,
    /// Sectors that hold neither what they held nor what they should.
    pub(super) garbled: u64,
}

impl Page {
    /// Whether it is a hole everywhere.
    pub(super) const fn is_nothing(&self) -> bool {
        self.cached.is_empty() && self.durable.is_empty()
    }

    /// The power fails while it is dirty. `kept` of its bytes were durable before.
    pub(super) fn survive(
        &mut self,
        survival: Survival,
        kept: usize,
        is_wild: bool,
        dice: &mut Dice,
    ) -> Torn {
        let is_kept = match survival {
            Survival::All => true,
            Survival::Nothing => false,
            Survival::Pages => dice.coin(),
            Survival::Torn => match dice.below(3) {
                0 => true,
                1 => false,
                _ => return self.tear(kept, is_wild, dice),
            },
        };
        if is_kept {
            self.durable = self.cached.clone();
            return Torn::default();
        }
        Torn { dropped: 1, garbled: 0 }
    }

    /// Drops what the page cache has and need not keep.
    pub(super) fn drop_clean(&mut self) -> bool {
        let is_news = !self.is_dirty && !self.cached.is_same(&self.durable);
        if is_news {
            self.cached = self.durable.clone();
            self.version = self.durable_version;
        }
        is_news
    }

    /// The disk has a version of it. Says whether that is newer than what it had.
    pub(super) fn reach_disk(&mut self, block: &Block, version: u64) -> bool {
        if version == self.version {
            self.is_dirty = false;
        }
        let is_news = version > self.durable_version;
        if is_news {
            self.durable = block.clone();
            self.durable_version = version;
        }
        is_news
    }

    /// Some of its sectors reach the disk, after FoundationDB's `AsyncFileNonDurable`: a quarter are well; of the others two
    /// thirds are bad, and the rest is as it was. `kept` bytes of the page were durable before: a disk that destroys them while
    /// it writes their neighbours is none that one could build on, and only `is_wild` ones do.
    fn tear(&mut self, kept: usize, is_wild: bool, dice: &mut Dice) -> Torn {
        let mut torn = Torn::default();
        let sectors = self.cached.bytes().len().max(self.durable.bytes().len());
        let cached = self.cached.clone();
        for sector in 0..sectors.div_ceil(SECTOR_BYTES) {
            let new = cached.sector(sector);
            if new == self.durable.sector(sector) {
                continue;
            }
            let may_garble = is_wild || sector * SECTOR_BYTES >= kept;
            if dice.below(4) == 0 {
                self.durable.set_sector(sector, new);
            } else if dice.below(3) < 2 && may_garble && !new.is_empty() {
                let bad = garble(new, self.durable.sector(sector), dice);
                self.durable.set_sector(sector, &bad);
                torn.garbled += 1;
            } else {
                torn.dropped += 1;
            }
        }
        torn
    }
}

/// A sector of which the left part, the right part, or nothing arrived; in place of the rest there is what was there, or garbage.
fn garble(new: &[u8], old: &[u8], dice: &mut Dice) -> Vec<u8> {
    let split = dice.index(new.len() + 1);
    let bad = match dice.below(3) {
        0 => 0..split,
        1 => split..new.len(),
        _ => 0..new.len(),
    };
    let mut sector = new.to_vec();
    let is_garbage = dice.coin();
    for at in bad {
        sector[at] = if is_garbage {
            u8::try_from(dice.below(256)).unwrap_or_default()
        } else {
            old.get(at).copied().unwrap_or_default()
        };
    }
    sector
}
