//! Single file operations: all that the core asks of a disk, so that each can fail, tear, wait or be forgotten by itself.
//!
//! The shell promises that operations on one file *begin* in the order in which they were asked for, and nothing about the
//! order in which they end. Nothing is durable before a [`DiskOp::Sync`] that was asked for after the operation ended.

use alloc::{string::String, vec::Vec};
use core::fmt;

use bytes::Bytes;

use crate::{
    records::BATCH_HEADER_BYTES,
    types::{Offset, Timestamp},
};

/// Names an operation, and the machine that asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IoId {
    /// Whose it is.
    pub owner: Owner,
    /// Never used twice.
    pub number: u64,
}

/// Which machine of a shard asked for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The shard itself.
    Shard,
    /// The partition in this slot.
    Partition(u32),
    /// The cleaner.
    Cleaner,
    /// The coordinator of this partition of `__consumer_offsets`.
    Coordinator(u32),
    /// The metadata log.
    Metadata,
}

/// A directory that was made known by [`DiskOp::Use`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectoryId(pub u32);

impl DirectoryId {
    /// The data folder, which is known from the start.
    pub const DATA: Self = Self(0);
    /// Where the metadata log is kept, known from the start.
    pub const METADATA: Self = Self(1);
}

/// The name of a file within its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileName {
    /// One of its kind.
    Fixed(&'static str),
    /// One of a row: twenty digits, a dot, and an extension.
    Numbered(u64, &'static str),
}

impl FileName {
    /// The file of a segment, named by the segment's first offset.
    pub fn segment(base_offset: Offset, extension: &'static str) -> Self {
        Self::Numbered(base_offset.0.cast_unsigned(), extension)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(name) => f.write_str(name),
            Self::Numbered(number, extension) => write!(f, "{number:020}.{extension}"),
        }
    }
}

/// A file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileRef {
    /// Where it is.
    pub directory: DirectoryId,
    /// What it is called there.
    pub name: FileName,
}

/// Consecutive bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileRange {
    /// The file.
    pub file: FileRef,
    /// Where the bytes begin.
    pub position: u64,
    /// How many they are.
    pub length: u64,
}

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteData {
    /// These bytes.
    Bytes(Bytes),
    /// A batch: its header, made by us, and the records as they came from the client.
    Batch {
        /// The batch's header.
        header: [u8; BATCH_HEADER_BYTES],
        /// What follows it.
        body: Bytes,
    },
    /// All of these, one after the other.
    Pieces(Vec<Bytes>),
}

impl WriteData {
    /// How many bytes are written.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Batch { header, body } => header.len() + body.len(),
            Self::Pieces(pieces) => pieces.iter().map(Bytes::len).sum(),
        }
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A file operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskOp {
    /// Gives a directory a number. Touches no disk.
    Use {
        /// The number.
        directory: DirectoryId,
        /// Its name within the data folder.
        name: String,
    },
    /// Creates a directory; one that is there already will do.
    CreateDirectory(DirectoryId),
    /// Gives a directory another name within the data folder; its number stays with it.
    RenameDirectory {
        /// Which.
        directory: DirectoryId,
        /// Its new name.
        name: String,
    },
    /// Removes a directory and everything in it, and forgets its number.
    RemoveDirectory(DirectoryId),
    /// Lists a directory.
    List(DirectoryId),
    /// Makes an empty file; one that is there already is emptied.
    Create(FileRef),
    /// Writes at a position. Never beyond the end of the file but to lengthen it.
    Write {
        /// Where to.
        file: FileRef,
        /// From which byte on.
        position: u64,
        /// What.
        data: WriteData,
    },
    /// Reads; fewer bytes come back only at the end of the file.
    Read {
        /// Where from.
        file: FileRef,
        /// From which byte on.
        position: u64,
        /// How many.
        length: u32,
    },
    /// Makes everything durable that was written to these files, and every name made, moved or removed in these directories.
    Sync {
        /// Whose content.
        files: Vec<FileRef>,
        /// Whose names.
        directories: Vec<DirectoryId>,
    },
    /// Makes everything in the data folder durable.
    SyncAll,
    /// Cuts a file off.
    Truncate {
        /// Which.
        file: FileRef,
        /// How many bytes stay.
        length: u64,
    },
    /// Gives a file another name in its directory, in place of one that has it.
    Rename {
        /// Which.
        file: FileRef,
        /// Its new name.
        name: FileName,
    },
    /// Removes a file. One that is not there is as good as removed.
    Remove(FileRef),
    /// Drops a file's clean pages from the operating system's cache, so that what is read next is what the disk has: after a
    /// failed sync the cache may hold what the disk never got.
    DropCache(FileRef),
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Its name.
    pub name: String,
    /// Whether it is a directory itself.
    pub is_directory: bool,
    /// How many bytes a file has.
    pub length: u64,
    /// When a file was last written.
    pub modified: Timestamp,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskResult {
    /// Well, with nothing to tell.
    Done,
    /// With the bytes that were read.
    Bytes(Bytes),
    /// With a directory's entries, in no order.
    Entries(Vec<DirectoryEntry>),
    /// Badly.
    Failed(IoError),
}

impl DiskResult {
    /// The failure, if it is one.
    pub const fn failure(&self) -> Option<IoError> {
        match self {
            Self::Failed(error) => Some(*error),
            Self::Done | Self::Bytes(_) | Self::Entries(_) => None,
        }
    }

    /// The bytes of a read.
    pub fn into_bytes(self) -> Result<Bytes, IoError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Failed(error) => Err(error),
            Self::Done | Self::Entries(_) => unreachable!("a read ends with bytes or fails"),
        }
    }
}

/// Why an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IoError {
    /// There is no such file or directory.
    NotFound,
    /// The disk is full.
    NoSpace,
    /// Anything else, by the operating system's number for it.
    Os(i32),
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no such file or directory"),
            Self::NoSpace => f.write_str("no space left on the disk"),
            Self::Os(code) => write!(f, "operating system error {code}"),
        }
    }
}

impl core::error::Error for IoError {}

/// Where a machine asks for file operations.
#[derive(Debug)]
pub struct Disk<'a> {
    owner: Owner,
    next_number: &'a mut u64,
    effects: &'a mut crate::machine::Effects,
}

impl<'a> Disk<'a> {
    /// The disk as one machine sees it.
    pub fn new(
        owner: Owner,
        next_number: &'a mut u64,
        effects: &'a mut crate::machine::Effects,
    ) -> Self {
        Self { owner, next_number, effects }
    }

    fn next(&mut self) -> IoId {
        *self.next_number += 1;
        IoId { owner: self.owner, number: *self.next_number }
    }

    /// Asks for an operation.
    pub fn submit(&mut self, op: DiskOp) -> IoId {
        let io = self.next();
        self.effects.push(crate::machine::Effect::Disk { io, op });
        io
    }

    /// Asks for a computation.
    pub fn compute(&mut self, job: crate::job::Job) -> IoId {
        let io = self.next();
        self.effects.push(crate::machine::Effect::Compute { io, job });
        io
    }

    /// Says something for the log.
    pub fn notice(&mut self, notice: crate::notice::Notice) {
        self.effects.push(crate::machine::Effect::Notice(notice));
    }

    /// The same disk, for a while.
    pub fn again(&mut self) -> Disk<'_> {
        self.of(self.owner)
    }

    /// The same disk, as another machine sees it.
    pub fn of(&mut self, owner: Owner) -> Disk<'_> {
        Disk { owner, next_number: self.next_number, effects: self.effects }
    }
}
