//! A run: chaos, then calm, then the verdict.

use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use madsim::runtime::Runtime;
use ottla_jepsen::history::History;
use ottla_model::conformance::Event;
use serde::{Deserialize, Serialize};

use crate::{
    cli::log_lines,
    dice::Dice,
    faults::{FaultId, Faults},
    marks, nemesis,
    plan::Plan,
    replay::{Difference, Recording},
    timers::Timers,
    trace::{Kind, Place, Reader, Trace},
    workload::{self, Outcome, Violation},
    world::{Environment, World},
};

/// How a run came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing is wrong.
    Good,
    /// What was seen must not be.
    Violation,
    /// Something did not come to an end.
    Stall,
    /// An assertion failed.
    Panic,
    /// Two runs of one seed differ.
    NonDeterminism,
    /// Nothing went wrong with the world, or nothing was done in it: the run shows nothing.
    Invalid,
}

impl Verdict {
    /// The status with which the process ends.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Violation => 10,
            Self::Stall => 11,
            Self::Panic => 12,
            Self::NonDeterminism => 13,
            Self::Invalid => 14,
        }
    }

    /// The verdict of a process that ended with this status.
    pub fn of_exit_code(code: i32) -> Option<Self> {
        let all = [
            Self::Good,
            Self::Violation,
            Self::Stall,
            Self::Panic,
            Self::NonDeterminism,
            Self::Invalid,
        ];
        all.into_iter().find(|verdict| i32::from(verdict.exit_code()) == code)
    }

    /// In a word or two.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Violation => "violation",
            Self::Stall => "stall",
            Self::Panic => "panic",
            Self::NonDeterminism => "non-determinism",
            Self::Invalid => "invalid",
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// How it came out.
    pub verdict: Verdict,
    /// What is wrong: the property, and the first events that show it.
    pub findings: Vec<Finding>,
    /// How many faults struck, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Which faults struck, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strikes: Vec<FaultId>,
    /// For how long the world was troubled, at the most.
    pub chaos_ms: u64,
    /// How often each mark was hit.
    pub marks: BTreeMap<String, u64>,
    /// How many operations there were, by name and outcome.
    pub operations: BTreeMap<String, u64>,
    /// What clients asked and were told.
    #[serde(skip)]
    pub history: History,
    /// What the model is to judge, if it is to judge anything.
    #[serde(skip)]
    pub events: Vec<Event>,
    /// For how long the world lived, in simulated nanoseconds.
    pub simulated_ns: u64,
    /// How many inputs were told to fresh shards, and how many were not for want of memory, if any were to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<(u64, u64)>,
    /// How many rows the trace has, and its hash.
    pub rows: u64,
    /// See `rows`.
    pub hash: u64,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The property that does not hold.
    pub property: String,
    /// What is wrong.
    pub detail: String,
    /// The events that show it.
    pub events: Vec<String>,
}

impl From<Violation> for Finding {
    fn from(violation: Violation) -> Self {
        let Violation { property, detail, events } = violation;
        Self { property, detail, events }
    }
}

/// How a run came to its end.
struct Ended {
    outcome: Option<Outcome>,
    unexplained: Vec<String>,
}

/// The property of which the replay is the proof.
pub const ALIKE: &str = "a fresh core does the same";

/// Runs what a plan says. A process runs one plan, for marks and mutants are the process's.
#[expect(
    clippy::disallowed_methods,
    reason = "a world has a thread that has seen no randomness but its own"
)]
pub fn run(plan: &Plan, readers: Vec<Reader>, recording: Option<Arc<Recording>>) -> Report {
    std::thread::scope(|scope| {
        let world = scope.spawn(|| run_here(plan, readers, recording));
        world.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn run_here(plan: &Plan, readers: Vec<Reader>, recording: Option<Arc<Recording>>) -> Report {
    let runtime = Runtime::with_seed_and_config(plan.seed, madsim::Config::default());
    let environment: Arc<Mutex<Option<Environment>>> = Arc::default();
    let shared = Arc::clone(&environment);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async move {
            let timers = Timers::start();
            let trace = Trace::new(timers.clone());
            for reader in readers {
                trace.read_by(reader);
            }
            let faults = Faults::new(trace.clone(), plan.dropped.clone());
            log_lines::belong_to(trace.clone());
            let environment = Environment { timers, trace, faults, recording };
            *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(environment.clone());
            live(plan, environment).await
        })
    }));
    let environment = environment.lock().unwrap_or_else(PoisonError::into_inner).take();
    let report = match environment {
        Some(environment) => conclude(plan, &environment, ended),
        None => unreachable!("the world begins before anything can go wrong"),
    };
    // What is left of the world would only be taken apart, which is no part of the run.
    std::mem::forget(runtime);
    report
}

/// The life of a world.
async fn live(plan: &Plan, environment: Environment) -> Ended {
    let world = World::build(plan, environment.clone());
    let (timers, trace) = (&environment.timers, &environment.trace);
    trace.row(Place::World, Kind::Phase, [0; 3], || "chaos".into());
    for broker in &world.brokers {
        broker.start();
    }
    if plan.script.is_none() {
        let mut dice = Dice::new(plan.seed, "nemesis-events", 0);
        nemesis::begin(&world, &plan.nemesis, &mut dice);
        let healer = world.clone();
        timers.call_after(plan.chaos, move || {
            healer.environment.trace.row(Place::World, Kind::Phase, [1, 0, 0], || "calm".into());
            healer.heal();
        });
    }
    let dice = Dice::new(plan.seed, "workload-events", 0);
    let work = async {
        match &plan.script {
            Some(script) => script.run(&world, plan.workload.clone(), dice).await,
            None => workload::run(world.stage(), plan.workload.clone(), dice).await,
        }
    };
    let outcome = tokio::select! {
        biased;
        outcome = work => Some(outcome),
        () = timers.sleep(plan.chaos + plan.calm_max) => None,
    };
    trace.row(Place::World, Kind::Phase, [2, 0, 0], || "end".into());
    let ends = world.brokers.iter().flat_map(|broker| broker.unexplained_ends());
    Ended { outcome, unexplained: ends.collect() }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "a panic without words".into())
}

/// How many operations there must have been for a run to show anything.
const OPERATIONS_MIN: u64 = 10;

fn conclude(
    plan: &Plan,
    environment: &Environment,
    ended: Result<Ended, Box<dyn Any + Send>>,
) -> Report {
    let struck = environment.faults.struck();
    let mut findings = Vec::new();
    let mut operations = BTreeMap::new();
    let mut history = History::default();
    let plain = |property: &str, detail| Finding {
        property: property.to_owned(),
        detail,
        events: Vec::new(),
    };
    let mut verdict = match ended {
        Err(panic) => {
            let place = log_lines::last_panic().unwrap_or_default();
            findings.push(plain("no assertion fails", format!("{place}: {}", message(&*panic))));
            Verdict::Panic
        }
        Ok(Ended { outcome, unexplained }) => {
            for end in unexplained {
                findings.push(plain("a broker ends only for a reason", end));
            }
            let is_stalled = outcome.as_ref().is_none_or(|outcome| !outcome.stalled.is_empty());
            let outcome = outcome.unwrap_or_else(|| Outcome {
                stalled: vec![format!("the clients did not end within {:?}", plan.calm_max)],
                ..Outcome::default()
            });
            findings.extend(outcome.violations.into_iter().map(Finding::from));
            let is_violated = !findings.is_empty();
            let stalled = outcome.stalled.into_iter();
            findings.extend(stalled.map(|what| plain("all comes to an end", what)));
            operations = outcome.operations;
            history = outcome.history;
            history.header.seed = plan.seed;
            match (is_violated, is_stalled) {
                (true, _) => Verdict::Violation,
                (false, true) => Verdict::Stall,
                (false, false) => Verdict::Good,
            }
        }
    };
    for finding in &findings {
        let text = || format!("{}: {}", finding.property, finding.detail);
        environment.trace.aside(Place::World, Kind::Violation, text);
    }
    let mut replayed = None;
    let mut events = Vec::new();
    if let Some(recording) = &environment.recording {
        let told_again = recording.replay();
        if let Some((shard, difference)) = &told_again.difference {
            let Difference { step, told, said: [first, second] } = &**difference;
            findings.push(Finding {
                property: ALIKE.to_owned(),
                detail: format!("shard {shard} does otherwise at input {step}"),
                events: vec![told.clone(), first.clone(), second.clone()],
            });
            verdict = Verdict::NonDeterminism;
        }
        replayed = Some((told_again.inputs, told_again.left_out));
        events = told_again.events;
    }
    let is_idle = plan.script.is_none() && operations.values().sum::<u64>() < OPERATIONS_MIN;
    let is_harmless = !plan.families.is_empty() && struck.is_empty() && plan.dropped.is_empty();
    if verdict == Verdict::Good && (is_idle || is_harmless) {
        verdict = Verdict::Invalid;
    }
    let (rows, hash) = environment.trace.digest();
    let hits = marks::hits().into_iter().map(|(mark, hits)| (mark.name().to_owned(), hits));
    Report {
        seed: plan.seed,
        verdict,
        findings,
        faults: struck.into_iter().map(|(fault, count)| (fault.to_string(), count)).collect(),
        strikes: environment.faults.strikes(),
        chaos_ms: u64::try_from(plan.chaos.as_millis()).unwrap_or(u64::MAX),
        marks: hits.collect(),
        operations,
        history,
        events,
        simulated_ns: environment.timers.now(),
        replayed,
        rows,
        hash,
    }
}

/// Simulated time in seconds, for people.
pub fn seconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64()
}
