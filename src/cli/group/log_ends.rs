//! The bounds of the partitions that a group has to do with.

use std::collections::{BTreeMap, BTreeSet};

use ottla_core::types::Offset;

use crate::{
    cli::CliError,
    client::{
        Client, TopicPartition,
        offsets::{OffsetSpec, list_offsets},
    },
};

/// The offset of each partition that `spec` names. Partitions of topics that are gone are left out.
pub(super) async fn offsets_at(
    client: &Client,
    partitions: impl IntoIterator<Item = TopicPartition>,
    spec: OffsetSpec,
) -> Result<BTreeMap<TopicPartition, Option<Offset>>, CliError> {
    let topics = client.all_topics().await?;
    let existing: BTreeSet<TopicPartition> = topics
        .iter()
        .flat_map(|topic| {
            let name = &topic.name;
            topic.partitions.iter().map(|known| TopicPartition::new(name.clone(), known.index.0))
        })
        .collect();
    let wanted = partitions
        .into_iter()
        .filter(|partition| existing.contains(partition))
        .map(|partition| (partition, spec));
    Ok(list_offsets(client, wanted.collect()).await?)
}
