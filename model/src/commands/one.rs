//! What is done with one configuration, in this process.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::Path,
};

use ottla_core::mutants::Mutant;
use ottla_model::{
    advisor::{self, Question},
    harness::{Limits, Order, Progress, Violation, Walks, counted},
    schedules,
};

use super::{chosen, named};

/// Plants a mutant, for the rest of this process.
pub(crate) fn plant(id: Option<&str>) -> Result<(), String> {
    let Some(id) = id else { return Ok(()) };
    let mutant = Mutant::from_id(id);
    plant_known(mutant.ok_or_else(|| format!("there is no mutant {id}; see `cargo model list`"))?)
}

#[cfg(feature = "mutants")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it can fail")]
fn plant_known(mutant: Mutant) -> Result<(), String> {
    ottla_core::mutants::plant(mutant);
    Ok(())
}

#[cfg(not(feature = "mutants"))]
fn plant_known(mutant: Mutant) -> Result<(), String> {
    Err(format!("mutant {} needs the feature `mutants`: use `cargo model`", mutant.id()))
}

fn show(progress: Progress) {
    if io::stderr().is_terminal() {
        let Progress { generated, unique, depth } = progress;
        let (generated, unique) = (counted(generated), counted(unique));
        eprint!("\r\x1b[K{unique} states, {generated} generated, depth {depth}");
    }
}

fn end_line() {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

/// Searches a configuration, and prints the outcome as JSON.
pub(crate) fn run(name: &str, property: Option<&str>, limits: &Limits<'_>) -> Result<bool, String> {
    let configuration = named(name)?;
    let order = if property.is_some() { Order::Breadth } else { Order::Depth };
    let only: Vec<_> = property.into_iter().collect();
    let limits = Limits { only: &only, ..*limits };
    let outcome = configuration.subject.search(order, &limits, &mut |_| {});
    let json = serde_json::to_string(&outcome).map_err(|error| error.to_string())?;
    println!("{json}");
    io::stdout().flush().map_err(|error| error.to_string())?;
    Ok(true)
}

/// Tells the shortest story of a configuration with the mutant that was planted.
pub(crate) fn story(
    name: &str,
    mutant: &str,
    property: Option<&str>,
    schedule: Option<&Path>,
) -> Result<bool, String> {
    let configuration = named(name)?;
    let only: Vec<_> = property.into_iter().collect();
    let limits = Limits { only: &only, ..Limits::SMALL };
    let outcome = configuration.subject.search(Order::Breadth, &limits, &mut show);
    end_line();
    if let (Some(path), Some(violation)) = (schedule, &outcome.violation) {
        write(path, &schedules::file_of_rule(name, mutant, violation))?;
    }
    match &outcome.violation {
        Some(violation) => print!("{}", retold(&configuration.subject.lanes(), violation)),
        None => println!("nothing is violated in {} states", counted(outcome.unique)),
    }
    Ok(outcome.violation.is_some())
}

/// Tells the shortest story of settings with which a broker that is alone can lose records.
pub(crate) fn story_of_settings(name: &str, schedule: Option<&Path>) -> Result<bool, String> {
    let question = Question::named(name);
    let question = question.ok_or_else(|| {
        let names: Vec<_> = advisor::alone().iter().map(Question::name).collect();
        format!("with which mutant? Without one, there are the settings {}", names.join(" "))
    })?;
    let answer = advisor::ask(&question, &mut |_, progress| show(progress));
    let found = advisor::counterexample(&question, &mut |_, progress| show(progress));
    end_line();
    if let (Some(path), Some(found)) = (schedule, &found) {
        write(path, &schedules::file_of_settings(&question, found).1)?;
    }
    print!("{}", advisor::text(&answer));
    Ok(found.is_some())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn retold(lanes: &[String], violation: &Violation) -> String {
    let mut text = format!("{} in {} steps\n", violation.properties.join(", "), violation.steps);
    for (number, action) in violation.actions.iter().enumerate() {
        text += &format!("{:4}  {action}\n", number + 1);
    }
    text += "\n";
    for line in &violation.story {
        text += &format!("{}: {}\n", lanes[line.from], line.text);
    }
    text + &format!("\n{}\n", violation.state)
}

/// Walks at random in configurations.
pub(crate) fn walk(only: Option<&str>, walks: &Walks) -> Result<bool, String> {
    let mut fine = true;
    for configuration in chosen(only)? {
        let outcome = configuration.subject.walk(walks, &mut show);
        end_line();
        let (count, steps) = (outcome.walks, outcome.steps);
        println!(
            "{}: {count} walks, {steps} steps to {} different states, {} ended, {:.0} s",
            configuration.name,
            counted(outcome.unique),
            outcome.ended,
            outcome.seconds
        );
        for (mark, reached) in &outcome.marks {
            println!("    in {reached} walks: {mark}");
        }
        if let Some((seed, violation)) = &outcome.violation {
            fine = false;
            println!("seed {seed}:");
            print!("{}", retold(&configuration.subject.lanes(), violation));
        }
    }
    Ok(fine)
}

/// Serves stateright's Explorer.
pub(crate) fn explore(name: &str, listen: SocketAddr) -> Result<bool, String> {
    let configuration = named(name)?;
    println!("{}: http://{listen}/", configuration.bounds);
    configuration.subject.explore(listen).map_err(|error| format!("{listen}: {error}"))?;
    Ok(true)
}
