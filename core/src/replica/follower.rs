//! A follower fetches, appends what comes, and cuts off what its leader does not have.

use super::{
    FetchAnswer, FetchId, Replica, ReplicaFetch, ReplicaLog, Role, reconcile::truncation_point,
};
use crate::{
    mutants::{Mutant, planted},
    types::{BrokerId, ErrorCode, LeaderEpoch, Offset},
};

/// What a follower does, in its leader's epoch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Follower {
    leader: BrokerId,
    /// A fetch is on its way.
    is_fetching: bool,
    /// Counts the fetches of this epoch that were given up.
    attempt: u32,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is not the answer to the fetch that is on its way.
    Ignored,
    /// It brought nothing but perhaps a high watermark.
    Nothing,
    /// Batches were appended.
    Appended,
    /// The log is being cut off.
    Truncating {
        /// Where it ends from now on.
        to: Offset,
        /// Records go that were shown: only an unclean election makes that happen.
        loses: bool,
    },
    /// The leader's batches cannot be appended: they are damaged, or do not begin where the log ends.
    Corrupt,
    /// The leader did not serve the fetch. The follower tries again.
    Refused(ErrorCode),
}

impl Follower {
    /// Whom it follows.
    pub const fn leader(&self) -> BrokerId {
        self.leader
    }

    /// Whether a fetch is on its way.
    pub const fn is_fetching(&self) -> bool {
        self.is_fetching
    }

    /// Counts the fetches of this epoch that were given up.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }
}

impl Replica {
    /// The replica follows. It keeps its log as it is: where that differs from the leader's, the leader's epochs say.
    pub(super) fn begin_to_follow<L: ReplicaLog>(&mut self, leader: BrokerId, log: &mut L) {
        self.role = Role::Follower(Follower { leader, is_fetching: false, attempt: 0 });
        if planted(Mutant::TruncateToHighWatermark) {
            log.truncate(self.high_watermark);
        }
    }

    /// The next fetch, if it is time for one. It says that everything before its offset is durable here; so it waits until that
    /// is so, and until what had to be cut off is gone for good.
    pub fn next_fetch<L: ReplicaLog>(&mut self, log: &L) -> Option<(FetchId, ReplicaFetch)> {
        let Role::Follower(follower) = &mut self.role else { return None };
        let has_all = log.acknowledgeable() == log.end_offset();
        let may_report = has_all || planted(Mutant::FollowerReportsUnsynced);
        if follower.is_fetching || log.is_truncating() || !may_report {
            return None;
        }
        follower.is_fetching = true;
        let id = FetchId {
            broker_epoch: self.broker_epoch,
            leader_epoch: self.view.leader_epoch,
            attempt: follower.attempt,
        };
        let fetch = ReplicaFetch {
            replica: self.broker,
            broker_epoch: self.broker_epoch,
            leader_epoch: self.view.leader_epoch,
            offset: log.end_offset(),
            last_epoch: log.epochs().latest(),
            start_offset: log.start_offset(),
            high_watermark: self.high_watermark,
        };
        Some((id, fetch))
    }

    /// The fetch that is on its way is given up: its connection has ended, or no answer has come for too long. Should one come
    /// later, it is not taken.
    pub fn fetch_given_up(&mut self) {
        if let Role::Follower(follower) = &mut self.role
            && follower.is_fetching
        {
            follower.is_fetching = false;
            follower.attempt += 1;
        }
    }

    /// The answer to the fetch that is on its way is known to be lost: there is nothing that could come late.
    pub const fn forget_fetch(&mut self) {
        if let Role::Follower(follower) = &mut self.role {
            follower.is_fetching = false;
        }
    }

    /// The answer to a fetch.
    pub fn answered<L: ReplicaLog>(
        &mut self,
        id: FetchId,
        answer: FetchAnswer<L::Records<'_>>,
        log: &mut L,
    ) -> Taken {
        if !self.is_expected(id) {
            return Taken::Ignored;
        }
        if let Role::Follower(follower) = &mut self.role {
            follower.is_fetching = false;
        }
        if answer.error == ErrorCode::OffsetOutOfRange {
            return self.begin_anew(answer.start_offset, log);
        }
        if answer.error != ErrorCode::None {
            return Taken::Refused(answer.error);
        }
        if let Some(diverging) = answer.diverging {
            return self.cut_off(diverging, log);
        }
        let end = log.end_offset();
        if log.append_replicated(answer.records).is_err() {
            return Taken::Corrupt;
        }
        let safe = answer.high_watermark.min(log.acknowledgeable());
        self.high_watermark = self.high_watermark.max(safe);
        if log.end_offset() == end { Taken::Nothing } else { Taken::Appended }
    }

    /// Whether this is the answer to the fetch that is on its way: of this process, this epoch, and not given up.
    fn is_expected(&self, id: FetchId) -> bool {
        let Role::Follower(follower) = &self.role else { return false };
        let is_own =
            id.broker_epoch == self.broker_epoch || planted(Mutant::AnswerOfDeadIncarnation);
        let is_current = follower.is_fetching && id.attempt == follower.attempt
            || planted(Mutant::AnswerUncorrelated);
        is_own && is_current && id.leader_epoch == self.view.leader_epoch
    }

    /// The follower's log differs from the leader's after the end of an epoch.
    fn cut_off<L: ReplicaLog>(&mut self, diverging: (LeaderEpoch, Offset), log: &mut L) -> Taken {
        let to = truncation_point(diverging, log).max(log.start_offset());
        let loses = to < self.high_watermark;
        // Even at the end of the log there may be epochs to be forgotten that nothing was appended in (KAFKA-10706).
        if to < log.end_offset() || !planted(Mutant::TruncationReturnsEarly) {
            log.truncate(to);
        }
        self.high_watermark = self.high_watermark.min(to);
        Taken::Truncating { to, loses }
    }

    /// The follower's log ends before the leader's begins, or, after an unclean election, begins after the leader's end.
    fn begin_anew<L: ReplicaLog>(&mut self, start: Offset, log: &mut L) -> Taken {
        let loses = start < self.high_watermark;
        log.reset(start);
        // What was deleted by the leader was safe (KAFKA-9491).
        if !planted(Mutant::ResetKeepsHighWatermark) {
            self.high_watermark = start;
        }
        Taken::Truncating { to: start, loses }
    }
}
