//! Moving the recovery point.
//!
//! The owner of many logs does so for all of them: each in its turn [writes](Log::write_indexes) what its indexes have in memory
//! only, and then a [snapshot](Log::write_snapshot); one sync makes all of that durable; then each [takes
//! note](Log::checkpointed).

use alloc::vec::Vec;

use super::{
    Log, LogPosition, checkpoint_file,
    snapshot::{self, Place, SNAPSHOT},
};
use crate::{
    disk::{Disk, DiskOp, FileName, FileRef, IoId, WriteData},
    mutants::{Mutant, planted},
    types::Offset,
};

impl Log {
    /// Whether the recovery point has fallen behind.
    pub fn wants_checkpoint(&self) -> bool {
        self.end.offset > self.recovery_point
    }

    /// How many bytes were appended since the log was opened, and read then to find its end: what recovery would read of them is
    /// above the recovery point.
    pub const fn appended_bytes(&self) -> u64 {
        self.appended_bytes
    }

    /// Whether all that the log writes beside its batches has ended.
    pub fn is_quiet(&self) -> bool {
        self.index_writes.is_empty() && self.setup.is_empty()
    }

    /// Writes a snapshot of what has been written, if that is not the one that recovery begins with, and the indexes allow to say
    /// where it is. Returns what is written and the operations that must end before it is synced.
    pub fn write_snapshot(&mut self, disk: &mut Disk<'_>) -> Option<(Written, Vec<IoId>)> {
        if !self.is_quiet()
            || self.snapshots.newest_to(self.recovery_point) == Some(self.written.offset)
        {
            return None;
        }
        let position = self.written;
        let segment = self.segment(position.segment)?;
        // The indexes may already lead to batches that are still being written.
        if segment.offset_index.last_on_disk().is_some_and(|entry| entry.byte >= position.byte) {
            return None;
        }
        let place = Place {
            position,
            offset_entries: segment.offset_index.on_disk(),
            time_entries: segment.time_index.on_disk(),
            last_time_entry: segment.time_index.last_on_disk(),
            max_timestamp: self.written_max_timestamp,
        };
        // What was appended and is not written may never be.
        let known = if planted(Mutant::SnapshotAheadOfLog) { self.end } else { position };
        let producers = self.producers.below(known.offset);
        let content = snapshot::encode(&producers, &self.epochs, place);
        let length = content.len();
        let spare = self.snapshots.begin(position.offset, self.recovery_point);
        let file = self.snapshot_file(position.offset);
        let mut operations = Vec::with_capacity(3);
        operations.push(disk.submit(match spare {
            Some(spare) => {
                DiskOp::Rename { file: self.snapshot_file(spare.offset), name: file.name }
            }
            None => DiskOp::Create(file),
        }));
        let data = WriteData::Bytes(content);
        operations.push(disk.submit(DiskOp::Write { file, position: 0, data }));
        if spare.is_some_and(|spare| spare.length_max > length) {
            operations.push(disk.submit(DiskOp::Truncate { file, length: length as u64 }));
        }
        Some((Written { position, length }, operations))
    }

    /// Writes the leader epochs where Kafka looks for them.
    pub fn write_epochs(&mut self, disk: &mut Disk<'_>) -> [IoId; 2] {
        let file = FileRef { directory: self.directory, name: checkpoint_file::EPOCHS };
        let create = disk.submit(DiskOp::Create(file));
        let data = WriteData::Bytes(checkpoint_file::encode_epochs(&self.epochs));
        [create, disk.submit(DiskOp::Write { file, position: 0, data })]
    }

    /// The snapshot and everything below is durable, and so is the checkpoint that names it: recovery would begin there.
    pub fn checkpointed(&mut self, snapshot: Written, disk: &mut Disk<'_>) {
        let offset = snapshot.position.offset;
        self.recovery_point = self.recovery_point.max(offset);
        for needless in self.snapshots.serves(offset, snapshot.length) {
            disk.submit(DiskOp::Remove(self.snapshot_file(needless)));
        }
    }

    fn snapshot_file(&self, offset: Offset) -> FileRef {
        FileRef { directory: self.directory, name: FileName::segment(offset, SNAPSHOT) }
    }
}

/// A snapshot that was written.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// What it is of.
    pub position: LogPosition,
    /// How many bytes it has.
    pub length: usize,
}
