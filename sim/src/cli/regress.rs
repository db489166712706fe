//! `cargo sim regress`: the model's counterexamples, as far as a broker that is alone can show them.
//!
//! What the model says can go wrong must go wrong here as well, with the whole broker; with what mends it nothing may.

use std::{io, ops::RangeInclusive, process::ExitCode};

use clap::Args;
use ottla_model::schedules::{self, Of};

use super::{Child, Ended, RunOptions};
use crate::{
    run::{Report, Verdict},
    script::{REFUSED, Script, TAKEN},
};

#[derive(Debug, Args)]
pub(super) struct RegressArgs {
    /// In which worlds: A..B, B not included
    #[arg(long, value_name = "A..B", value_parser = super::swarm::seeds, default_value = "2..5")]
    seeds: RangeInclusive<u64>,
    /// Only schedules whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

pub(super) fn run(args: &RegressArgs) -> ExitCode {
    match go(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

fn go(args: &RegressArgs) -> Result<bool, String> {
    let (mut shown, mut failed, mut left) = (0, 0, 0);
    for schedule in schedules::all()? {
        let name = schedule.name;
        if args.only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        match Script::read(schedule) {
            Ok(script) => {
                let is_well = show(&script, args).map_err(|error| format!("{name}: {error}"))?;
                shown += u64::from(is_well);
                failed += u64::from(!is_well);
            }
            Err(why) => {
                left += 1;
                println!("{name}\n    on the core alone (`cargo model regress`): {why}");
            }
        }
    }
    println!(
        "\n{} schedules, of which {shown} are shown and {failed} are not; {left} are left to the core",
        shown + failed + left
    );
    Ok(failed == 0 && shown > 0)
}

/// Runs a schedule in some worlds, with what it is of and with what mends it.
fn show(script: &Script, args: &RegressArgs) -> io::Result<bool> {
    let plain = RunOptions { schedule: Some(script.clone()), ..RunOptions::default() };
    let (spoilt, whole, [with, without]) = match script.schedule().of {
        Of::Rule { mutant, .. } => (
            RunOptions { mutant: Some(mutant), ..plain.clone() },
            plain,
            [format!("with {}", mutant.id()), "without".into()],
        ),
        Of::Settings { lossy, mended } => (
            RunOptions { advised: Some(lossy), ..plain.clone() },
            RunOptions { advised: Some(mended), ..plain },
            [format!("with {}", lossy.name()), format!("with {}", mended.name())],
        ),
    };
    println!("{}", script.schedule().name);
    let mut is_well = true;
    for seed in args.seeds.clone() {
        let Ended { verdict, report, .. } = Child::start(seed, &spoilt, &[])?.wait()?;
        let finding = report.iter().flat_map(|report| &report.findings);
        let mut finding = finding.filter(|it| script.shown_by().contains(&it.property.as_str()));
        let taken = report.as_ref().map_or(0, |report| count(report, TAKEN));
        let found = finding.next().filter(|_| taken == script.steps());
        is_well &= found.is_some();
        if let Some(found) = found.filter(|_| seed == *args.seeds.start()) {
            println!("    {with}, {}: {}", found.property, found.detail);
        } else if found.is_none() {
            let (expected, steps) = (script.shown_by().join(" or "), script.steps());
            println!("    {with}, NOT {expected} but {}; {taken} of {steps} steps", verdict.name());
            println!("        {}", spoilt.line("run", seed));
        }
        let Ended { verdict, report, .. } = Child::start(seed, &whole, &[])?.wait()?;
        let report = report.as_ref();
        if verdict != Verdict::Good {
            is_well = false;
            let finding = report.and_then(|report| report.findings.first());
            let told = finding.map_or("", |finding| finding.property.as_str());
            println!(
                "    {without}, FOUND {} {told}\n        {}",
                verdict.name(),
                whole.line("run", seed)
            );
        } else if seed == *args.seeds.start() {
            let taken = report.map_or(0, |report| count(report, TAKEN));
            let refused = report.map_or(0, |report| count(report, REFUSED));
            let told = if refused > 0 { ", and the next cannot be" } else { "" };
            println!("    {without}, nothing: {taken} steps are taken{told}");
        }
    }
    Ok(is_well)
}

fn count(report: &Report, what: &str) -> u64 {
    report.operations.get(what).copied().unwrap_or(0)
}
