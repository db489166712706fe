//! What is on a disk: a state machine of sectors, pages and names, without time and without failures of its own.
//!
//! There are two images. The page cache is what operations see; it survives the end of a process. The other is what the disk
//! has; it is all there is after a power loss. A sync takes what the page cache has at its beginning, and is on the disk at its
//! end. Whatever lies between the two images gets to the disk or not, as the dice say:
//!
//! - pages of 4 KiB in any order, torn at sectors of 512 bytes, or garbage where nothing was durable before;
//! - the length of a file, or its being cut off, apart from its pages;
//! - names, in an [order](NameOrder) that a file system might keep.
//!
//! Some of it gets there before anybody asks, so that what is older can survive what is newer.

mod file;
mod names;
mod page;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bytes::Bytes;
use ottla_core::{
    disk::{DirectoryEntry, IoError},
    types::Timestamp,
};

use self::{
    file::{File, Flush, FlushPage},
    names::{Names, ROOT},
};
pub use self::{
    file::{Lost, Survival},
    names::NameOrder,
    page::{PAGE_BYTES, SECTOR_BYTES},
};
use crate::dice::Dice;

/// A file or a directory, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inode(u64);

/// The operating system's number for a directory that cannot be replaced, for it is not empty.
const ENOTEMPTY: i32 = 39;
/// What a directory seems to take.
const DIRECTORY_BYTES: u64 = 4_096;
/// How many operations there are between two searches for what nothing leads to.
const OPERATIONS_PER_SWEEP: u64 = 256;

/// A sync that is under way.
#[derive(Debug)]
pub struct Sync {
    /// The files that were asked for, clean ones too.
    asked: Vec<Inode>,
    files: Vec<(Inode, Flush)>,
    directories: Vec<Inode>,
    is_everything: bool,
    serial: u64,
}

impl Sync {
    /// Whether the disk has it all.
    pub const fn is_nothing(&self) -> bool {
        self.files.is_empty() && self.directories.is_empty() && !self.is_everything
    }
}

/// A disk.
#[derive(Debug)]
pub struct Image {
    files: BTreeMap<Inode, File>,
    names: Names,
    /// Counts whatever changes.
    serial: u64,
    swept_at: u64,
    next_inode: u64,
    /// Open by how many.
    open: BTreeMap<Inode, u32>,
    /// Files that the page cache has yet to write.
    dirty: BTreeSet<Inode>,
    /// Files of which a sync of everything lost something: the next sync of the file itself says so.
    unreported: BTreeSet<Inode>,
    pages: usize,
}

impl Image {
    /// An empty disk.
    pub fn new(order: NameOrder) -> Self {
        Self {
            files: BTreeMap::new(),
            names: Names::new(order),
            serial: 0,
            swept_at: 0,
            next_inode: 1,
            open: BTreeMap::new(),
            dirty: BTreeSet::new(),
            unreported: BTreeSet::new(),
            pages: 0,
        }
    }

    /// How many bytes are taken. Those of a removed file are given back some time later.
    pub const fn used_bytes(&self) -> u64 {
        (self.pages * PAGE_BYTES) as u64
    }

    const fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    const fn next_inode(&mut self) -> Inode {
        self.next_inode += 1;
        Inode(self.next_inode)
    }

    /// The directory of this name within the root, or the root itself if that is empty.
    pub fn directory(&self, name: &str) -> Option<Inode> {
        let inode = if name.is_empty() { ROOT } else { self.names.lookup(ROOT, name)? };
        self.names.directory(inode).map(|_| inode)
    }

    /// The file of this name.
    pub fn file(&self, directory: Inode, name: &str) -> Option<Inode> {
        self.names.lookup(directory, name).filter(|inode| self.files.contains_key(inode))
    }

    /// Makes an empty file, or empties the one that is there.
    pub fn create(&mut self, directory: Inode, name: &str, now: Timestamp) -> Inode {
        if let Some(inode) = self.file(directory, name) {
            self.truncate(inode, 0, now);
            return inode;
        }
        let (inode, serial) = (self.next_inode(), self.next_serial());
        self.files.insert(inode, File::new(now));
        self.names.link(directory, name, inode, serial);
        inode
    }

    /// Makes a directory, if there is none of this name.
    pub fn create_directory(&mut self, name: &str) {
        if self.directory(name).is_none() {
            let (inode, serial) = (self.next_inode(), self.next_serial());
            self.names.add_directory(inode);
            self.names.link(ROOT, name, inode, serial);
        }
    }

    /// Gives a directory another name.
    ///
    /// # Errors
    /// If one that is not empty has that name.
    pub fn rename_directory(&mut self, from: &str, to: &str) -> Result<(), IoError> {
        let replaced = if from == to { None } else { self.directory(to) };
        let replaced = replaced.and_then(|inode| self.names.directory(inode));
        if replaced.is_some_and(|directory| !directory.cached.is_empty()) {
            return Err(IoError::Os(ENOTEMPTY));
        }
        let serial = self.next_serial();
        self.names.rename(ROOT, from, to, serial);
        Ok(())
    }

    /// Removes a directory after everything in it, in as many steps as `steps` allows. Says whether it is gone.
    pub fn remove_directory(&mut self, name: &str, mut steps: usize) -> bool {
        let Some(inode) = self.directory(name) else { return true };
        let names = self.names.directory(inode);
        let inside: Vec<String> =
            names.into_iter().flat_map(|d| d.cached.keys().cloned()).collect();
        for name in inside {
            if steps == 0 {
                return false;
            }
            steps -= 1;
            self.remove(inode, &name);
        }
        if steps > 0 {
            let serial = self.next_serial();
            self.names.unlink(ROOT, name, serial);
        }
        steps > 0
    }

    /// Gives a file another name in its directory, in place of one that has it. Says whether there is such a file.
    pub fn rename(&mut self, directory: Inode, from: &str, to: &str) -> bool {
        if self.file(directory, from).is_none() {
            return false;
        }
        let serial = self.next_serial();
        self.names.rename(directory, from, to, serial);
        true
    }

    /// Removes a file, if it is there.
    pub fn remove(&mut self, directory: Inode, name: &str) {
        let serial = self.next_serial();
        self.names.unlink(directory, name, serial);
    }

    /// What a directory holds.
    pub fn list(&self, directory: Inode) -> Vec<DirectoryEntry> {
        let Some(directory) = self.names.directory(directory) else { return Vec::new() };
        let entry = |(name, inode): (&String, &Inode)| {
            let file = self.files.get(inode);
            DirectoryEntry {
                name: name.clone(),
                is_directory: file.is_none(),
                length: file.map_or(DIRECTORY_BYTES, File::length),
                modified: file.map_or(Timestamp(0), |file| file.modified),
            }
        };
        directory.cached.iter().map(entry).collect()
    }

    fn edit(&mut self, inode: Inode, now: Timestamp, edit: impl FnOnce(&mut File, u64)) {
        let serial = self.next_serial();
        let Some(file) = self.files.get_mut(&inode) else { return };
        self.pages -= file.page_count();
        edit(file, serial);
        self.pages += file.page_count();
        file.modified = now;
        self.dirty.insert(inode);
    }

    /// Writes at a position.
    pub fn write(&mut self, inode: Inode, position: u64, bytes: &[u8], now: Timestamp) {
        self.edit(inode, now, |file, serial| file.write(position, bytes, serial));
    }

    /// Makes a file as long as this.
    pub fn truncate(&mut self, inode: Inode, length: u64, now: Timestamp) {
        self.edit(inode, now, |file, serial| file.truncate(length, serial));
    }

    /// How long a file is.
    pub fn length(&self, inode: Inode) -> u64 {
        self.files.get(&inode).map_or(0, File::length)
    }

    /// Reads what the page cache has; fewer bytes at the end of the file.
    pub fn read(&self, inode: Inode, position: u64, length: u64) -> Bytes {
        self.files.get(&inode).map_or_else(Bytes::new, |file| file.read(position, length))
    }

    /// A file stays while it is open, whatever becomes of its name.
    pub fn open(&mut self, inode: Inode) {
        *self.open.entry(inode).or_default() += 1;
    }

    /// The end of [`Self::open`].
    pub fn close(&mut self, inode: Inode) {
        if let Some(count) = self.open.get_mut(&inode) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&inode);
            }
        }
    }

    /// No process has anything open any more.
    pub fn close_all(&mut self) {
        self.open.clear();
    }

    /// A sync begins: what is in the page cache now is what it takes to the disk.
    pub fn begin_sync(&mut self, files: &[Inode], directories: &[Inode]) -> Sync {
        let flushes = files.iter().filter_map(|inode| {
            let file = self.files.get(inode).filter(|file| !file.is_clean())?;
            Some((*inode, file.begin_flush()))
        });
        Sync {
            asked: files.to_vec(),
            files: flushes.collect(),
            directories: directories.to_vec(),
            is_everything: false,
            serial: self.serial,
        }
    }

    /// A sync of everything begins.
    pub fn begin_sync_all(&mut self) -> Sync {
        let files: Vec<Inode> = self.dirty.iter().copied().collect();
        let sync = self.begin_sync(&files, &[]);
        Sync { is_everything: true, ..sync }
    }

    fn with_file(&mut self, inode: Inode, change: impl FnOnce(&mut File)) {
        let Some(file) = self.files.get_mut(&inode) else { return };
        self.pages -= file.page_count();
        change(file);
        self.pages += file.page_count();
        if file.is_clean() {
            self.dirty.remove(&inode);
        }
    }

    /// The disk has what a sync took to it.
    pub fn end_sync(&mut self, sync: &Sync) {
        for (inode, flush) in &sync.files {
            self.with_file(*inode, |file| file.end_flush(flush));
        }
        self.commit_names(sync);
    }

    fn commit_names(&mut self, sync: &Sync) {
        let is_in_journal = self.names.order() == NameOrder::Journal && !sync.files.is_empty();
        if sync.is_everything || is_in_journal {
            self.names.commit_all(sync.serial);
        }
        for directory in &sync.directories {
            self.names.commit(*directory, sync.serial);
        }
    }

    /// A sync failed. One of its files at least loses pages: the page cache takes them for written, and the next sync will end
    /// well. Says how many pages that were.
    pub fn fail_sync(&mut self, sync: &Sync, dice: &mut Dice) -> u64 {
        let mut forsaken = 0;
        let bad = dice.index(sync.files.len());
        for (at, (inode, flush)) in sync.files.iter().enumerate() {
            if at == bad || dice.coin() {
                self.with_file(*inode, |file| forsaken += file.fail_flush(flush, dice));
                if sync.is_everything {
                    self.unreported.insert(*inode);
                }
            } else {
                self.with_file(*inode, |file| file.end_flush(flush));
            }
        }
        if dice.coin() {
            self.commit_names(sync);
        }
        forsaken
    }

    /// Whether one of the files of a sync has lost something of which no sync of its own has told yet. From now on it has.
    pub fn take_unreported(&mut self, sync: &Sync) -> bool {
        if sync.is_everything {
            return false;
        }
        let reported = sync.asked.iter().filter(|inode| self.unreported.remove(inode));
        reported.count() > 0
    }

    /// From now on the disk does what it is told: what is written stays as it is, and no old failure is told of.
    pub fn heal(&mut self) {
        self.unreported.clear();
        self.files.values_mut().for_each(File::heal);
    }

    /// Some of what a sync takes is on the disk, and then nobody goes on.
    pub fn abandon_sync(&mut self, sync: &Sync, dice: &mut Dice) {
        for (inode, flush) in &sync.files {
            self.with_file(*inode, |file| file.flush_some(flush, dice));
        }
        if dice.coin() {
            self.commit_names(sync);
        }
    }

    /// The operating system writes something, though nobody asked for it.
    pub fn write_back(&mut self, dice: &mut Dice) {
        let at = dice.index(self.dirty.len());
        if let Some(inode) = self.dirty.iter().nth(at).copied() {
            self.with_file(inode, |file| file.write_back(dice));
        }
        if dice.coin() {
            self.names.commit_some(dice);
        }
        self.sweep();
    }

    /// Forgets the clean pages of a file. Says how many are not what they seemed to be.
    pub fn drop_cache(&mut self, inode: Inode) -> u64 {
        self.files.get_mut(&inode).map_or(0, File::drop_cache)
    }

    /// Forgets the clean pages of a file that the dice choose. Says how many are not what they seemed to be.
    pub fn evict(&mut self, dice: &mut Dice) -> u64 {
        let at = dice.index(self.files.len());
        self.files.values_mut().nth(at).map_or(0, File::drop_cache)
    }

    /// Gives back the space of files to which nothing leads.
    pub fn sweep(&mut self) {
        if self.serial - self.swept_at < OPERATIONS_PER_SWEEP {
            return;
        }
        self.sweep_now();
    }

    fn sweep_now(&mut self) {
        self.swept_at = self.serial;
        let reachable = self.names.reachable();
        let is_reachable = |inode: Inode| reachable.binary_search(&inode).is_ok();
        self.names.retain(is_reachable);
        let (open, pages) = (&self.open, &mut self.pages);
        self.files.retain(|inode, file| {
            let is_kept = is_reachable(*inode) || open.contains_key(inode);
            if !is_kept {
                *pages -= file.page_count();
            }
            is_kept
        });
        self.dirty.retain(|inode| self.files.contains_key(inode));
        self.unreported.retain(|inode| self.files.contains_key(inode));
    }

    /// Whether a power loss can take anything.
    pub fn has_unsynced(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Whether a power loss can take names.
    pub fn has_unsynced_names(&self) -> bool {
        self.names.has_unsynced()
    }

    /// The power fails.
    pub fn lose_power(
        &mut self,
        survival: Survival,
        names: Survival,
        is_wild: bool,
        dice: &mut Dice,
    ) -> Lost {
        match names {
            Survival::All => self.names.commit_all(u64::MAX),
            Survival::Nothing => {}
            Survival::Pages | Survival::Torn => self.names.commit_some(dice),
        }
        let mut lost = Lost { names: self.names.lose_power(), ..Lost::default() };
        self.close_all();
        self.sweep_now();
        for file in self.files.values_mut() {
            lost.add(file.lose_power(survival, is_wild, dice));
        }
        self.pages = self.files.values().map(File::page_count).sum();
        self.dirty.clear();
        self.unreported.clear();
        lost
    }

    /// Another disk, an empty one, is in the place of this.
    pub fn wipe(&mut self) {
        let next_inode = self.next_inode;
        *self = Self { next_inode, ..Self::new(self.names.order()) };
    }
}

/// Where damage may be done: a page of a file, with the names of its directory and of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The directory's name; empty for the root.
    pub directory: String,
    /// The file's name.
    pub file: String,
    /// Which page of the file.
    pub page: usize,
    inode: Inode,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { directory, file, page, .. } = self;
        write!(f, "page {page} of {directory}/{file}")
    }
}

/// A page of a sync, and where it is going to land.
#[derive(Debug, Clone)]
pub struct Misdirection {
    /// Which file of the sync.
    at: usize,
    page: FlushPage,
    to: Spot,
}

impl fmt::Display for Misdirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {} lands on {}", self.page.number, self.to)
    }
}

impl Image {
    fn pick_spot(&self, may_spoil: impl Fn(&Spot) -> bool, dice: &mut Dice) -> Option<Spot> {
        let spots = self.names.durable_files().filter_map(|(directory, name, inode)| {
            let file = self.files.get(&inode)?;
            let spot =
                move |page| Spot { directory: directory.into(), file: name.into(), page, inode };
            Some(file.settled_pages().map(spot))
        });
        let mut spots: Vec<Spot> = spots.flatten().filter(may_spoil).collect();
        let at = dice.index(spots.len());
        (at < spots.len()).then(|| spots.swap_remove(at))
    }

    /// A page that the disk has, out of those that may be spoilt.
    pub fn plan_rot(&self, may_spoil: impl Fn(&Spot) -> bool, dice: &mut Dice) -> Option<Spot> {
        self.pick_spot(may_spoil, dice)
    }

    /// A bit of a page turns, and again each time that it is written.
    pub fn rot(&mut self, spot: &Spot, dice: &mut Dice) {
        if let Some(file) = self.files.get_mut(&spot.inode) {
            file.rot(spot.page, dice);
        }
    }

    /// A page that a sync writes, and another place, out of those that may be spoilt.
    pub fn plan_misdirection(
        &self,
        sync: &Sync,
        may_spoil: impl Fn(&Spot) -> bool,
        dice: &mut Dice,
    ) -> Option<Misdirection> {
        let at = dice.index(sync.files.len());
        let (inode, flush) = sync.files.get(at)?;
        let page = flush.pick(dice)?;
        let to = self.pick_spot(|spot| spot.inode != *inode && may_spoil(spot), dice)?;
        Some(Misdirection { at, page, to })
    }

    /// A page that a sync is about to write lands elsewhere.
    pub fn misdirect(&mut self, sync: &mut Sync, misdirection: &Misdirection) {
        let Misdirection { at, page, to } = misdirection;
        let Some((inode, flush)) = sync.files.get_mut(*at) else { return };
        if let Some(file) = self.files.get_mut(inode) {
            file.misdirect(flush, page.number);
        }
        if let Some(file) = self.files.get_mut(&to.inode) {
            file.misdirect_to(to.page, &page.block);
        }
    }
}
