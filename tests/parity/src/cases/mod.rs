//! The cases, by API or theme.

mod alter_configs;
mod api_versions;
mod cluster;
mod configs;
mod create_partitions;
mod create_topics;
mod delete_records;
mod delete_topics;
mod describe_configs;
mod fetch;
mod find_coordinator;
mod frames;
mod groups;
mod incremental_alter_configs;
mod init_producer_id;
mod list_offsets;
mod metadata;
mod offset_for_leader_epoch;
mod produce;

use std::{fmt, ops::RangeInclusive, sync::Arc};

use crate::case::{Case, Done};

/// When a case runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It waits, so it begins early and the others run beside it.
    Slow,
    /// At any time.
    Any,
    /// By itself, because it changes the broker for all.
    Alone,
}

type Run = dyn Fn(&mut Case) -> Done + Send + Sync;

/// A case: its name, and what it does.
pub(crate) struct Definition {
    /// `theme/version/what` or `theme/what`.
    pub(crate) name: String,
    /// When it runs.
    pub(crate) pace: Pace,
    run: Box<Run>,
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Definition {
    /// What the case is about: an API, mostly.
    pub(crate) fn theme(&self) -> &str {
        theme_of(&self.name)
    }

    /// Runs the case.
    pub(crate) fn run(&self, case: &mut Case) -> Done {
        (self.run)(case)
    }
}

/// The theme that a case's name begins with.
pub(crate) fn theme_of(name: &str) -> &str {
    name.split_once('/').map_or(name, |(theme, _)| theme)
}

/// A list of cases that grows.
#[derive(Debug)]
pub(crate) struct Cases {
    theme: &'static str,
    definitions: Vec<Definition>,
}

impl Cases {
    fn add(
        &mut self,
        name: &str,
        pace: Pace,
        run: impl Fn(&mut Case) -> Done + Send + Sync + 'static,
    ) {
        let name = format!("{}/{name}", self.theme);
        self.definitions.push(Definition { name, pace, run: Box::new(run) });
    }

    /// Adds a case.
    fn case(&mut self, name: &str, run: impl Fn(&mut Case) -> Done + Send + Sync + 'static) {
        self.add(name, Pace::Any, run);
    }

    /// Adds a case that waits for a second or more.
    fn slow(&mut self, name: &str, run: impl Fn(&mut Case) -> Done + Send + Sync + 'static) {
        self.add(name, Pace::Slow, run);
    }

    /// Adds a case that no other may run beside.
    fn alone(&mut self, name: &str, run: impl Fn(&mut Case) -> Done + Send + Sync + 'static) {
        self.add(name, Pace::Alone, run);
    }

    /// Adds a case for each of these versions.
    fn each(
        &mut self,
        versions: RangeInclusive<i16>,
        name: &str,
        run: impl Fn(&mut Case, i16) -> Done + Send + Sync + 'static,
    ) {
        let run = Arc::new(run);
        for version in versions {
            let run = Arc::clone(&run);
            self.case(&format!("v{version:02}/{name}"), move |case| run(case, version));
        }
    }
}

/// A theme, and what adds its cases.
type Theme = (&'static str, fn(&mut Cases));

const THEMES: &[Theme] = &[
    ("alter-configs", alter_configs::cases),
    ("api-versions", api_versions::cases),
    ("create-partitions", create_partitions::cases),
    ("create-topics", create_topics::cases),
    ("delete-records", delete_records::cases),
    ("delete-topics", delete_topics::cases),
    ("describe-cluster", cluster::describe_cluster),
    ("describe-configs", describe_configs::cases),
    ("describe-log-dirs", cluster::describe_log_dirs),
    ("describe-producers", cluster::describe_producers),
    ("describe-topic-partitions", cluster::describe_topic_partitions),
    ("fetch", fetch::cases),
    ("find-coordinator", find_coordinator::cases),
    ("frames", frames::cases),
    ("incremental-alter-configs", incremental_alter_configs::cases),
    ("init-producer-id", init_producer_id::cases),
    ("list-offsets", list_offsets::cases),
    ("metadata", metadata::cases),
    ("offset-for-leader-epoch", offset_for_leader_epoch::cases),
    ("produce", produce::cases),
];

/// All cases, in the order of their snapshots.
pub(crate) fn all() -> Vec<Definition> {
    let mut cases = Cases { theme: "", definitions: Vec::new() };
    for &(theme, add) in THEMES.iter().chain(groups::THEMES) {
        cases.theme = theme;
        add(&mut cases);
    }
    cases.definitions
}
