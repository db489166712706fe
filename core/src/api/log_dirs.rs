//! DescribeLogDirs.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use crate::{
    log::Log,
    shard::{Incoming, Shard, Step},
    wire::messages::describe_log_dirs::{
        DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
        DescribeLogDirsResult, DescribeLogDirsTopic,
    },
};

impl Shard {
    pub(super) fn describe_log_dirs(
        &mut self,
        asked: &Incoming,
        request: DescribeLogDirsRequest,
        step: &mut Step<'_>,
    ) {
        let wanted: Option<BTreeMap<String, BTreeSet<i32>>> = request.topics.map(|topics| {
            let entry = topics.into_iter();
            entry.map(|topic| (topic.topic, topic.partitions.into_iter().collect())).collect()
        });
        let mut topics = Vec::new();
        for (name, partitions) in self.partitions_by_topic() {
            let numbers = match &wanted {
                None => None,
                Some(wanted) => match wanted.get(name) {
                    Some(numbers) => Some(numbers),
                    None => continue,
                },
            };
            let described = partitions
                .into_iter()
                .filter(|partition| {
                    numbers.is_none_or(|numbers| numbers.contains(&partition.id().partition.0))
                })
                .map(|partition| {
                    let size = partition.log().map_or(0, Log::size_bytes);
                    DescribeLogDirsPartition {
                        partition_index: partition.id().partition.0,
                        partition_size: size.cast_signed(),
                        ..Default::default()
                    }
                });
            let partitions: Vec<_> = described.collect();
            if !partitions.is_empty() {
                topics.push(DescribeLogDirsTopic { name: name.into(), partitions });
            }
        }
        let space = self.disk_space;
        let result = DescribeLogDirsResult {
            log_dir: self.log_directory.clone(),
            topics,
            total_bytes: space.map_or(-1, |space| space.total_bytes.cast_signed()),
            usable_bytes: space.map_or(-1, |space| space.free_bytes.cast_signed()),
            ..Default::default()
        };
        let response = DescribeLogDirsResponse { results: [result].into(), ..Default::default() };
        self.answer(asked.id, response, step);
    }
}
