//! The file system.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, IoSlice},
    os::{fd::AsFd, unix::fs::FileExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::UNIX_EPOCH,
};

use bytes::Bytes;
use ottla_core::{
    disk::{DirectoryEntry, DirectoryId, DiskOp, DiskResult, FileRef, IoError, IoId, WriteData},
    types::Timestamp,
};
use rustix::{
    fs::{Advice, fadvise, fdatasync, fsync, statvfs, syncfs},
    io::{Errno, ReadWriteFlags},
};

use crate::world::{Disk, Done, FileHandle};

/// A data folder.
#[derive(Debug, Clone)]
pub struct RealDisk {
    folder: Arc<Folder>,
}

#[derive(Debug)]
struct Folder {
    root: PathBuf,
    table: Mutex<Table>,
    /// How many descriptors there are for files and connections together, and how many of them are connections'.
    open_max: usize,
    sockets: AtomicUsize,
    /// Opened once, before anything is written: the operating system tells of a failed write-back only who had a file open when
    /// it happened, or whoever asks first.
    whole: Option<File>,
}

/// The names of directories, and files that are open.
#[derive(Debug)]
struct Table {
    directories: HashMap<DirectoryId, String>,
    open: HashMap<FileRef, OpenFile>,
    /// Counts uses, to tell which file was not used for longest.
    clock: u64,
}

#[derive(Debug)]
struct OpenFile {
    file: Arc<File>,
    last_used: u64,
}

/// The descriptor of a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct SocketPlace(Arc<Folder>);

impl Drop for SocketPlace {
    fn drop(&mut self) {
        self.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An open file.
#[derive(Debug, Clone)]
pub struct RealHandle(Arc<File>);

impl RealHandle {
    pub(super) const fn file(&self) -> &Arc<File> {
        &self.0
    }
}

impl FileHandle for RealHandle {
    async fn read(&self, position: u64, length: usize) -> io::Result<Bytes> {
        let file = Arc::clone(&self.0);
        run_blocking(move || read_all(&file, position, length)).await?
    }
}

async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

impl RealDisk {
    /// The data folder at `root`, which exists. It has so many files open at once that there are at most `open_max` with the
    /// connections.
    pub fn new(root: &Path, open_max: usize) -> Self {
        let directories = HashMap::from([
            (DirectoryId::DATA, String::new()),
            (DirectoryId::METADATA, METADATA_FOLDER.to_owned()),
        ]);
        let table = Mutex::new(Table { directories, open: HashMap::new(), clock: 0 });
        let whole = File::open(root).ok();
        let sockets = AtomicUsize::new(0);
        Self { folder: Arc::new(Folder { root: root.to_owned(), table, open_max, sockets, whole }) }
    }

    /// There is another connection: files make room for it. None if connections have as much as they may: without a file no
    /// record can be written.
    pub(super) fn take_socket_place(&self) -> Option<SocketPlace> {
        let others = self.folder.sockets.fetch_add(1, Ordering::Relaxed);
        let place = SocketPlace(Arc::clone(&self.folder));
        self.folder.make_room(&mut self.folder.table());
        (others < self.folder.open_max / 4 * 3).then_some(place)
    }
}

impl RealDisk {
    fn begin_read(&self, io: IoId, file: FileRef, position: u64, length: usize, done: Done) {
        let file = match self.folder.open(file) {
            Ok(file) => file,
            Err(error) => return done.tell(io, DiskResult::Failed(io_error(&error))),
        };
        if let Some(bytes) = read_cached(&file, position, length) {
            return done.tell(io, DiskResult::Bytes(bytes));
        }
        tokio::task::spawn_blocking(move || {
            let read = read_all(&file, position, length).map(DiskResult::Bytes);
            done.tell(io, settle(read));
        });
    }

    fn begin_remove(&self, io: IoId, file: FileRef, done: Done) {
        // A file that is still open keeps its space: the name goes at once, and the space when it is closed in the background.
        let open = self.folder.open(file).ok();
        let removed = settle(self.folder.perform(DiskOp::Remove(file)));
        tokio::task::spawn_blocking(move || {
            drop(open);
            done.tell(io, removed);
        });
    }

    fn begin_sync(&self, io: IoId, op: DiskOp, done: Done) {
        let DiskOp::Sync { files, directories } = op else { return };
        let files = match self.folder.open_all(&files) {
            Ok(files) => files,
            Err(error) => return done.tell(io, DiskResult::Failed(io_error(&error))),
        };
        let workers = files.len().clamp(1, SYNCS_AT_ONCE);
        let round = Arc::new(SyncRound {
            folder: Arc::clone(&self.folder),
            files,
            directories,
            next: AtomicUsize::new(0),
            working: AtomicUsize::new(workers),
            failure: Mutex::new(None),
            io,
            done,
        });
        for _ in 0..workers {
            let round = Arc::clone(&round);
            tokio::task::spawn_blocking(move || round.work());
        }
    }
}

/// Where the metadata log is kept.
const METADATA_FOLDER: &str = "metadata";

impl Folder {
    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while it holds the lock; were it so, the table would still be whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn directory(&self, directory: DirectoryId) -> io::Result<PathBuf> {
        match self.table().directories.get(&directory) {
            Some(name) => Ok(self.root.join(name)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn path(&self, file: FileRef) -> io::Result<PathBuf> {
        Ok(self.directory(file.directory)?.join(file.name.to_string()))
    }

    /// The file, opened if it is not.
    fn open(&self, file: FileRef) -> io::Result<Arc<File>> {
        if let Some(open) = self.table().touch(file) {
            return Ok(open);
        }
        let opened = OpenOptions::new().read(true).write(true).open(self.path(file)?)?;
        Ok(self.keep(file, opened))
    }

    fn create(&self, file: FileRef) -> io::Result<()> {
        let path = self.path(file)?;
        let made =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        self.keep(file, made);
        Ok(())
    }

    fn keep(&self, file: FileRef, opened: File) -> Arc<File> {
        let opened = Arc::new(opened);
        let mut table = self.table();
        table.clock += 1;
        let last_used = table.clock;
        table.open.insert(file, OpenFile { file: Arc::clone(&opened), last_used });
        self.make_room(&mut table);
        opened
    }

    fn make_room(&self, table: &mut Table) {
        if table.open.len() + self.sockets.load(Ordering::Relaxed) > self.open_max {
            table.close_oldest();
        }
    }

    fn perform(&self, op: DiskOp) -> io::Result<DiskResult> {
        match op {
            DiskOp::Use { directory, name } => {
                self.table().directories.insert(directory, name);
            }
            DiskOp::CreateDirectory(directory) => {
                fs::create_dir_all(self.directory(directory)?)?;
            }
            DiskOp::RenameDirectory { directory, name } => {
                let from = self.directory(directory)?;
                let to = self.root.join(&name);
                if from.exists() {
                    fs::rename(from, to)?;
                }
                self.table().directories.insert(directory, name);
            }
            DiskOp::RemoveDirectory(directory) => self.remove_directory(directory)?,
            DiskOp::List(directory) => {
                return list(&self.directory(directory)?).map(DiskResult::Entries);
            }
            DiskOp::Create(file) => self.create(file)?,
            DiskOp::Write { file, position, data } => {
                write_all(&*self.open(file)?, position, &[&data])?;
            }
            DiskOp::Read { file, position, length } => {
                let bytes = read_all(&*self.open(file)?, position, length as usize)?;
                return Ok(DiskResult::Bytes(bytes));
            }
            DiskOp::Sync { files, directories } => {
                for file in self.open_all(&files)? {
                    self.sync(&file)?;
                }
                self.sync_directories(&directories)?;
            }
            DiskOp::SyncAll => match &self.whole {
                Some(whole) => syncfs(whole)?,
                None => syncfs(File::open(&self.root)?)?,
            },
            DiskOp::Truncate { file, length } => self.open(file)?.set_len(length)?,
            DiskOp::Rename { file, name } => {
                let to = FileRef { directory: file.directory, name };
                fs::rename(self.path(file)?, self.path(to)?)?;
                let mut table = self.table();
                table.open.remove(&to);
                if let Some(open) = table.open.remove(&file) {
                    table.open.insert(to, open);
                }
            }
            DiskOp::Remove(file) => {
                self.table().open.remove(&file);
                match fs::remove_file(self.path(file)?) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    result => result?,
                }
            }
            DiskOp::DropCache(file) => {
                fadvise(self.open(file)?.as_fd(), 0, None, Advice::DontNeed)?;
            }
        }
        Ok(DiskResult::Done)
    }

    fn remove_directory(&self, directory: DirectoryId) -> io::Result<()> {
        let path = self.directory(directory)?;
        let mut table = self.table();
        table.open.retain(|file, _| file.directory != directory);
        table.directories.remove(&directory);
        drop(table);
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// The files of a round, opened; of a round over very many the rest is opened when it is their turn, for there may be more
    /// of them than descriptors: four rounds at once hold what connections leave. One that is gone has nothing left to be made
    /// durable.
    fn open_all(&self, files: &[FileRef]) -> io::Result<Vec<ToSync>> {
        let (first, rest) = files.split_at(files.len().min(self.open_max / 16));
        let mut to_sync = Vec::with_capacity(files.len());
        for file in first {
            match self.open(*file) {
                Ok(open) => to_sync.push(ToSync::Open(open)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        to_sync.extend(rest.iter().copied().map(ToSync::Named));
        Ok(to_sync)
    }

    fn sync(&self, file: &ToSync) -> io::Result<()> {
        let open = match file {
            ToSync::Open(open) => Ok(Arc::clone(open)),
            ToSync::Named(file) => self.open(*file),
        };
        match open {
            Ok(open) => Ok(fdatasync(open)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn sync_directories(&self, directories: &[DirectoryId]) -> io::Result<()> {
        for directory in directories {
            fsync(File::open(self.directory(*directory)?)?)?;
        }
        Ok(())
    }
}

/// How many files of one round are synced at once: the file system joins what it is asked for together, and the disk has a
/// queue.
const SYNCS_AT_ONCE: usize = 32;

/// A file that is to be synced.
#[derive(Debug)]
enum ToSync {
    Open(Arc<File>),
    Named(FileRef),
}

/// A sync of several files, shared by those who carry it out.
#[derive(Debug)]
struct SyncRound {
    folder: Arc<Folder>,
    files: Vec<ToSync>,
    directories: Vec<DirectoryId>,
    next: AtomicUsize,
    working: AtomicUsize,
    failure: Mutex<Option<io::Error>>,
    io: IoId,
    done: Done,
}

impl SyncRound {
    fn work(&self) {
        while let Some(file) = self.files.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = self.folder.sync(file) {
                self.fail(error);
            }
        }
        // The last to finish syncs the names, and tells.
        if self.working.fetch_sub(1, Ordering::AcqRel) == 1 {
            if let Err(error) = self.folder.sync_directories(&self.directories) {
                self.fail(error);
            }
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            let result = failure.take().map_or(Ok(DiskResult::Done), Err);
            self.done.tell(self.io, settle(result));
        }
    }

    fn fail(&self, error: io::Error) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
    }
}

impl Table {
    fn touch(&mut self, file: FileRef) -> Option<Arc<File>> {
        self.clock += 1;
        let open = self.open.get_mut(&file)?;
        open.last_used = self.clock;
        Some(Arc::clone(&open.file))
    }

    /// Closes an eighth of the files: those that were not used for longest, and that nobody else holds open.
    fn close_oldest(&mut self) {
        let is_held = |open: &OpenFile| Arc::strong_count(&open.file) > 1;
        let closable = self.open.values().filter(|open| !is_held(open));
        let mut uses: Vec<u64> = closable.map(|open| open.last_used).collect();
        if uses.is_empty() {
            return;
        }
        let count = uses.len() / 8;
        let (_, &mut limit, _) = uses.select_nth_unstable(count);
        self.open.retain(|_, open| open.last_used > limit || is_held(open));
    }
}

fn list(path: &Path) -> io::Result<Vec<DirectoryEntry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        entries.push(DirectoryEntry {
            name: entry.file_name().to_string_lossy().into_owned(),
            is_directory: metadata.is_dir(),
            length: metadata.len(),
            modified: Timestamp(i64::try_from(modified.as_millis()).unwrap_or(i64::MAX)),
        });
    }
    Ok(entries)
}

fn read_all(file: &File, position: u64, length: usize) -> io::Result<Bytes> {
    // Some limits are generous: what is not there needs no room.
    let there = file.metadata()?.len().saturating_sub(position);
    let length = length.min(usize::try_from(there).unwrap_or(usize::MAX));
    let mut buffer = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut buffer[filled..], position + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    buffer.truncate(filled);
    Ok(buffer.into())
}

/// What is read at once if the page cache has it.
const READ_CACHED_BYTES_MAX: usize = 4 << 20;

/// Reads what the page cache has; nothing if not all of it is there.
fn read_cached(file: &File, position: u64, length: usize) -> Option<Bytes> {
    if length > READ_CACHED_BYTES_MAX {
        return None;
    }
    let mut buffer = vec![0; length];
    let mut slices = [io::IoSliceMut::new(&mut buffer)];
    let read = rustix::io::preadv2(file, &mut slices, position, ReadWriteFlags::NOWAIT).ok()?;
    (read == length).then(|| buffer.into())
}

/// How many pieces one system call takes.
const SLICES_MAX: usize = 1_024;

fn write_all(file: &File, mut position: u64, writes: &[&WriteData]) -> io::Result<()> {
    let mut slices = Vec::with_capacity(writes.len() * 2);
    for data in writes {
        match data {
            WriteData::Bytes(bytes) => slices.push(IoSlice::new(bytes)),
            WriteData::Batch { header, body } => {
                slices.push(IoSlice::new(header));
                slices.push(IoSlice::new(body));
            }
            WriteData::Pieces(pieces) => slices.extend(pieces.iter().map(|it| IoSlice::new(it))),
        }
    }
    let mut rest = &mut slices[..];
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        let some = &rest[..rest.len().min(SLICES_MAX)];
        let written = match rustix::io::pwritev(file, some, position) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => written,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        position += written as u64;
        IoSlice::advance_slices(&mut rest, written);
    }
    Ok(())
}

fn io_error(error: &io::Error) -> IoError {
    let kind = error.kind();
    if kind == io::ErrorKind::NotFound {
        IoError::NotFound
    } else if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        IoError::NoSpace
    } else {
        IoError::Os(error.raw_os_error().unwrap_or_default())
    }
}

fn settle(result: io::Result<DiskResult>) -> DiskResult {
    result.unwrap_or_else(|error| DiskResult::Failed(io_error(&error)))
}

impl Disk for RealDisk {
    type Handle = RealHandle;

    /// Names and sizes change in the order of submission, and a read or a sync is of the files that bore the names when it
    /// was submitted: only reading, syncing and giving space back go on in the background.
    fn submit(&self, io: IoId, op: DiskOp, done: Done) {
        match op {
            // What only touches the page cache is done at once: to hand it over would cost more.
            DiskOp::Use { .. }
            | DiskOp::CreateDirectory(_)
            | DiskOp::RenameDirectory { .. }
            | DiskOp::Create(_)
            | DiskOp::Write { .. }
            | DiskOp::Truncate { .. }
            | DiskOp::Rename { .. }
            | DiskOp::DropCache(_) => done.tell(io, settle(self.folder.perform(op))),
            DiskOp::Read { file, position, length } => {
                self.begin_read(io, file, position, length as usize, done);
            }
            DiskOp::Remove(file) => self.begin_remove(io, file, done),
            DiskOp::Sync { .. } => self.begin_sync(io, op, done),
            DiskOp::RemoveDirectory(_) | DiskOp::List(_) | DiskOp::SyncAll => {
                let folder = Arc::clone(&self.folder);
                tokio::task::spawn_blocking(move || done.tell(io, settle(folder.perform(op))));
            }
        }
    }

    fn submit_writes(
        &self,
        file: FileRef,
        position: u64,
        writes: Vec<(IoId, WriteData)>,
        done: &Done,
    ) {
        let data: Vec<&WriteData> = writes.iter().map(|(_, data)| data).collect();
        let result = self.folder.open(file).and_then(|open| write_all(&open, position, &data));
        let result = settle(result.map(|()| DiskResult::Done));
        for (io, _) in &writes {
            done.tell(*io, result.clone());
        }
    }

    fn open(&self, file: FileRef) -> io::Result<RealHandle> {
        self.folder.open(file).map(RealHandle)
    }

    fn space(&self) -> io::Result<(u64, u64)> {
        let figures = statvfs(&self.folder.root)?;
        Ok((figures.f_bavail * figures.f_frsize, figures.f_blocks * figures.f_frsize))
    }
}

#[cfg(test)]
mod tests {
    use ottla_core::{disk::FileName, types::Offset};

    use super::*;

    const OPEN_MAX: usize = 16;

    fn segment(offset: usize) -> FileRef {
        let offset = Offset(i64::try_from(offset).expect("there are few"));
        FileRef { directory: DirectoryId::DATA, name: FileName::segment(offset, "log") }
    }

    #[test]
    fn files_make_room_for_connections_and_connections_leave_some() {
        let root = std::env::temp_dir().join(format!("ottla-open-{}", std::process::id()));
        fs::create_dir_all(&root).expect("a folder");
        let disk = RealDisk::new(&root, OPEN_MAX);
        let open = || disk.folder.table().open.len();
        for offset in 0..2 * OPEN_MAX {
            disk.folder.create(segment(offset)).expect("a file");
            assert!(open() <= OPEN_MAX);
        }
        // Who holds a file open keeps its descriptor: to close it would free none.
        let first = disk.folder.open(segment(0)).expect("the first");
        let mut places = Vec::new();
        while let Some(place) = disk.take_socket_place() {
            places.push(place);
            assert!(open() + places.len() <= OPEN_MAX);
        }
        assert_eq!(places.len(), OPEN_MAX / 4 * 3);
        assert!(disk.folder.table().open.contains_key(&segment(0)));
        drop(first);
        // A place that is given back is another's.
        places.pop();
        assert!(disk.take_socket_place().is_some());
        fs::remove_dir_all(root).expect("its end");
    }

    #[tokio::test]
    async fn a_round_may_have_more_files_than_there_are_descriptors() {
        let root = std::env::temp_dir().join(format!("ottla-round-{}", std::process::id()));
        fs::create_dir_all(&root).expect("a folder");
        let disk = RealDisk::new(&root, OPEN_MAX);
        let files: Vec<FileRef> = (0..4 * OPEN_MAX).map(segment).collect();
        for file in &files {
            disk.folder.create(*file).expect("a file");
        }
        let op = DiskOp::Sync { files, directories: vec![DirectoryId::DATA] };
        assert_eq!(crate::world::perform(&disk, op).await, DiskResult::Done);
        assert!(disk.folder.table().open.len() <= OPEN_MAX + SYNCS_AT_ONCE);
        fs::remove_dir_all(root).expect("its end");
    }
}
