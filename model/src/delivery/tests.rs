//! What the consumers do matters from end to end.

use super::configurations::power_loss;
use crate::{
    group::Commits,
    harness::{Limits, search},
};

fn violated(commits: Commits, property: &str) -> bool {
    let limits = Limits { only: &[property], ..Limits::SMALL };
    search(&power_loss(commits), &limits, &mut |_| {}).violation.is_some()
}

#[test]
fn who_commits_before_processing_leaves_records_out() {
    assert!(violated(Commits::BeforeProcessing, "AckedIsProcessed"));
    assert!(violated(Commits::BeforeProcessing, "CommittedImpliesProcessed"));
}

#[test]
fn who_commits_now_and_then_leaves_records_out() {
    assert!(violated(Commits::Auto, "AckedIsProcessed"));
}
