//! What is answered: the whole text, as it is printed.

use super::{Acks, Faults, Flush, Question, Verdict, ask, page, text};
use crate::group::Commits;

/// Nothing goes wrong.
const CALM: Faults = Faults { crashes: 0, power_losses: 0, leader_changes: 0, lags: 0 };

/// Asks, and compares the answer with what it was.
fn golden(name: &str, question: Question, verdict: Verdict) {
    let answer = ask(&question, &mut |_, _| {});
    insta::assert_snapshot!(name, text(&answer));
    assert_eq!(answer.verdict, verdict, "{name}");
}

fn with(faults: Faults) -> Question {
    Question { faults, ..Question::default() }
}

/// Two replicas, so that power losses of all are few.
fn of_two(faults: Faults) -> Question {
    Question { replication_factor: 2, min_insync: 1, ..with(faults) }
}

#[test]
fn the_defaults_hold() {
    golden("defaults", Question::default(), Verdict::Holds);
}

#[test]
fn acks_1_loses_with_a_crash() {
    let question = Question { acks: Acks::Leader, ..with(Faults { crashes: 1, ..CALM }) };
    golden("acks-1-crash", question, Verdict::CanLose);
}

#[test]
fn acks_1_loses_with_a_leader_change() {
    let question = Question { acks: Acks::Leader, ..with(Faults { leader_changes: 1, ..CALM }) };
    golden("acks-1-leader-change", question, Verdict::CanLose);
}

#[test]
fn acks_0_loses_with_a_crash() {
    let question = Question { acks: Acks::None, ..with(Faults { crashes: 1, ..CALM }) };
    golden("acks-0-crash", question, Verdict::CanLose);
}

#[test]
fn relaxed_flush_holds_with_one_crash() {
    let question =
        Question { flush: Flush::System, ..with(Faults { crashes: 1, lags: 2, ..CALM }) };
    golden("flush-os-crash", question, Verdict::Holds);
}

#[test]
fn relaxed_flush_holds_with_one_power_loss() {
    let faults = Faults { power_losses: 1, lags: 2, ..CALM };
    golden(
        "flush-os-power-loss",
        Question { flush: Flush::System, ..with(faults) },
        Verdict::Holds,
    );
}

#[test]
fn relaxed_flush_loses_when_all_lose_power() {
    let question = Question { flush: Flush::System, ..of_two(Faults { power_losses: 2, ..CALM }) };
    golden("flush-os-power-loss-of-all", question, Verdict::CanLose);
}

#[test]
fn fsync_holds_when_all_lose_power() {
    golden("fsync-power-loss-of-all", of_two(Faults { power_losses: 2, ..CALM }), Verdict::Holds);
}

#[test]
fn one_in_sync_replica_loses_with_a_power_loss() {
    let faults = Faults { power_losses: 1, lags: 2, ..CALM };
    let question = Question { min_insync: 1, flush: Flush::System, ..with(faults) };
    golden("min-insync-1-power-loss", question, Verdict::CanLose);
}

#[test]
fn unclean_election_loses() {
    let faults = Faults { crashes: 1, lags: 2, ..CALM };
    let question = Question { min_insync: 1, unclean: true, ..with(faults) };
    golden("unclean-election", question, Verdict::CanLose);
}

#[test]
fn one_replica_with_relaxed_flush_loses_with_a_power_loss() {
    let question = Question {
        replication_factor: 1,
        min_insync: 1,
        flush: Flush::System,
        ..with(Faults { power_losses: 1, ..CALM })
    };
    golden("one-replica-power-loss", question, Verdict::CanLose);
}

#[test]
fn commit_before_loses_with_a_crash() {
    let faults = Faults { crashes: 1, ..CALM };
    let question = Question { consumer: Commits::BeforeProcessing, ..with(faults) };
    golden("commit-before", question, Verdict::CanLose);
}

#[test]
fn commit_after_repeats() {
    golden("commit-after", with(Faults { crashes: 1, ..CALM }), Verdict::Holds);
}

#[test]
fn auto_commit_loses_with_a_crash() {
    let question = Question { consumer: Commits::Auto, ..with(Faults { crashes: 1, ..CALM }) };
    golden("auto-commit", question, Verdict::CanLose);
}

#[test]
fn both_can_lose() {
    let question = Question {
        acks: Acks::Leader,
        consumer: Commits::Auto,
        ..with(Faults { crashes: 1, ..CALM })
    };
    golden("both", question, Verdict::CanLose);
}

#[test]
fn the_page() {
    let question = Question { acks: Acks::Leader, ..with(Faults { crashes: 1, ..CALM }) };
    insta::assert_snapshot!("page", page(&ask(&question, &mut |_, _| {})));
}
