//! How much of the metadata log was made durable, in a file beside it: what does not verify below that was acknowledged, and
//! has been damaged since.

use std::io;

use bytes::BytesMut;
use ottla_core::{
    disk::{DirectoryId, DiskOp, FileName, FileRef, WriteData},
    metadata::log::{SyncedMark, frame, unframe},
};

use super::machine::{failure, read_if_there};
use crate::world::{Disk, perform};

const MARK: FileRef = FileRef { directory: DirectoryId::METADATA, name: FileName::Fixed("synced") };
/// Where the mark is written once more: on another page, for what spoils a page would have the mark say nothing, and damage to
/// the log be taken for what was being written.
const COPY_AT: usize = 4096;
const MARK_BYTES_MAX: u32 = 1 << 13;

/// The mark of what is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Synced {
    exists: bool,
    /// It was written and not synced; its name, too, if it was made.
    is_unsynced: bool,
    is_new: bool,
    place: Option<(u64, u64)>,
}

impl Synced {
    /// Reads the mark. A copy that does not verify was being written when the power failed, or is damaged, and says nothing; of
    /// two that differ the lower one was not written.
    pub(super) async fn read<D: Disk>(disk: &D) -> io::Result<Self> {
        let read = DiskOp::Read { file: MARK, position: 0, length: MARK_BYTES_MAX };
        let Some(bytes) = read_if_there(disk, read).await? else { return Ok(Self::default()) };
        let copies = [0, COPY_AT].into_iter().filter_map(|at| {
            let mark: SyncedMark = unframe(&mut bytes.get(at..).map(|_| bytes.slice(at..))?)?;
            Some((mark.file.cast_unsigned(), mark.length.cast_unsigned()))
        });
        Ok(Self { exists: true, place: copies.max(), ..Self::default() })
    }

    /// Has the mark synced along with the log: it says then how long the log was before the last entries. A mark that every power
    /// failure takes would let damage be taken for what was being written.
    pub(super) fn sync_along(&self, files: &mut Vec<FileRef>, directories: &mut Vec<DirectoryId>) {
        if self.is_unsynced {
            files.push(MARK);
        }
        if self.is_new && directories.is_empty() {
            directories.push(DirectoryId::METADATA);
        }
    }

    /// Has what was written of the mark synced at once: until it is, damage to the last entries is taken for a tail that a power
    /// failure left, and what was acknowledged is lost without a word.
    pub(super) async fn settle<D: Disk>(&mut self, disk: &D) -> io::Result<()> {
        let (mut files, mut directories) = (Vec::new(), Vec::new());
        self.sync_along(&mut files, &mut directories);
        if !files.is_empty() {
            failure(&perform(disk, DiskOp::Sync { files, directories }).await)?;
            self.was_synced();
        }
        Ok(())
    }

    /// All that was written of it is synced.
    pub(super) const fn was_synced(&mut self) {
        (self.is_unsynced, self.is_new) = (false, false);
    }

    /// How much of a file is durable for certain.
    pub(super) fn length_of(&self, file: u64) -> u64 {
        self.place.filter(|(marked, _)| *marked == file).map_or(0, |(_, length)| length)
    }

    /// Takes note that so much of a file is durable.
    pub(super) async fn note<D: Disk>(
        &mut self,
        disk: &D,
        file: u64,
        length: u64,
    ) -> io::Result<()> {
        if !self.exists {
            failure(&perform(disk, DiskOp::Create(MARK)).await)?;
            (self.exists, self.is_new) = (true, true);
        }
        let mark = SyncedMark { file: file.cast_signed(), length: length.cast_signed() };
        let frame = frame(&mark);
        let mut copies = BytesMut::zeroed(COPY_AT + frame.len());
        copies[..frame.len()].copy_from_slice(&frame);
        copies[COPY_AT..].copy_from_slice(&frame);
        let data = WriteData::Bytes(copies.freeze());
        self.is_unsynced = true;
        failure(&perform(disk, DiskOp::Write { file: MARK, position: 0, data }).await)?;
        self.place = Some((file, length));
        Ok(())
    }

    /// The log is about to be cut off: less is durable from now on, and that is so for certain before it is.
    pub(super) async fn lower<D: Disk>(
        &mut self,
        disk: &D,
        file: u64,
        length: u64,
    ) -> io::Result<()> {
        self.note(disk, file, length).await?;
        self.settle(disk).await
    }
}

/// What is said of a log that cannot be believed.
pub(super) fn damaged(file: FileRef, position: u64) -> io::Error {
    let name = file.name;
    io::Error::other(format!(
        "no intact entry begins at byte {position} of metadata/{name}, though what was there had been acknowledged: the file is \
         damaged. To start without it would forget topics and settings. Bring the folder `metadata` back from a copy; or, to go \
         on with only what comes before, keep a copy of that folder, cut the file off there (truncate -s {position} \
         metadata/{name}), and remove metadata/synced and the later files of the log"
    ))
}

/// What is said of a vote without a log.
pub(super) fn forgotten() -> io::Error {
    io::Error::other(
        "there is a file metadata/vote, and not one entry of the metadata log, which was begun before that: its files are gone or \
         empty. To start without them would forget topics and settings. Bring the folder `metadata` back from a copy",
    )
}

/// What is said of a log in which entries are missing.
pub(super) fn incomplete(from: u64, to: u64) -> io::Error {
    io::Error::other(format!(
        "the entries from {from} to {to} are missing from the metadata log: a file of the folder `metadata` is gone. Bring the \
         folder back from a copy"
    ))
}
