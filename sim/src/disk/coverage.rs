//! What the broker does with its files, as marks: what a batch of runs never reached, it has not tested.

use std::collections::BTreeSet;

use ottla_core::{
    disk::{DirectoryId, DiskOp, FileName, FileRef, WriteData},
    journal,
    log::{
        checkpoint_file::{CLEANER_OFFSETS, RECOVERY_POINTS, START_OFFSETS},
        cleaner::{CLEANED_INDEX, CLEANED_LOG, CLEANED_TIME_INDEX},
        segment::{INDEX, LOG},
        snapshot::SNAPSHOT,
    },
};

use crate::sometimes;

/// What has been seen of a disk.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    directories: BTreeSet<String>,
    /// How long the last start offsets were that were written: without any logs they are a few bytes.
    start_offsets: u64,
}

/// As long as a checkpoint without entries.
const EMPTY_CHECKPOINT_BYTES: u64 = 4;

const fn extension(file: &FileRef) -> &'static str {
    match file.name {
        FileName::Fixed(name) => name,
        FileName::Numbered(_, extension) => extension,
    }
}

/// The file that another is about to replace.
const fn replaced(file: &FileRef, name: FileName) -> FileRef {
    FileRef { directory: file.directory, name }
}

impl Coverage {
    /// Takes note of an operation that is about to take effect on files of some length.
    pub(super) fn note(&mut self, op: &DiskOp, length: impl Fn(FileRef) -> u64) {
        match op {
            DiskOp::Create(file) => {
                let is_later = matches!(file.name, FileName::Numbered(1.., LOG));
                sometimes!(SegmentRolled, is_later && file.directory.0 > 1);
            }
            DiskOp::Write { file, data, .. } => {
                sometimes!(IndexEntry, extension(file) == INDEX);
                sometimes!(ProducerSnapshot, extension(file) == SNAPSHOT);
                let first = match data {
                    WriteData::Pieces(pieces) => pieces.first().and_then(|piece| piece.first()),
                    WriteData::Bytes(_) | WriteData::Batch { .. } => None,
                };
                let is_record = first.is_some_and(|byte| *byte != 0);
                sometimes!(JournalRecord, journal::FILES.contains(file) && is_record);
                if matches!(file.name, FileName::Fixed(name) if name.starts_with("log-start-off")) {
                    self.start_offsets = data.len() as u64;
                }
            }
            DiskOp::Remove(file) => {
                sometimes!(SegmentDeleted, extension(file) == LOG && length(*file) > 0)
            }
            DiskOp::Rename { file, name } => {
                let to = replaced(file, *name);
                sometimes!(SegmentCompacted, extension(file) == CLEANED_LOG);
                sometimes!(RecoveryPointMoved, to == RECOVERY_POINTS);
                let is_something = self.start_offsets > EMPTY_CHECKPOINT_BYTES;
                sometimes!(StartOffsetWritten, to == START_OFFSETS && is_something);
                sometimes!(CleanerOffsetWritten, to == CLEANER_OFFSETS);
                let is_metadata = file.directory == DirectoryId::METADATA;
                sometimes!(MetadataSnapshot, is_metadata && extension(&to) == "snapshot");
            }
            DiskOp::Truncate { file, length: to } => {
                sometimes!(LogCut, extension(file) == LOG && *to < length(*file));
            }
            DiskOp::RenameDirectory { name, .. } => {
                sometimes!(DirectoryDeleted, name.ends_with("-delete"));
            }
            DiskOp::Use { name, .. } => {
                sometimes!(DirectoryMadeAgain, !self.directories.insert(name.clone()));
            }
            DiskOp::CreateDirectory(_)
            | DiskOp::RemoveDirectory(_)
            | DiskOp::List(_)
            | DiskOp::Sync { .. }
            | DiskOp::SyncAll
            | DiskOp::DropCache(_) => {}
            DiskOp::Read { file, .. } => {
                sometimes!(JournalFound, journal::FILES.contains(file));
            }
        }
    }
}

/// Takes note of an operation at which a process dies.
pub(super) fn note_death(op: &DiskOp) {
    match op {
        DiskOp::Write { file, .. } | DiskOp::Create(file) => note_checkpoint(file),
        DiskOp::Rename { file, name } => {
            sometimes!(DiedInRename);
            let cleaned = [CLEANED_LOG, CLEANED_INDEX, CLEANED_TIME_INDEX];
            sometimes!(DiedInCompaction, cleaned.contains(&extension(file)));
            note_checkpoint(&replaced(file, *name));
        }
        DiskOp::Remove(_) | DiskOp::RemoveDirectory(_) | DiskOp::RenameDirectory { .. } => {
            sometimes!(DiedInDeletion);
        }
        DiskOp::Sync { files, .. } => files.iter().for_each(note_checkpoint),
        DiskOp::SyncAll => sometimes!(DiedInCheckpoint),
        DiskOp::Use { .. }
        | DiskOp::CreateDirectory(_)
        | DiskOp::List(_)
        | DiskOp::Read { .. }
        | DiskOp::Truncate { .. }
        | DiskOp::DropCache(_) => {}
    }
}

fn note_checkpoint(file: &FileRef) {
    let is_checkpoint = extension(file).starts_with("recovery-point-offset-checkpoint");
    sometimes!(DiedInCheckpoint, is_checkpoint);
}
