//! A disk in memory that keeps what `ottla_core::disk` promises, and nothing more.
//!
//! Operations take effect in the page cache in the order in which they were asked for, some time later; they end in any order.
//! A sync makes durable what had ended when it was asked for; of everything else a power failure keeps what the dice say:
//! whole writes, pieces of them, names without contents and contents without names.

mod content;
mod names;
mod unsynced;

use std::collections::{BTreeMap, VecDeque};

use ottla_core::{
    disk::{DirectoryEntry, DirectoryId, DiskOp, DiskResult, FileRef, IoError, IoId, WriteData},
    types::Timestamp,
};

use self::{
    content::{Content, Edit},
    names::{Names, Node, Relink},
};
use super::dice::Dice;

/// The number of an operation over the disk's whole life.
type Serial = u64;

/// What kind of operation is to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
    Sync,
    /// Any that changes a name.
    Name,
}

#[derive(Debug)]
struct Asked {
    serial: Serial,
    io: IoId,
    op: DiskOp,
    /// How many operations had ended when it was asked for.
    after: u64,
}

/// An operation that has taken effect and has not been told of.
#[derive(Debug)]
struct Finished {
    asked: Asked,
    result: DiskResult,
}

#[derive(Debug)]
pub(crate) struct FakeDisk {
    dice: Dice,
    files: BTreeMap<u64, Content>,
    directories: BTreeMap<u64, Names>,
    next_inode: u64,
    /// What the core calls its directories.
    known: BTreeMap<DirectoryId, String>,
    queue: VecDeque<Asked>,
    finished: Vec<Finished>,
    next_serial: Serial,
    /// When each operation ended, counted in ends.
    ended: BTreeMap<Serial, u64>,
    ends: u64,
    failures: Vec<(Kind, usize, IoError)>,
    /// What a sync of everything has lost of a file is told to the next sync of that file as well.
    owed: BTreeMap<u64, IoError>,
    /// How many operations that take space still find some; nothing if there is no end to it.
    space_for: Option<usize>,
    now: Timestamp,
}

const ROOT: u64 = 0;

impl FakeDisk {
    pub(crate) fn new(dice: Dice) -> Self {
        let mut disk = Self {
            dice,
            files: BTreeMap::new(),
            directories: BTreeMap::from([(ROOT, Names::default())]),
            next_inode: 1,
            known: BTreeMap::new(),
            queue: VecDeque::new(),
            finished: Vec::new(),
            next_serial: 0,
            ended: BTreeMap::new(),
            ends: 0,
            failures: Vec::new(),
            owed: BTreeMap::new(),
            space_for: None,
            now: Timestamp(0),
        };
        disk.forget_directories();
        disk
    }

    fn forget_directories(&mut self) {
        self.known = BTreeMap::from([
            (DirectoryId::DATA, String::new()),
            (DirectoryId::METADATA, "metadata".into()),
        ]);
    }

    pub(crate) const fn set_time(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Has an operation of this kind fail, after so many that do not.
    pub(crate) fn fail(&mut self, kind: Kind, after: usize, error: IoError) {
        self.failures.push((kind, after, error));
    }

    /// Has the disk be full after so many operations that take space.
    pub(crate) const fn fill_after(&mut self, operations: usize) {
        self.space_for = Some(operations);
    }

    /// Whether an operation would find the disk full.
    pub(crate) fn is_full(&self) -> bool {
        self.space_for == Some(0)
    }

    /// Whether another sync will fail for what one has lost.
    pub(crate) fn owes_failures(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Forgets the failures that are yet to come; there is space.
    pub(crate) fn heal(&mut self) {
        self.failures.clear();
        self.space_for = None;
    }

    pub(crate) fn submit(&mut self, io: IoId, op: DiskOp) {
        self.next_serial += 1;
        self.queue.push_back(Asked { serial: self.next_serial, io, op, after: self.ends });
    }

    /// How many operations are to take effect, and how many have and are to be told of.
    pub(crate) fn pending(&self) -> (usize, usize) {
        (self.queue.len(), self.finished.len())
    }

    /// Lets the next operation take effect.
    pub(crate) fn apply_next(&mut self) {
        let Some(asked) = self.queue.pop_front() else { return };
        let result = match self.failure_of(&asked.op) {
            Some(error) => self.apply_failing(&asked, error),
            None => self.apply(&asked),
        };
        let result = result.unwrap_or_else(DiskResult::Failed);
        self.finished.push(Finished { asked, result });
    }

    /// Lets all operations take effect.
    pub(crate) fn apply_all(&mut self) {
        while !self.queue.is_empty() {
            self.apply_next();
        }
    }

    /// The end of one of the operations that have taken effect.
    pub(crate) fn complete(&mut self, index: usize) -> (IoId, DiskResult) {
        let Finished { asked, result } = self.finished.remove(index);
        match (&asked.op, result.failure()) {
            (DiskOp::Sync { files, directories }, None) => {
                self.sync(files, directories, asked.after);
            }
            (DiskOp::SyncAll, None) => self.sync_all(asked.after),
            _ => {}
        }
        self.ended.insert(asked.serial, self.ends);
        self.ends += 1;
        (asked.io, result)
    }

    /// Whether an operation needs space that the disk must find first.
    fn takes_space(&self, op: &DiskOp) -> bool {
        match op {
            DiskOp::Create(file) => self.inode(*file).is_none(),
            DiskOp::CreateDirectory(directory) => self.directory(*directory).is_none(),
            DiskOp::Write { .. } => true,
            _ => false,
        }
    }

    fn failure_of(&mut self, op: &DiskOp) -> Option<IoError> {
        if self.takes_space(op)
            && let Some(left) = &mut self.space_for
        {
            if *left == 0 {
                return Some(IoError::NoSpace);
            }
            *left -= 1;
        }
        if let DiskOp::Sync { files, .. } = op {
            let inodes: Vec<u64> = files.iter().filter_map(|file| self.inode(*file)).collect();
            if let Some(error) = inodes.iter().filter_map(|inode| self.owed.remove(inode)).last() {
                return Some(error);
            }
        }
        let kind = kind(op)?;
        let index = self.failures.iter().position(|(known, _, _)| *known == kind)?;
        let (_, after, error) = &mut self.failures[index];
        if *after > 0 {
            *after -= 1;
            return None;
        }
        let error = *error;
        self.failures.remove(index);
        Some(error)
    }

    /// A write that fails leaves a piece of it. After a sync that fails the pages are clean, whatever the disk has got.
    fn apply_failing(&mut self, asked: &Asked, error: IoError) -> Result<DiskResult, IoError> {
        match &asked.op {
            DiskOp::Write { file, position, data } => {
                let mut bytes = flat(data);
                bytes.truncate(self.dice.below(bytes.len() + 1));
                let edit = Edit::Write { position: *position, bytes };
                self.edit(*file, edit, asked.serial)?;
            }
            DiskOp::Sync { files, .. } => {
                for inode in files.iter().filter_map(|file| self.inode(*file)).collect::<Vec<_>>() {
                    let content = self.files.get_mut(&inode).expect("a name has a file");
                    content.lose_some(&mut self.dice);
                }
            }
            DiskOp::SyncAll => {
                for (inode, content) in &mut self.files {
                    if content.lose_some(&mut self.dice) {
                        self.owed.insert(*inode, error);
                    }
                }
                self.fail_syncs_under_way(error);
            }
            _ => {}
        }
        Err(error)
    }

    /// A sync that has not been told of has not made durable what another one has lost.
    fn fail_syncs_under_way(&mut self, error: IoError) {
        let mut finished = std::mem::take(&mut self.finished);
        for Finished { asked, result } in &mut finished {
            let DiskOp::Sync { files, .. } = &asked.op else { continue };
            let inodes: Vec<u64> = files.iter().filter_map(|file| self.inode(*file)).collect();
            if inodes.iter().filter_map(|inode| self.owed.remove(inode)).count() > 0 {
                *result = DiskResult::Failed(error);
            }
        }
        self.finished = finished;
    }

    fn apply(&mut self, asked: &Asked) -> Result<DiskResult, IoError> {
        let serial = asked.serial;
        match &asked.op {
            DiskOp::Use { directory, name } => {
                self.known.insert(*directory, name.clone());
            }
            DiskOp::CreateDirectory(directory) => self.create_directory(*directory, serial)?,
            DiskOp::RenameDirectory { directory, name } => {
                self.rename_directory(*directory, name, serial)?;
            }
            DiskOp::RemoveDirectory(directory) => self.remove_directory(*directory, serial),
            DiskOp::List(directory) => return self.list(*directory).map(DiskResult::Entries),
            DiskOp::Create(file) => self.create(*file, serial)?,
            DiskOp::Write { file, position, data } => {
                let edit = Edit::Write { position: *position, bytes: flat(data) };
                self.edit(*file, edit, serial)?;
            }
            DiskOp::Read { file, position, length } => {
                let bytes = self.read(*file, *position, u64::from(*length))?;
                return Ok(DiskResult::Bytes(bytes.into()));
            }
            DiskOp::Sync { .. } | DiskOp::SyncAll => {}
            DiskOp::Truncate { file, length } => {
                self.edit(*file, Edit::Truncate { length: *length }, serial)?;
            }
            DiskOp::Rename { file, name } => {
                let node = self.node(*file).ok_or(IoError::NotFound)?;
                let (from, to) = (file.name.to_string(), name.to_string());
                self.relink(file.directory, Relink::Move { from, to, node }, serial)?;
            }
            DiskOp::Remove(file) => {
                if self.node(*file).is_some() {
                    let relink = Relink::Unlink { name: file.name.to_string() };
                    self.relink(file.directory, relink, serial)?;
                }
            }
            DiskOp::DropCache(file) => {
                let inode = self.inode(*file).ok_or(IoError::NotFound)?;
                self.files.get_mut(&inode).expect("a name has a file").drop_cache();
            }
        }
        Ok(DiskResult::Done)
    }

    /// Reads what the page cache has.
    pub(crate) fn read(
        &self,
        file: FileRef,
        position: u64,
        length: u64,
    ) -> Result<Vec<u8>, IoError> {
        let inode = self.inode(file).ok_or(IoError::NotFound)?;
        let bytes = &self.files[&inode].cached;
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes[index(position)..index(position + length)].to_vec())
    }

    /// The names and sizes of a directory's files, by the directory's name; that of the data folder is empty.
    pub(crate) fn files_of(&self, directory: &str) -> BTreeMap<String, usize> {
        let root = Node::Directory(ROOT);
        let known = self.directories[&ROOT].cached.get(directory);
        let Some(Node::Directory(inode)) = known.or(directory.is_empty().then_some(&root)) else {
            return BTreeMap::new();
        };
        let names = self.directories[inode].cached.iter();
        let files = names.filter_map(|(name, node)| match node {
            Node::File(inode) => Some((name.clone(), self.files[inode].cached.len())),
            Node::Directory(_) => None,
        });
        files.collect()
    }

    /// Changes what a file holds behind everybody's back, in the page cache and on the disk.
    pub(crate) fn damage(
        &mut self,
        directory: &str,
        name: &str,
        change: impl FnOnce(&mut Vec<u8>),
    ) {
        let node = self.directories[&ROOT].cached.get(directory).copied();
        let root = directory.is_empty().then_some(Node::Directory(ROOT));
        let Some(Node::Directory(directory)) = node.or(root) else {
            panic!("there is such a directory")
        };
        let node = self.directories[&directory].cached.get(name).copied();
        let Some(Node::File(inode)) = node else { panic!("there is such a file") };
        self.files.get_mut(&inode).expect("a name has a file").damage(change);
    }

    fn directory(&self, directory: DirectoryId) -> Option<u64> {
        let name = self.known.get(&directory)?;
        if name.is_empty() {
            return Some(ROOT);
        }
        match self.directories[&ROOT].cached.get(name)? {
            Node::Directory(inode) => Some(*inode),
            Node::File(_) => None,
        }
    }

    fn node(&self, file: FileRef) -> Option<Node> {
        let directory = self.directory(file.directory)?;
        self.directories[&directory].cached.get(&file.name.to_string()).copied()
    }

    fn inode(&self, file: FileRef) -> Option<u64> {
        match self.node(file)? {
            Node::File(inode) => Some(inode),
            Node::Directory(_) => None,
        }
    }

    fn relink(
        &mut self,
        directory: DirectoryId,
        relink: Relink,
        serial: Serial,
    ) -> Result<(), IoError> {
        let inode = self.directory(directory).ok_or(IoError::NotFound)?;
        self.directories.get_mut(&inode).expect("it was found").change(relink, serial);
        Ok(())
    }

    fn edit(&mut self, file: FileRef, edit: Edit, serial: Serial) -> Result<(), IoError> {
        let inode = self.inode(file).ok_or(IoError::NotFound)?;
        let content = self.files.get_mut(&inode).expect("a name has a file");
        content.modified = self.now;
        content.change(edit, serial);
        Ok(())
    }

    fn create(&mut self, file: FileRef, serial: Serial) -> Result<(), IoError> {
        if self.inode(file).is_some() {
            return self.edit(file, Edit::Truncate { length: 0 }, serial);
        }
        self.next_inode += 1;
        let node = Node::File(self.next_inode);
        let relink = Relink::Link { name: file.name.to_string(), node };
        self.relink(file.directory, relink, serial)?;
        self.files.insert(self.next_inode, Content::new(self.now));
        Ok(())
    }

    fn create_directory(&mut self, directory: DirectoryId, serial: Serial) -> Result<(), IoError> {
        if self.directory(directory).is_some() {
            return Ok(());
        }
        let name = self.known.get(&directory).cloned().ok_or(IoError::NotFound)?;
        self.next_inode += 1;
        let node = Node::Directory(self.next_inode);
        self.directories.insert(self.next_inode, Names::default());
        self.relink(DirectoryId::DATA, Relink::Link { name, node }, serial)
    }

    fn rename_directory(
        &mut self,
        directory: DirectoryId,
        name: &str,
        serial: Serial,
    ) -> Result<(), IoError> {
        if let Some(inode) = self.directory(directory) {
            let from = self.known[&directory].clone();
            let node = Node::Directory(inode);
            let relink = Relink::Move { from, to: name.into(), node };
            self.relink(DirectoryId::DATA, relink, serial)?;
        }
        self.known.insert(directory, name.into());
        Ok(())
    }

    fn remove_directory(&mut self, directory: DirectoryId, serial: Serial) {
        if let (Some(inode), Some(name)) =
            (self.directory(directory), self.known.get(&directory).cloned())
        {
            let names = self.directories.get_mut(&inode).expect("it was found");
            for name in names.cached.keys().cloned().collect::<Vec<_>>() {
                names.change(Relink::Unlink { name }, serial);
            }
            let root = self.directories.get_mut(&ROOT).expect("there is a root");
            root.change(Relink::Unlink { name }, serial);
        }
        self.known.remove(&directory);
    }

    fn list(&self, directory: DirectoryId) -> Result<Vec<DirectoryEntry>, IoError> {
        let inode = self.directory(directory).ok_or(IoError::NotFound)?;
        let entry = |(name, node): (&String, &Node)| match node {
            Node::File(inode) => DirectoryEntry {
                name: name.clone(),
                is_directory: false,
                length: self.files[inode].cached.len() as u64,
                modified: self.files[inode].modified,
            },
            Node::Directory(_) => DirectoryEntry {
                name: name.clone(),
                is_directory: true,
                length: 0,
                modified: Timestamp(0),
            },
        };
        Ok(self.directories[&inode].cached.iter().map(entry).collect())
    }

    fn sync(&mut self, files: &[FileRef], directories: &[DirectoryId], after: u64) {
        let files: Vec<u64> = files.iter().filter_map(|file| self.inode(*file)).collect();
        let names: Vec<u64> =
            directories.iter().filter_map(|directory| self.directory(*directory)).collect();
        self.sync_inodes(&files, &names, after);
    }

    fn sync_all(&mut self, after: u64) {
        let files: Vec<u64> = self.files.keys().copied().collect();
        let names: Vec<u64> = self.directories.keys().copied().collect();
        self.sync_inodes(&files, &names, after);
    }

    fn sync_inodes(&mut self, files: &[u64], directories: &[u64], after: u64) {
        let ended = &self.ended;
        let is_covered = |serial: Serial| ended.get(&serial).is_some_and(|end| *end < after);
        for inode in files {
            let content = self.files.get_mut(inode).expect("it was found");
            content.sync(is_covered, &mut self.dice);
        }
        for inode in directories {
            let names = self.directories.get_mut(inode).expect("it was found");
            names.sync(is_covered, &mut self.dice);
        }
    }

    /// The process is killed: the page cache stays, and what was asked for and had not begun is never done.
    pub(crate) fn kill(&mut self) {
        let begun = self.dice.below(self.queue.len() + 1);
        for _ in 0..begun {
            self.apply_next();
        }
        if let Some(Asked { serial, op: DiskOp::Write { file, position, data }, .. }) =
            self.queue.pop_front()
        {
            let mut bytes = flat(&data);
            bytes.truncate(self.dice.below(bytes.len()));
            // A file that is gone takes nothing.
            let _ = self.edit(file, Edit::Write { position, bytes }, serial);
        }
        // Whatever the dead process asked for has ended as far as the next one is concerned.
        for serial in 0..=self.next_serial {
            self.ended.entry(serial).or_insert(self.ends);
        }
        self.ends += 1;
        self.forget_process();
    }

    /// The power fails: what is not durable stays or goes as it pleases.
    pub(crate) fn lose_power(&mut self) {
        self.kill();
        let kept_percent = self.dice.pick(&[0, 30, 70, 100]);
        for content in self.files.values_mut() {
            content.crash(kept_percent, &mut self.dice);
        }
        for names in self.directories.values_mut() {
            names.crash(kept_percent, &mut self.dice);
        }
    }

    /// The process has ended in order.
    pub(crate) fn forget_process(&mut self) {
        self.queue.clear();
        self.finished.clear();
        self.failures.clear();
        self.owed.clear();
        self.space_for = None;
        self.forget_directories();
    }
}

fn kind(op: &DiskOp) -> Option<Kind> {
    match op {
        DiskOp::Read { .. } => Some(Kind::Read),
        DiskOp::Write { .. } => Some(Kind::Write),
        DiskOp::Sync { .. } | DiskOp::SyncAll => Some(Kind::Sync),
        DiskOp::Create(_)
        | DiskOp::Rename { .. }
        | DiskOp::Remove(_)
        | DiskOp::Truncate { .. }
        | DiskOp::CreateDirectory(_)
        | DiskOp::RenameDirectory { .. } => Some(Kind::Name),
        DiskOp::Use { .. }
        | DiskOp::RemoveDirectory(_)
        | DiskOp::List(_)
        | DiskOp::DropCache(_) => None,
    }
}

fn flat(data: &WriteData) -> Vec<u8> {
    match data {
        WriteData::Bytes(bytes) => bytes.to_vec(),
        WriteData::Batch { header, body } => [&header[..], body].concat(),
        WriteData::Pieces(pieces) => pieces.concat(),
    }
}
