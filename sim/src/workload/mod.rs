//! What clients do while the world is troubled, and what they must see.

pub mod admin;
pub mod calm;
pub mod client;
pub mod connection;
pub mod fetcher;
pub mod loner;
pub mod member;
pub mod offsets;
pub mod plan;
pub mod producer;
pub mod progress;
pub mod questions;
pub mod reader;
pub mod recorder;
pub mod records;
pub mod roles;

pub use plan::{GroupPlan, ProducerPlan, TopicKind, TopicPlan, WorkloadPlan};
pub use progress::Progress;
pub use recorder::Recorder;

use std::{collections::BTreeMap, time::Duration};

use ottla_jepsen::history::{Fault as Struck, FaultStage, Header, History, Note, Rules};

use self::roles::Cast;
use crate::{
    dice::Dice,
    faults::Family,
    oracle::{self, Damage},
    timers::Timers,
    world::{Environment, Stage},
};

/// What must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The property that does not hold.
    pub property: String,
    /// What is wrong.
    pub detail: String,
    /// The events that show it, the first ones first.
    pub events: Vec<String>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What must not be.
    pub violations: Vec<Violation>,
    /// What was not done in time once the world was whole again.
    pub stalled: Vec<String>,
    /// How many operations there were, by name and by how they ended.
    pub operations: BTreeMap<String, u64>,
    /// What clients asked and were told.
    pub history: History,
}

/// What all clients share.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where they are.
    pub stage: Stage,
    /// What they do.
    pub plan: WorkloadPlan,
    /// Writes everything down.
    pub recorder: Recorder,
    /// How far they are.
    pub progress: Progress,
}

/// How long each step may take, once the world is whole.
const STEP_LIMIT: Duration = Duration::from_secs(90);
/// The same where all clients have one topic, and for reading everything: with 100 ms for each answer and segments of 500 bytes
/// that takes minutes.
const LONGER_LIMIT: Duration = Duration::from_secs(250);
/// How long offsets must stay that nobody commits anew: longer than `offsets.retention.minutes`.
const OFFSETS_STAY: Duration = Duration::from_secs(75);

/// Has the clients work until the world was whole for long enough, and judges what they saw.
pub async fn run(stage: Stage, plan: WorkloadPlan, dice: Dice) -> Outcome {
    let parts = Parts::new(stage, plan);
    let stalled = perform(&parts, dice).await;
    parts.judge(stalled)
}

impl Parts {
    /// What clients share that have done nothing yet.
    pub fn new(stage: Stage, plan: WorkloadPlan) -> Self {
        let rules = Rules {
            offsets_expire: plan.offsets_expire,
            sent_is_acknowledged: plan.is_advised,
            ..Rules::default()
        };
        let header = Header { rules, ..Header::default() };
        let recorder = Recorder::new(stage.environment.clone(), header);
        Self { stage, plan, recorder, progress: Progress::default() }
    }

    /// Judges what they saw, and what was not done in time.
    pub fn judge(&self, stalled: Vec<String>) -> Outcome {
        let has = |families: &[Family]| self.stage.environment.faults.any_struck(families);
        if has(FORGETFUL) && !self.plan.is_advised {
            self.recorder.note(0, forgets());
        }
        let (history, operations, violations) = self.recorder.finish();
        let damage = if has(&[Family::DiskWipe]) {
            Damage::Wiped
        } else if has(DAMAGING) {
            Damage::Spoilt
        } else {
            Damage::None
        };
        oracle::judge(history, operations, violations, stalled, damage)
    }
}

/// With these, what was not synced may be gone.
const FORGETFUL: &[Family] =
    &[Family::ProcessPower, Family::DiskSync, Family::DiskError, Family::DiskFull];

/// With these, what was synced may be damaged; a broker that is alone has nobody to be helped by.
const DAMAGING: &[Family] = &[Family::DiskRot, Family::DiskWipe];

fn forgets() -> Note {
    Note::Fault(Struck {
        kind: "power or disk".into(),
        target: "any".into(),
        stage: FaultStage::Effective,
        forgets: true,
    })
}

/// Waits for something that must come to an end; what is told of it if it does not.
async fn must_end(
    (timers, limit): (&Timers, Duration),
    what: &str,
    progress: &Progress,
    future: impl Future<Output = ()>,
) -> Result<(), Vec<String>> {
    if connection::within(timers, limit, future).await.is_some() {
        return Ok(());
    }
    let mut stalled = vec![format!("{what}: not within {limit:?}")];
    stalled.extend(progress.under_way());
    Err(stalled)
}

/// Has everything come to an end, once the world is whole; what does not is told.
pub async fn perform(parts: &Parts, mut dice: Dice) -> Vec<String> {
    let Environment { timers, .. } = &parts.stage.environment;
    let progress = &parts.progress;
    let cast = Cast::begin(parts, &mut dice);
    parts.stage.phases.healed().await;
    if parts.stage.environment.faults.any_struck(DAMAGING) {
        progress.is_damaged();
    }
    let limited = (timers, if parts.plan.is_advised { LONGER_LIMIT } else { STEP_LIMIT });
    let patient = (timers, LONGER_LIMIT);
    let steps = async {
        must_end(limited, "making topics", progress, cast.topics_are_made()).await?;
        must_end(limited, "administering", progress, cast.admins_end()).await?;
        must_end(limited, "writing", progress, cast.producers_end()).await?;
        must_end(limited, "a fetch that waits", progress, cast.try_waiting(parts)).await?;
        progress.all_is_written();
        must_end(patient, "reading on", progress, cast.readers_end()).await?;
        must_end(patient, "reading everything", progress, cast.audit(parts)).await?;
        must_end(limited, "groups", progress, cast.groups_rest(parts)).await?;
        progress.all_is_committed();
        if parts.plan.offsets_expire && !parts.plan.groups.is_empty() {
            timers.sleep(OFFSETS_STAY).await;
            must_end(limited, "offsets", progress, cast.offsets_stay(parts)).await?;
        }
        progress.is_done();
        must_end(limited, "leaving", progress, cast.members_end()).await
    };
    steps.await.err().unwrap_or_default()
}
