//! `ottla topic`.

mod alter;
mod create;
mod delete;
mod describe;
mod list;

use clap::Subcommand;

use super::{CliError, Context};

#[derive(Debug, Subcommand)]
pub(super) enum TopicCommand {
    /// Create topics
    Create(create::CreateArgs),
    /// List all topics
    List,
    /// Show partitions, replicas and configurations
    Describe(describe::DescribeArgs),
    /// Add partitions, or change configurations
    Alter(alter::AlterArgs),
    /// Delete topics with all that is in them
    Delete(delete::DeleteArgs),
}

pub(super) async fn run(command: TopicCommand, context: &Context) -> Result<(), CliError> {
    match command {
        TopicCommand::Create(args) => create::run(args, context).await,
        TopicCommand::List => list::run(context).await,
        TopicCommand::Describe(args) => describe::run(args, context).await,
        TopicCommand::Alter(args) => alter::run(args, context).await,
        TopicCommand::Delete(args) => delete::run(args, context).await,
    }
}
