//! Making what was written durable.

use alloc::vec::Vec;

use super::Log;
use crate::{
    disk::{DirectoryId, FileRef},
    journal::path::Path,
    mutants::{Mutant, planted},
    types::Instant,
};

/// What has to be synced for a log to be durable to where it has been written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SyncSet {
    /// Files whose content is new.
    pub files: Vec<FileRef>,
    /// Directories whose names are new.
    pub directories: Vec<DirectoryId>,
}

/// Which names a power failure would take.
#[derive(Debug, Clone, Default)]
pub(super) struct UnsyncedNames {
    /// Names in the partition's directory: a record in a file without a name is lost, however well it was synced.
    pub(super) own: bool,
    /// The name of the directory itself.
    pub(super) parent: bool,
    /// The content of the file that says whose the directory is.
    pub(super) metadata: Option<FileRef>,
    /// Counts how often there was something new.
    pub(super) changes: u64,
}

impl UnsyncedNames {
    /// Nothing is known of any of them.
    pub(super) const fn add_all(&mut self, metadata: FileRef) {
        self.add_directory(metadata);
        self.add_own();
    }

    /// The directory, and the file that says whose it is, are new.
    pub(super) const fn add_directory(&mut self, metadata: FileRef) {
        self.parent = true;
        self.metadata = Some(metadata);
        self.changes += 1;
    }

    /// There is a new name in the directory.
    pub(super) const fn add_own(&mut self) {
        self.own = true;
        self.changes += 1;
    }

    /// Whether there are any.
    pub(super) const fn are_any(&self) -> bool {
        self.own || self.parent || self.metadata.is_some()
    }

    /// All are durable.
    pub(super) fn clear(&mut self) {
        *self = Self { changes: self.changes, ..Self::default() };
    }
}

impl Log {
    /// Whether a sync should begin: there is something to make durable, no sync is under way, and the topic's flush settings
    /// ask for it. While files are being made it waits: a sync would not cover their names.
    pub fn wants_sync(&self, now: Instant) -> bool {
        if self.syncing.is_some()
            || self.cut.is_some()
            || !self.setup.is_empty()
            || self.written.offset == self.durable.offset
        {
            return false;
        }
        self.config.is_durable()
            || self.unflushed_records >= self.config.flush_messages
            || self.flush_deadline().is_some_and(|deadline| deadline <= now)
    }

    /// When `flush.ms` asks for a sync.
    pub fn flush_deadline(&self) -> Option<Instant> {
        let flush_ms = u64::try_from(self.config.flush_ms).ok()?;
        self.unflushed_since.map(|since| since + core::time::Duration::from_millis(flush_ms))
    }

    /// Adds what a sync has to make durable to `set`, and takes note that it is under way. Only writes that have ended count:
    /// a sync says nothing of others.
    pub fn begin_sync(&mut self, set: &mut SyncSet) {
        let (from, to) = (self.in_files.segment, self.written.segment);
        let dirty = self
            .segments
            .iter()
            .filter(|segment| (from..=to).contains(&segment.base_offset))
            .map(|segment| segment.file);
        set.files.extend(dirty);
        set.files.extend(self.unsynced_names.metadata.take());
        if core::mem::take(&mut self.unsynced_names.own) && !planted(Mutant::DirectoryNotSynced) {
            set.directories.push(self.directory);
        }
        if core::mem::take(&mut self.unsynced_names.parent) && !planted(Mutant::ParentNotSynced) {
            set.directories.push(DirectoryId::DATA);
        }
        self.begin_round(Path::Files);
    }

    /// A round is under way that makes durable what has been written.
    pub(super) const fn begin_round(&mut self, path: Path) {
        self.syncing = Some((self.written, path));
        self.unflushed_records = 0;
        self.unflushed_since = None;
    }

    /// The round has ended well.
    pub fn synced(&mut self) {
        let Some((to, path)) = self.syncing.take() else { return };
        match path {
            Path::Files => self.synced_to(to),
            Path::Journal | Path::JournalNext => {
                self.durable = self.durable.max(to);
                self.unsynced.forget_before(self.durable.offset);
            }
        }
    }

    /// The round came to nothing, and has lost nothing either: another one begins anew.
    pub const fn give_round_up(&mut self) {
        self.syncing = None;
    }

    /// Everything before `to` was made durable in the log's files.
    pub fn synced_to(&mut self, to: super::LogPosition) {
        self.in_files = self.in_files.max(to);
        self.durable = self.durable.max(to);
        self.unsynced.forget_before(self.durable.offset);
    }
}
