//! Worlds in which nothing is drawn: what the model has found is done with the whole broker, step by step.
//!
//! A counterexample that `model/schedules` keeps is a list of the model's actions. Those that mean something to a broker that is alone
//! are [`Step`]s: what clients do, and what befalls the broker. What the broker does by itself is waited for. Then the world is
//! whole, and all that follows is as in a world that was drawn: everything is read, groups come to rest, the same oracle judges.
//!
//! - `step`: the model's actions as steps.
//! - `play`: they are taken.
//! - `hands`: the processes that take them, for a producer and for each member.

mod hands;
mod play;
mod step;

use std::{collections::BTreeMap, time::Duration};

use ottla_model::{
    advisor::{Acks, Faults, Flush, Question},
    group::Commits,
    schedules::{Of, Schedule},
};

pub use play::{REFUSED, TAKEN};
pub use step::Step;

use crate::{
    advised,
    dice::Dice,
    disk::{DiskPlan, image::Survival, plan::Latencies},
    net::NetPlan,
    workload::{self, GroupPlan, Outcome, Parts, TopicKind, TopicPlan, WorkloadPlan},
    world::World,
};

/// A schedule that can be run here, and with which settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    schedule: Schedule,
    steps: Vec<Step>,
    question: Question,
}

/// What the oracle says where the model says that one of these is violated. `OneOwnerPerGeneration` is not among them: two owners in a
/// first generation may be, for whoever sees no more than answers, those of a group that has begun anew.
const SHOWN_BY: &[(&str, &[&str])] = &[
    ("NoAckedRecordLostGlobally", &["lost-write"]),
    ("AckedRecordsAreServed", &["lost-write"]),
    ("NothingIsSkipped", &["unprocessed"]),
    ("CommitNeverRegresses", &["lost-commit", "commit-went-back", "zombie-commit"]),
    (ANSWERED_STAYS, &["lost-commit"]),
];

/// That something is answered which is not on disk is shown by the power failing then.
const ANSWERED_STAYS: &str = "AnsweredCommitStays";

/// How many members the model's groups have.
const MEMBERS: u8 = 2;

/// After how long a member is taken for dead: no step is to last as long as that.
const SESSION_TIMEOUT_MS: i32 = 30_000;

/// What is asked about where a schedule is of a rule: the defaults of a broker that is alone.
const PLAIN: Question = Question {
    acks: Acks::All,
    replication_factor: 1,
    min_insync: 1,
    flush: Flush::Fsync,
    unclean: false,
    consumer: Commits::AfterProcessing,
    faults: Faults { crashes: 1, power_losses: 1, leader_changes: 0, lags: 0 },
};

impl Script {
    /// Reads a schedule, with the settings that can lose records. What cannot be run here is told why.
    pub fn read(schedule: Schedule) -> Result<Self, String> {
        let (is_group, question) = match schedule.of {
            Of::Settings { lossy, .. } => (schedule.property == "NothingIsSkipped", lossy),
            Of::Rule { configuration, .. } => match configuration.split('-').next() {
                Some("group") => (true, PLAIN),
                _ => return Err("it is of several brokers".into()),
            },
        };
        if SHOWN_BY.iter().all(|(property, _)| *property != schedule.property) {
            return Err(format!("the oracle cannot tell that {} fails", schedule.property));
        }
        let read = if is_group { Step::of_group } else { Step::of_partition };
        let steps = schedule.steps.iter().map(|line| {
            read(line).ok_or_else(|| format!("{line} means nothing to a broker that is alone"))
        });
        let mut steps: Vec<Step> = steps.collect::<Result<_, _>>()?;
        step::hold_what_is_late(&mut steps);
        if schedule.property == ANSWERED_STAYS {
            steps.push(Step::PowerLoss);
        }
        Ok(Self { schedule, steps, question })
    }

    /// The same with other settings.
    #[must_use]
    pub fn with(self, question: Option<Question>) -> Self {
        Self { question: question.unwrap_or(self.question), ..self }
    }

    /// What it was read from.
    pub const fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The anomalies of the oracle of which one must be found.
    pub fn shown_by(&self) -> &'static [&'static str] {
        let mut known = SHOWN_BY.iter();
        known.find(|(property, _)| *property == self.schedule.property).map_or(&[], |known| known.1)
    }

    /// How many steps it has here.
    pub fn steps(&self) -> u64 {
        self.steps.len() as u64
    }

    fn has_members(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Member(..)))
    }

    /// What clients have: one topic of one partition, and a group of it if the schedule is of one.
    pub fn workload(&self) -> WorkloadPlan {
        let topic = TopicPlan {
            kind: TopicKind::Orders,
            name: TopicKind::Orders.name().into(),
            partitions: 1,
            settings: BTreeMap::from([(
                "flush.messages".to_owned(),
                advised::flush_messages(&self.question).to_string(),
            )]),
            keys: 0,
        };
        let group = GroupPlan {
            name: "group-0".into(),
            topics: vec![0],
            members: MEMBERS,
            is_static: false,
            is_cooperative: false,
            session_timeout_ms: SESSION_TIMEOUT_MS,
            commits: self.question.consumer,
        };
        WorkloadPlan {
            machines: 1 + MEMBERS,
            topics: vec![topic],
            groups: if self.has_members() { vec![group] } else { Vec::new() },
            is_advised: true,
            is_scripted: true,
            ..WorkloadPlan::default()
        }
    }

    /// What the broker is set to, beyond that.
    pub fn settings() -> BTreeMap<String, String> {
        // Groups of the model wait for nobody.
        BTreeMap::from([("group.initial.rebalance.delay.ms".to_owned(), "0".to_owned())])
    }

    /// A disk that keeps nothing of what is not synced, and is slow to sync, so that there is something to lose.
    pub fn disk() -> DiskPlan {
        let sync = Duration::from_millis(50);
        let plan = DiskPlan::default();
        DiskPlan {
            latencies: Latencies { sync, ..plan.latencies },
            survivals: vec![Survival::Nothing],
            drops_syncs: true,
            ..plan
        }
    }

    /// A network without faults, and quicker than the disk.
    pub fn net() -> NetPlan {
        NetPlan::default()
    }

    /// Runs it, has everything come to an end, and judges.
    pub async fn run(&self, world: &World, plan: WorkloadPlan, mut dice: Dice) -> Outcome {
        let parts = Parts::new(world.stage(), plan);
        play::play(self, world, &parts, dice.split()).await;
        world.heal();
        let stalled = workload::perform(&parts, dice).await;
        parts.judge(stalled)
    }
}

#[cfg(test)]
mod tests {
    use ottla_model::schedules;

    use super::*;

    #[test]
    fn what_a_broker_alone_can_show_is_run() {
        let all = schedules::all().expect("they can be read");
        let (mut run, mut left) = (Vec::new(), Vec::new());
        for schedule in all {
            let name = schedule.name;
            match Script::read(schedule) {
                Ok(script) => run.push(script),
                Err(_) => left.push(name),
            }
        }
        let of_settings = |script: &&Script| matches!(script.schedule.of, Of::Settings { .. });
        assert_eq!(run.iter().filter(of_settings).count(), 8);
        let expected = ["group-move-G14", "replication-rejoin-M1", "replication-last-in-sync-I1"];
        assert_eq!(left, expected);
        assert!(run.iter().all(|script| !script.shown_by().is_empty()));
    }
}
