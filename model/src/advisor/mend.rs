//! Which settings would keep the promise: they are tried, one change at a time, then two.

use crate::group::Commits;

use super::{Acks, Flush, LOST, Question, SKIPPED, Tell, look};

/// Settings that keep the promise within the same bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mend {
    /// What is to be changed.
    pub changes: Vec<String>,
    /// The settings with these changes.
    pub question: Question,
    /// In how many states it was seen to hold.
    pub states: usize,
}

/// A change of one setting; nothing if it is so already.
type Change = fn(&mut Question) -> Option<String>;

const CHANGES: &[Change] = &[acks, unclean, min_insync, flush, replicas];

fn acks(question: &mut Question) -> Option<String> {
    (question.acks != Acks::All).then(|| {
        question.acks = Acks::All;
        "acks=all".into()
    })
}

fn unclean(question: &mut Question) -> Option<String> {
    std::mem::take(&mut question.unclean).then(|| "unclean.leader.election.enable=false".into())
}

fn min_insync(question: &mut Question) -> Option<String> {
    // With as many as there are replicas, nothing could be written once one of them is down.
    (question.min_insync + 1 < question.replication_factor).then(|| {
        question.min_insync += 1;
        format!("min.insync.replicas={}", question.min_insync)
    })
}

fn flush(question: &mut Question) -> Option<String> {
    (question.flush != Flush::Fsync).then(|| {
        question.flush = Flush::Fsync;
        "flush.messages=1 (flush=fsync)".into()
    })
}

fn replicas(question: &mut Question) -> Option<String> {
    (question.replication_factor < 3).then(|| {
        (question.replication_factor, question.min_insync) = (3, 2);
        "replication factor 3 with min.insync.replicas=2".into()
    })
}

/// Finds what keeps the promise; `lost` says which of the two models has broken it.
pub(super) fn find(question: &Question, lost: [bool; 2], tell: &mut Tell<'_>) -> Option<Mend> {
    let mut mend = Mend { changes: Vec::new(), question: *question, states: 0 };
    let [partition, consumers] = lost;
    if partition {
        mend = try_all(question, tell)?;
    }
    if consumers {
        mend.question.consumer = Commits::AfterProcessing;
        let outcome = look(&mend.question.group(), SKIPPED, &mut |progress| {
            tell("what would mend it", progress)
        });
        if !outcome.exhausted {
            return None;
        }
        mend.changes.push("commit after processing (consumer commit-after)".into());
        mend.states += outcome.unique;
    }
    Some(mend)
}

fn try_all(question: &Question, tell: &mut Tell<'_>) -> Option<Mend> {
    let singles = CHANGES.iter().map(|change| vec![*change]);
    let pairs = CHANGES
        .iter()
        .enumerate()
        .flat_map(|(place, one)| CHANGES[place + 1..].iter().map(move |other| vec![*one, *other]));
    for changes in singles.chain(pairs) {
        let mut mended = *question;
        let names: Option<Vec<_>> = changes.iter().map(|change| change(&mut mended)).collect();
        let Some(names) = names else { continue };
        let outcome = look(&mended.replication(), LOST, &mut |progress| {
            tell("what would mend it", progress);
        });
        if outcome.exhausted {
            return Some(Mend { changes: names, question: mended, states: outcome.unique });
        }
    }
    None
}
