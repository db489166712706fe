//! `cargo sim advise`: the advisor's word is checked from a second side.
//!
//! The advisor says of settings that they keep records, or lose them, by visiting states of a model. Here the whole broker runs
//! with each of these settings: where records can be lost, a seed must lose one; where they cannot, none may show anything.

use std::{io, process::ExitCode};

use clap::Args;
use ottla_model::advisor::{self, Question, Verdict as Advice};

use super::{Child, Ended, RunOptions};
use crate::run::Verdict;

#[derive(Debug, Args)]
pub(super) struct AdviseArgs {
    /// How many seeds must show nothing where the advisor says that nothing is lost
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    seeds: u64,
    /// How many seeds it may take to lose a record where the advisor says that one can be lost
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    budget: u64,
    /// The seed to begin with
    #[arg(long, value_name = "SEED", default_value_t = 2)]
    start: u64,
    /// Only settings whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// What is lost where the partition loses it, and where the consumers skip it.
const LOST: &str = "lost-write";
const SKIPPED: &str = "unprocessed";

pub(super) fn run(args: &AdviseArgs) -> ExitCode {
    match go(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("a run cannot be started: {error}");
            ExitCode::from(2)
        }
    }
}

fn go(args: &AdviseArgs) -> io::Result<bool> {
    let all = advisor::alone().into_iter();
    let is_meant =
        |question: &Question| args.only.as_ref().is_none_or(|only| question.name().contains(only));
    let (mut checked, mut failed, mut quiet, mut fruitful) = (0, 0, 0, 0);
    for question in all.filter(is_meant) {
        let (advice, parts) = advisor::verdict(&question, &mut |_, _| {});
        let states: usize = parts.iter().map(|part| part.states).sum();
        let agreed = match advice {
            Advice::Holds => {
                let swarm = Swarm::run(&question, args)?;
                quiet += swarm.good;
                println!("{}\n    holds in {states} states; {swarm}", question.name());
                swarm.is_quiet()
            }
            Advice::CanLose => {
                let part = parts.iter().find(|part| part.loses);
                let property = match part.map(|part| part.name) {
                    Some(advisor::CONSUMERS) => SKIPPED,
                    Some(_) | None => LOST,
                };
                let found = find(&question, property, args)?;
                fruitful += u64::from(found.is_some());
                let told = match &found {
                    Some((seeds, seed, detail)) => format!(
                        "the {seeds}. seed does: {}\n    {property}: {detail}",
                        options(&question).line("run", *seed)
                    ),
                    None => format!("NONE OF {} SEEDS DOES: {property}", args.budget),
                };
                println!("{}\n    can lose records; {told}", question.name());
                found.is_some()
            }
            Advice::NotExhausted => {
                println!("{}\n    NOT DECIDED in {states} states", question.name());
                false
            }
        };
        checked += 1;
        failed += u64::from(!agreed);
    }
    println!(
        "\n{checked} settings, of which the simulator disagrees on {failed}: {fruitful} lose records in it, and {quiet} runs \
         with the others show nothing"
    );
    Ok(failed == 0 && checked > 0)
}

fn options(question: &Question) -> RunOptions {
    RunOptions { advised: Some(*question), ..RunOptions::default() }
}

/// The first seed that shows what is expected, after how many it was, and what it is.
fn find(
    question: &Question,
    property: &str,
    args: &AdviseArgs,
) -> io::Result<Option<(u64, u64, String)>> {
    for seeds in 1..=args.budget {
        let seed = args.start + seeds - 1;
        let Ended { report, .. } = Child::start(seed, &options(question), &[])?.wait()?;
        let findings = report.map(|report| report.findings).unwrap_or_default();
        if let Some(found) = findings.into_iter().find(|finding| finding.property == property) {
            return Ok(Some((seeds, seed, found.detail)));
        }
    }
    Ok(None)
}

/// What came of many seeds.
#[derive(Debug, Default)]
struct Swarm {
    seeds: u64,
    good: u64,
    /// Nothing struck, or nothing was done.
    void: u64,
    failures: Vec<String>,
}

impl Swarm {
    fn run(question: &Question, args: &AdviseArgs) -> io::Result<Self> {
        let mut swarm = Self::default();
        for seed in args.start..args.start + args.seeds {
            let Ended { verdict, report, .. } =
                Child::start(seed, &options(question), &[])?.wait()?;
            swarm.seeds += 1;
            match verdict {
                Verdict::Good => swarm.good += 1,
                Verdict::Invalid => swarm.void += 1,
                Verdict::Violation | Verdict::Stall | Verdict::Panic | Verdict::NonDeterminism => {
                    let findings = report.map(|report| report.findings).unwrap_or_default();
                    let first = findings.first().map_or("", |finding| finding.property.as_str());
                    let line = options(question).line("run", seed);
                    swarm.failures.push(format!("{} {line} {first}", verdict.name()));
                }
            }
        }
        Ok(swarm)
    }

    /// Nothing was found, and it was looked for.
    const fn is_quiet(&self) -> bool {
        self.failures.is_empty() && self.good * 2 >= self.seeds
    }
}

impl std::fmt::Display for Swarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seeds, good, void, failures } = self;
        write!(f, "of {seeds} seeds {good} show nothing wrong, and {void} nothing at all")?;
        for failure in failures {
            write!(f, "\n    FOUND {failure}")?;
        }
        Ok(())
    }
}
