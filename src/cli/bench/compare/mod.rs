//! `ottla bench compare`: this broker and others on one machine, in turns, by the same measurements.

mod broker;
mod case;
mod error;
mod first_record;
mod interrupt;
mod limits;
mod loader;
mod machine;
mod page_cache;
mod plot;
mod progress;
mod results;
mod rounds;
mod samples;
mod scratch;
mod template;
mod text;

use std::{env, fs, path::PathBuf, thread, time::Duration};

use clap::Args;
use serde_json::{Value, json};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use case::{Case, Volume};
use error::CompareError;
use interrupt::Interrupt;
use machine::Machine;
use results::Results;
use template::Contender;

use super::BenchError;
use crate::cli::{CliError, Context, arguments};

/// How the idle time of a broker and the warm-up of latencies relate to the time of a latency's run.
const LATENCY_WARMUP_DIVISOR: u32 = 5;
const IDLE_DIVISOR: u32 = 2;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Every broker keeps its data below --dir, on one disk, and is stopped in the end. COMMAND is for the shell; it stays in the
foreground and ends on SIGTERM. {port} in it becomes the port to listen on at 127.0.0.1 (the next port is free, too), {dir}
a folder for data. --bootstrap has no part in this.")]
pub(crate) struct CompareArgs {
    /// A broker to compare with; may be repeated
    #[arg(long = "peer", value_name = "NAME=COMMAND", value_parser = template::parse)]
    peers: Vec<Contender>,
    /// What to measure: produce-SIZE-PARTITIONS, durable-SIZE-PARTITIONS (each batch is synced before it is acknowledged),
    /// consume, latency, latency-durable, start, limits; may be repeated
    #[arg(long = "case", value_name = "CASE", value_delimiter = ',', default_value = case::DEFAULT)]
    cases: Vec<Case>,
    /// How many rounds count
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many rounds go before and do not count: a Java machine is slow at first
    #[arg(long, default_value = "1")]
    warmup_rounds: u32,
    /// How much is produced or consumed in one run; a quarter in batches below 16 KiB
    #[arg(long, value_name = "BYTES", default_value = "1GB", value_parser = arguments::bytes)]
    total_bytes: u64,
    /// How long one run of a latency takes, after a fifth of it for warming up
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = arguments::duration)]
    latency_duration: Duration,
    /// On which disk: the data lies in a folder within this one, which is removed in the end
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Do not fill the page cache before each round: saves a minute, and figures on virtual machines scatter
    #[arg(long)]
    no_page_cache: bool,
    /// Write all figures as JSON there, besides what is printed
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Draw the figures there, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// What is to be done.
#[derive(Debug)]
struct Plan {
    /// The first is this broker.
    contenders: Vec<Contender>,
    cases: Vec<Case>,
    rounds: u32,
    warmup_rounds: u32,
    volume: Volume,
    folder: PathBuf,
    fills_page_cache: bool,
}

impl Plan {
    fn new(args: &CompareArgs) -> Result<Self, CliError> {
        let executable =
            env::current_exe().map_err(|error| CliError::io("this executable", &error))?;
        let mut contenders = vec![Contender::own(&executable)];
        for peer in &args.peers {
            if contenders.iter().any(|known| known.name == peer.name) {
                return Err(CliError::Usage(format!("two brokers are called {}", peer.name)));
            }
            contenders.push(peer.clone());
        }
        let mut cases = Vec::new();
        for &case in &args.cases {
            if !cases.contains(&case) {
                cases.push(case);
            }
        }
        Ok(Self {
            contenders,
            cases,
            rounds: args.rounds,
            warmup_rounds: args.warmup_rounds,
            volume: Volume {
                bytes: args.total_bytes,
                latency: args.latency_duration,
                latency_warmup: args.latency_duration / LATENCY_WARMUP_DIVISOR,
                idle: args.latency_duration / IDLE_DIVISOR,
            },
            folder: args.dir.clone(),
            fills_page_cache: !args.no_page_cache,
        })
    }

    /// In how many steps it is done.
    fn steps(&self) -> u64 {
        let of_case = |case: &Case| match case {
            Case::Limits => 1,
            Case::Produce { .. } | Case::Consume | Case::Latency { .. } | Case::Start => {
                self.contenders.len() as u64
            }
        };
        let of_round =
            self.cases.iter().map(of_case).sum::<u64>() + u64::from(self.fills_page_cache);
        of_round * u64::from(self.rounds + self.warmup_rounds)
    }

    fn json(&self) -> Value {
        let contenders = self
            .contenders
            .iter()
            .map(|contender| json!({ "name": contender.name, "command": contender.template() }));
        json!({
            "brokers": contenders.collect::<Vec<_>>(),
            "rounds": self.rounds,
            "warmup_rounds": self.warmup_rounds,
            "total_bytes": self.volume.bytes,
            "latency_seconds": self.volume.latency.as_secs_f64(),
            "page_cache_filled": self.fills_page_cache,
        })
    }
}

pub(crate) async fn run(args: CompareArgs, context: &Context) -> Result<(), CliError> {
    let plan = Plan::new(&args)?;
    // Half an hour later would be late to learn that a file cannot be written.
    for path in [&args.save, &args.plot].into_iter().flatten() {
        write(path, "")?;
    }
    let machine = Machine::look(&plan.folder.canonicalize().unwrap_or_default());
    let (plan, results) = compare(plan, machine.clone()).await?;
    let command = env::args().map(|word| template::quoted(&word)).collect::<Vec<_>>().join(" ");
    let mut json = results.json();
    json["machine"] = machine.json();
    json["plan"] = plan.json();
    json["command"] = json!(command);
    json["version"] = json!(env!("CARGO_PKG_VERSION"));
    if let Some(path) = &args.save {
        write(path, &format!("{json:#}\n"))?;
    }
    let rounds = format!("{} rounds, {} before them", plan.rounds, plan.warmup_rounds);
    let caption = format!("{}; {rounds}", machine.text());
    if let Some(path) = &args.plot {
        write(path, &plot::svg(&results, &caption))?;
    }
    context.print(|| json, || format!("{caption}\n{command}\n{}", text::tables(&results)))?;
    if results.failures.is_empty() {
        Ok(())
    } else {
        Err(CliError::Failed("not everything could be measured".to_owned()))
    }
}

/// Measures in a thread of its own. A signal ends it early, and it stops what it has started.
async fn compare(plan: Plan, machine: Machine) -> Result<(Plan, Results), CliError> {
    let listen = |kind| signal(kind).map_err(|error| CliError::io("signals", &error));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    let (sender, mut outcome) = oneshot::channel();
    let wish = Interrupt::default();
    let wish_of_thread = wish.clone();
    thread::spawn(move || {
        let results = rounds::run(&plan, &machine, &wish_of_thread);
        // Who waits does so until the end.
        let _ = sender.send(results.map(|results| (plan, results)));
    });
    let outcome = tokio::select! {
        biased;
        outcome = &mut outcome => outcome,
        _ = interrupt.recv() => end_early(&wish, outcome).await,
        _ = terminate.recv() => end_early(&wish, outcome).await,
        _ = hangup.recv() => end_early(&wish, outcome).await,
    };
    Ok(outcome.unwrap_or(Err(CompareError::Bench(BenchError::Ended)))?)
}

async fn end_early<T>(
    wish: &Interrupt,
    outcome: oneshot::Receiver<T>,
) -> Result<T, oneshot::error::RecvError> {
    eprintln!("stopping the brokers");
    wish.set();
    outcome.await
}

fn write(path: &PathBuf, content: &str) -> Result<(), CliError> {
    fs::write(path, content).map_err(|error| CliError::io(path.display().to_string(), &error))
}
