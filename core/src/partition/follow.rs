//! Following a leader: fetching, appending what comes, and cutting the log off where it differs.
//!
//! A cut takes several steps. The log comes to rest; the recovery point on disk is lowered below the cut, for nothing that recovery
//! takes for granted may lie above it; then the log is opened anew, as after a crash, and recovery ends it at the cut. So a crash
//! at any moment leaves what recovery understands: the log as it was, or cut off already. A log that begins anew is cut off
//! altogether, and where it begins is its recovery point.

use bytes::Bytes;

use super::{Context, Event, Partition, State};
use crate::{
    disk::IoError,
    log::{Arriving, open::Known},
    mutants::{Mutant, planted},
    replica::{FetchAnswer, FetchId, ReplicaFetch, ReplicaLog, Served, Taken},
    types::{BrokerId, ErrorCode},
};

impl Partition {
    /// The next fetch from the leader, if it is time for one.
    pub fn next_fetch(&mut self) -> Option<(FetchId, ReplicaFetch)> {
        let State::Open(log) = &self.state else { return None };
        self.replica.next_fetch(&**log)
    }

    /// The fetch that is on its way is given up.
    pub fn fetch_given_up(&mut self) {
        self.replica.fetch_given_up();
    }

    /// The leader has answered a fetch.
    pub fn answered(
        &mut self,
        id: FetchId,
        answer: FetchAnswer<Bytes>,
        context: &mut Context<'_>,
    ) -> Taken {
        let State::Open(log) = &mut self.state else {
            // The log was closed since, and the fetch given up.
            return Taken::Ignored;
        };
        let FetchAnswer { error, high_watermark, start_offset, diverging, records: batches } =
            answer;
        let records = Arriving { batches, now: context.now, disk: context.disk.again() };
        let answer = FetchAnswer { error, high_watermark, start_offset, diverging, records };
        let taken = self.replica.answered(id, answer, &mut **log);
        match taken {
            Taken::Appended => self.ends.push_back(log.end()),
            Taken::Truncating { .. } => {
                self.forget_ends();
                self.go_on_cutting(context);
            }
            Taken::Ignored | Taken::Nothing | Taken::Corrupt | Taken::Refused(_) => {}
        }
        self.show(context);
        taken
    }

    /// A follower fetches from this leader. What it gets beyond the answer has been written.
    pub fn fetched(&mut self, fetch: &ReplicaFetch, context: &mut Context<'_>) -> Served {
        let State::Open(log) = &self.state else {
            return Served::refusal(ErrorCode::NotLeaderOrFollower);
        };
        let mut wants = alloc::vec::Vec::new();
        let served = self.replica.fetched(fetch, &**log, &mut wants);
        super::replication::tell_wants(wants, context.events);
        self.show(context);
        served
    }

    /// A follower has not caught up for too long.
    pub fn lags(&mut self, follower: BrokerId, context: &mut Context<'_>) {
        let State::Open(log) = &self.state else { return };
        let mut wants = alloc::vec::Vec::new();
        self.replica.lags(follower, &**log, &mut wants);
        super::replication::tell_wants(wants, context.events);
    }

    /// Goes on with what is to be cut off, once nothing is under way.
    pub(super) fn go_on_cutting(&mut self, context: &mut Context<'_>) {
        let is_removing = self.removals.is_under_way();
        let State::Open(log) = &mut self.state else { return };
        if !log.is_truncating() || self.is_point_asked {
            return;
        }
        if log.segments().is_empty() {
            log.cut_nothing();
            if !log.is_truncating() {
                return self.cut_ended(context);
            }
        } else if is_removing || !log.is_settled() {
            return;
        }
        self.is_point_asked = true;
        if planted(Mutant::CutBelowRecoveryPoint) {
            return self.recovery_point_written(context);
        }
        context.events.push(Event::PointToWrite);
    }

    /// The recovery point that [`Self::known`] tells is on disk.
    pub fn recovery_point_written(&mut self, context: &mut Context<'_>) {
        let known = self.known();
        let State::Open(log) = &mut self.state else { return };
        let Some(cut) = log.cut().filter(|_| core::mem::take(&mut self.is_point_asked)) else {
            return;
        };
        if log.segments().is_empty() {
            log.cut_ended();
            self.cut_ended(context);
        } else {
            self.reopen(Known { cut: Some(cut), ..known }, &mut context.disk);
        }
    }

    /// The recovery point could not be written.
    pub fn recovery_point_not_written(&mut self, error: IoError, context: &mut Context<'_>) {
        if core::mem::take(&mut self.is_point_asked) {
            self.fail(error, context);
        }
    }

    /// Everything is cut off that was to be: the replica goes on.
    fn cut_ended(&mut self, context: &mut Context<'_>) {
        self.layout_changed();
        self.forget_ends();
        if let Some(view) = self.unseen.take() {
            self.metadata_changed(view, context);
        }
        self.show(context);
        context.events.push(Event::Moved);
    }
}
