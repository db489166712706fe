//! What was written and is not durable: kept at hand, for the journal to write it as well.

use alloc::collections::VecDeque;

use bytes::Bytes;

use super::{Log, LogPosition};
use crate::{
    disk::Disk,
    journal::{RecordBuilder, replay::Found},
    log::PreparedBatch,
    machine::Now,
    mutants::{Mutant, planted},
    records::BATCH_HEADER_BYTES,
    types::{Offset, TopicPartition},
};

/// A batch as it was written.
#[derive(Debug, Clone)]
struct Batch {
    base_offset: Offset,
    end_offset: Offset,
    header: [u8; BATCH_HEADER_BYTES],
    body: Bytes,
}

/// The last batches of a log, as far as they may not be durable.
#[derive(Debug, Clone, Default)]
pub(super) struct Unsynced {
    batches: VecDeque<Batch>,
    bytes: usize,
}

impl Unsynced {
    /// Takes note of a batch. More than the journal would ever be given is not kept.
    pub(super) fn push(
        &mut self,
        base_offset: Offset,
        end_offset: Offset,
        header: [u8; BATCH_HEADER_BYTES],
        body: Bytes,
    ) {
        self.bytes += header.len() + body.len();
        self.batches.push_back(Batch { base_offset, end_offset, header, body });
        if self.bytes > KEPT_BYTES_MAX {
            self.batches.clear();
            self.bytes = 0;
        }
    }

    /// What lies before `durable` is durable.
    pub(super) fn forget_before(&mut self, durable: Offset) {
        while let Some(batch) = self.batches.pop_front_if(|batch| batch.end_offset <= durable) {
            self.bytes -= batch.header.len() + batch.body.len();
        }
    }

    /// The batches from `from` to `to`, if all of them are here.
    fn between(&self, from: Offset, to: Offset) -> Option<impl Iterator<Item = &Batch>> {
        let count = self.batches.iter().take_while(|batch| batch.end_offset <= to).count();
        let batches = || self.batches.iter().take(count);
        let mut end = from;
        for batch in batches() {
            if batch.base_offset != end {
                return None;
            }
            end = batch.end_offset;
        }
        (end == to).then(batches)
    }
}

/// How many bytes of batches are kept of a log: beyond that a sync of its files costs less than to write them twice.
const KEPT_BYTES_MAX: usize = 1 << 20;

impl Log {
    /// How many bytes of batches have been written and are not durable, if they are at hand and nothing but their bytes is
    /// missing: a record in a file without a name is lost, whatever the journal has of it.
    pub fn journal_load(&self) -> Option<u64> {
        if !self.config.is_durable() || self.unsynced_names.are_any() {
            return None;
        }
        let batches = self.unsynced.between(self.durable.offset, self.written.offset)?;
        Some(batches.map(|batch| (batch.header.len() + batch.body.len()) as u64).sum())
    }

    /// Adds what was written and is not durable to a record of the journal, which has room for `bytes` of it, and takes note
    /// that this is under way.
    pub fn begin_journaling(&mut self, id: TopicPartition, bytes: u64, record: &mut RecordBuilder) {
        let bytes = u32::try_from(bytes).expect("the journal is given little of each log");
        record.begin_entry(id, bytes);
        let batches = self.unsynced.between(self.durable.offset, self.written.offset);
        for batch in batches.into_iter().flatten() {
            record.push_batch(&batch.header, batch.body.clone());
        }
        self.begin_round(crate::journal::path::Path::Journal);
    }

    /// Appends what the journal has behind the end of the log: the batches that go on where it ends, and nothing else. What lies
    /// before is there; behind a gap lies what the log never was.
    pub fn replay(&mut self, found: &[Found], now: Now, disk: &mut Disk<'_>) {
        for Found { header, batch } in found {
            let goes_on = header.base_offset == self.end.offset
                && header.leader_epoch >= self.epochs.latest().unwrap_or(header.leader_epoch);
            if goes_on || planted(Mutant::ReplayedAnywhere) {
                self.append(PreparedBatch::new(*header, batch), header.leader_epoch, now, disk);
            }
        }
    }

    /// A sync of everything begins: it will make durable what has been written by now, and the names of files that are there.
    pub fn begin_sync_of_everything(&mut self) {
        let names = self.setup.is_empty().then_some(self.unsynced_names.changes);
        self.everything = Some((self.written, names));
    }

    /// The sync of everything has ended well, and no other sync that was under way meanwhile has failed. Whether the log was
    /// there when it began.
    pub fn synced_everything(&mut self) -> bool {
        let Some((to, names)) = self.everything.take() else { return false };
        if names == Some(self.unsynced_names.changes) {
            self.unsynced_names.clear();
        }
        self.synced_to(to);
        true
    }

    /// Whether records are durable in the journal only.
    pub fn needs_journal(&self) -> bool {
        self.in_files.offset < self.durable.offset
    }

    /// Where what is in the journal only begins.
    pub const fn in_files(&self) -> LogPosition {
        self.in_files
    }
}
