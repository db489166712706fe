//! `ottla group`.

mod delete;
mod describe;
mod list;
mod log_ends;
mod reset_offsets;

use clap::Subcommand;

use super::{CliError, Context};

#[derive(Debug, Subcommand)]
pub(super) enum GroupCommand {
    /// List all groups
    List,
    /// Show members, assignments, offsets and lag
    Describe(describe::DescribeArgs),
    /// Set the offsets of a group that has no members
    ResetOffsets(reset_offsets::ResetOffsetsArgs),
    /// Delete groups that have no members, with their offsets
    Delete(delete::DeleteArgs),
}

pub(super) async fn run(command: GroupCommand, context: &Context) -> Result<(), CliError> {
    match command {
        GroupCommand::List => list::run(context).await,
        GroupCommand::Describe(args) => describe::run(args, context).await,
        GroupCommand::ResetOffsets(args) => reset_offsets::run(args, context).await,
        GroupCommand::Delete(args) => delete::run(args, context).await,
    }
}
