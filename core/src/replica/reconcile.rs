//! Where a follower's log begins to differ from its leader's (KIP-101, KIP-279, KIP-320).

use super::{ReplicaFetch, ReplicaLog};
use crate::{
    mutants::{Mutant, planted},
    types::{ErrorCode, LeaderEpoch, Offset},
};

/// Whether who asks knows the leader's epoch. -1 stands for one who does not care.
pub fn check_epoch(known: i32, current: LeaderEpoch) -> Result<(), ErrorCode> {
    match known {
        -1 => Ok(()),
        _ if planted(Mutant::AnyEpochAccepted) => Ok(()),
        known if known < current.0 => Err(ErrorCode::FencedLeaderEpoch),
        known if known > current.0 => Err(ErrorCode::UnknownLeaderEpoch),
        _ => Ok(()),
    }
}

/// What a leader finds when it compares a follower's log with its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// The follower has what the leader has, as far as it goes.
    Same,
    /// They differ after the end of this epoch.
    Diverging(LeaderEpoch, Offset),
    /// The follower is not within the leader's log.
    OutOfRange,
}

/// Compares a follower's log with the leader's. Two logs that have a record of the same epoch at the same offset are the same up
/// to it; so the follower's is a part of the leader's if the leader's part of the follower's last epoch goes as far.
pub(super) fn compare<L: ReplicaLog>(fetch: &ReplicaFetch, log: &L) -> Comparison {
    let out_of_range = fetch.offset < log.start_offset() || fetch.offset > log.end_offset();
    let Some(last_epoch) = fetch.last_epoch.filter(|_| !planted(Mutant::KeepDivergentTail)) else {
        return if out_of_range { Comparison::OutOfRange } else { Comparison::Same };
    };
    match log.epochs().end_offset_for(last_epoch, log.end_offset()) {
        // A leader has seen every epoch that its followers have; what is not known lies before its start.
        None => Comparison::OutOfRange,
        Some((epoch, end))
            if epoch < last_epoch && !planted(Mutant::EpochLookupWithoutEpoch)
                || end < fetch.offset =>
        {
            Comparison::Diverging(epoch, end)
        }
        Some(_) if out_of_range => Comparison::OutOfRange,
        Some(_) => Comparison::Same,
    }
}

/// Where a follower has to cut its log off that differs from the leader's after the end of `epoch`: where both have the same
/// epoch, whichever ends first; otherwise where its own last epoch before that ends, and it asks again.
pub(super) fn truncation_point<L: ReplicaLog>(
    (epoch, leader_end): (LeaderEpoch, Offset),
    log: &L,
) -> Offset {
    if planted(Mutant::EpochLookupWithoutEpoch) {
        return leader_end.min(log.end_offset());
    }
    match log.epochs().end_offset_for(epoch, log.end_offset()) {
        Some((known, own_end)) if known == epoch => own_end.min(leader_end),
        Some((_, own_end)) => own_end,
        None => leader_end.min(log.end_offset()),
    }
}
