//! What a file holds: in the page cache, and on the disk.

use ottla_core::types::Timestamp;

use super::{
    Dice, Serial,
    unsynced::{Change, Unsynced},
};

/// How much the disk writes at once: what is larger can tear.
const SECTOR_BYTES: usize = 64;

#[derive(Debug, Clone)]
pub(super) enum Edit {
    Write { position: u64, bytes: Vec<u8> },
    Truncate { length: u64 },
}

#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) cached: Vec<u8>,
    durable: Vec<u8>,
    edits: Unsynced<Edit>,
    pub(super) modified: Timestamp,
}

fn index(position: u64) -> usize {
    usize::try_from(position).expect("files are small")
}

impl Change for Edit {
    type To = Vec<u8>;

    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { position, bytes: new } => {
                let (start, end) = (index(*position), index(*position) + new.len());
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[start..end].copy_from_slice(new);
            }
            Self::Truncate { length } => bytes.resize(index(*length), 0),
        }
    }

    fn conflicts(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Write { position: a, bytes: first },
                Self::Write { position: b, bytes: second },
            ) => *a < b + second.len() as u64 && *b < a + first.len() as u64,
            (Self::Truncate { .. }, _) | (_, Self::Truncate { .. }) => true,
        }
    }
}

impl Edit {
    /// Applies those sectors of it that the dice choose.
    fn apply_torn(&self, bytes: &mut Vec<u8>, dice: &mut Dice) {
        let Self::Write { position, bytes: new } = self else { return self.apply(bytes) };
        for (at, sector) in (0..).step_by(SECTOR_BYTES).zip(new.chunks(SECTOR_BYTES)) {
            if dice.percent(50) {
                let position = position + at;
                Self::Write { position, bytes: sector.to_vec() }.apply(bytes);
            }
        }
    }
}

impl Content {
    pub(super) fn new(modified: Timestamp) -> Self {
        Self { modified, ..Self::default() }
    }

    pub(super) fn change(&mut self, edit: Edit, serial: Serial) {
        edit.apply(&mut self.cached);
        self.edits.push(serial, edit);
    }

    pub(super) fn sync(&mut self, is_covered: impl Fn(Serial) -> bool, dice: &mut Dice) {
        self.edits.sync(is_covered, &mut self.durable, dice);
    }

    /// A sync has failed: what it was to write is durable or lost, and nobody will ever try again. Returns whether anything is.
    pub(super) fn lose_some(&mut self, dice: &mut Dice) -> bool {
        let mut is_lost = false;
        for edit in self.edits.take() {
            if dice.percent(50) {
                edit.apply(&mut self.durable);
            } else {
                is_lost = true;
            }
        }
        is_lost
    }

    /// How long the file is does not lie in the page cache.
    pub(super) fn drop_cache(&mut self) {
        let length = self.cached.len();
        self.cached.clone_from(&self.durable);
        for edit in self.edits.iter() {
            edit.apply(&mut self.cached);
        }
        self.cached.resize(length, 0);
    }

    pub(super) fn damage(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.cached);
        self.durable.clone_from(&self.cached);
        let _ = self.edits.take();
    }

    pub(super) fn crash(&mut self, kept_percent: usize, dice: &mut Dice) {
        for edit in self.edits.take() {
            if dice.percent(kept_percent) {
                edit.apply(&mut self.durable);
            } else if dice.percent(kept_percent) {
                edit.apply_torn(&mut self.durable, dice);
            }
        }
        self.cached.clone_from(&self.durable);
    }
}
