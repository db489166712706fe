//! What may happen to a partition's records: by the settings of its topic, and by what was asked for.

use std::collections::BTreeMap;

use super::{
    index::{Index, NONE, Outcome},
    log::Slot,
};
use crate::history::{Answer, Call, Note, Partition, What};

/// Finds out for each partition of the history. What a topic's settings ever allowed is taken to be allowed always: a cleaner
/// acts when it likes.
pub(super) fn fill(index: &mut Index<'_>) {
    let rules = index.history.header.rules;
    let mut forgot = false;
    index.allowed = index.partitions.iter().map(|_| super::index::Allowed::default()).collect();
    let mut of_topic: BTreeMap<&str, Topic<'_>> = BTreeMap::new();
    for (place, event) in index.history.events.iter().enumerate() {
        match &event.what {
            What::Note(Note::Fault(fault)) => forgot |= fault.forgets,
            What::Invoke(Call::CreateTopic { topic, settings }) => {
                of_topic.entry(topic).or_default().configure(settings);
            }
            What::Invoke(Call::AlterTopic { topic, settings }) => {
                of_topic.entry(topic).or_default().configure(settings);
            }
            What::Invoke(Call::DeleteTopic { topic, id }) => {
                let Some(operation) = index.operation(place) else { continue };
                if operation.outcome != Outcome::Fail {
                    // One that is not known to have ended may take place at any time.
                    let end =
                        if operation.outcome == Outcome::Ok { operation.completion } else { NONE };
                    of_topic.entry(topic).or_default().deletions.push((id.as_deref(), end));
                }
            }
            What::Ok(Answer::Polled(polled)) => {
                for read in &polled.reads {
                    raise_start(index, read.partition, read.probed.log_start);
                }
            }
            What::Ok(Answer::Probed(probed)) => {
                if let Some(Call::Probe { partition }) = index.call(place) {
                    raise_start(index, *partition, probed.log_start);
                }
            }
            What::Ok(Answer::LogStart(start)) => {
                if let Some(Call::DeleteRecords { partition, .. }) = index.call(place) {
                    raise_start(index, *partition, Some(*start));
                }
            }
            What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Note(_) => {}
        }
    }
    for (name, allowed) in index.partitions.iter().zip(&mut index.allowed) {
        let topic = of_topic.get(name.topic.as_str()).cloned().unwrap_or_default();
        allowed.deletes = rules.deletes || topic.deletes;
        allowed.compacts = topic.compacts;
        allowed.tombstones_go = topic.tombstones_go || !topic.tombstones_stay;
        allowed.forgets = forgot && (rules.relaxed || topic.relaxed);
        let meant = |id: Option<&str>| id.is_none_or(|id| id == name.id);
        let ends = topic.deletions.iter().filter(|(id, _)| meant(*id)).map(|(_, end)| *end);
        allowed.topic_deleted = ends.max();
    }
}

fn raise_start(index: &mut Index<'_>, partition: Partition, start: Option<i64>) {
    let known = &mut index.allowed[partition.0 as usize].log_start;
    *known = (*known).max(start.unwrap_or(0));
}

/// With a `delete.retention.ms` from here on (30 days) a tombstone outlives every run, even if clocks jump.
const TOMBSTONES_STAY_MS: u64 = 30 * 86_400_000;

#[derive(Debug, Clone, Default)]
struct Topic<'h> {
    deletes: bool,
    compacts: bool,
    tombstones_go: bool,
    tombstones_stay: bool,
    relaxed: bool,
    deletions: Vec<(Option<&'h str>, u32)>,
}

impl Topic<'_> {
    fn configure(&mut self, settings: &BTreeMap<String, String>) {
        for (name, value) in settings {
            match name.as_str() {
                "cleanup.policy" => self.compacts |= value.contains("compact"),
                "delete.retention.ms" => {
                    let stay = value.parse().is_ok_and(|ms: u64| ms >= TOMBSTONES_STAY_MS);
                    self.tombstones_stay |= stay;
                    self.tombstones_go |= !stay;
                }
                "retention.ms" | "retention.bytes" => self.deletes |= value != "-1",
                "flush.messages" => self.relaxed |= value != "1",
                _ => {}
            }
        }
    }
}

impl Index<'_> {
    /// Whether a record may be gone.
    pub(super) fn may_be_gone(&self, partition: Partition, number: u32, latest: &Latest) -> bool {
        let allowed = self.allowed[partition.0 as usize];
        let sent = self.values[number as usize];
        let batch = &self.batches[sent.batch as usize];
        let deleted = allowed.topic_deleted.is_some_and(|end| end > batch.operation.invoke);
        if allowed.forgets || deleted {
            return true;
        }
        if sent.offset < 0 {
            // Nobody was told where it lies: it may lie where others were deleted.
            return allowed.log_start > 0 || allowed.compacts;
        }
        if sent.offset < allowed.log_start {
            return true;
        }
        allowed.compacts
            && (allowed.tombstones_go && is_tombstone(batch.send, sent.place)
                || key(batch.send, sent.place).is_some_and(|key| {
                    latest.get(&(partition, key)).is_some_and(|latest| *latest > sent.last)
                }))
    }

    /// Whether what lies in a slot may be gone: the record, or this copy of it.
    pub(super) fn slot_may_be_gone(
        &self,
        partition: Partition,
        slot: &Slot,
        latest: &Latest,
    ) -> bool {
        let Some(sent) = self.values.get(slot.value as usize) else { return false };
        let allowed = self.allowed[partition.0 as usize];
        // Of a record that was written twice one copy may lie below the start, and another above.
        slot.offset < allowed.log_start
            || allowed.compacts && slot.offset < sent.last
            || self.may_be_gone(partition, slot.value, latest)
    }

    /// Where the last record of each key lies, in partitions that are compacted.
    pub(super) fn latest(&self) -> Latest {
        let mut latest = Latest::new();
        for (number, sent) in (0..).zip(&self.values) {
            let batch = &self.batches[sent.batch as usize];
            let partition = batch.send.partition;
            let allowed = self.allowed[partition.0 as usize];
            if let Some(key) = key(batch.send, sent.place)
                && allowed.compacts
            {
                // A tombstone may have removed what lies before it, and have gone, before anybody saw where it lay.
                let unseen = allowed.tombstones_go
                    && is_tombstone(batch.send, sent.place)
                    && self.batches_of(number, sent).iter().any(|batch| {
                        let batch = &self.batches[*batch as usize];
                        batch.operation.outcome != Outcome::Fail && batch.offset.is_none()
                    });
                let known = latest.entry((partition, key)).or_insert(-1);
                *known = (*known).max(if unseen { i64::MAX } else { sent.last });
            }
        }
        latest
    }
}

/// Where the last record of each key lies.
pub(super) type Latest = BTreeMap<(Partition, u32), i64>;

fn key(send: &crate::history::Send, place: u32) -> Option<u32> {
    send.keys.get(place as usize).copied()
}

fn is_tombstone(send: &crate::history::Send, place: u32) -> bool {
    send.tombstones.contains(&place)
}
