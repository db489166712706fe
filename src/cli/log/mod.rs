//! `ottla log`: looking at the files of a data folder, without a broker.

mod batches;
mod check;
mod dump;
mod files;
mod folder;
mod report;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

use super::CliError;

#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// Print what the files of partitions hold
    Dump(dump::DumpArgs),
    /// Check every partition of a data folder; fails if there is damage
    Verify(verify::VerifyArgs),
}

/// Whether what was looked at is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Sound,
    Damaged,
}

pub(super) fn run(command: LogCommand, json: bool) -> Result<ExitCode, CliError> {
    let verdict = match command {
        LogCommand::Dump(args) => dump::run(&args, json),
        LogCommand::Verify(args) => verify::run(args, json),
    }?;
    Ok(match verdict {
        Verdict::Sound => ExitCode::SUCCESS,
        Verdict::Damaged => ExitCode::FAILURE,
    })
}
