//! What was done to a file or a directory and is not durable for certain.

use super::{Dice, Serial};

/// Something done that can be done again to another copy.
pub(super) trait Change: Clone {
    type To;
    fn apply(&self, to: &mut Self::To);
    /// Whether it matters which of the two is applied first.
    fn conflicts(&self, other: &Self) -> bool;
}

#[derive(Debug)]
pub(super) struct Unsynced<C> {
    changes: Vec<(Serial, C)>,
}

impl<C> Default for Unsynced<C> {
    fn default() -> Self {
        Self { changes: Vec::new() }
    }
}

impl<C: Change> Unsynced<C> {
    pub(super) fn push(&mut self, serial: Serial, change: C) {
        self.changes.push((serial, change));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &C> {
        self.changes.iter().map(|(_, change)| change)
    }

    pub(super) fn take(&mut self) -> impl Iterator<Item = C> {
        std::mem::take(&mut self.changes).into_iter().map(|(_, change)| change)
    }

    /// Makes durable what is covered, what has to go before that, and whatever else the dice choose.
    pub(super) fn sync(
        &mut self,
        is_covered: impl Fn(Serial) -> bool,
        durable: &mut C::To,
        dice: &mut Dice,
    ) {
        let mut needed: Vec<C> = Vec::new();
        let mut is_needed = vec![false; self.changes.len()];
        for (at, (serial, change)) in self.changes.iter().enumerate().rev() {
            if is_covered(*serial) || needed.iter().any(|later| change.conflicts(later)) {
                is_needed[at] = true;
                needed.push(change.clone());
            }
        }
        let changes = std::mem::take(&mut self.changes);
        for ((serial, change), is_needed) in changes.into_iter().zip(is_needed) {
            let is_free = self.iter().all(|kept| !kept.conflicts(&change));
            if is_needed || is_free && dice.percent(30) {
                change.apply(durable);
            } else {
                self.push(serial, change);
            }
        }
    }
}
