//! What a directory names: in memory, and on the disk.

use std::collections::BTreeMap;

use super::{
    Dice, Serial,
    unsynced::{Change, Unsynced},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    File(u64),
    Directory(u64),
}

#[derive(Debug, Clone)]
pub(super) enum Relink {
    Link { name: String, node: Node },
    Unlink { name: String },
    Move { from: String, to: String, node: Node },
}

#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) cached: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    relinks: Unsynced<Relink>,
}

impl Change for Relink {
    type To = BTreeMap<String, Node>;

    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        match self {
            Self::Link { name, node } => {
                names.insert(name.clone(), *node);
            }
            Self::Unlink { name } => {
                names.remove(name);
            }
            Self::Move { from, to, node } => {
                if names.get(from) == Some(node) {
                    names.remove(from);
                }
                names.insert(to.clone(), *node);
            }
        }
    }

    fn conflicts(&self, other: &Self) -> bool {
        let (own, others) = (self.names(), other.names());
        own.iter().flatten().any(|name| others.contains(&Some(name)))
    }
}

impl Relink {
    fn names(&self) -> [Option<&String>; 2] {
        match self {
            Self::Link { name, .. } | Self::Unlink { name } => [Some(name), None],
            Self::Move { from, to, .. } => [Some(from), Some(to)],
        }
    }
}

impl Names {
    pub(super) fn change(&mut self, relink: Relink, serial: Serial) {
        relink.apply(&mut self.cached);
        self.relinks.push(serial, relink);
    }

    pub(super) fn sync(&mut self, is_covered: impl Fn(Serial) -> bool, dice: &mut Dice) {
        self.relinks.sync(is_covered, &mut self.durable, dice);
    }

    /// Names reach the disk in any order.
    pub(super) fn crash(&mut self, kept_percent: usize, dice: &mut Dice) {
        for relink in self.relinks.take() {
            if dice.percent(kept_percent) {
                relink.apply(&mut self.durable);
            }
        }
        self.cached.clone_from(&self.durable);
    }
}
