//! What is done from time to time.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{DiskSpace, Shard, Step, Timer};
use crate::{
    group::Coordinator,
    inspect::{Inspection, PartitionFigures},
    log::Log,
    machine::Effect,
    notice::Notice,
    partition::Partition,
    types::Timestamp,
};

impl Shard {
    /// Deletes old segments, and forgets idle producers.
    pub(super) fn delete_old(&mut self, step: &mut Step<'_>) {
        let interval = self.settings.retention_check_interval_ms;
        let interval = core::time::Duration::from_millis(interval);
        self.set_timer(Timer::Retention, step.now.instant + interval);
        let expiration_ms = self.settings.producer_id_expiration_ms;
        let idle_since = Timestamp(step.now.timestamp.0.saturating_sub(expiration_ms));
        let mut must_remember = false;
        for slot in 0..self.partitions.len() {
            let slot = u32::try_from(slot).expect("slots are counted in 32 bits");
            let has_files_left = self.with_partition(slot, step, |partition, context| {
                let has_files_left = partition.has_files_to_remove();
                partition.delete_expired(context);
                if let Some(log) = partition.log_mut() {
                    log.producers_mut().expire(idle_since);
                }
                has_files_left
            });
            must_remember |= has_files_left == Some(true);
        }
        if must_remember {
            self.renew_start_offsets(step);
        }
    }

    pub(super) fn take_disk_space(&mut self, space: DiskSpace, step: &mut Step<'_>) {
        let DiskSpace { free_bytes, .. } = space;
        let reserve_bytes = self.settings.disk_reserve_bytes;
        let refused = free_bytes < reserve_bytes;
        if refused != self.writes_refused {
            step.effects.push(Effect::Notice(if refused {
                Notice::WritesRefused { free_bytes, reserve_bytes }
            } else {
                Notice::WritesResumed { free_bytes }
            }));
        }
        self.disk_space = Some(space);
        self.writes_refused = refused;
        if !refused {
            self.reopen_full(step);
        }
    }

    pub(super) fn inspect(&self) -> Inspection {
        let partitions = self.partitions.iter().flatten();
        Inspection {
            partitions: partitions.map(|partition| figures(partition)).collect(),
            groups: self.coordinators.inspect(),
            connections: self.sessions.len(),
            waiting_requests: self.pending.len(),
            writes_refused: self.writes_refused,
            request_errors: self.request_errors.clone(),
        }
    }

    /// The partitions that are here.
    pub fn partitions_here(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.iter().flatten().map(|partition| &**partition)
    }

    /// The coordinators that are here, by the index of their partition.
    pub fn coordinators_here(&self) -> impl Iterator<Item = (u32, &Coordinator)> {
        let coordinators = self.coordinators.by_partition.iter();
        coordinators.map(|(partition, coordinator)| (*partition, coordinator))
    }

    /// The partitions of each topic that are here, by the topic's name.
    pub(crate) fn partitions_by_topic(&self) -> BTreeMap<&str, Vec<&Partition>> {
        let mut topics: BTreeMap<&str, Vec<&Partition>> = BTreeMap::new();
        for partition in self.partitions.iter().flatten() {
            topics.entry(partition.topic_name()).or_default().push(partition);
        }
        for partitions in topics.values_mut() {
            partitions.sort_by_key(|partition| partition.id().partition);
        }
        topics
    }
}

fn figures(partition: &Partition) -> PartitionFigures {
    let log = partition.log();
    PartitionFigures {
        topic: partition.topic_name().into(),
        partition: partition.id().partition.0,
        start_offset: log.map(Log::start_offset).unwrap_or_default(),
        high_watermark: partition.high_watermark().offset,
        end_offset: log.map(Log::end_offset).unwrap_or_default(),
        size_bytes: log.map(Log::size_bytes).unwrap_or_default(),
        segments: log.map_or(0, |log| log.segments().len()),
        is_failed: partition.failure().is_some(),
        traffic: partition.traffic(),
    }
}
