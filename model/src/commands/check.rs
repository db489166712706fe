//! Checks configurations: each as it is, then with each of its mutants.

use std::{
    io::{self, IsTerminal},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use ottla_model::harness::{Caught, Configuration, Outcome, Stopwatch, Verdict, counted};

use super::{Plan, child, chosen};

/// One search.
struct Task<'a> {
    configuration: &'a Configuration,
    caught: Option<&'a Caught>,
}

/// What came of it.
struct Row {
    number: usize,
    name: String,
    outcome: Option<Outcome>,
    verdict: Verdict,
}

impl Task<'_> {
    fn name(&self) -> String {
        match self.caught {
            None => self.configuration.name.into(),
            Some(caught) => format!("{} + {}", self.configuration.name, caught.mutant.id()),
        }
    }

    fn run(&self, number: usize, plan: &Plan) -> Row {
        let name = self.name();
        match child::search(self.configuration.name, self.caught, &plan.limits) {
            Err(why) => Row { number, name, outcome: None, verdict: Verdict::Not(why) },
            Ok(outcome) => {
                let verdict = match self.caught {
                    None => self.configuration.judge(&outcome),
                    Some(caught) => self.configuration.judge_mutant(caught, &outcome),
                };
                Row { number, name, outcome: Some(outcome), verdict }
            }
        }
    }
}

/// Checks what is planned. False if anything is not as expected.
pub(crate) fn run(plan: &Plan) -> Result<bool, String> {
    let mut configurations = chosen(plan.only.as_deref())?;
    configurations.retain(|known| known.size == plan.size);
    if configurations.is_empty() {
        return Err("there is nothing to check".into());
    }
    let has_mutants = configurations.iter().any(|known| !known.mutants.is_empty());
    if has_mutants && !ottla_core::mutants::CAN_BE_PLANTED {
        return Err("mutants need the feature `mutants`: use `cargo model check`".into());
    }
    let mut tasks = Vec::new();
    for configuration in &configurations {
        tasks.push(Task { configuration, caught: None });
        let mutants = configuration.mutants.iter();
        tasks.extend(mutants.map(|caught| Task { configuration, caught: Some(caught) }));
    }
    let clock = Stopwatch::start();
    let rows = run_all(&tasks, plan);
    print!("{}", table(&rows));
    let failed = rows.iter().filter(|row| row.verdict != Verdict::AsExpected).count();
    println!(
        "\n{} searches, {failed} not as expected, {:.0} s",
        rows.len(),
        clock.elapsed().as_secs_f64()
    );
    Ok(failed == 0)
}

/// Runs some tasks at a time, and tells of each that has ended.
fn run_all(tasks: &[Task<'_>], plan: &Plan) -> Vec<Row> {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    let work = || {
        while let Some((number, task)) = {
            let number = next.fetch_add(1, Ordering::Relaxed);
            tasks.get(number).map(|task| (number, task))
        } {
            if io::stderr().is_terminal() {
                eprint!("\r\x1b[K{} …", task.name());
            }
            let row = task.run(number, plan);
            let mut rows = rows.lock().expect("nobody has panicked");
            let done = rows.len() + 1;
            let start = if io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
            eprintln!("{start}[{done:3}/{}] {}", tasks.len(), told(&row));
            rows.push(row);
        }
    };
    #[expect(clippy::disallowed_methods, reason = "they wait for processes of their own")]
    thread::scope(|scope| {
        for _ in 0..plan.jobs.max(1) {
            scope.spawn(work);
        }
    });
    let mut rows = rows.into_inner().expect("nobody has panicked");
    rows.sort_by_key(|row| row.number);
    rows
}

fn result(row: &Row) -> String {
    match (&row.verdict, row.outcome.as_ref().and_then(|outcome| outcome.violation.as_ref())) {
        (Verdict::Not(why), _) => format!("NOT AS EXPECTED: {why}"),
        (Verdict::AsExpected, None) => "holds".into(),
        (Verdict::AsExpected, Some(found)) => {
            format!("caught: {} @ {}", found.properties.join(", "), found.steps)
        }
    }
}

fn told(row: &Row) -> String {
    let Some(outcome) = &row.outcome else { return format!("{}: {}", row.name, result(row)) };
    let (states, seconds) = (counted(outcome.unique), outcome.seconds);
    format!("{}: {}, {states} states, {seconds:.1} s", row.name, result(row))
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    let mut text = format!(
        "{:width$}  {:>12}  {:>13}  {:>5}  {:>8}  {:>7}  result\n",
        "configuration", "states", "generated", "depth", "time", "memory"
    );
    for row in rows {
        let figures = row.outcome.as_ref().map_or_else(String::new, |outcome| {
            format!(
                "{:>12}  {:>13}  {:>5}  {:>6.1} s  {:>3} MiB",
                counted(outcome.unique),
                counted(outcome.generated),
                outcome.depth,
                outcome.seconds,
                outcome.memory_mib
            )
        });
        text += &format!("{:width$}  {figures:56}  {}\n", row.name, result(row));
    }
    text
}
