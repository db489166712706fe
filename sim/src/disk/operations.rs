//! What operations do to the image, and what they answer: the same as the operating system does for the broker outside.

use std::collections::BTreeMap;

use ottla_core::{
    disk::{DirectoryId, DiskOp, DiskResult, FileRef, IoError, WriteData},
    types::Timestamp,
};

use super::image::{Image, Inode, Sync};
use crate::dice::Dice;

/// What a process calls its directories.
#[derive(Debug)]
pub struct Table(BTreeMap<DirectoryId, String>);

/// Where the metadata log is kept.
const METADATA_FOLDER: &str = "metadata";

impl Default for Table {
    fn default() -> Self {
        let data = (DirectoryId::DATA, String::new());
        Self([data, (DirectoryId::METADATA, METADATA_FOLDER.to_owned())].into())
    }
}

/// An operation that has begun.
#[derive(Debug)]
pub enum Begun {
    /// Nothing remains but to tell.
    Ended(DiskResult),
    /// The bytes are read at its end.
    Reading {
        /// Of which file.
        inode: Inode,
        /// From which byte on.
        position: u64,
        /// How many.
        length: u64,
    },
    /// The image is synced at its end.
    Syncing {
        /// What it takes to the disk.
        sync: Sync,
        /// How it ends if the disk does its work.
        result: Result<(), IoError>,
    },
    /// The directory is listed at its end.
    Listing(Inode),
    /// Some of its files are gone; the rest goes at its end.
    Removing(String),
}

impl Table {
    fn name(&self, directory: DirectoryId) -> Result<&str, IoError> {
        self.0.get(&directory).map(String::as_str).ok_or(IoError::NotFound)
    }

    fn directory(&self, image: &Image, directory: DirectoryId) -> Result<Inode, IoError> {
        image.directory(self.name(directory)?).ok_or(IoError::NotFound)
    }

    /// The file that bears the name now.
    ///
    /// # Errors
    /// If there is none.
    pub fn file(&self, image: &Image, file: FileRef) -> Result<Inode, IoError> {
        let directory = self.directory(image, file.directory)?;
        image.file(directory, &file.name.to_string()).ok_or(IoError::NotFound)
    }

    /// The files that an operation is of, whatever names they bear when it begins.
    pub fn capture(&self, image: &Image, op: &DiskOp) -> Vec<Inode> {
        let files = match op {
            DiskOp::Read { file, .. } => std::slice::from_ref(file),
            DiskOp::Sync { files, .. } => files,
            DiskOp::Use { .. }
            | DiskOp::CreateDirectory(_)
            | DiskOp::RenameDirectory { .. }
            | DiskOp::RemoveDirectory(_)
            | DiskOp::List(_)
            | DiskOp::Create(_)
            | DiskOp::Write { .. }
            | DiskOp::SyncAll
            | DiskOp::Truncate { .. }
            | DiskOp::Rename { .. }
            | DiskOp::Remove(_)
            | DiskOp::DropCache(_) => &[],
        };
        // One that is gone has nothing left to be made durable.
        files.iter().filter_map(|file| self.file(image, *file).ok()).collect()
    }

    /// Begins an operation on the files that were captured for it.
    pub fn begin(
        &mut self,
        image: &mut Image,
        op: &DiskOp,
        captured: &[Inode],
        now: Timestamp,
    ) -> Begun {
        let begun = match op {
            DiskOp::Read { position, length, .. } => match captured.first() {
                Some(&inode) => {
                    let length = u64::from(*length);
                    Ok(Begun::Reading { inode, position: *position, length })
                }
                None => Err(IoError::NotFound),
            },
            DiskOp::Sync { directories, .. } => {
                let found: Vec<_> =
                    directories.iter().map(|known| self.directory(image, *known)).collect();
                let result = found.iter().find_map(|found| found.err()).map_or(Ok(()), Err);
                let found: Vec<Inode> = found.into_iter().flatten().collect();
                let sync = image.begin_sync(captured, &found);
                Ok(Begun::Syncing { sync, result })
            }
            DiskOp::SyncAll => Ok(Begun::Syncing { sync: image.begin_sync_all(), result: Ok(()) }),
            DiskOp::List(directory) => self.directory(image, *directory).map(Begun::Listing),
            DiskOp::RemoveDirectory(directory) => {
                self.0.remove(directory).map(Begun::Removing).ok_or(IoError::NotFound)
            }
            DiskOp::Use { .. }
            | DiskOp::CreateDirectory(_)
            | DiskOp::RenameDirectory { .. }
            | DiskOp::Create(_)
            | DiskOp::Write { .. }
            | DiskOp::Truncate { .. }
            | DiskOp::Rename { .. }
            | DiskOp::Remove(_)
            | DiskOp::DropCache(_) => {
                self.perform(image, op, now).map(|()| Begun::Ended(DiskResult::Done))
            }
        };
        begun.unwrap_or_else(|error| Begun::Ended(DiskResult::Failed(error)))
    }

    /// Does what only touches the page cache.
    fn perform(&mut self, image: &mut Image, op: &DiskOp, now: Timestamp) -> Result<(), IoError> {
        match op {
            DiskOp::Use { directory, name } => {
                self.0.insert(*directory, name.clone());
            }
            DiskOp::CreateDirectory(directory) => image.create_directory(self.name(*directory)?),
            DiskOp::RenameDirectory { directory, name } => {
                let from = self.name(*directory)?;
                if image.directory(from).is_some() {
                    image.rename_directory(from, name)?;
                }
                self.0.insert(*directory, name.clone());
            }
            DiskOp::Create(file) => {
                let directory = self.directory(image, file.directory)?;
                image.create(directory, &file.name.to_string(), now);
            }
            DiskOp::Write { file, position, data } => {
                let inode = self.file(image, *file)?;
                write_some(image, inode, *position, data, data.len(), now);
            }
            DiskOp::Truncate { file, length } => {
                let inode = self.file(image, *file)?;
                image.truncate(inode, *length, now);
            }
            DiskOp::Rename { file, name } => {
                let directory = self.directory(image, file.directory)?;
                if !image.rename(directory, &file.name.to_string(), &name.to_string()) {
                    return Err(IoError::NotFound);
                }
            }
            DiskOp::Remove(file) => {
                let name = self.name(file.directory)?;
                if let Some(directory) = image.directory(name) {
                    image.remove(directory, &file.name.to_string());
                }
            }
            DiskOp::DropCache(file) => {
                let inode = self.file(image, *file)?;
                image.drop_cache(inode);
            }
            DiskOp::RemoveDirectory(_)
            | DiskOp::List(_)
            | DiskOp::Read { .. }
            | DiskOp::Sync { .. }
            | DiskOp::SyncAll => unreachable!("it takes its time"),
        }
        Ok(())
    }
}

/// Writes the first `count` bytes of it.
pub fn write_some(
    image: &mut Image,
    inode: Inode,
    mut position: u64,
    data: &WriteData,
    mut count: usize,
    now: Timestamp,
) {
    let mut write = |piece: &[u8]| {
        let piece = &piece[..piece.len().min(count)];
        if !piece.is_empty() {
            image.write(inode, position, piece, now);
        }
        position += piece.len() as u64;
        count -= piece.len();
    };
    match data {
        WriteData::Bytes(bytes) => write(bytes),
        WriteData::Batch { header, body } => {
            write(header);
            write(body);
        }
        WriteData::Pieces(pieces) => pieces.iter().for_each(|piece| write(piece)),
    }
}

impl Begun {
    /// What an operation has done when it ends.
    pub fn finish(self, image: &mut Image) -> DiskResult {
        match self {
            Self::Ended(result) => result,
            Self::Reading { inode, position, length } => {
                DiskResult::Bytes(image.read(inode, position, length))
            }
            Self::Syncing { sync, result } => {
                image.end_sync(&sync);
                result.map_or_else(DiskResult::Failed, |()| DiskResult::Done)
            }
            Self::Listing(directory) => DiskResult::Entries(image.list(directory)),
            Self::Removing(name) => {
                image.remove_directory(&name, usize::MAX);
                DiskResult::Done
            }
        }
    }

    /// What an operation may have done when whoever asked for it is no more.
    pub fn abandon(self, image: &mut Image, dice: &mut Dice) {
        match self {
            Self::Syncing { sync, .. } => match dice.below(3) {
                0 => image.end_sync(&sync),
                1 => image.abandon_sync(&sync, dice),
                _ => {}
            },
            Self::Removing(name) => {
                image.remove_directory(&name, dice.index(4));
            }
            Self::Ended(_) | Self::Reading { .. } | Self::Listing(_) => {}
        }
    }
}
