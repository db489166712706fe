//! What is seen of the groups' offsets.

use std::collections::{BTreeMap, BTreeSet};

use ottla_core::{
    group::{Coordinator, OffsetKey, Then},
    partition::Partition,
    shard::Shard,
    types::TopicId,
    wire::{
        ApiKey, Frame, Reader, Response, decode_response_header,
        messages::offset_commit::{OffsetCommitRequest, OffsetCommitResponse},
    },
};
use ottla_model::conformance::{Event, Register};

/// A group's offset of a partition: the index of the coordinator's partition, the group, the topic, and the partition.
type Key = (u32, String, String, i32);

/// Where the groups' offsets stood last, as coordinators have them that serve.
#[derive(Debug, Default)]
pub(super) struct OffsetsWatch {
    /// Nothing for those whose coordinator does not serve.
    stood: BTreeMap<Key, Option<Register>>,
}

impl OffsetsWatch {
    /// Another process begins.
    pub(super) fn begin(&mut self) {
        self.stood.values_mut().for_each(|register| *register = None);
    }

    pub(super) fn look(&mut self, shard: &Shard, events: &mut Vec<Event>) {
        let mut serving = BTreeSet::new();
        let mut now: BTreeMap<Key, Register> = BTreeMap::new();
        for (index, coordinator) in shard.coordinators_here() {
            if coordinator.check_serving().is_ok() {
                serving.insert(index);
                take(index, coordinator, &mut now);
            }
        }
        for (key, stood) in &mut self.stood {
            if serving.contains(&key.0) {
                // What is not there any more was deleted, or never was written down.
                now.entry(key.clone()).or_default();
            } else if stood.take().is_some() {
                events.push(Event::Unserved { register: name(key) });
            }
        }
        for (key, at) in now {
            let stood = self.stood.entry(key.clone()).or_default();
            if stood.as_ref() != Some(&at) {
                events.push(Event::Offset { register: name(&key), at: at.clone() });
                *stood = Some(at);
            }
        }
    }
}

/// Adds what a coordinator has.
fn take(index: u32, coordinator: &Coordinator, now: &mut BTreeMap<Key, Register>) {
    let key =
        |group: &str, of: &OffsetKey| (index, group.to_owned(), of.topic.clone(), of.partition);
    for group in coordinator.groups() {
        for (of, committed) in group.offsets() {
            let register = now.entry(key(group.id(), of)).or_default();
            register.committed = Some(committed.offset.0);
        }
    }
    for write in coordinator.writes() {
        let group = write.group.as_str();
        match &write.then {
            Then::Commit { offsets, .. } => {
                for (of, committed) in offsets {
                    let register = now.entry(key(group, of)).or_default();
                    register.under_way.push(Some(committed.offset.0));
                }
            }
            Then::Forget { offsets, .. } => {
                for of in offsets {
                    now.entry(key(group, of)).or_default().under_way.push(None);
                }
            }
            Then::Delete { .. } => {
                let of_group = now.iter_mut().filter(|(key, _)| key.1 == group);
                of_group.for_each(|(_, register)| register.under_way.push(None));
            }
            Then::Nothing | Then::Assign { .. } | Then::ReplaceStatic { .. } => {}
        }
    }
}

/// What of a commit was acknowledged.
pub(super) fn answered(
    shard: &Shard,
    commit: &OffsetCommitRequest,
    version: i16,
    frame: &Frame,
) -> Vec<Event> {
    let mut events = Vec::new();
    // Before the header is the frame's length.
    let mut reader = Reader::new(frame.first().slice(4..));
    if decode_response_header(&mut reader, ApiKey::OffsetCommit, version).is_err() {
        return events;
    }
    let response = Response::decode(ApiKey::OffsetCommit, version, reader);
    let Ok(Response::OffsetCommit(OffsetCommitResponse { topics, .. })) = response else {
        return events;
    };
    for topic in topics {
        let is_it = |partition: &&Partition| partition.id().topic == TopicId(topic.topic_id);
        let by_id = || Some(shard.partitions_here().find(is_it)?.topic_name().to_owned());
        let named = Some(topic.name.clone()).filter(|name| !name.is_empty());
        let Some(known) = named.or_else(by_id) else { continue };
        let asked = commit.topics.iter().find(|asked| {
            if topic.name.is_empty() {
                asked.topic_id == topic.topic_id
            } else {
                asked.name == topic.name
            }
        });
        for answer in topic.partitions.iter().filter(|answer| answer.error_code == 0) {
            let index = answer.partition_index;
            let mut partitions = asked.iter().flat_map(|asked| &asked.partitions);
            let Some(partition) = partitions.find(|it| it.partition_index == index) else {
                continue;
            };
            let register = register(&commit.group_id, &known, index);
            events.push(Event::Committed { register, offset: partition.committed_offset });
        }
    }
    events
}

fn name((_, group, topic, partition): &Key) -> String {
    register(group, topic, *partition)
}

fn register(group: &str, topic: &str, partition: i32) -> String {
    format!("{group} {topic}-{partition}")
}
