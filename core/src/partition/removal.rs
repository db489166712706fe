//! Removing the files of deleted segments, the older ones first: were a later one gone and an earlier one still there when the
//! log is opened again, it would have a hole.

use alloc::collections::VecDeque;

use super::{Context, Event, Partition, State};
use crate::{
    disk::{Disk, DiskOp, DiskResult, IoError},
    notice::Notice,
};

/// Operations that remove files, each to begin when the one before has ended well.
#[derive(Debug, Default)]
pub(super) struct Removals {
    queue: VecDeque<DiskOp>,
    current: Option<(u64, DiskOp)>,
    /// The first one has failed: it is tried again with the next look for old segments, and not before.
    has_failed: bool,
}

impl Removals {
    pub(super) const fn is_under_way(&self) -> bool {
        self.current.is_some()
    }
}

impl Partition {
    /// Removes files, one after the other, behind those that are still to be removed.
    pub(super) fn remove(&mut self, operations: impl IntoIterator<Item = DiskOp>) {
        self.removals.queue.extend(operations);
    }

    /// Goes on where it has failed.
    pub(super) fn retry_removing(&mut self, disk: &mut Disk<'_>) {
        self.removals.has_failed = false;
        self.go_on_removing(disk);
    }

    pub(super) fn go_on_removing(&mut self, disk: &mut Disk<'_>) {
        let may_go_on = match &self.state {
            State::Open(log) => log.has_its_files(),
            // What holds the end of the log may never have been made; without it offsets would begin anew.
            State::Failed { frozen: Some(log), .. } => !log.segments().is_empty(),
            // Its files are being looked at, or will be.
            State::Opening { .. } | State::Failed { frozen: None, .. } => false,
        };
        if may_go_on
            && !self.removals.has_failed
            && self.removals.current.is_none()
            && let Some(operation) = self.removals.queue.pop_front()
        {
            let io = disk.submit(operation.clone());
            self.removals.current = Some((io.number, operation));
        }
    }

    /// Takes the end of an operation, if it is one of these. One that has failed is not fatal, but nothing goes before it has
    /// gone well.
    pub(super) fn removal_ended(
        &mut self,
        number: u64,
        result: &DiskResult,
        context: &mut Context<'_>,
    ) -> bool {
        let Some((_, operation)) = self.removals.current.take_if(|(known, _)| *known == number)
        else {
            return false;
        };
        if let Some(error) = result.failure().filter(|error| *error != IoError::NotFound) {
            self.removals.queue.push_front(operation);
            self.removals.has_failed = true;
            let partition = self.name();
            context.disk.notice(Notice::RemovalFailed { partition, error });
            self.remember_start(context);
        }
        self.go_on_removing(&mut context.disk);
        true
    }

    /// The log was opened anew, and has the segments whose files are still there.
    pub(super) fn forget_removals(&mut self, context: &mut Context<'_>) {
        self.remember_start(context);
        let removals = core::mem::take(&mut self.removals);
        assert!(!removals.is_under_way(), "no log is opened while files of it are being removed");
    }

    /// Files of deleted segments will be there for a while. Should the broker end, the log must not begin with them again.
    pub(super) fn remember_start(&self, context: &mut Context<'_>) {
        if self.has_files_to_remove() {
            context.events.push(Event::StartToRemember);
        }
    }

    /// Whether files of deleted segments are there that a log which is opened anew would take for its own.
    pub fn has_files_to_remove(&self) -> bool {
        self.removals.is_under_way() || !self.removals.queue.is_empty()
    }
}
