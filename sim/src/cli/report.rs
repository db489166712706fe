//! `cargo sim report`: a run as one page, to be read in a browser.

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use clap::Args;
use serde::Serialize;

use super::{RunOptions, log_lines};
use crate::{
    plan::Plan,
    run::{Finding, Report, run as run_plan, seconds},
    trace::{Kind, Place, Row},
};

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// What decides everything
    #[arg(long)]
    seed: u64,
    /// Where to write the page [default: sim-SEED.html]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Leave out single steps before this second
    #[arg(long, value_name = "SECOND")]
    from: Option<f64>,
    /// Leave out single steps after this second
    #[arg(long, value_name = "SECOND")]
    to: Option<f64>,
    #[command(flatten)]
    options: RunOptions,
}

/// How many single steps a page has at the most, unless a span was named: a browser shows more, but nobody reads it.
const STEPS_MAX: usize = 40_000;

/// What the page is made of.
#[derive(Serialize)]
struct Page<'a> {
    seed: u64,
    verdict: &'a str,
    replay: String,
    banner: Vec<(String, String)>,
    findings: &'a [Finding],
    faults: &'a std::collections::BTreeMap<String, u64>,
    nodes: Vec<String>,
    seconds: f64,
    left_out: usize,
    steps: Vec<Step>,
}

/// A step, short: its number, its time in microseconds, the place (-1 for none), the kind, the figures, the text.
type Step = (u64, u64, i16, &'static str, [u64; 3], String);

pub(super) fn run(args: &ReportArgs) -> ExitCode {
    if let Some(mutant) = args.options.mutant {
        super::run::plant(mutant);
    }
    let plan = Plan::draw(args.seed, &args.options.overrides());
    let rows: Arc<Mutex<Vec<Row>>> = Arc::default();
    let collected = Arc::clone(&rows);
    let collect = move |row| {
        collected.lock().unwrap_or_else(PoisonError::into_inner).push(row);
    };
    log_lines::capture();
    super::run::keep_panics_short(false);
    let report = run_plan(&plan, vec![Box::new(collect)], None);
    let rows = std::mem::take(&mut *rows.lock().unwrap_or_else(PoisonError::into_inner));
    let page = page(args, &plan, &report, rows);
    let path = args.out.clone().unwrap_or_else(|| format!("sim-{}.html", args.seed).into());
    let data = serde_json::to_string(&page).unwrap_or_default().replace("</", "<\\/");
    let text = include_str!("report.html").replace("/*DATA*/null", &data);
    if let Err(error) = fs::write(&path, text) {
        eprintln!("{} cannot be written: {error}", path.display());
        return ExitCode::from(2);
    }
    println!("{}: {}, {} steps", path.display(), report.verdict.name(), page.steps.len());
    ExitCode::from(report.verdict.exit_code())
}

fn page<'a>(args: &ReportArgs, plan: &Plan, report: &'a Report, rows: Vec<Row>) -> Page<'a> {
    let all = rows.len();
    let steps = choose(args, rows);
    let brokers = (0..plan.brokers).map(|number| format!("broker {number}"));
    let clients = (0..plan.workload.machines).map(|number| format!("clients {number}"));
    Page {
        seed: report.seed,
        verdict: report.verdict.name(),
        replay: args.options.line("run", report.seed),
        banner: plan.banner(),
        findings: &report.findings,
        faults: &report.faults,
        nodes: brokers.chain(clients).collect(),
        seconds: seconds(report.simulated_ns),
        left_out: all - steps.len(),
        steps,
    }
}

/// What is of interest, and of the rest what lies in the span that was named, or else the last of it.
fn choose(args: &ReportArgs, rows: Vec<Row>) -> Vec<Step> {
    let is_in_span = |row: &Row| {
        let at = seconds(row.at);
        args.from.is_none_or(|from| at >= from) && args.to.is_none_or(|to| at <= to)
    };
    let is_named = args.from.is_some() || args.to.is_some();
    let skipped = if is_named { 0 } else { rows.len().saturating_sub(STEPS_MAX) };
    let chosen = rows.into_iter().enumerate().filter(|(index, row)| {
        row.kind.is_of_interest() && row.kind != Kind::Fault || is_in_span(row) && *index >= skipped
    });
    chosen.map(|(_, row)| step(row)).collect()
}

fn step(row: Row) -> Step {
    let place = match row.place {
        Place::World => -1,
        Place::Node(node) => i16::from(node.0),
    };
    (row.number, row.at / 1_000, place, row.kind.name(), row.figures, row.text)
}
