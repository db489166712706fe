//! A leader answers the fetches of its followers, and learns from them how far they are.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{
    FetchAnswer, Proposal, Replica, ReplicaFetch, ReplicaLog, Role, Served, View, Want,
    check_epoch,
    reconcile::{Comparison, compare},
};
use crate::{
    mutants::{Mutant, planted},
    types::{BrokerEpoch, BrokerId, ErrorCode, Offset},
};

/// What a leader knows beyond the metadata, in its epoch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Leader {
    /// Where the epoch began.
    epoch_start: Offset,
    followers: BTreeMap<BrokerId, Progress>,
    /// The change of the in-sync replicas that was asked for and is not decided.
    pending: Option<Proposal>,
}

/// How far a follower is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Progress {
    /// It has everything before this.
    pub end: Offset,
    /// The incarnation that has said so.
    pub broker_epoch: BrokerEpoch,
}

impl Leader {
    /// Where the epoch began.
    pub const fn epoch_start(&self) -> Offset {
        self.epoch_start
    }

    /// How far a follower is, if it has fetched in this epoch.
    pub fn progress(&self, follower: BrokerId) -> Option<&Progress> {
        self.followers.get(&follower)
    }

    /// The change that is not decided.
    pub const fn pending(&self) -> Option<&Proposal> {
        self.pending.as_ref()
    }

    pub(super) fn begin_change(&mut self, proposal: Proposal) {
        assert!(self.pending.is_none(), "one change of the in-sync replicas at a time");
        self.pending = Some(proposal);
    }

    pub(super) fn end_change(&mut self) {
        self.pending = None;
    }

    pub(super) fn check<L: ReplicaLog>(&self, view: &View, log: &L) {
        assert!(self.epoch_start <= log.end_offset(), "an epoch begins in the log");
        let has_epoch = log.epochs().latest() == Some(view.leader_epoch);
        assert!(has_epoch || planted(Mutant::EpochBegunLazily), "a leader's epoch has begun");
        if let Some(pending) = &self.pending {
            assert_eq!(
                pending.leader_epoch, view.leader_epoch,
                "a change is asked for in one epoch"
            );
        }
    }
}

impl Replica {
    /// The replica leads, from the end of its log on. That is taken note of at once: followers ask for it before there is any
    /// record of the epoch (KAFKA-7415).
    pub(super) fn begin_to_lead<L: ReplicaLog>(
        &mut self,
        earlier: Role,
        log: &mut L,
        wants: &mut Vec<Want>,
    ) {
        if !planted(Mutant::EpochBegunLazily) {
            log.begin_epoch(self.view.leader_epoch);
        }
        let followers = match earlier {
            Role::Leader(leader) if planted(Mutant::ProgressSurvivesEpoch) => leader.followers,
            Role::Leader(_) | Role::Follower(_) | Role::Idle => BTreeMap::new(),
        };
        let epoch_start = log.end_offset();
        self.role = Role::Leader(Leader { epoch_start, followers, pending: None });
        self.advance(log);
        if self.view.is_recovering {
            self.propose(|_| {}, wants);
        }
    }

    /// A follower fetches.
    pub fn fetched<L: ReplicaLog>(
        &mut self,
        fetch: &ReplicaFetch,
        log: &L,
        wants: &mut Vec<Want>,
    ) -> Served {
        if let Err(error) = self.judge_fetch(fetch) {
            return Served::refusal(error);
        }
        let diverging = match compare(fetch, log) {
            Comparison::OutOfRange => {
                // The follower is told where the log begins, to begin there too.
                let start_offset = log.start_offset();
                let answer = FetchAnswer {
                    start_offset,
                    ..FetchAnswer::refusal(ErrorCode::OffsetOutOfRange)
                };
                return Served { answer, records_from: None };
            }
            Comparison::Diverging(epoch, end) => Some((epoch, end)),
            Comparison::Same => {
                self.note_progress(fetch, log, wants);
                None
            }
        };
        let is_behind = diverging.is_none() && fetch.offset < log.end_offset();
        Served {
            answer: FetchAnswer {
                error: ErrorCode::None,
                high_watermark: self.high_watermark,
                start_offset: log.start_offset(),
                diverging,
                records: (),
            },
            records_from: is_behind.then_some(fetch.offset),
        }
    }

    /// Whether an answer tells the follower anything. If not, it may wait until more is there.
    pub fn is_worth_answering(fetch: &ReplicaFetch, served: &Served) -> bool {
        let answer = &served.answer;
        answer.error != ErrorCode::None
            || answer.diverging.is_some()
            || served.records_from.is_some()
            || answer.high_watermark.min(fetch.offset) > fetch.high_watermark
                && !planted(Mutant::HighWatermarkNotTold)
    }

    /// Whether who fetches is a follower of this leader, in its current incarnation.
    fn judge_fetch(&self, fetch: &ReplicaFetch) -> Result<(), ErrorCode> {
        let leader = self.leader().ok_or(ErrorCode::NotLeaderOrFollower)?;
        if !planted(Mutant::FetchIgnoresEpoch) {
            check_epoch(fetch.leader_epoch.0, self.leader_epoch())?;
        }
        if !self.view.replicas.contains(&fetch.replica) || fetch.replica == self.broker {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        // What a process that is dead said of its log need not be true of its successor's.
        let registered = self.view.peers.get(&fetch.replica).map(|peer| peer.epoch);
        let heard = leader.progress(fetch.replica).map(|progress| progress.broker_epoch);
        let is_stale = registered.max(heard).is_some_and(|known| fetch.broker_epoch < known);
        if is_stale && !planted(Mutant::StaleIncarnationFetch) {
            return Err(ErrorCode::StaleBrokerEpoch);
        }
        Ok(())
    }

    fn note_progress<L: ReplicaLog>(
        &mut self,
        fetch: &ReplicaFetch,
        log: &L,
        wants: &mut Vec<Want>,
    ) {
        let Role::Leader(leader) = &mut self.role else { return };
        let progress = Progress { end: fetch.offset, broker_epoch: fetch.broker_epoch };
        leader.followers.insert(fetch.replica, progress);
        self.advance(log);
        self.consider(fetch.replica, log, wants);
    }
}
