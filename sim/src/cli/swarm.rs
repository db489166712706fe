//! `cargo sim swarm`: many seeds, each in a process of its own.

use std::{
    collections::BTreeMap,
    io,
    ops::RangeInclusive,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{Child, Ended, RunOptions};
use crate::run::{Verdict, seconds};

#[derive(Debug, Args)]
pub(super) struct SwarmArgs {
    /// Which seeds: A..B, B not included
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    seeds: RangeInclusive<u64>,
    /// How many at once
    #[arg(long, default_value = "2", value_parser = clap::value_parser!(u8).range(1..))]
    jobs: u8,
    /// Write what came of it to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// End after so many seeds that failed
    #[arg(long, value_name = "COUNT")]
    failures_max: Option<usize>,
    #[command(flatten)]
    options: RunOptions,
}

/// Parses a range of seeds, of which there is one at least.
pub(super) fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let malformed = || format!("{text} is not A..B");
    let (first, end) = text.split_once("..").ok_or_else(malformed)?;
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| malformed());
    let (first, end) = (number(first)?, number(end)?);
    if end <= first {
        return Err(format!("{text} holds no seed"));
    }
    Ok(first..=end - 1)
}

/// One in so many seeds is run twice.
const TWICE: u64 = 100;

/// What came of a batch.
#[derive(Debug, Default, Serialize)]
struct Summary {
    seeds: u64,
    good: u64,
    compared: u64,
    simulated_seconds: f64,
    wall_seconds: f64,
    cpu_seconds: f64,
    verdicts: BTreeMap<String, u64>,
    faults: BTreeMap<String, u64>,
    marks: BTreeMap<String, u64>,
    operations: BTreeMap<String, u64>,
    failures: Vec<Failure>,
}

/// A seed that is not good.
#[derive(Debug, Serialize)]
struct Failure {
    seed: u64,
    verdict: Verdict,
    property: String,
    detail: String,
    replay: String,
}

pub(super) fn run(args: &SwarmArgs) -> ExitCode {
    let summary = match go(args) {
        Ok(summary) => summary,
        Err(error) => {
            eprintln!("a run cannot be started: {error}");
            return ExitCode::from(2);
        }
    };
    tell(&summary);
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&summary).unwrap_or_default();
        if let Err(error) = std::fs::write(path, text) {
            eprintln!("{} cannot be written: {error}", path.display());
            return ExitCode::from(2);
        }
    }
    let worst = summary.failures.iter().map(|failure| failure.verdict);
    ExitCode::from(worst.min().map_or(0, Verdict::exit_code))
}

#[expect(clippy::disallowed_methods, reason = "it is outside of any world")]
fn go(args: &SwarmArgs) -> io::Result<Summary> {
    let began = Instant::now();
    let next = AtomicU64::new(*args.seeds.start());
    let is_over = AtomicBool::new(false);
    let summary = Mutex::new(Summary::default());
    let progress = ProgressBar::new(args.seeds.end() - args.seeds.start() + 1);
    let style = "{wide_bar} {pos}/{len} {per_sec} {msg} {eta}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_secs(1));
    let work = || -> io::Result<()> {
        while !is_over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > *args.seeds.end() {
                break;
            }
            let ended = run_seed(seed, &args.options)?;
            let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
            summary.take(ended, &args.options);
            let failures = summary.failures.len();
            progress.inc(1);
            progress.set_message(format!("{failures} failed"));
            if args.failures_max.is_some_and(|max| failures >= max) {
                is_over.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..args.jobs).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok::<_, io::Error>(())
    })?;
    progress.finish_and_clear();
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.wall_seconds = began.elapsed().as_secs_f64();
    summary.cpu_seconds = children_seconds();
    summary.failures.sort_by_key(|failure| failure.seed);
    Ok(summary)
}

/// Runs a seed; one in a hundred twice.
fn run_seed(seed: u64, options: &RunOptions) -> io::Result<Ended> {
    let mut ended = Child::start(seed, options, &[])?.wait()?;
    if seed.is_multiple_of(TWICE) && ended.report.is_some() {
        let differs = super::meta::compare(seed, options)?;
        if let (Some(difference), Some(report)) = (differs, ended.report.as_mut()) {
            ended.verdict = Verdict::NonDeterminism;
            report.findings.insert(0, difference);
        }
    }
    Ok(ended)
}

/// How much of a processor's time all children took that have ended.
fn children_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok());
    // The 16th and 17th field; the third is the first after the name. A tick is a hundredth of a second.
    (ticks(14).unwrap_or_default() + ticks(15).unwrap_or_default()) / 100.0
}

fn add(all: &mut BTreeMap<String, u64>, more: BTreeMap<String, u64>) {
    for (name, count) in more {
        *all.entry(name).or_default() += count;
    }
}

impl Summary {
    fn take(&mut self, ended: Ended, options: &RunOptions) {
        let Ended { seed, verdict, report } = ended;
        self.seeds += 1;
        self.good += u64::from(verdict == Verdict::Good);
        self.compared += u64::from(seed.is_multiple_of(TWICE));
        *self.verdicts.entry(verdict.name().to_owned()).or_default() += 1;
        let first = report.as_ref().and_then(|report| report.findings.first().cloned());
        if let Some(report) = report {
            self.simulated_seconds += seconds(report.simulated_ns);
            add(&mut self.faults, report.faults);
            add(&mut self.marks, report.marks);
            add(&mut self.operations, report.operations);
        }
        if verdict != Verdict::Good {
            let (property, detail) = match first {
                Some(finding) => (finding.property, finding.detail),
                None => (String::new(), String::new()),
            };
            let replay = options.line("run", seed);
            self.failures.push(Failure { seed, verdict, property, detail, replay });
        }
    }
}

fn tell(summary: &Summary) {
    let Summary { seeds, good, compared, simulated_seconds, wall_seconds, cpu_seconds, .. } =
        summary;
    let counts = |counts: &BTreeMap<String, u64>| {
        let hit = counts.iter().filter(|(_, count)| **count > 0);
        hit.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    };
    println!("seeds      {seeds}, of which {good} good; {compared} compared with themselves");
    println!("verdicts   {}", counts(&summary.verdicts));
    println!("faults     {}", counts(&summary.faults));
    println!("operations {}", counts(&summary.operations));
    println!("marks      {}", counts(&summary.marks));
    let never = summary.marks.iter().filter(|(_, count)| **count == 0);
    let never: Vec<&str> = never.map(|(name, _)| name.as_str()).collect();
    println!("never      {}", if never.is_empty() { "none".to_owned() } else { never.join(", ") });
    println!(
        "simulated  {:.1} h, {:.0} s for each of {wall_seconds:.0} s, {:.0} for each of a processor's {cpu_seconds:.0} s",
        simulated_seconds / 3600.0,
        simulated_seconds / wall_seconds,
        simulated_seconds / cpu_seconds,
    );
    // Of one pace, whatever the lengths of the runs: 60 simulated seconds each.
    println!("speed      {:.0} seeds of 60 s in a core's minute", simulated_seconds / cpu_seconds);
    for Failure { verdict, property, detail, replay, .. } in &summary.failures {
        let detail: String = detail.chars().take(160).collect();
        println!("{:<15} {replay}\n                {property}: {detail}", verdict.name());
    }
}
