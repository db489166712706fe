//! Counterexamples that are kept: each is run once more, with the mutant that it is of, and without.

use std::{env, fs, path::Path, process::Command};

use ottla_core::mutants::Mutant;
use ottla_model::harness::{Replayed, Violation};

use super::named;

macro_rules! schedules {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../schedules/", $name, ".txt"))),)*]
    };
}

/// The schedules, by the names of their files.
const SCHEDULES: &[(&str, &str)] = schedules! {
    "group-move-G6"
    "group-move-G13"
    "group-move-G14"
    "group-reconnect-G7"
    "replication-rejoin-M1"
    "replication-last-in-sync-I1"
};

/// A schedule: what it is of, and its steps.
struct Schedule {
    configuration: &'static str,
    mutant: &'static str,
    property: &'static str,
    steps: Vec<&'static str>,
}

/// Reads one: in its first line, the configuration, the mutant, and what is violated; then a step in each line.
fn parse(text: &'static str) -> Result<Schedule, String> {
    let mut lines = text.lines();
    let head = lines.next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default();
    let words: Vec<_> = head.split_whitespace().collect();
    let [configuration, mutant, property] = words[..] else {
        return Err(format!("what is it a schedule of: {head}"));
    };
    let steps = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    Ok(Schedule { configuration, mutant, property, steps })
}

/// Writes the actions of a violation down.
pub(super) fn write(
    path: &Path,
    configuration: &str,
    mutant: &str,
    found: &Violation,
) -> Result<(), String> {
    let properties = found.properties.join(" ");
    let what = Mutant::from_id(mutant).map_or("", Mutant::description);
    let steps = found.actions.join("\n");
    let text = format!("# {configuration} {mutant} {properties}\n# {what}\n{steps}\n");
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs a schedule in this process, and prints what came of it as JSON.
pub(crate) fn replay(name: &str) -> Result<bool, String> {
    let found = SCHEDULES.iter().find(|(known, _)| *known == name);
    let (_, text) = found.ok_or_else(|| format!("there is no schedule {name}"))?;
    let schedule = parse(text)?;
    let replayed = named(schedule.configuration)?.subject.replay(&schedule.steps);
    println!("{}", serde_json::to_string(&replayed).map_err(|error| error.to_string())?);
    Ok(true)
}

/// The same in a process of its own, for a mutant is the whole process's.
fn in_child(name: &str, mutant: Option<&str>) -> Result<Replayed, String> {
    let program = env::current_exe().map_err(|error| format!("this program: {error}"))?;
    let mut command = Command::new(program);
    command.args(["replay", name]);
    if let Some(mutant) = mutant {
        command.args(["--mutant", mutant]);
    }
    let output = command.output().map_err(|error| format!("a process of {name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("{name}: {error}"))
}

/// Runs all. With the mutant each must end as it did; without, nothing may be violated.
pub(crate) fn run() -> Result<bool, String> {
    let mut fine = true;
    for (name, text) in SCHEDULES {
        let schedule = parse(text)?;
        let (count, property) = (schedule.steps.len(), schedule.property);
        let spoilt = in_child(name, Some(schedule.mutant))?;
        let fails = spoilt.steps == count && spoilt.violated.iter().any(|found| found == property);
        let whole = in_child(name, None)?;
        let passes = whole.violated.is_empty();
        fine &= fails && passes;
        println!(
            "{name}: with {} {}; without, {}",
            schedule.mutant,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_can_be_read_and_taken_by_the_whole_core() {
        for (name, text) in SCHEDULES {
            let schedule = parse(text).expect("it is well-formed");
            assert!(Mutant::from_id(schedule.mutant).is_some(), "{name}");
            let replayed = named(schedule.configuration).expect("it is there");
            let replayed = replayed.subject.replay(&schedule.steps);
            assert!(replayed.violated.is_empty(), "{name}: {replayed:?}");
            assert!(replayed.steps > 0, "{name}: {replayed:?}");
        }
    }
}
