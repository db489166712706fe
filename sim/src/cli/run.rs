//! `cargo sim run`: one seed.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use ottla_jepsen::history::{History, write_event, write_header};
use ottla_model::conformance::Event;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::{RunOptions, log_lines};
use crate::{
    plan::Plan,
    replay::Recording,
    run::{Report, Verdict, run as run_plan, seconds},
    trace::{Reader, Row},
};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// What decides everything
    #[arg(long)]
    seed: u64,
    /// Tell every step, and what the broker logs
    #[arg(long, short)]
    verbose: bool,
    /// Tell nothing but what came of it, as JSON
    #[arg(long, conflicts_with = "verbose")]
    json: bool,
    /// Write every step to a file
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Tell which faults struck, one by one
    #[arg(long)]
    strikes: bool,
    /// Write what clients asked and were told to a file, for `jepsen check`
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Tell the broker's core, fresh, all that it was told, and compare what it says
    #[arg(long)]
    replay: bool,
    /// Write down what the model is to judge, for `cargo sim conform`
    #[arg(long, value_name = "FILE", requires = "replay")]
    events: Option<PathBuf>,
    /// End after so many seconds of a processor's time
    #[arg(long, value_name = "SECONDS")]
    cpu_seconds: Option<u64>,
    #[command(flatten)]
    options: RunOptions,
}

/// How much memory what is to be told again may take.
const RECORDING_BYTES_MAX: usize = 1 << 30;

pub(super) fn run(args: RunArgs) -> ExitCode {
    if let Some(mutant) = args.options.mutant {
        plant(mutant);
    }
    let plan = Plan::draw(args.seed, &args.options.overrides());
    let mut readers: Vec<Reader> = Vec::new();
    if !args.json {
        for (name, value) in plan.banner() {
            println!("{name:<10} {value}");
        }
        println!();
        let is_verbose = args.verbose;
        readers.push(Box::new(move |row: Row| {
            if is_verbose || row.kind.is_of_interest() {
                println!("{row}");
            }
        }));
    }
    if let Some(path) = &args.trace {
        match write_to(path) {
            Ok(reader) => readers.push(reader),
            Err(error) => {
                eprintln!("{} cannot be written: {error}", path.display());
                return ExitCode::from(2);
            }
        }
    }
    let is_read = args.verbose || args.trace.is_some();
    if is_read {
        log_lines::capture();
    }
    keep_panics_short(args.json);
    if let Some(seconds) = args.cpu_seconds {
        let limit = Rlimit { current: Some(seconds), maximum: Some(seconds + 5) };
        if let Err(error) = setrlimit(Resource::Cpu, limit) {
            eprintln!("the processor's time cannot be limited: {error}");
            return ExitCode::from(2);
        }
    }
    let recording = args.replay.then(|| Arc::new(Recording::new(RECORDING_BYTES_MAX)));
    if let (Some(recording), Some(_)) = (&recording, &args.events) {
        recording.is_to_be_watched();
    }
    let mut report = run_plan(&plan, readers, recording);
    if let Some(path) = &args.events
        && let Err(error) = write_events(path, &report.events)
    {
        eprintln!("{} cannot be written: {error}", path.display());
        return ExitCode::from(2);
    }
    if let Some(path) = &args.history
        && let Err(error) = write_history(path, &report.history)
    {
        eprintln!("{} cannot be written: {error}", path.display());
        return ExitCode::from(2);
    }
    if !args.strikes {
        report.strikes.clear();
    }
    if args.json {
        println!("{}", serde_json::to_string(&report).unwrap_or_default());
    } else {
        tell(&report, &args.options);
    }
    finish(report.verdict)
}

#[cfg(feature = "mutants")]
pub(super) fn plant(mutant: ottla_core::mutants::Mutant) {
    ottla_core::mutants::plant(mutant);
}

#[cfg(not(feature = "mutants"))]
pub(super) fn plant(_: ottla_core::mutants::Mutant) {
    eprintln!("this build cannot be spoilt: it lacks the feature mutants");
    std::process::exit(2);
}

/// Ends the process at once: to take the world apart would only take time.
fn finish(verdict: Verdict) -> ! {
    let _ = io::stdout().flush();
    std::process::exit(verdict.exit_code().into())
}

fn write_to(path: &Path) -> io::Result<Reader> {
    let mut file = BufWriter::new(File::create(path)?);
    Ok(Box::new(move |row| {
        // A trace that is cut short differs from one that is not.
        let _ = writeln!(file, "{row}");
        if row.kind == crate::trace::Kind::Phase || row.kind == crate::trace::Kind::Violation {
            let _ = file.flush();
        }
    }))
}

fn write_history(path: &Path, history: &History) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    write_header(&mut file, &history.header)?;
    for event in &history.events {
        write_event(&mut file, event)?;
    }
    file.flush()
}

fn write_events(path: &Path, events: &[Event]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for event in events {
        serde_json::to_writer(&mut file, event)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}

/// What failed is told in the report.
pub(super) fn keep_panics_short(is_silent: bool) {
    std::panic::set_hook(Box::new(move |panic| {
        if !is_silent {
            eprintln!("{panic}\n{}", std::backtrace::Backtrace::capture());
        }
        if let Some(location) = panic.location() {
            log_lines::note_panic(format!("{}:{}", location.file(), location.line()));
        }
    }));
}

fn tell(report: &Report, options: &RunOptions) {
    let Report { seed, verdict, rows, hash, simulated_ns, .. } = report;
    println!();
    let counts = |counts: &std::collections::BTreeMap<String, u64>| {
        let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
        if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
    };
    println!("struck     {}", counts(&report.faults));
    println!("operations {}", counts(&report.operations));
    println!("trace      {rows} rows, hash {hash:016x}, {:.3} s", seconds(*simulated_ns));
    if let Some((inputs, left_out)) = report.replayed {
        println!("replayed   {inputs} inputs, {left_out} left out");
    }
    for finding in &report.findings {
        println!("\nPROPERTY   {}\n           {}", finding.property, finding.detail);
        for event in &finding.events {
            println!("           {event}");
        }
    }
    println!("\nverdict    {}", verdict.name());
    if *verdict != Verdict::Good {
        println!("replay     {}", options.line("run", *seed));
    }
}
