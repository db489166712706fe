//! `ottla bench`.

use clap::Subcommand;

use super::{CliError, Context};

#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Write
    Produce,
}

pub(super) async fn run(_: BenchCommand, _: &Context) -> Result<(), CliError> {
    Ok(())
}
