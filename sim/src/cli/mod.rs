//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::mutants::MutantsArgs;

#[derive(Debug, Parser)]
#[command(
    name = "sim",
    bin_name = "cargo sim",
    about = "Runs the broker in a world that a seed decides"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plant mutants one by one, and see how soon they are caught
    Mutants(MutantsArgs),
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Mutants(args) => crate::mutants::run(args),
    }
}
