//! `cargo sim shrink`: what of a failing run is needed for it to fail.

use std::{collections::BTreeSet, io, process::ExitCode};

use clap::Args;

use super::{Child, RunOptions};
use crate::{
    faults::{Family, FaultId, FaultRow},
    run::{Report, Verdict},
};

#[derive(Debug, Args)]
pub(super) struct ShrinkArgs {
    /// The seed that fails
    #[arg(long)]
    seed: u64,
    /// How often to try at the most
    #[arg(long, default_value = "400")]
    runs: u32,
    #[command(flatten)]
    options: RunOptions,
}

pub(super) fn run(args: &ShrinkArgs) -> ExitCode {
    match Shrinker::begin(args) {
        Ok(Some(mut shrinker)) => match shrinker.shrink() {
            Ok(()) => {
                shrinker.tell();
                ExitCode::SUCCESS
            }
            Err(error) => cannot(&error),
        },
        Ok(None) => {
            println!("seed {} does not fail: there is nothing to shrink", args.seed);
            ExitCode::SUCCESS
        }
        Err(error) => cannot(&error),
    }
}

fn cannot(error: &io::Error) -> ExitCode {
    eprintln!("a run cannot be started: {error}");
    ExitCode::from(2)
}

/// How a run fails: another failure is another bug.
type Failure = (Verdict, Option<String>);

fn failure(report: &Report) -> Failure {
    (report.verdict, report.findings.first().map(|finding| finding.property.clone()))
}

struct Shrinker {
    seed: u64,
    options: RunOptions,
    failure: Failure,
    report: Report,
    runs: u32,
    runs_max: u32,
}

impl Shrinker {
    /// Runs the seed as it is; nothing if it does not fail.
    fn begin(args: &ShrinkArgs) -> io::Result<Option<Self>> {
        let Some(report) = try_run(args.seed, &args.options)? else { return Ok(None) };
        let failure = failure(&report);
        if matches!(failure.0, Verdict::Good | Verdict::Invalid) {
            return Ok(None);
        }
        let (seed, options, runs_max) = (args.seed, args.options.clone(), args.runs);
        let mut shrinker = Self { seed, options, failure, report, runs: 1, runs_max };
        shrinker.say("as it is");
        Ok(Some(shrinker))
    }

    fn shrink(&mut self) -> io::Result<()> {
        self.shrink_families()?;
        self.shrink_chaos()?;
        self.shrink_operations()?;
        self.shrink_faults()?;
        // With less going on, less may be needed.
        self.shrink_chaos()?;
        self.shrink_operations()
    }

    /// Whether it still fails in the same way; then this is what is shrunk from now on.
    fn still_fails(&mut self, options: RunOptions) -> io::Result<bool> {
        if self.runs >= self.runs_max {
            return Ok(false);
        }
        self.runs += 1;
        match try_run(self.seed, &options)? {
            Some(report) if failure(&report) == self.failure => {
                self.options = options;
                self.report = report;
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }

    fn say(&mut self, what: &str) {
        let faults = self.report.strikes.len();
        let operations: u64 = self.report.operations.values().sum();
        eprintln!("[{:>3}] {what}: {faults} faults, {operations} operations", self.runs);
    }

    fn shrink_families(&mut self) -> io::Result<()> {
        for family in Family::ALL {
            if self.options.without.contains(family) {
                continue;
            }
            let mut options = self.options.clone();
            options.without.push(*family);
            if self.still_fails(options)? {
                self.say(&format!("without {family}"));
            }
        }
        Ok(())
    }

    /// Heals the world earlier and earlier.
    fn shrink_chaos(&mut self) -> io::Result<()> {
        let (mut low, mut high) = (0, self.report.chaos_ms);
        while high - low > 250 {
            let middle = low + (high - low) / 2;
            let mut options = self.options.clone();
            options.chaos_ms = Some(middle);
            if self.still_fails(options)? {
                high = middle;
                self.say(&format!("{middle} ms of chaos"));
            } else {
                low = middle;
            }
        }
        Ok(())
    }

    /// Has clients do less and less.
    fn shrink_operations(&mut self) -> io::Result<()> {
        let (mut low, mut high) = (0, self.report.operations.values().sum::<u64>());
        while high - low > 1 + high / 20 {
            let middle = low + (high - low) / 2;
            let mut options = self.options.clone();
            options.operations = Some(middle);
            if self.still_fails(options)? {
                high = middle;
                self.say(&format!("{middle} operations at the most"));
            } else {
                low = middle;
            }
        }
        Ok(())
    }

    /// Leaves out halves of the faults that struck, then quarters, and so on to single ones.
    fn shrink_faults(&mut self) -> io::Result<()> {
        let mut parts = 2;
        loop {
            let strikes = self.report.strikes.clone();
            let size = strikes.len().div_ceil(parts).max(1);
            let mut has_shrunk = false;
            for chunk in strikes.chunks(size) {
                let mut options = self.options.clone();
                let mut gone: BTreeSet<FaultId> =
                    options.drop.iter().flat_map(FaultRow::ids).collect();
                gone.extend(chunk);
                options.drop = FaultRow::rows(&gone);
                if self.still_fails(options)? {
                    has_shrunk = true;
                    self.say("fewer faults");
                }
            }
            if self.runs >= self.runs_max || (size == 1 && !has_shrunk) {
                return Ok(());
            }
            if !has_shrunk {
                parts *= 2;
            }
        }
    }

    fn tell(&self) {
        let (verdict, property) = &self.failure;
        println!("{}: {}", verdict.name(), property.as_deref().unwrap_or_default());
        println!("{} runs; what is left:", self.runs);
        for strike in &self.report.strikes {
            println!("    {strike}");
        }
        // What did not strike needs not to be left out.
        println!("{}", self.options.line("run", self.seed));
    }
}

fn try_run(seed: u64, options: &RunOptions) -> io::Result<Option<Report>> {
    Ok(Child::start(seed, options, &["--strikes".into()])?.wait()?.report)
}
