//! What a partition has to do with the journal.

use alloc::vec::Vec;

use super::{Context, Partition, State};
use crate::{
    journal::{RecordBuilder, replay::Found},
    log::Log,
    types::Offset,
};

/// What the journal means to a partition.
#[derive(Debug, Default)]
pub(super) struct Journaled {
    /// What the journal had of the log at the start, for when it is open, until that is durable in the log's files.
    found: Vec<Found>,
    /// Where the log ended when it had been given that.
    replayed_to: Offset,
    /// The life of the journal that has records of the log.
    life: u64,
    /// Its files may never have what the journal has of it, until the next start.
    is_needed: bool,
}

impl Partition {
    /// What the journal, in this life, has of the log that is being opened.
    pub fn set_found(&mut self, found: Vec<Found>, life: u64) {
        self.journaled = Journaled { found, life, ..Journaled::default() };
    }

    /// Appends what the journal has behind the end of the log.
    pub(super) fn replay(&mut self, log: &mut Log, context: &mut Context<'_>) {
        log.replay(&self.journaled.found, context.now, &mut context.disk);
        self.journaled.replayed_to = log.end_offset();
    }

    /// Whether what the journal had of the log could not be shown yet. A start waits for that; a log that was opened later, for
    /// there was no space, would be shown with an end that lies before what was told.
    pub(super) fn is_replaying(&self) -> bool {
        let is_behind = |log: &Log| log.acknowledgeable().offset < self.journaled.replayed_to;
        self.has_found() && self.log().is_some_and(is_behind)
    }

    /// Whether all that the journal had of the log has been written, or never will be.
    pub fn has_replayed(&self) -> bool {
        match &self.state {
            State::Opening { .. } => false,
            State::Open(log) => log.has_its_files() && log.written().offset == log.end_offset(),
            State::Failed { .. } => true,
        }
    }

    /// Whether the journal, in this life, may have records of the log.
    pub fn is_in_journal(&self, life: Option<u64>) -> bool {
        life == Some(self.journaled.life)
    }

    /// Whether what the journal had at the start is not durable in the log's files.
    pub const fn has_found(&self) -> bool {
        !self.journaled.found.is_empty()
    }

    /// Whether the journal may have what will never be in the log's files.
    pub const fn needs_journal(&self) -> bool {
        self.journaled.is_needed
    }

    /// The log fails: what is in the journal only can be had from nowhere else, if its files cannot be synced any more.
    pub(super) fn mind_journal(&mut self, is_readable: bool) {
        let is_in_journal_only = match &self.state {
            State::Open(log) => log.needs_journal() && !is_readable,
            State::Opening { frozen, .. } | State::Failed { frozen, .. } => {
                frozen.as_ref().is_some_and(|log| log.needs_journal())
            }
        };
        self.journaled.is_needed |= is_in_journal_only || self.has_found();
    }

    /// How many bytes could be made durable by the journal, if by it at all.
    pub fn journal_load(&self) -> Option<u64> {
        self.open_log().and_then(Log::journal_load)
    }

    /// Adds what is to be made durable to a record of the journal.
    pub fn begin_journaling(&mut self, bytes: u64, life: u64, record: &mut RecordBuilder) {
        let id = self.id;
        self.journaled.life = life;
        if let State::Open(log) = &mut self.state {
            log.begin_journaling(id, bytes, record);
        }
    }

    /// The journal has failed: nothing was made durable, and nothing lost.
    pub fn give_round_up(&mut self, context: &mut Context<'_>) {
        if let State::Open(log) = &mut self.state {
            log.give_round_up();
        }
        self.go_on_cutting(context);
    }

    /// A sync of everything begins.
    pub fn begin_sync_of_everything(&mut self) {
        if let Some(log) = self.log_mut() {
            log.begin_sync_of_everything();
        }
    }

    /// It has ended well.
    pub fn synced_everything(&mut self, context: &mut Context<'_>) {
        let replayed_to = self.journaled.replayed_to;
        let Some(log) = self.log_mut() else { return };
        if log.synced_everything() {
            // One that failed before it had what was found is given it when it is opened anew.
            if log.in_files().offset >= replayed_to {
                self.journaled.found.clear();
            }
            self.advance(context);
        }
    }

    /// Whether there is nothing that only the journal has.
    pub fn is_in_files(&self) -> bool {
        !self.journaled.is_needed
            && !self.has_found()
            && !self.log().is_some_and(Log::needs_journal)
    }
}
