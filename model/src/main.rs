//! The model checker's command: `cargo model`.

mod commands;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use commands::{Plan, check, one, regress, tell};
use ottla_model::harness::{Limits, Size, Walks};

#[derive(Debug, Parser)]
#[command(
    name = "cargo model",
    version,
    about = "Visits every state of the broker's machines, within stated bounds"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the configurations: bounds, properties, marks, mutants
    List,
    /// Check all small configurations, and that each mutant is caught
    Check {
        /// Only those whose name contains this
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
        /// How many at a time
        #[arg(long, default_value_t = 2)]
        jobs: usize,
    },
    /// Check the large configurations, which takes hours
    Nightly {
        /// Only those whose name contains this
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
        /// How many at a time
        #[arg(long, default_value_t = 1)]
        jobs: usize,
        /// How many seconds each may take
        #[arg(long, value_name = "SECONDS", default_value_t = 7_200)]
        time: u64,
        /// How much memory each may have
        #[arg(long, value_name = "MIB", default_value_t = 16_384)]
        memory: u64,
    },
    /// Walk at random, beyond what a search can visit
    Walk {
        /// Only those whose name contains this
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
        /// The seed of the first walk
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many walks in each configuration
        #[arg(long, default_value_t = u64::MAX)]
        walks: u64,
        /// How many steps a walk goes at most
        #[arg(long, default_value_t = 200)]
        steps: usize,
        /// How many seconds for each configuration
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        time: u64,
        /// Plant a mutant
        #[arg(long, value_name = "ID")]
        mutant: Option<String>,
    },
    /// Tell the shortest story of one configuration with a mutant, or of settings that lose records
    Story {
        /// The configuration; without a mutant, settings by their name in `cargo sim advise`
        name: String,
        /// The mutant
        mutant: Option<String>,
        /// Of what is violated: this property
        #[arg(long, value_name = "NAME")]
        property: Option<String>,
        /// Write its steps down, to be run again
        #[arg(long, value_name = "FILE")]
        schedule: Option<PathBuf>,
    },
    /// Run the counterexamples that were kept, with what they are of and with what mends it
    Regress,
    /// Run one of them in this process, and print what came of it as JSON
    #[command(hide = true)]
    Replay {
        name: String,
        #[arg(long)]
        mutant: Option<String>,
    },
    /// Serve stateright's Explorer for one configuration
    Explore {
        /// The configuration
        name: String,
        /// Plant a mutant
        #[arg(long, value_name = "ID")]
        mutant: Option<String>,
        /// Where to listen
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3333")]
        listen: SocketAddr,
    },
    /// Search one configuration in this process, and print the outcome as JSON
    #[command(hide = true)]
    Run {
        name: String,
        #[arg(long)]
        mutant: Option<String>,
        #[arg(long)]
        property: Option<String>,
        #[arg(long)]
        time: u64,
        #[arg(long)]
        generated: usize,
        #[arg(long)]
        memory: u64,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::List => tell::list(),
        Command::Check { only, jobs } => {
            check::run(&Plan { size: Size::Small, only, jobs, limits: Limits::SMALL })
        }
        Command::Nightly { only, jobs, time, memory } => {
            let time = Duration::from_secs(time);
            let limits = Limits { time, generated: usize::MAX, memory_mib: memory, only: &[] };
            check::run(&Plan { size: Size::Large, only, jobs, limits })
        }
        Command::Walk { only, seed, walks, steps, time, mutant } => {
            let walks = Walks { seed, count: walks, steps, time: Duration::from_secs(time) };
            one::plant(mutant.as_deref()).and_then(|()| one::walk(only.as_deref(), &walks))
        }
        Command::Story { name, mutant: None, schedule, .. } => {
            one::story_of_settings(&name, schedule.as_deref())
        }
        Command::Story { name, mutant: Some(mutant), property, schedule } => {
            one::plant(Some(&mutant))
                .and_then(|()| one::story(&name, &mutant, property.as_deref(), schedule.as_deref()))
        }
        Command::Regress => regress::run(),
        Command::Replay { name, mutant } => {
            one::plant(mutant.as_deref()).and_then(|()| regress::replay(&name))
        }
        Command::Explore { name, mutant, listen } => {
            one::plant(mutant.as_deref()).and_then(|()| one::explore(&name, listen))
        }
        Command::Run { name, mutant, property, time, generated, memory } => {
            let time = Duration::from_secs(time);
            let limits = Limits { time, generated, memory_mib: memory, only: &[] };
            one::plant(mutant.as_deref())
                .and_then(|()| one::run(&name, property.as_deref(), &limits))
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("model: {why}");
            ExitCode::from(2)
        }
    }
}
