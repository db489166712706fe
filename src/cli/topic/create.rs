//! `ottla topic create`.

use clap::Args;
use ottla_core::types::ErrorCode;
use serde_json::json;

use crate::{
    cli::{CliError, Context, arguments},
    client::admin::{NewTopic, create_topic},
};

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The topics
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// How many partitions, if not as many as the broker gives by default
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// How many brokers have a copy, if not as many as by default
    #[arg(long, value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// A configuration; may be repeated
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = arguments::pair)]
    configs: Vec<(String, String)>,
    /// Leave a topic that is there already as it is
    #[arg(long)]
    if_not_exists: bool,
}

pub(crate) async fn run(args: CreateArgs, context: &Context) -> Result<(), CliError> {
    let configs = arguments::map(&args.configs);
    for name in args.topics {
        let topic = NewTopic {
            name: name.clone(),
            partitions: args.partitions,
            replication_factor: args.replication_factor,
            configs: configs.clone(),
        };
        let created = match create_topic(&context.client, &topic).await {
            Ok(()) => true,
            Err(error) if args.if_not_exists && error.is(ErrorCode::TopicAlreadyExists) => false,
            Err(error) => return Err(error.into()),
        };
        context.print(
            || json!({ "topic": name, "created": created }),
            || {
                let outcome = if created { "created" } else { "is there already" };
                format!("topic {name} {outcome}\n")
            },
        )?;
    }
    Ok(())
}
