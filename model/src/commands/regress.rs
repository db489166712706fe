//! Counterexamples that are kept: each is run once more, with what it is of, and with what mends it.

use std::{env, process::Command};

use ottla_core::mutants::Mutant;
use ottla_model::{
    advisor::{self, Question},
    harness::Replayed,
    schedules::{self, Of, Schedule},
};

use super::named;

/// Runs a schedule of a rule in this process, and prints what came of it as JSON.
pub(crate) fn replay(name: &str) -> Result<bool, String> {
    let schedule = schedules::named(name)?;
    let Of::Rule { configuration, .. } = schedule.of else {
        return Err(format!("{name} is of no configuration"));
    };
    let replayed = named(configuration)?.subject.replay(&schedule.steps);
    println!("{}", serde_json::to_string(&replayed).map_err(|error| error.to_string())?);
    Ok(true)
}

/// The same in a process of its own, for a mutant is the whole process's.
fn in_child(name: &str, mutant: Option<Mutant>) -> Result<Replayed, String> {
    let program = env::current_exe().map_err(|error| format!("this program: {error}"))?;
    let mut command = Command::new(program);
    command.args(["replay", name]);
    if let Some(mutant) = mutant {
        command.args(["--mutant", mutant.id()]);
    }
    let output = command.output().map_err(|error| format!("a process of {name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("{name}: {error}"))
}

/// Runs all. With what it is of each must end as it did; with what mends it, nothing may be violated.
pub(crate) fn run() -> Result<bool, String> {
    let mut fine = true;
    for schedule in schedules::all()? {
        let Schedule { name, of, property, ref steps } = schedule;
        let (spoilt, whole, [with, without]) = match of {
            Of::Rule { mutant, .. } => (
                in_child(name, Some(mutant))?,
                in_child(name, None)?,
                [format!("with {}", mutant.id()), "without".into()],
            ),
            Of::Settings { lossy, mended } => {
                let replay = |question: &Question| advisor::replay(question, property, steps);
                let with = |question: &Question| format!("with {}", question.name());
                (replay(&lossy), replay(&mended), [with(&lossy), with(&mended)])
            }
        };
        let count = steps.len();
        let fails = spoilt.steps == count && spoilt.violated.iter().any(|found| found == property);
        let passes = whole.violated.is_empty();
        fine &= fails && passes;
        println!(
            "{name}: {with} {}; {without}, {}",
            if fails { format!("{property} fails after {count} steps") } else { told(&spoilt) },
            if passes { told(&whole) } else { format!("{} FAILS", whole.violated.join(", ")) },
        );
    }
    Ok(fine)
}

fn told(replayed: &Replayed) -> String {
    let Replayed { steps, violated, refused } = replayed;
    if !violated.is_empty() {
        return format!("{} fails after {steps} steps", violated.join(", "));
    }
    refused.as_ref().map_or_else(
        || format!("all {steps} steps can be taken and nothing is violated"),
        |(step, offered)| {
            format!("after {steps} steps there is no {step}, but {}", offered.join(", "))
        },
    )
}
