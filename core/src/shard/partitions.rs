//! Partitions come and go.

use super::{Shard, Step};
use crate::{
    config::Layers,
    disk::{DirectoryId, Disk, DiskOp, Owner},
    log::{LogConfig, open::Known},
    metadata::ResourceKind,
    notice::Notice,
    partition::{Definition, Partition, directory_name},
    replica::View,
    types::{PartitionIndex, TopicId, TopicPartition},
};

impl Shard {
    /// The settings that count for a topic's logs.
    pub(crate) fn log_config(&self, topic_name: &str) -> LogConfig {
        LogConfig::resolve(&self.layers(Some(topic_name)))
    }

    /// Where settings come from.
    pub(crate) fn layers(&self, topic_name: Option<&str>) -> Layers<'_> {
        let own_name = alloc::format!("{}", self.broker_id);
        Layers {
            topic: topic_name.and_then(|name| self.image.configs(ResourceKind::Topic, name)),
            broker: self.image.configs(ResourceKind::Broker, &own_name),
            all_brokers: self.image.configs(ResourceKind::Broker, ""),
            configuration: &self.configuration,
        }
    }

    /// Makes a partition of the image's, opening its log if there is one on disk already.
    pub(super) fn make_partition(
        &mut self,
        id: TopicPartition,
        topic_name: &str,
        known: Option<Known>,
        step: &mut Step<'_>,
    ) -> u32 {
        let directory = DirectoryId(self.next_directory);
        self.next_directory += 1;
        let name = directory_name(topic_name, id.partition);
        self.disk(step).submit(DiskOp::Use { directory, name });
        let definition = Definition {
            id,
            topic_name: topic_name.into(),
            directory,
            config: self.log_config(topic_name),
            broker: self.broker_id,
            broker_epoch: self.broker_epoch(),
            view: View::of(&self.image, id).unwrap_or_else(View::unknown),
        };
        let slot = u32::try_from(self.partitions.len()).expect("fewer than 2³² partitions");
        let partition = match known {
            None => {
                let mut events = alloc::vec::Vec::new();
                let partition = Partition::new(definition, &mut events);
                self.events.extend(events.into_iter().map(|event| (slot, event)));
                partition
            }
            Some(known) => {
                let owner = Owner::Partition(slot);
                let mut disk = Disk::new(owner, &mut self.next_io, step.effects);
                Partition::open(definition, known, &mut disk)
            }
        };
        self.partitions.push(Some(partition.into()));
        self.slots.insert(id, slot);
        slot
    }

    /// Takes a partition away, with its files.
    pub(super) fn drop_partition(&mut self, id: TopicPartition, step: &mut Step<'_>) {
        let Some(slot) = self.slots.remove(&id) else { return };
        // Who waits for an answer gets one.
        self.with_partition(slot, step, |partition, context| partition.abandon(context));
        let Some(partition) = self.partitions[slot as usize].take() else { return };
        self.forget_cleaning(slot);
        self.wake_watchers(slot, step);
        let directory = partition.directory();
        // Renamed first, so that what a crash leaves of it is not taken for a partition.
        let name = alloc::format!(
            "{}-{}.{}-delete",
            shortened(partition.topic_name()),
            id.partition,
            hex(id.topic)
        );
        let mut disk = self.disk(step);
        disk.submit(DiskOp::RenameDirectory { directory, name });
        disk.submit(DiskOp::RemoveDirectory(directory));
        self.renew_start_offsets(step);
    }

    /// A directory of this partition's name is that of a topic that was deleted: it is set aside, and the partition begins
    /// empty.
    pub(super) fn set_aside_foreign(&mut self, slot: u32, owner: TopicId, step: &mut Step<'_>) {
        let Some(partition) = self.partition(slot) else { return };
        let (id, topic_name) = (partition.id(), partition.topic_name().into());
        let (directory, old_name) = (partition.directory(), partition.name());
        let name = alloc::format!("{old_name}.{}-stray", hex(owner));
        let set_aside_as = name.clone();
        self.disk(step).submit(DiskOp::RenameDirectory { directory, name });
        self.disk(step).notice(Notice::StrayDirectory { directory: old_name, set_aside_as });
        self.partitions[slot as usize] = None;
        let topic_name: alloc::string::String = topic_name;
        self.make_partition(id, &topic_name, None, step);
        self.partition_opened(slot, step);
    }

    /// The disk failed a partition.
    pub(super) fn partition_failed(&mut self, slot: u32, step: &mut Step<'_>) {
        self.forget_cleaning(slot);
        self.forget_position(slot);
        self.mind_needs(slot, step);
        self.wake_watchers(slot, step);
        self.load_further(slot, step);
        self.partition_opened(slot, step);
    }

    /// There is space again: partitions that had none are opened anew, as after a crash.
    pub(super) fn reopen_full(&mut self, step: &mut Step<'_>) {
        for slot in 0..self.partitions.len() {
            let waits = self.partitions[slot].as_ref().is_some_and(|it| it.waits_for_space());
            let number = u32::try_from(slot).expect("slots are counted in 32 bits");
            if !waits || !self.may_reopen(number, step) {
                continue;
            }
            let Some(partition) = &mut self.partitions[slot] else { continue };
            let slot = number;
            let owner = Owner::Partition(slot);
            let known = partition.known();
            let mut disk = Disk::new(owner, &mut self.next_io, step.effects);
            partition.reopen(known, &mut disk);
        }
    }

    /// A topic's settings have changed.
    pub(super) fn reconfigure_topic(&mut self, topic_name: &str, step: &mut Step<'_>) {
        let Some((topic, state)) = self.image.topic_by_name(topic_name) else { return };
        let count = state.partitions.len();
        let config = self.log_config(topic_name);
        self.topic_changed(topic, step);
        for index in 0..count {
            let index = i32::try_from(index).expect("partitions are counted in 31 bits");
            let id = TopicPartition { topic, partition: PartitionIndex(index) };
            let Some(slot) = self.slot(id) else { continue };
            self.with_partition(slot, step, |partition, context| {
                partition.set_config(config, context);
            });
            self.note_dirty(slot, step);
        }
    }

    /// The settings of brokers have changed, and with them the defaults of all topics.
    pub(super) fn reconfigure_all(&mut self, step: &mut Step<'_>) {
        self.resolve_settings();
        let names: alloc::vec::Vec<_> =
            self.image.topics().map(|(_, topic)| topic.name.clone()).collect();
        for name in names {
            self.reconfigure_topic(&name, step);
        }
    }

    pub(super) fn resolve_settings(&mut self) {
        self.settings = crate::config::Settings::resolve(&self.layers(None));
    }
}

/// The part of a topic's name that leaves room for what is added, in a file name of 255 bytes.
fn shortened(name: &str) -> &str {
    &name[..name.floor_char_boundary(200)]
}

/// An id without the characters that mean something in a directory's name.
fn hex(topic: TopicId) -> alloc::string::String {
    let mut text = alloc::string::String::new();
    for byte in topic.0.to_bytes() {
        text.push_str(&alloc::format!("{byte:02x}"));
    }
    text
}
