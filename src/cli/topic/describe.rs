//! `ottla topic describe`.

use std::fmt::Write as _;

use clap::Args;
use ottla_core::{
    types::BrokerId, wire::messages::describe_configs::DescribeConfigsResourceResult,
};
use serde_json::{Value, json};

use crate::{
    cli::{
        CliError, Context,
        table::{Align, Table, or_dash},
    },
    client::{PartitionMetadata, TopicMetadata, admin::describe_topic_configs},
};

/// How DescribeConfigs says that a configuration was set for the topic, and not for the broker or by default.
const OF_THE_TOPIC: i8 = 1;

#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// The topics
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Show all configurations, not only those that were set for the topic
    #[arg(long)]
    all_configs: bool,
}

pub(crate) async fn run(args: DescribeArgs, context: &Context) -> Result<(), CliError> {
    let mut described = Vec::new();
    for name in &args.topics {
        let topic = context.client.topic(name).await?;
        let mut configs = describe_topic_configs(&context.client, name).await?;
        configs.retain(|config| args.all_configs || config.config_source == OF_THE_TOPIC);
        configs.sort_by(|a, b| a.name.cmp(&b.name));
        described.push((topic, configs));
    }
    context.print(
        || {
            let topics: Vec<_> =
                described.iter().map(|(topic, configs)| json(topic, configs)).collect();
            json!({ "topics": topics })
        },
        || {
            let texts: Vec<_> =
                described.iter().map(|(topic, configs)| text(topic, configs)).collect();
            texts.join("\n")
        },
    )
}

fn text(topic: &TopicMetadata, configs: &[DescribeConfigsResourceResult]) -> String {
    let mut table = Table::new(&[
        ("PARTITION", Align::Right),
        ("LEADER", Align::Right),
        ("EPOCH", Align::Right),
        ("REPLICAS", Align::Left),
        ("IN SYNC", Align::Left),
    ]);
    for partition in &topic.partitions {
        table.row([
            partition.index.to_string(),
            or_dash(partition.leader),
            partition.leader_epoch.to_string(),
            list(&partition.replicas),
            list(&partition.isr),
        ]);
    }
    let mut text = format!("topic {}, id {}\n", topic.name, or_dash(topic.id));
    for config in configs {
        let value = config.value.as_deref().unwrap_or("(hidden)");
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}={value}", config.name);
    }
    let _ = write!(text, "{table}");
    text
}

fn list(brokers: &[BrokerId]) -> String {
    brokers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn json(topic: &TopicMetadata, configs: &[DescribeConfigsResourceResult]) -> Value {
    let ids = |brokers: &[BrokerId]| brokers.iter().map(|id| id.0).collect::<Vec<_>>();
    let partition = |partition: &PartitionMetadata| {
        json!({
            "partition": partition.index.0,
            "leader": partition.leader.map(|leader| leader.0),
            "leader_epoch": partition.leader_epoch.0,
            "replicas": ids(&partition.replicas),
            "isr": ids(&partition.isr),
        })
    };
    let config = |config: &DescribeConfigsResourceResult| {
        json!({
            "name": config.name,
            "value": config.value,
            "of_the_topic": config.config_source == OF_THE_TOPIC,
        })
    };
    json!({
        "topic": &*topic.name,
        "id": topic.id.map(|id| id.to_string()),
        "internal": topic.is_internal,
        "partitions": topic.partitions.iter().map(partition).collect::<Vec<_>>(),
        "configs": configs.iter().map(config).collect::<Vec<_>>(),
    })
}
