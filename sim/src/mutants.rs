//! `cargo sim mutants`: which mutants are caught, and how soon.

use std::process::ExitCode;

use clap::Args;

/// How it is called.
#[derive(Debug, Clone, Args)]
pub struct MutantsArgs {}

/// Runs it.
pub fn run(_args: MutantsArgs) -> ExitCode {
    ExitCode::SUCCESS
}
