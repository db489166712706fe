//! `ottla group describe`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use ottla_core::types::Offset;
use serde_json::{Value, json};

use super::log_ends::offsets_at;
use crate::{
    cli::{
        CliError, Context,
        table::{Align, Table, or_dash},
    },
    client::{
        TopicPartition,
        group::{CLASSIC, DEAD, GroupDescription, MemberDescription, describe_group},
        offsets::OffsetSpec,
    },
};

#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// The groups
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
}

/// A partition that the group reads or has read.
#[derive(Debug)]
struct Progress<'a> {
    partition: TopicPartition,
    committed: Option<Offset>,
    log_end: Option<Offset>,
    member: Option<&'a MemberDescription>,
}

impl Progress<'_> {
    /// How many records the group is behind. A log that was cut off behind the group has no such number.
    fn lag(&self) -> Option<i64> {
        Some((self.log_end? - self.committed?).max(0))
    }
}

pub(crate) async fn run(args: DescribeArgs, context: &Context) -> Result<(), CliError> {
    let mut json_groups = Vec::new();
    let mut texts = Vec::new();
    for group in &args.groups {
        let description = describe_group(&context.client, group).await?;
        if description.state == DEAD && description.committed.is_empty() {
            return Err(CliError::Failed(format!(
                "there is no group {group}; see `ottla group list`"
            )));
        }
        let partitions: BTreeSet<TopicPartition> = description
            .committed
            .keys()
            .chain(description.members.iter().flat_map(|member| &member.partitions))
            .cloned()
            .collect();
        let log_ends =
            offsets_at(&context.client, partitions.iter().cloned(), OffsetSpec::Latest).await?;
        let progress = progress(&description, partitions, &log_ends);
        if context.json {
            json_groups.push(json(group, &description, &progress));
        } else {
            texts.push(text(group, &description, &progress));
        }
    }
    context.print(|| json!({ "groups": json_groups }), || texts.join("\n"))
}

fn progress<'a>(
    description: &'a GroupDescription,
    partitions: BTreeSet<TopicPartition>,
    log_ends: &BTreeMap<TopicPartition, Option<Offset>>,
) -> Vec<Progress<'a>> {
    let progress = |partition: TopicPartition| {
        let member =
            description.members.iter().find(|member| member.partitions.contains(&partition));
        Progress {
            committed: description.committed.get(&partition).copied(),
            log_end: log_ends.get(&partition).copied().flatten(),
            member,
            partition,
        }
    };
    partitions.into_iter().map(progress).collect()
}

fn text(group: &str, description: &GroupDescription, progress: &[Progress<'_>]) -> String {
    let mut table = Table::new(&[
        ("TOPIC", Align::Left),
        ("PARTITION", Align::Right),
        ("COMMITTED", Align::Right),
        ("LOG END", Align::Right),
        ("LAG", Align::Right),
        ("MEMBER", Align::Left),
        ("HOST", Align::Left),
        ("CLIENT", Align::Left),
    ]);
    for at in progress {
        table.row([
            at.partition.topic.to_string(),
            at.partition.partition.to_string(),
            or_dash(at.committed),
            or_dash(at.log_end),
            or_dash(at.lag()),
            or_dash(at.member.map(|member| &member.member_id)),
            or_dash(at.member.map(|member| &member.host)),
            or_dash(at.member.map(|member| &member.client_id)),
        ]);
    }
    let idle = description.members.iter().filter(|member| member.partitions.is_empty());
    let idle: String =
        idle.map(|member| format!("member {} has no partition\n", member.member_id)).collect();
    let members = if description.group_type == CLASSIC {
        format!("{} members", description.members.len())
    } else {
        format!("of type {}, whose members cannot be shown", description.group_type)
    };
    format!(
        "group {group}: {}, {members}, coordinator {}\n{table}{idle}",
        description.state, description.coordinator
    )
}

fn json(group: &str, description: &GroupDescription, progress: &[Progress<'_>]) -> Value {
    let partition = |partition: &TopicPartition| json!({ "topic": &*partition.topic, "partition": partition.partition.0 });
    let member = |member: &MemberDescription| {
        json!({
            "member_id": member.member_id,
            "instance_id": member.instance_id,
            "client_id": member.client_id,
            "host": member.host,
            "partitions": member.partitions.iter().map(partition).collect::<Vec<_>>(),
        })
    };
    let offset = |at: &Progress<'_>| {
        json!({
            "topic": &*at.partition.topic,
            "partition": at.partition.partition.0,
            "committed_offset": at.committed.map(|offset| offset.0),
            "log_end_offset": at.log_end.map(|offset| offset.0),
            "lag": at.lag(),
            "member_id": at.member.map(|member| &member.member_id),
        })
    };
    json!({
        "group": group,
        "state": description.state,
        "type": description.group_type,
        "coordinator": description.coordinator.0,
        "assignor": description.assignor,
        "members": description.members.iter().map(member).collect::<Vec<_>>(),
        "offsets": progress.iter().map(offset).collect::<Vec<_>>(),
    })
}
