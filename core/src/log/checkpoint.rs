//! Moving the recovery point.
//!
//! The owner of many logs does so for all of them at once: each [writes](Log::write_indexes) what its indexes have in memory
//! only, and then a [snapshot](Log::write_snapshot); one sync makes all of that durable; then each [takes
//! note](Log::checkpointed).

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

    /// Writes a snapshot of what has been written, if the indexes allow to say where that is. Returns the snapshot's offset and
    /// the operations that must end before it is synced.
    pub fn write_snapshot(&mut self, disk: &mut Disk<'_>) -> Option<(LogPosition, [IoId; 2])> {
        if !self.is_quiet() {
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
        let file = FileRef {
            directory: self.directory,
            name: FileName::segment(position.offset, SNAPSHOT),
        };
        // What was appended and is not written may never be.
        let known = if planted(Mutant::SnapshotAheadOfLog) { self.end } else { position };
        let producers = self.producers.below(known.offset);
        let content = snapshot::encode(&producers, &self.epochs, place);
        let create = disk.submit(DiskOp::Create(file));
        let data = WriteData::Bytes(content);
        let write = disk.submit(DiskOp::Write { file, position: 0, data });
        Some((position, [create, write]))
    }

    /// Writes the leader epochs where Kafka looks for them.
    pub fn write_epochs(&mut self, disk: &mut Disk<'_>) -> [IoId; 2] {
        let file = FileRef { directory: self.directory, name: checkpoint_file::EPOCHS };
        let create = disk.submit(DiskOp::Create(file));
        let data = WriteData::Bytes(checkpoint_file::encode_epochs(&self.epochs));
        [create, disk.submit(DiskOp::Write { file, position: 0, data })]
    }

    /// The snapshot at `position` and everything below is durable, and so is the checkpoint that names it: recovery would begin
    /// there. Older snapshots are of no use any more.
    pub fn checkpointed(&mut self, position: LogPosition, disk: &mut Disk<'_>) {
        self.recovery_point = self.recovery_point.max(position.offset);
        self.snapshots.push(position.offset);
        let newest = self.snapshots.iter().copied().max();
        for offset in core::mem::take(&mut self.snapshots) {
            if Some(offset) == newest {
                self.snapshots.push(offset);
            } else {
                self.remove_snapshot(offset, disk);
            }
        }
    }

    fn remove_snapshot(&self, offset: Offset, disk: &mut Disk<'_>) {
        let name = FileName::segment(offset, SNAPSHOT);
        disk.submit(DiskOp::Remove(FileRef { directory: self.directory, name }));
    }
}
