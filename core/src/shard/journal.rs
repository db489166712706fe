//! The journal's rounds, and what makes its files free again: a sync of everything.

use alloc::{
    collections::{BTreeSet, VecDeque},
    vec::Vec,
};

use super::{Shard, Step, sync::Round};
use crate::{
    disk::{DiskOp, DiskResult, IoId},
    journal::{RecordBuilder, path::Path},
    mutants::{Mutant, planted},
    notice::Notice,
    partition::Partition,
};

/// What is under way for the journal beside its rounds.
#[derive(Debug, Default)]
pub(super) struct JournalWork {
    /// What makes or removes its files: the step that is under way, and those to come.
    current: Option<u64>,
    steps: VecDeque<DiskOp>,
    /// The sync of everything that is under way.
    everything: Option<Everything>,
}

#[derive(Debug)]
struct Everything {
    /// The halves that it is to make free.
    full: [bool; 2],
    /// Nothing was written to the journal any more when it began.
    is_last: bool,
    /// It has ended well; so may these, which were under way meanwhile and can have lost what it was to make durable.
    confirming: Option<BTreeSet<u64>>,
}

impl Shard {
    /// How a round goes over so many partitions that the journal would take. Where it would be of use and is not there, it is
    /// made, for rounds to come.
    pub(super) fn journal_path(&mut self, count: usize, bytes: u64, step: &mut Step<'_>) -> Path {
        let is_suited = self.journal.suits(count, bytes, &self.settings);
        if count == 0 || !is_suited || self.is_stopping() {
            return Path::Files;
        }
        if !self.journal.is_ready() {
            let free_bytes = self.disk_space.map(|space| space.free_bytes);
            if self.work.current.is_none() {
                self.work.steps = self.journal.make(count, free_bytes, &self.settings);
                self.go_on_with_files(step);
            }
            return Path::Files;
        }
        self.journal.path(count, bytes, &self.settings)
    }

    pub(super) fn begin_journal_round(
        &mut self,
        loads: &[(u32, u64)],
        bytes: u64,
        step: &mut Step<'_>,
    ) {
        let Some(life) = self.journal.life() else { return };
        let size = RecordBuilder::size_of(loads.len(), bytes);
        let (file, position, sequence) = self.journal.begin_round(size);
        let mut record = RecordBuilder::default();
        for &(slot, load) in loads {
            if let Some(Some(partition)) = self.partitions.get_mut(slot as usize) {
                partition.begin_journaling(load, life, &mut record);
            }
        }
        let data = record.finish(sequence);
        let io = self.disk(step).submit(DiskOp::Write { file, position, data });
        let slots = loads.iter().map(|(slot, _)| *slot).collect();
        self.syncs.rounds.insert(io.number, Round::JournalWrite(slots));
        self.begin_everything(step);
    }

    pub(super) fn journal_written(
        &mut self,
        slots: Vec<u32>,
        result: &DiskResult,
        step: &mut Step<'_>,
    ) {
        if result.failure().is_some() || planted(Mutant::JournalNotSynced) {
            return self.journal_synced(slots, result, step);
        }
        let files = [self.journal.active_file()].into();
        let io = self.disk(step).submit(DiskOp::Sync { files, directories: Vec::new() });
        self.syncs.rounds.insert(io.number, Round::Journal(slots));
    }

    /// A round of the journal has ended. If it has failed, nothing is known of its record; the segments are what they were, and
    /// the partitions go by their files.
    pub(super) fn journal_synced(
        &mut self,
        slots: Vec<u32>,
        result: &DiskResult,
        step: &mut Step<'_>,
    ) {
        self.journal.round_ended(result.failure().is_none());
        if let Some(error) = result.failure() {
            step.effects.push(crate::machine::Effect::Notice(Notice::JournalFailed { error }));
            for slot in slots {
                self.with_partition(slot, step, |partition, context| {
                    partition.give_round_up(context)
                });
                self.note_dirty(slot, step);
            }
        } else {
            self.round_ended(slots, result, step);
        }
        self.ungather(step);
        self.begin_everything(step);
    }

    /// Who waited for the journal's next round looks again how to go.
    fn ungather(&mut self, step: &Step<'_>) {
        for slot in core::mem::take(&mut self.syncs.gathered) {
            self.note_dirty(slot, step);
        }
    }

    /// Begins a sync of everything, if the journal waits for one.
    pub(super) fn begin_everything(&mut self, step: &mut Step<'_>) {
        let full = self.journal.full();
        let is_closing = self.journal.is_closing() && !self.journal.is_busy();
        let is_full = self.journal.is_ready() && full != [false; 2];
        if self.work.everything.is_some() || !is_full && !is_closing || !self.has_replayed() {
            return;
        }
        for partition in self.partitions.iter_mut().flatten() {
            partition.begin_sync_of_everything();
        }
        let io = self.disk(step).submit(DiskOp::SyncAll);
        self.syncs.rounds.insert(io.number, Round::Everything);
        self.work.everything = Some(Everything { full, is_last: is_closing, confirming: None });
    }

    pub(super) fn everything_synced(&mut self, result: &DiskResult, step: &mut Step<'_>) {
        if let Some(error) = result.failure() {
            self.work.everything = None;
            self.fail_unsynced(error, step);
            self.keep_journal(step);
            return;
        }
        let mut rounds = self.syncs.under_way();
        rounds.extend(self.checkpoint_syncing());
        if let Some(everything) = &mut self.work.everything {
            everything.confirming = Some(rounds);
        }
    }

    /// Goes on when a sync that was under way beside that of everything, or none, has ended.
    pub(super) fn confirm_everything(&mut self, round: Option<u64>, step: &mut Step<'_>) {
        let Some(Everything { full, is_last, confirming: Some(rounds) }) =
            &mut self.work.everything
        else {
            return;
        };
        if let Some(round) = round {
            rounds.remove(&round);
        }
        if !rounds.is_empty() {
            return;
        }
        let (full, is_last) = (*full, *is_last);
        self.work.everything = None;
        for slot in self.all_slots() {
            self.with_partition(slot, step, |partition, context| {
                partition.synced_everything(context);
            });
        }
        self.journal.release(full);
        if is_last && self.journal.is_closing() {
            self.work.steps = self.journal.remove();
            self.go_on_with_files(step);
        } else {
            self.begin_everything(step);
        }
    }

    fn go_on_with_files(&mut self, step: &mut Step<'_>) {
        if let Some(op) = self.work.steps.pop_front() {
            let io = self.disk(step).submit(op);
            self.work.current = Some(io.number);
        }
    }

    /// Takes the end of an operation on the journal's files, if it is one.
    pub(super) fn journal_file_ended(
        &mut self,
        io: IoId,
        result: &DiskResult,
        step: &mut Step<'_>,
    ) -> bool {
        if self.work.current != Some(io.number) {
            return false;
        }
        self.work.current = None;
        if let Some(error) = result.failure() {
            self.work.steps.clear();
            step.effects.push(crate::machine::Effect::Notice(Notice::JournalFailed { error }));
            self.journal.file_failed();
        } else if !self.work.steps.is_empty() {
            self.go_on_with_files(step);
            return true;
        } else {
            self.journal.file_ready();
        }
        self.journal_is_settled(step);
        if self.is_running() && self.journal.life().is_none() && !self.writes_refused {
            // Some may have waited for it to be gone.
            self.reopen_full(step);
        }
        self.begin_points(step);
        true
    }

    /// Nothing is written to the journal nor removed from it any more, so that the next start finds it.
    fn keep_journal(&mut self, step: &mut Step<'_>) {
        self.journal.keep();
        self.ungather(step);
        self.journal_is_settled(step);
    }

    /// A partition may need what the journal has of it.
    pub(super) fn mind_needs(&mut self, slot: u32, step: &mut Step<'_>) {
        if !self.journal.is_kept() && self.partition(slot).is_some_and(Partition::needs_journal) {
            self.keep_journal(step);
        }
    }

    /// Whether a log may be opened anew. While the journal may have records of it, it must not be: what it would get then may
    /// not go on where these do.
    pub(super) fn may_reopen(&mut self, slot: u32, step: &mut Step<'_>) -> bool {
        // What was found at the start is appended to whatever it is opened with then.
        self.partition(slot).is_some_and(Partition::has_found) || self.may_cut(slot, step)
    }

    /// Whether a log may be cut off: the journal has no records of it. It is given up for its sake, if it can be.
    pub(super) fn may_cut(&mut self, slot: u32, step: &mut Step<'_>) -> bool {
        let life = self.journal.life();
        if self.partition(slot).is_none_or(|partition| !partition.is_in_journal(life)) {
            return true;
        }
        self.journal.close();
        self.begin_everything(step);
        false
    }

    /// What removes the journal when the broker stops in order: all of it is in the files of the logs.
    pub(super) fn remove_journal(&mut self) -> VecDeque<DiskOp> {
        let is_idle = self.is_running() && self.work.current.is_none() && !self.journal.is_busy();
        let mut partitions = self.partitions.iter().flatten();
        let is_in_files = partitions.all(|partition| partition.is_in_files());
        if self.journal.life().is_none() || self.journal.is_kept() || !is_idle || !is_in_files {
            return VecDeque::new();
        }
        self.journal.remove()
    }
}
