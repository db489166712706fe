//! What the advisor visits, with bounds beyond what can be visited: for walks.

use super::{Faults, Flush, Question};
use crate::{
    harness::{Configuration, Size},
    replication::settings::{Bounds, Budget, Grain},
};

/// The partition, and the group, of the default settings, where much goes wrong.
pub(crate) fn configurations() -> Vec<Configuration> {
    let faults = Faults { crashes: 3, power_losses: 3, leader_changes: 4, lags: 3 };
    let question = Question { faults, ..Question::default() };
    let mut partition = question.replication();
    partition.bounds.producers = &[1, 1, 1];
    partition.bounds.budget.produces = 8;
    partition.bounds.budget.given_up_fetches = 3;
    partition.bounds.grain.messages = true;
    partition.bounds.grain.async_metadata = true;
    partition.bounds.grain.remembers = true;
    let relaxed = Faults { power_losses: 1, ..faults };
    let relaxed = Question { flush: Flush::System, faults: relaxed, ..question };
    let mut relaxed = relaxed.replication();
    relaxed.bounds = Bounds {
        budget: Budget { power_losses: 1, ..partition.bounds.budget },
        grain: Grain { async_sync: false, ..partition.bounds.grain },
        ..partition.bounds
    };
    let faults = Faults { crashes: 2, leader_changes: 2, ..faults };
    let mut group = Question { faults, ..question }.group();
    // That a record is processed twice is no fault.
    group.is_advised = false;
    group.records = vec![3];
    let faults = Faults { crashes: 1, power_losses: 1, leader_changes: 2, lags: 1 };
    let twice = Question { faults, ..Question::default() };
    let mut twice = twice.replication();
    twice.bounds.grain.remembers = true;
    let configuration = |name, bounds, size, subject| Configuration {
        name,
        bounds,
        size,
        unique: None,
        unreachable: &[],
        mutants: &[],
        subject,
    };
    vec![
        Configuration {
            unique: Some(4_353_065),
            // The record is sent once.
            unreachable: &["a duplicate found"],
            ..configuration(
                "advisor-twice",
                "what the advisor visits of its defaults with 2 moved leaderships",
                Size::Large,
                Box::new(twice),
            )
        },
        configuration(
            "advisor-partition",
            "the advisor's defaults, each message and each sync by itself; 3 records in 8 requests, 3 processes killed, 3 power \
             losses, 4 moved leaderships, 3 followers that lag, 3 fetches given up",
            Size::Endless,
            Box::new(partition),
        ),
        configuration(
            "advisor-partition-relaxed",
            "the same with flush by the system, and 1 power loss that takes any suffix",
            Size::Endless,
            Box::new(relaxed),
        ),
        configuration(
            "advisor-consumers",
            "the advisor's group of 2 members with 3 records; 2 crashes, 2 moves of the coordinator",
            Size::Endless,
            Box::new(group),
        ),
    ]
}
