//! The partition's replica: who leads, up to where records are safe, and what follows from a change of either.

use alloc::vec::Vec;

use super::{Context, Event, Partition, State};
use crate::{
    log::{Log, LogPosition},
    mutants::{Mutant, planted},
    replica::{Acks, Proposal, Replica, ReplicaLog, Turn, View, Want, check_epoch},
    types::{ErrorCode, LeaderEpoch, Offset},
};

impl Partition {
    /// What it is to others: leader, follower, or nothing.
    pub const fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The epoch of its leader.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.unseen.as_ref().map_or_else(|| self.replica.leader_epoch(), |view| view.leader_epoch)
    }

    /// Everything before this may be shown to consumers: the high watermark, or the last end of a batch below it that is known.
    pub const fn high_watermark(&self) -> LogPosition {
        self.high_watermark
    }

    /// Whether a client that knows the leader's epoch, or does not care (-1), may read here.
    pub fn judge_reader(&self, known: i32) -> Result<(), ErrorCode> {
        check_epoch(known, self.leader_epoch())?;
        if self.replica.leader().is_none() || self.is_replaying() {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        Ok(())
    }

    /// Where an epoch ended, for OffsetForLeaderEpoch.
    pub fn end_of_epoch(
        &self,
        known: i32,
        epoch: LeaderEpoch,
    ) -> Result<Option<(LeaderEpoch, Offset)>, ErrorCode> {
        let log = self.log().ok_or(ErrorCode::KafkaStorageError)?;
        self.replica.end_of_epoch(known, epoch, log)
    }

    /// The metadata have changed. While the log cannot be asked, or is being cut off, the replica learns nothing: it catches up when it is open.
    pub fn metadata_changed(&mut self, view: View, context: &mut Context<'_>) {
        let State::Open(log) = &mut self.state else {
            self.unseen = Some(view);
            return;
        };
        if log.is_truncating() {
            self.unseen = Some(view);
            return;
        }
        let mut wants = Vec::new();
        let turn = self.replica.metadata_changed(view, &mut **log, &mut wants);
        if turn != Turn::Same && !planted(Mutant::AppendsOutliveEpoch) {
            self.refuse_pending(&ErrorCode::NotLeaderOrFollower.into(), context);
        }
        tell_wants(wants, context.events);
        self.go_on_cutting(context);
        self.show(context);
    }

    /// The controller has refused a change of the in-sync replicas.
    pub fn alter_refused(
        &mut self,
        proposal: &Proposal,
        error: ErrorCode,
        context: &mut Context<'_>,
    ) {
        let State::Open(log) = &self.state else { return };
        self.replica.alter_refused(proposal, error, &**log);
        self.show(context);
    }

    /// Asks again for the change of the in-sync replicas that is not decided.
    pub fn ask_again(&self, context: &mut Context<'_>) {
        let mut wants = Vec::new();
        self.replica.ask_again(&mut wants);
        tell_wants(wants, context.events);
    }

    /// The log is open, for the first time or again.
    pub(super) fn begin_replica(&mut self, events: &mut Vec<Event>) {
        let State::Open(log) = &mut self.state else { return };
        let log: &mut Log = log;
        let mut wants = Vec::new();
        self.replica.reopened(log, &mut wants);
        let is_new = self.replica.view().partition_epoch < 0;
        let unseen = self.unseen.take_if(|_| !log.is_truncating());
        if let Some(view) = unseen.filter(|_| is_new || !planted(Mutant::UnseenMetadataForgotten)) {
            self.replica.metadata_changed(view, log, &mut wants);
        }
        tell_wants(wants, events);
        self.forget_ends();
        self.find_high_watermark();
    }

    /// Batches may not end any more where they did.
    pub(super) fn forget_ends(&mut self) {
        self.ends.clear();
        let first = self.log().and_then(|log| log.segments().first());
        let first = first.map_or(Offset::ZERO, |first| first.base_offset);
        self.high_watermark = LogPosition::segment_start(first.min(self.replica.high_watermark()));
    }

    /// More may be acknowledged: the high watermark moves as far as it can, and appends are answered.
    pub(super) fn advance(&mut self, context: &mut Context<'_>) {
        let State::Open(log) = &self.state else { return };
        self.replica.log_moved(&**log);
        self.show(context);
    }

    /// What the replica takes for safe is shown, and its appends are answered.
    pub(super) fn show(&mut self, context: &mut Context<'_>) {
        let has_moved = self.find_high_watermark();
        self.answer_appends(context);
        if has_moved {
            context.events.push(Event::Moved);
        }
    }

    /// Where the replica's high watermark lies. Where all that may be acknowledged is safe, as it is without other replicas, that
    /// is known; otherwise it is at the end of a batch that was appended since the log was opened, or is not known yet.
    fn find_high_watermark(&mut self) -> bool {
        let State::Open(log) = &self.state else { return false };
        if log.is_truncating() {
            return false;
        }
        let safe = self.replica.high_watermark();
        let before = self.high_watermark;
        while let Some(end) = self.ends.pop_front_if(|end| end.offset <= safe) {
            self.high_watermark = end;
        }
        let last = log.acknowledgeable();
        if last.offset == safe {
            self.high_watermark = last;
        }
        self.high_watermark != before
    }

    /// Up to where appends can be answered.
    pub(super) fn acknowledged(&self, acks: Acks) -> Offset {
        match (&self.state, acks) {
            (State::Open(log), Acks::Leader) => self.replica.acknowledged(acks, &**log),
            // What is not open takes no appends.
            (State::Open(_) | State::Opening { .. } | State::Failed { .. }, _) => {
                self.replica.high_watermark()
            }
        }
    }

    /// Whether no other broker has the partition.
    pub(super) fn is_sole_replica(&self) -> bool {
        let view = self.replica.view();
        view.replicas.iter().all(|&replica| replica == self.replica.broker())
    }

    pub(super) fn check_replica(&self) {
        assert!(
            self.high_watermark.offset <= self.replica.high_watermark(),
            "nothing is shown that is not safe"
        );
        let State::Open(log) = &self.state else { return };
        if log.is_truncating() {
            return;
        }
        self.replica.check(&**log);
        if self.is_sole_replica() && self.replica.leader().is_some() {
            assert_eq!(
                self.high_watermark.offset,
                self.replica.high_watermark(),
                "it is known where the high watermark lies"
            );
        }
    }
}

pub(super) fn tell_wants(wants: Vec<Want>, events: &mut Vec<Event>) {
    events.extend(wants.into_iter().map(|Want::Alter(proposal)| Event::Alter(proposal)));
}
