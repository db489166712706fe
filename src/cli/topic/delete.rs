//! `ottla topic delete`.

use clap::Args;
use ottla_core::types::ErrorCode;
use serde_json::json;

use crate::{
    cli::{CliError, Context},
    client::admin::delete_topic,
};

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The topics
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Do not mind if there is no such topic
    #[arg(long)]
    if_exists: bool,
}

pub(crate) async fn run(args: DeleteArgs, context: &Context) -> Result<(), CliError> {
    for topic in args.topics {
        let deleted = match delete_topic(&context.client, &topic).await {
            Ok(()) => true,
            Err(error) if args.if_exists && error.is(ErrorCode::UnknownTopicOrPartition) => false,
            Err(error) => return Err(error.into()),
        };
        context.print(
            || json!({ "topic": topic, "deleted": deleted }),
            || {
                let outcome = if deleted { "deleted" } else { "was not there" };
                format!("topic {topic} {outcome}\n")
            },
        )?;
    }
    Ok(())
}
