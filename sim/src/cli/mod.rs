//! The command line.

mod child;
pub(crate) mod log_lines;
mod meta;
mod options;
mod run;
mod swarm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use child::{Child, Ended};
pub use options::RunOptions;

use crate::mutants::MutantsArgs;

#[derive(Debug, Parser)]
#[command(
    name = "sim",
    bin_name = "cargo sim",
    about = "Runs the broker in a world that a seed decides",
    after_help = "Exit codes: 0 good, 2 wrong usage, 10 violation, 11 stall, 12 panic, 13 non-determinism, 14 a run that shows nothing"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one seed
    Run(run::RunArgs),
    /// Run many seeds, each in a process of its own
    Swarm(swarm::SwarmArgs),
    /// Run seeds twice, and compare all that happened byte for byte
    Meta(meta::MetaArgs),
    /// Plant mutants one by one, and see how soon they are caught
    Mutants(MutantsArgs),
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::run(args),
        Command::Swarm(args) => swarm::run(&args),
        Command::Meta(args) => meta::run(&args),
        Command::Mutants(args) => crate::mutants::run(args),
    }
}
