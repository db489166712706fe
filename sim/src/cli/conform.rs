//! `cargo sim conform`: whether the model accepts, step by step, what the whole broker did.
//!
//! The process of a run writes down what was seen of it; this one, in which no mutant is planted, has the model judge it.

use std::{collections::BTreeMap, ffi::OsString, fs, io, ops::RangeInclusive, process::ExitCode};

use clap::Args;
use ottla_model::conformance::{Accepted, Event, Refusal, accept};

use super::{Child, Ended, RunOptions};
use crate::faults::{Family, Fault};

#[derive(Debug, Args)]
pub(super) struct ConformArgs {
    /// Which seeds: A..B, B not included
    #[arg(long, value_name = "A..B", value_parser = super::swarm::seeds)]
    seeds: RangeInclusive<u64>,
    #[command(flatten)]
    options: RunOptions,
}

pub(super) fn run(args: &ConformArgs) -> ExitCode {
    let mut all = Accepted::default();
    let (mut seeds, mut refused) = (0_u64, 0_u64);
    for seed in args.seeds.clone() {
        seeds += 1;
        match judge(seed, &args.options) {
            Ok(Ok(accepted)) => all.add(&accepted),
            Ok(Err(refusal)) => {
                refused += 1;
                println!("{}\n    {refusal}", args.options.line("conform", seed));
            }
            Err(error) => {
                eprintln!("seed {seed}: it cannot be run: {error}");
                return ExitCode::from(2);
            }
        }
    }
    let counts = |counts: &BTreeMap<String, u64>| {
        let lines = counts.iter().map(|(name, count)| format!("{count:>11} {name}\n"));
        lines.collect::<String>()
    };
    println!("taken by the model, and {} answers:\n{}", all.answers, counts(&all.actions));
    println!("gaps: what no action stands for, or was not followed:\n{}", counts(&all.gaps));
    println!("of {seeds} runs the model refuses {refused}");
    ExitCode::from(u8::from(refused > 0 || all.actions.is_empty()))
}

/// What the model says of a seed's run.
fn judge(seed: u64, options: &RunOptions) -> io::Result<Result<Accepted, Box<Refusal>>> {
    let path = std::env::temp_dir().join(format!("ottla-sim-{}-{seed}.events", std::process::id()));
    let more: Vec<OsString> =
        vec!["--replay".into(), "--events".into(), path.clone().into_os_string()];
    let Ended { report, .. } = Child::start(seed, options, &more)?.wait()?;
    let text = fs::read_to_string(&path)?;
    fs::remove_file(&path)?;
    let events: Result<Vec<Event>, _> = text.lines().map(serde_json::from_str).collect();
    let struck = report.map(|report| report.faults).unwrap_or_default();
    let damages = |fault: &&Fault| [Family::DiskRot, Family::DiskWipe].contains(&fault.family());
    let mut damaging = Fault::ALL.iter().filter(damages);
    let is_damaged = damaging.any(|fault| struck.contains_key(fault.name()));
    Ok(accept(&events?, is_damaged))
}
