//! `ottla group reset-offsets`.

use std::collections::BTreeMap;

use clap::Args;
use ottla_core::types::{Offset, Timestamp};
use serde_json::json;

use super::log_ends::offsets_at;
use crate::{
    cli::{
        CliError, Context,
        arguments::{self, TopicPartitions},
        table::{Align, Table, or_dash},
        timestamp,
    },
    client::{
        TopicPartition,
        group::{DEAD, EMPTY, alter_offsets, describe_group},
        offsets::OffsetSpec,
    },
};

#[derive(Debug, Args)]
pub(crate) struct ResetOffsetsArgs {
    /// The group; it must have no members
    group: String,
    /// A topic, or some partitions of it; may be repeated
    #[arg(long = "topic", value_name = "TOPIC[:PARTITION,…]")]
    #[arg(value_parser = arguments::topic_partitions)]
    #[arg(required_unless_present = "all_topics", conflicts_with = "all_topics")]
    topics: Vec<TopicPartitions>,
    /// All partitions of which the group has an offset
    #[arg(long)]
    all_topics: bool,
    #[command(flatten)]
    target: TargetArgs,
    /// Only show what would be set, which is the default
    #[arg(long, conflicts_with = "execute")]
    dry_run: bool,
    /// Set the offsets
    #[arg(long)]
    execute: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct TargetArgs {
    /// To the first record that is kept
    #[arg(long)]
    to_earliest: bool,
    /// To the end: only what comes from now on
    #[arg(long)]
    to_latest: bool,
    /// To this offset
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    to_offset: Option<i64>,
    /// To the first record of this time or later
    #[arg(long, value_name = "MS|RFC3339", value_parser = timestamp::parse)]
    #[arg(allow_hyphen_values = true)]
    to_timestamp: Option<Timestamp>,
    /// By so many records, forward or (negative) back
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    shift_by: Option<i64>,
}

/// What is known of a partition whose offset shall be set.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    earliest: Offset,
    latest: Offset,
    committed: Option<Offset>,
    /// The first offset of the wanted time; none is the end.
    at_timestamp: Option<Offset>,
}

impl TargetArgs {
    /// The offset that is meant, within the log. None when it cannot be told: there is nothing to shift from.
    fn target(&self, bounds: Bounds) -> Option<Offset> {
        let wanted = if self.to_earliest {
            bounds.earliest
        } else if self.to_latest {
            bounds.latest
        } else if let Some(offset) = self.to_offset {
            Offset(offset)
        } else if let Some(count) = self.shift_by {
            Offset(bounds.committed?.0.saturating_add(count))
        } else {
            bounds.at_timestamp.unwrap_or(bounds.latest)
        };
        Some(wanted.clamp(bounds.earliest, bounds.latest))
    }
}

pub(crate) async fn run(args: ResetOffsetsArgs, context: &Context) -> Result<(), CliError> {
    let description = describe_group(&context.client, &args.group).await?;
    if description.state != EMPTY && description.state != DEAD {
        return Err(CliError::Failed(format!(
            "group {} is {}, and offsets can only be set while it has no members; stop them first",
            args.group, description.state
        )));
    }
    let partitions = if args.all_topics {
        description.committed.keys().cloned().collect()
    } else {
        named_partitions(context, &args.topics).await?
    };
    let bounds = bounds(context, &args.target, partitions, &description.committed).await?;
    let mut targets = BTreeMap::new();
    for (partition, bounds) in &bounds {
        let target = args.target.target(*bounds).ok_or_else(|| {
            CliError::Failed(format!(
                "group {} has no offset of {partition} to shift; use --to-offset instead",
                args.group
            ))
        })?;
        targets.insert(partition.clone(), target);
    }
    if args.execute && !targets.is_empty() {
        alter_offsets(&context.client, &args.group, &targets).await?;
    }
    print(&args, context, &bounds, &targets)
}

async fn named_partitions(
    context: &Context,
    topics: &[TopicPartitions],
) -> Result<Vec<TopicPartition>, CliError> {
    let mut partitions = Vec::new();
    for named in topics {
        let topic = context.client.topic(&named.topic).await?;
        let indexes = match &named.partitions {
            Some(indexes) => indexes.clone(),
            None => topic.partitions.iter().map(|partition| partition.index.0).collect(),
        };
        for index in indexes {
            let partition = TopicPartition::new(topic.name.clone(), index);
            // Says so if there is no such partition.
            context.client.leader(&partition).await?;
            partitions.push(partition);
        }
    }
    Ok(partitions)
}

async fn bounds(
    context: &Context,
    target: &TargetArgs,
    partitions: Vec<TopicPartition>,
    committed: &BTreeMap<TopicPartition, Offset>,
) -> Result<BTreeMap<TopicPartition, Bounds>, CliError> {
    let client = &context.client;
    let earliest = offsets_at(client, partitions.iter().cloned(), OffsetSpec::Earliest).await?;
    let latest = offsets_at(client, partitions.iter().cloned(), OffsetSpec::Latest).await?;
    let at_timestamp = match target.to_timestamp {
        Some(timestamp) => offsets_at(client, partitions, OffsetSpec::At(timestamp)).await?,
        None => BTreeMap::new(),
    };
    let bounds = earliest.into_iter().map(|(partition, earliest)| {
        let latest = latest.get(&partition).copied().flatten();
        let earliest = earliest.unwrap_or_default();
        let bounds = Bounds {
            earliest,
            latest: latest.unwrap_or_default().max(earliest),
            committed: committed.get(&partition).copied(),
            at_timestamp: at_timestamp.get(&partition).copied().flatten(),
        };
        (partition, bounds)
    });
    Ok(bounds.collect())
}

fn print(
    args: &ResetOffsetsArgs,
    context: &Context,
    bounds: &BTreeMap<TopicPartition, Bounds>,
    targets: &BTreeMap<TopicPartition, Offset>,
) -> Result<(), CliError> {
    let rows = || bounds.iter().zip(targets.values());
    context.print(
        || {
            let offsets: Vec<_> = rows()
                .map(|((partition, bounds), target)| {
                    json!({
                        "topic": &*partition.topic,
                        "partition": partition.partition.0,
                        "committed_offset": bounds.committed.map(|offset| offset.0),
                        "new_offset": target.0,
                    })
                })
                .collect();
            json!({ "group": args.group, "executed": args.execute, "offsets": offsets })
        },
        || {
            let mut table = Table::new(&[
                ("TOPIC", Align::Left),
                ("PARTITION", Align::Right),
                ("COMMITTED", Align::Right),
                ("NEW", Align::Right),
            ]);
            for ((partition, bounds), target) in rows() {
                table.row([
                    partition.topic.to_string(),
                    partition.partition.to_string(),
                    or_dash(bounds.committed),
                    target.to_string(),
                ]);
            }
            let hint = if args.execute { "" } else { "nothing was set; add --execute to do it\n" };
            format!("{table}{hint}")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: TargetArgs = TargetArgs {
        to_earliest: false,
        to_latest: false,
        to_offset: None,
        to_timestamp: None,
        shift_by: None,
    };

    #[test]
    fn each_target_stays_within_the_log() {
        let bounds = Bounds {
            earliest: Offset(10),
            latest: Offset(100),
            committed: Some(Offset(50)),
            at_timestamp: Some(Offset(70)),
        };
        let timestamp = Some(Timestamp(5));
        for (target, expected) in [
            (TargetArgs { to_earliest: true, ..NOTHING }, 10),
            (TargetArgs { to_latest: true, ..NOTHING }, 100),
            (TargetArgs { to_offset: Some(42), ..NOTHING }, 42),
            (TargetArgs { to_offset: Some(3), ..NOTHING }, 10),
            (TargetArgs { to_offset: Some(300), ..NOTHING }, 100),
            (TargetArgs { shift_by: Some(-20), ..NOTHING }, 30),
            (TargetArgs { shift_by: Some(i64::MAX), ..NOTHING }, 100),
            (TargetArgs { to_timestamp: timestamp, ..NOTHING }, 70),
        ] {
            assert_eq!(target.target(bounds), Some(Offset(expected)), "{target:?}");
        }
        let uncommitted = Bounds { committed: None, at_timestamp: None, ..bounds };
        let shift = TargetArgs { shift_by: Some(1), ..NOTHING };
        assert_eq!(shift.target(uncommitted), None);
        let late = TargetArgs { to_timestamp: timestamp, ..NOTHING };
        assert_eq!(late.target(uncommitted), Some(Offset(100)));
    }
}
