//! The command line.

mod advise;
mod child;
mod conform;
pub(crate) mod log_lines;
mod meta;
mod options;
mod pinned;
mod regress;
mod report;
mod run;
mod shrink;
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
    /// Run the seeds that once found something
    Pinned(pinned::PinnedArgs),
    /// Leave out of a seed that fails whatever it does not need to fail
    Shrink(shrink::ShrinkArgs),
    /// Write what happened in a run as a page for a browser
    Report(report::ReportArgs),
    /// Plant mutants one by one, and see how soon they are caught
    Mutants(MutantsArgs),
    /// Check what `ottla prove` says of settings that a single broker can show
    Advise(advise::AdviseArgs),
    /// Run the model's counterexamples that a single broker can show
    Regress(regress::RegressArgs),
    /// Check that the model accepts what the broker does, step by step
    Conform(conform::ConformArgs),
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::run(args),
        Command::Swarm(args) => swarm::run(&args),
        Command::Meta(args) => meta::run(&args),
        Command::Pinned(args) => pinned::run(&args),
        Command::Shrink(args) => shrink::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Mutants(args) => crate::mutants::run(args),
        Command::Advise(args) => advise::run(&args),
        Command::Regress(args) => regress::run(&args),
        Command::Conform(args) => conform::run(&args),
    }
}
