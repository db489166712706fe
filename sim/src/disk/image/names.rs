//! Names: what directories hold in memory and on the disk, and the journal between the two.

use std::collections::BTreeMap;

use super::Inode;
use crate::dice::Dice;

/// A directory.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) cached: BTreeMap<String, Inode>,
    durable: BTreeMap<String, Inode>,
}

/// A change of names that is not durable for certain.
#[derive(Debug, Clone)]
struct Change {
    serial: u64,
    directory: Inode,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Link { name: String, inode: Inode },
    Unlink { name: String, inode: Inode },
    Move { from: String, to: String, inode: Inode, replaced: Option<Inode> },
}

/// What file systems promise of the order in which names become durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameOrder {
    /// There is one journal: a name is durable only if all that changed before it is, and who syncs anything syncs the journal.
    Journal,
    /// Each directory has an order of its own.
    Directory,
    /// Only changes of the same name or the same file keep their order.
    Loose,
}

impl NameOrder {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Journal, Self::Directory, Self::Loose];
}

/// All directories, by inode.
#[derive(Debug)]
pub(super) struct Names {
    order: NameOrder,
    directories: BTreeMap<Inode, Directory>,
    journal: Vec<Change>,
}

pub(super) const ROOT: Inode = Inode(0);

impl Kind {
    fn apply(&self, names: &mut BTreeMap<String, Inode>) {
        match self {
            Self::Link { name, inode } => {
                names.insert(name.clone(), *inode);
            }
            Self::Unlink { name, .. } => {
                names.remove(name);
            }
            Self::Move { from, to, inode, .. } => {
                if names.get(from) == Some(inode) {
                    names.remove(from);
                }
                names.insert(to.clone(), *inode);
            }
        }
    }

    fn names(&self) -> [Option<&str>; 2] {
        match self {
            Self::Link { name, .. } | Self::Unlink { name, .. } => [Some(name), None],
            Self::Move { from, to, .. } => [Some(from), Some(to)],
        }
    }

    const fn inodes(&self) -> [Option<Inode>; 2] {
        match self {
            Self::Link { inode, .. } | Self::Unlink { inode, .. } => [Some(*inode), None],
            Self::Move { inode, replaced, .. } => [Some(*inode), *replaced],
        }
    }
}

impl Change {
    /// Whether it matters which of the two comes first.
    fn conflicts(&self, other: &Self) -> bool {
        let names = || {
            let (own, others) = (self.kind.names(), other.kind.names());
            own.iter().flatten().any(|name| others.contains(&Some(name)))
        };
        let inodes = || {
            let (own, others) = (self.kind.inodes(), other.kind.inodes());
            own.iter().flatten().any(|inode| others.contains(&Some(*inode)))
        };
        self.directory == other.directory && (names() || inodes())
    }
}

impl Names {
    pub(super) fn new(order: NameOrder) -> Self {
        let directories = BTreeMap::from([(ROOT, Directory::default())]);
        Self { order, directories, journal: Vec::new() }
    }

    pub(super) const fn order(&self) -> NameOrder {
        self.order
    }

    pub(super) const fn has_unsynced(&self) -> bool {
        !self.journal.is_empty()
    }

    pub(super) fn directory(&self, inode: Inode) -> Option<&Directory> {
        self.directories.get(&inode)
    }

    pub(super) fn lookup(&self, directory: Inode, name: &str) -> Option<Inode> {
        self.directories.get(&directory)?.cached.get(name).copied()
    }

    pub(super) fn add_directory(&mut self, inode: Inode) {
        self.directories.insert(inode, Directory::default());
    }

    pub(super) fn link(&mut self, directory: Inode, name: &str, inode: Inode, serial: u64) {
        self.change(directory, Kind::Link { name: name.into(), inode }, serial);
    }

    pub(super) fn unlink(&mut self, directory: Inode, name: &str, serial: u64) -> Option<Inode> {
        let inode = self.lookup(directory, name)?;
        self.change(directory, Kind::Unlink { name: name.into(), inode }, serial);
        Some(inode)
    }

    /// Returns what had the name before.
    pub(super) fn rename(
        &mut self,
        directory: Inode,
        from: &str,
        to: &str,
        serial: u64,
    ) -> Option<Inode> {
        let inode = self.lookup(directory, from)?;
        let replaced = self.lookup(directory, to).filter(|replaced| *replaced != inode);
        if from != to {
            let kind = Kind::Move { from: from.into(), to: to.into(), inode, replaced };
            self.change(directory, kind, serial);
        }
        replaced
    }

    fn change(&mut self, directory: Inode, kind: Kind, serial: u64) {
        let Some(names) = self.directories.get_mut(&directory) else { return };
        kind.apply(&mut names.cached);
        self.journal.push(Change { serial, directory, kind });
    }

    /// Makes durable what changed in a directory up to `serial`, and what has to go before it.
    pub(super) fn commit(&mut self, directory: Inode, serial: u64) {
        match self.order {
            NameOrder::Journal => {
                let last = self
                    .journal
                    .iter()
                    .rposition(|change| change.directory == directory && change.serial <= serial);
                self.commit_first(last.map_or(0, |last| last + 1));
            }
            NameOrder::Directory | NameOrder::Loose => {
                let is_meant =
                    |change: &Change| change.directory == directory && change.serial <= serial;
                self.commit_where(is_meant);
            }
        }
    }

    /// Makes durable everything up to `serial`.
    pub(super) fn commit_all(&mut self, serial: u64) {
        self.commit_where(|change| change.serial <= serial);
    }

    fn commit_first(&mut self, count: usize) {
        for change in self.journal.drain(..count) {
            apply_durably(&mut self.directories, &change);
        }
    }

    fn commit_where(&mut self, mut is_meant: impl FnMut(&Change) -> bool) {
        let directories = &mut self.directories;
        self.journal.retain(|change| {
            let is_meant = is_meant(change);
            if is_meant {
                apply_durably(directories, change);
            }
            !is_meant
        });
    }

    /// Makes some of it durable: what an operating system, or a crash, may do.
    pub(super) fn commit_some(&mut self, dice: &mut Dice) {
        match self.order {
            NameOrder::Journal => {
                let count = dice.index(self.journal.len() + 1);
                self.commit_first(count);
            }
            NameOrder::Directory => {
                let mut last = BTreeMap::new();
                for change in &self.journal {
                    last.entry(change.directory).or_insert_with(Vec::new).push(change.serial);
                }
                for (directory, serials) in last {
                    let count = dice.index(serials.len() + 1);
                    if let Some(at) = count.checked_sub(1) {
                        self.commit(directory, serials[at]);
                    }
                }
            }
            NameOrder::Loose => {
                let mut kept: Vec<Change> = Vec::new();
                for change in std::mem::take(&mut self.journal) {
                    if kept.iter().any(|before| before.conflicts(&change)) || dice.coin() {
                        kept.push(change);
                    } else {
                        apply_durably(&mut self.directories, &change);
                    }
                }
                self.journal = kept;
            }
        }
    }

    /// The power fails: what the journal holds is lost. Says how much that was.
    pub(super) fn lose_power(&mut self) -> u64 {
        for directory in self.directories.values_mut() {
            directory.cached.clone_from(&directory.durable);
        }
        let lost = self.journal.len() as u64;
        self.journal.clear();
        lost
    }

    /// Every inode that a name leads to, now or after a power loss.
    pub(super) fn reachable(&self) -> Vec<Inode> {
        let mut reachable = vec![ROOT];
        for directory in self.directories.values() {
            reachable.extend(directory.cached.values().chain(directory.durable.values()));
        }
        for change in &self.journal {
            reachable.extend(change.kind.inodes().into_iter().flatten());
        }
        reachable.sort_unstable();
        reachable.dedup();
        reachable
    }

    /// Forgets directories to which nothing leads.
    pub(super) fn retain(&mut self, is_reachable: impl Fn(Inode) -> bool) {
        self.directories.retain(|inode, _| is_reachable(*inode));
        self.journal.retain(|change| is_reachable(change.directory));
    }

    /// The durable files: the name of the directory, that of the file, and which it is.
    pub(super) fn durable_files(&self) -> impl Iterator<Item = (&str, &str, Inode)> {
        let root = self.directories.get(&ROOT).into_iter().flat_map(|root| &root.durable);
        let directories = root.map(|(name, inode)| (name.as_str(), *inode));
        directories.chain([("", ROOT)]).flat_map(|(directory, inode)| {
            let names = self.directories.get(&inode).into_iter().flat_map(|names| &names.durable);
            names.map(move |(name, inode)| (directory, name.as_str(), *inode))
        })
    }
}

fn apply_durably(directories: &mut BTreeMap<Inode, Directory>, change: &Change) {
    if let Some(names) = directories.get_mut(&change.directory) {
        change.kind.apply(&mut names.durable);
    }
}
