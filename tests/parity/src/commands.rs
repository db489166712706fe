//! What the program does: record, check, list.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use similar::TextDiff;

use crate::{
    cases::{self, Definition},
    differences::Differences,
    options::{Broker, Selection},
    run::{self, FAILURE},
    snapshot::{self, Answers},
};

/// The folder of the suite's files.
#[derive(Debug, Clone)]
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    fn answers(&self) -> PathBuf {
        self.0.join("answers")
    }

    fn ottla_answers(&self) -> PathBuf {
        self.answers().join("ottla")
    }

    fn differences(&self) -> Result<Differences, String> {
        Differences::read(&self.0.join("differences.toml"))
    }
}

/// Prints the names of the cases.
pub(crate) fn list(selection: &Selection) {
    for case in selection.of(&cases::all()) {
        println!("{}", case.name);
    }
}

/// Runs cases and keeps their answers: Kafka's, or Ottla's own where it is to differ.
pub(crate) fn record(
    home: &Home,
    broker: &Broker,
    selection: &Selection,
    as_ottla: bool,
) -> Result<bool, String> {
    let all = cases::all();
    let differences = home.differences()?;
    let mut selected = selection.of(&all);
    selected.retain(|case| !as_ottla || differences.of(&case.name).is_some());
    let (mut answers, took) = answers_of(broker, &selected)?;
    let failed: Vec<_> = answers.iter().filter(|(_, transcript)| has_failed(transcript)).collect();
    for (name, transcript) in &failed {
        println!("{name}\n{transcript}");
    }
    if !failed.is_empty() {
        println!("nothing recorded: {} of {} cases failed", failed.len(), answers.len());
        return Ok(false);
    }
    let folder = if as_ottla { home.ottla_answers() } else { home.answers() };
    let kafka = read(&home.answers())?;
    answers.retain(|name, answer| !as_ottla || kafka.get(name) != Some(answer));
    let mut kept = read(&folder)?;
    kept.retain(|name, _| !selected.iter().any(|case| case.name == *name));
    kept.retain(|name, _| {
        all.iter().any(|case| case.name == *name) && (!as_ottla || differences.of(name).is_some())
    });
    let recorded = answers.len();
    kept.extend(answers);
    snapshot::write(&folder, &kept).map_err(|error| format!("{folder:?}: {error}"))?;
    println!("recorded {recorded} cases in {:.1} s", took.as_secs_f64());
    Ok(true)
}

/// Runs cases and compares their answers with those kept. Returns whether they are as they must be.
pub(crate) fn check(
    home: &Home,
    broker: &Broker,
    selection: &Selection,
    is_reference: bool,
) -> Result<bool, String> {
    let all = cases::all();
    let selected = selection.of(&all);
    let differences = if is_reference { Differences::default() } else { home.differences()? };
    let kept = read(&home.answers())?;
    let kept_for_ottla = read(&home.ottla_answers())?;
    let (answers, took) = answers_of(broker, &selected)?;
    let mut table = BTreeMap::<&str, Counts>::new();
    for case in &selected {
        let answer = &answers[&case.name];
        let kafka = kept.get(&case.name);
        let counts = table.entry(case.theme()).or_default();
        // A pattern of the list may cover cases that do not differ: Ottla's answer is kept for those that do.
        let difference = differences.of(&case.name);
        let ottla = difference.and_then(|_| kept_for_ottla.get(&case.name));
        match (ottla, difference) {
            (Some(ottla), Some(_)) if ottla == answer && kafka != Some(answer) => {
                counts.deliberate += 1;
            }
            (Some(ottla), Some(difference)) => {
                counts.differing += 1;
                let note = if kafka == Some(answer) {
                    "kept as a difference, but the answer is Kafka's"
                } else {
                    &difference.reason
                };
                print_difference(&case.name, Some(ottla), answer, note);
            }
            (None, _) | (_, None) if kafka == Some(answer) => counts.same += 1,
            (None, _) | (_, None) => {
                counts.differing += 1;
                print_difference(&case.name, kafka, answer, "");
            }
        }
    }
    Ok(print_table(&table, took))
}

#[derive(Debug, Default)]
struct Counts {
    same: usize,
    differing: usize,
    deliberate: usize,
}

fn print_difference(name: &str, expected: Option<&String>, answer: &str, note: &str) {
    println!("=== {name}{}{note}", if note.is_empty() { "" } else { ": " });
    match expected {
        None => println!("no answer is kept; the broker's is\n{answer}"),
        Some(expected) => {
            let diff = TextDiff::from_lines(expected.as_str(), answer);
            println!("{}", diff.unified_diff().context_radius(4).header("kept", "answered"));
        }
    }
}

fn print_table(table: &BTreeMap<&str, Counts>, took: Duration) -> bool {
    let row = |name: &str, counts: &Counts| {
        let Counts { same, differing, deliberate } = counts;
        let cases = same + differing + deliberate;
        println!("{name:28} {cases:6} {same:6} {differing:10} {deliberate:11}");
    };
    println!("{:28} {:>6} {:>6} {:>10} {:>11}", "", "cases", "same", "differing", "deliberate");
    let mut total = Counts::default();
    for (name, counts) in table {
        row(name, counts);
        total.same += counts.same;
        total.differing += counts.differing;
        total.deliberate += counts.deliberate;
    }
    row("all", &total);
    println!("in {:.1} s", took.as_secs_f64());
    total.differing == 0
}

fn answers_of(broker: &Broker, cases: &[&Definition]) -> Result<(Answers, Duration), String> {
    let address = broker.address()?;
    let started = Instant::now();
    let answers = run::run(cases, address, broker.threads)
        .map_err(|failure| format!("the broker at {address} cannot be asked: {failure}"))?;
    Ok((answers, started.elapsed()))
}

fn read(folder: &Path) -> Result<Answers, String> {
    snapshot::read(folder).map_err(|error| format!("{folder:?}: {error}"))
}

fn has_failed(transcript: &str) -> bool {
    transcript.lines().any(|line| line.starts_with(FAILURE))
}
