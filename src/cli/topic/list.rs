//! `ottla topic list`.

use serde_json::{Value, json};

use crate::{
    cli::{
        CliError, Context,
        table::{Align, Table, or_dash},
    },
    client::TopicMetadata,
};

pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let topics = context.client.all_topics().await?;
    context.print(
        || json!({ "topics": topics.iter().map(|topic| json(topic)).collect::<Vec<_>>() }),
        || {
            let mut table = Table::new(&[
                ("TOPIC", Align::Left),
                ("PARTITIONS", Align::Right),
                ("REPLICATION", Align::Right),
                ("INTERNAL", Align::Left),
            ]);
            for topic in &topics {
                table.row([
                    topic.name.to_string(),
                    topic.partitions.len().to_string(),
                    or_dash(replication_factor(topic)),
                    if topic.is_internal { "yes".to_owned() } else { String::new() },
                ]);
            }
            table.to_string()
        },
    )
}

/// How many copies the first partition has: a reassignment may have others.
fn replication_factor(topic: &TopicMetadata) -> Option<usize> {
    topic.partitions.first().map(|partition| partition.replicas.len())
}

fn json(topic: &TopicMetadata) -> Value {
    json!({
        "topic": &*topic.name,
        "id": topic.id.map(|id| id.to_string()),
        "partitions": topic.partitions.len(),
        "replication_factor": replication_factor(topic),
        "internal": topic.is_internal,
    })
}
