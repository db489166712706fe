//! `ottla topic alter`.

use clap::Args;
use serde_json::json;

use crate::{
    cli::{CliError, Context, arguments},
    client::admin::{alter_topic_configs, create_partitions},
};

#[derive(Debug, Args)]
pub(crate) struct AlterArgs {
    /// The topic
    topic: String,
    #[command(flatten)]
    changes: ChangeArgs,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct ChangeArgs {
    /// How many partitions it shall have in all; they cannot become fewer
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// A configuration to set; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = arguments::pair)]
    set: Vec<(String, String)>,
    /// A configuration to take back to the broker's default; may be repeated
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
}

pub(crate) async fn run(args: AlterArgs, context: &Context) -> Result<(), CliError> {
    let AlterArgs { topic, changes: ChangeArgs { partitions, set, unset } } = args;
    if !set.is_empty() || !unset.is_empty() {
        alter_topic_configs(&context.client, &topic, &arguments::map(&set), &unset).await?;
    }
    if let Some(partitions) = partitions {
        create_partitions(&context.client, &topic, partitions).await?;
    }
    context
        .print(|| json!({ "topic": topic, "altered": true }), || format!("topic {topic} altered\n"))
}
