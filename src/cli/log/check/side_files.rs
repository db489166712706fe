//! The files beside the batches: snapshots, and the epochs for Kafka's sake.

use std::io;

use ottla_core::{
    log::{
        checkpoint_file,
        epochs::{EpochStart, Epochs},
        snapshot,
    },
    types::Offset,
};

use super::{NOTHING, Partition};
use crate::cli::log::{
    batches::Batches,
    files::{self, EPOCHS, Kind},
    report::Severity,
};

impl Partition<'_> {
    /// Reads what is known of the log beside its batches.
    pub(super) fn read_side_files(&mut self, kinds: &[Kind]) -> io::Result<()> {
        let mut snapshots: Vec<Offset> = kinds
            .iter()
            .filter_map(|kind| if let Kind::Snapshot(offset) = kind { Some(*offset) } else { None })
            .collect();
        snapshots.sort_unstable();
        // Recovery takes the newest that is not beyond its point.
        let serving =
            snapshots.iter().rfind(|offset| **offset <= self.known.recovery_point).copied();
        for offset in snapshots {
            self.read_snapshot(offset, Some(offset) == serving)?;
        }
        if kinds.contains(&Kind::Epochs) {
            self.read_epochs()?;
        }
        Ok(())
    }

    fn read_snapshot(&mut self, offset: Offset, is_serving: bool) -> io::Result<()> {
        let name = files::name(offset, snapshot::SNAPSHOT);
        let Some(bytes) = files::read_if_there(&self.directory.path.join(&name))? else {
            return Ok(());
        };
        let fix = "stop the broker and delete the file: the next start reads the log from its beginning instead";
        let Some(found) = snapshot::decode_at(offset, &bytes) else {
            let (severity, fix) =
                if is_serving { (Severity::Damage, fix) } else { (Severity::Note, NOTHING) };
            let what = "the snapshot is not as it was written".to_owned();
            self.tell(severity, &name, None, what, fix);
            return Ok(());
        };
        if !is_serving {
            return Ok(());
        }
        if found.place.is_some() {
            self.epochs = found.epochs;
            self.epochs_to = offset;
        }
        // That of an older one may have moved.
        self.place = found.place.filter(|_| offset == self.known.recovery_point);
        if let Some(place) = self.place
            && !self.leads_to_batch(place.position.segment, place.position.byte, offset)?
        {
            let what = format!(
                "the snapshot says that offset {offset} is at byte {} of {}, but it is not",
                place.position.byte,
                files::name(place.position.segment, "log")
            );
            self.tell(Severity::Damage, &name, None, what, fix);
            self.place = None;
        }
        Ok(())
    }

    /// Whether a segment has an end or a batch at a byte: the batch is of this offset or, after compaction, of a later one.
    fn leads_to_batch(&self, segment: Offset, byte: u32, offset: Offset) -> io::Result<bool> {
        let path = self.directory.path.join(files::name(segment, "log"));
        let mut batches = match Batches::open(&path) {
            Ok(batches) => batches,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if u64::from(byte) > batches.end() {
            return Ok(false);
        }
        batches.seek(byte.into())?;
        Ok(match batches.next()? {
            Some(found) => match found.batch {
                Ok(header) => header.base_offset >= offset,
                // What is torn there was being written.
                Err(_) => true,
            },
            None => true,
        })
    }

    fn read_epochs(&mut self) -> io::Result<()> {
        let path = self.directory.path.join(EPOCHS);
        let Some(bytes) = files::read_if_there(&path)? else { return Ok(()) };
        match checkpoint_file::decode_epochs(&bytes) {
            Ok(epochs) if self.epochs == Epochs::default() => {
                self.epochs = epochs;
                self.epochs_to = self.known.recovery_point;
            }
            Ok(epochs) => self.compare_epochs(&epochs),
            Err(invalid) => {
                let what = format!("line {} is not as it was written", invalid.line);
                let fix = "stop the broker and delete the file: it is for Kafka's tools only";
                self.tell(Severity::Damage, EPOCHS, None, what, fix);
            }
        }
        Ok(())
    }

    /// The file is written apart from the snapshot: it may be one step behind or ahead, but what both know must agree.
    fn compare_epochs(&mut self, written: &Epochs) {
        for entry in written.entries() {
            let starts = |known: &&EpochStart| known.epoch == entry.epoch;
            let start = self.epochs.entries().iter().find(starts).map(|known| known.start_offset);
            let there = self.epochs.epoch_of(entry.start_offset);
            // What was deleted at the start may have been so for one of them only.
            let moved = start.is_some_and(|start| start != entry.start_offset)
                && entry.start_offset > self.start_offset;
            let other = entry.start_offset < self.epochs_to
                && there.is_some_and(|known| known != entry.epoch);
            if moved || other {
                let what = format!(
                    "epoch {} does not begin at offset {}",
                    entry.epoch, entry.start_offset
                );
                let fix = "stop the broker and delete the file: it is for Kafka's tools only";
                self.tell(Severity::Damage, EPOCHS, None, what, fix);
            }
        }
    }
}
