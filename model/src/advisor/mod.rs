//! The guarantee advisor: whether settings keep the promise that each acknowledged record is processed at least once.
//!
//! It visits every state of a partition with these settings, and every state of a group that commits so, within bounds that it
//! states; what it finds it tells as the shortest story, with the setting that would mend it, which it has tried.
//!
//! - `question`: settings and faults, and the models that they make; `alone`: those that a single broker can show; `beyond`: the same
//!   models, for walks.
//! - `mend`: which settings would keep the promise.
//! - `text` and `page` write an answer down.

mod alone;
pub(crate) mod beyond;
mod mend;
mod page;
mod question;
#[cfg(test)]
mod tests;
mod text;

pub use alone::alone;
pub use mend::Mend;
pub use page::page;
pub use question::{Acks, Faults, Flush, Question};
pub use text::{sentence, text};

use std::time::Duration;

pub use crate::harness::Progress;
use crate::harness::{
    Limits, Line, Outcome, Replayed, Story, Violation, replay as take, visit_all,
};

/// What comes of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No acknowledged record is lost in any state within the bounds.
    Holds,
    /// One can be lost.
    CanLose,
    /// The bounds were not exhausted, and what was visited of them says nothing.
    NotExhausted,
}

/// One of the two models, and how much of it was visited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// Its bounds, exactly.
    pub bounds: String,
    /// How many different states were visited.
    pub states: usize,
    /// Whether these are all.
    pub exhausted: bool,
    /// Whether a record is lost in one of them.
    pub loses: bool,
}

/// How it comes to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tale {
    /// Who takes part.
    pub lanes: Vec<String>,
    /// What happens.
    pub lines: Vec<Line>,
    /// What has come of it.
    pub ending: &'static str,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// What is to be thought of it.
    pub verdict: Verdict,
    /// What was visited.
    pub parts: Vec<Part>,
    /// The shortest ways to lose an acknowledged record.
    pub losses: Vec<Tale>,
    /// The shortest way to process one twice, where none is lost.
    pub repeat: Option<Tale>,
    /// What would keep the promise.
    pub mend: Option<Mend>,
}

/// What a search may cost.
const LIMITS: Limits<'static> =
    Limits { time: Duration::from_secs(600), generated: 40_000_000, memory_mib: 8_192, only: &[] };

/// What a partition must not do.
const LOST: &[&str] = &["AckedRecordsAreServed", "NoAckedRecordLostGlobally"];

/// What a group must not do, and what it may.
const SKIPPED: &[&str] = &["NothingIsSkipped"];
const REPEATED: &[&str] = &["ProcessedOnce"];

/// Told on the way: what is visited, and how much of it.
pub type Tell<'a> = dyn FnMut(&str, Progress) + 'a;

/// Answers a question as far as whether, and in which part, records can be lost: [`Part::loses`] says it.
pub fn verdict(question: &Question, tell: &mut Tell<'_>) -> (Verdict, Vec<Part>) {
    let (partition, consumers) = search_both(question, tell);
    (judge(&partition, &consumers), parts(question, &partition, &consumers))
}

fn search_both(question: &Question, tell: &mut Tell<'_>) -> (Outcome, Outcome) {
    let (replication, group) = (question.replication(), question.group());
    let partition = look(&replication, LOST, &mut |progress| tell("the partition", progress));
    let consumers = look(&group, SKIPPED, &mut |progress| tell("the consumers", progress));
    (partition, consumers)
}

fn judge(partition: &Outcome, consumers: &Outcome) -> Verdict {
    let loses = partition.violation.is_some() || consumers.violation.is_some();
    match (loses, partition.exhausted && consumers.exhausted) {
        (true, _) => Verdict::CanLose,
        (false, true) => Verdict::Holds,
        (false, false) => Verdict::NotExhausted,
    }
}

fn parts(question: &Question, partition: &Outcome, consumers: &Outcome) -> Vec<Part> {
    let part = |name, bounds, outcome: &Outcome| Part {
        name,
        bounds,
        states: outcome.unique,
        exhausted: outcome.exhausted,
        loses: outcome.violation.is_some(),
    };
    vec![
        part(PARTITION, question.replication_bounds(), partition),
        part(CONSUMERS, question.group_bounds(), consumers),
    ]
}

/// The names of the two parts.
pub const PARTITION: &str = "partition";
/// See [`PARTITION`].
pub const CONSUMERS: &str = "consumers";

/// Answers a question.
pub fn ask(question: &Question, tell: &mut Tell<'_>) -> Answer {
    let (replication, group) = (question.replication(), question.group());
    let (partition, consumers) = search_both(question, tell);
    let losses: Vec<_> =
        [tale(&replication, &partition), tale(&group, &consumers)].into_iter().flatten().collect();
    let verdict = judge(&partition, &consumers);
    let repeat = (verdict == Verdict::Holds).then(|| {
        let outcome = look(&group, REPEATED, &mut |progress| tell("repetitions", progress));
        tale(&group, &outcome)
    });
    let mend = (verdict == Verdict::CanLose).then(|| {
        let lost = [partition.violation.is_some(), consumers.violation.is_some()];
        mend::find(question, lost, tell)
    });
    Answer {
        question: *question,
        verdict,
        parts: parts(question, &partition, &consumers),
        losses,
        repeat: repeat.flatten(),
        mend: mend.flatten(),
    }
}

/// The shortest way to lose a record, in the model's own actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterexample {
    /// What is violated in the end.
    pub property: String,
    /// What happens.
    pub actions: Vec<String>,
    /// What would keep the promise.
    pub mend: Mend,
}

/// Looks for it. Nothing if there is none, or nothing that would mend it.
pub fn counterexample(question: &Question, tell: &mut Tell<'_>) -> Option<Counterexample> {
    let (partition, consumers) = search_both(question, tell);
    let lost = [partition.violation.is_some(), consumers.violation.is_some()];
    let Violation { properties, actions, .. } = partition.violation.or(consumers.violation)?;
    let property = properties.into_iter().next()?;
    Some(Counterexample { property, actions, mend: mend::find(question, lost, tell)? })
}

/// Takes the steps of a counterexample that violates this property once more, with these settings.
pub fn replay(question: &Question, property: &str, steps: &[&str]) -> Replayed {
    if SKIPPED.contains(&property) {
        take(&question.group(), steps, SKIPPED)
    } else {
        take(&question.replication(), steps, LOST)
    }
}

fn look<M>(model: &M, only: &[&str], tell: &mut dyn FnMut(Progress)) -> Outcome
where
    M: Story,
    M::State: Clone + std::fmt::Debug + std::hash::Hash,
    M::Action: std::fmt::Debug,
{
    visit_all(model, &Limits { only, ..LIMITS }, tell)
}

fn tale<M: Story>(model: &M, outcome: &Outcome) -> Option<Tale> {
    let Violation { properties, story, .. } = outcome.violation.as_ref()?;
    let ending = match properties.first().map(String::as_str) {
        Some("NoAckedRecordLostGlobally") => {
            "a record that was acknowledged is on no disk any more"
        }
        Some("NothingIsSkipped") => {
            "whoever goes on will begin after a record that nobody has processed"
        }
        Some("ProcessedOnce") => "a record was processed twice",
        Some(_) | None => "who leads now does not have a record that was acknowledged",
    };
    Some(Tale { lanes: model.lanes(), lines: story.clone(), ending })
}
