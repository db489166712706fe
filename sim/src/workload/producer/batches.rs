//! What a producer sends next.

use std::{collections::BTreeSet, time::Duration};

use ottla_core::{records::Compression, types::ErrorCode};
use ottla_jepsen::history::{Call, Partition, ProducerIdentity, Send, Value};

use super::{Batch, OUTSTANDING_MAX, Producer};
use crate::{
    dice::{MILLION, nanos},
    workload::{
        client::Topic,
        plan::{TopicKind, TopicPlan},
        records::{Shape, build},
    },
};

impl Producer {
    /// What goes into the next request: what is to be sent again first, one batch for each partition at most, all to be
    /// acknowledged in the same way.
    pub(super) fn take_batches(&mut self) -> Vec<Batch> {
        let now = self.now();
        let mut taken: Vec<Batch> = Vec::new();
        let mut blocked = BTreeSet::new();
        self.again.sort_by_key(|batch| (batch.partition(), batch.sequence(), batch.made_at));
        let mut later = Vec::new();
        for batch in std::mem::take(&mut self.again) {
            let fits = taken.first().is_none_or(|first| first.send.acks == batch.send.acks);
            let partition = batch.partition();
            // What follows one that waits waits as well.
            if fits && batch.not_before <= now && !blocked.contains(&partition) {
                taken.push(batch);
            } else {
                later.push(batch);
            }
            blocked.insert(partition);
        }
        self.again = later;
        if !taken.is_empty() || self.client.has_enough() || now < self.next_at {
            return taken;
        }
        let pace = Duration::from_millis(self.plan.pace_ms);
        self.next_at = now + nanos(self.client.dice.exponential(pace));
        let acks = self.plan.acks.unwrap_or_else(|| *self.client.dice.pick(&[-1, -1, 1, 0]));
        // Who numbers batches wants to know what became of them.
        let acks = if self.plan.is_idempotent && acks == 0 { -1 } else { acks };
        for _ in 0..self.client.dice.range(1..3) {
            let Some(batch) = self.new_batch(acks, &taken) else { continue };
            if taken.iter().all(|other| other.partition() != batch.partition()) {
                taken.push(batch);
            } else {
                self.again.push(batch);
            }
        }
        taken
    }

    /// How many batches of a partition are under way, or about to be.
    fn outstanding(&self, partition: Partition, taken: &[Batch]) -> usize {
        let in_flight = self.in_flight.iter().flat_map(|request| &request.batches);
        in_flight
            .chain(&self.again)
            .chain(taken)
            .filter(|batch| batch.partition() == partition)
            .count()
    }

    fn new_batch(&mut self, acks: i16, taken: &[Batch]) -> Option<Batch> {
        let (plan, topic) = self.client.any_topic(|_| true)?;
        let index = self.client.any_partition(&topic);
        let partition = self.client.partition(&topic, index);
        let outstanding = self.outstanding(partition, taken);
        let is_new = self.known.get(&partition).is_none_or(|known| known.acknowledged.is_empty());
        // A broker that does not know the producer takes any sequence for the first one (KAFKA-14904).
        let outstanding_max = if self.plan.is_idempotent && is_new { 1 } else { OUTSTANDING_MAX };
        // Nothing overtakes what is to be sent again.
        let waits = self.again.iter().any(|batch| batch.partition() == partition);
        if outstanding >= outstanding_max || self.plan.is_idempotent && waits {
            return None;
        }
        if self.plan.is_idempotent && outstanding == 0 {
            let chance = self.client.dice.below(MILLION);
            if let Some(trial) = self.trial(chance, partition, &plan, &topic, index) {
                return Some(trial);
            }
        }
        let sequence = self.known.get(&partition).map_or(0, |known| known.sequence);
        let identity = self.identity(sequence);
        let batch = self.make(partition, &plan, &topic, index, acks, identity);
        if self.plan.is_idempotent && !batch.is_trial {
            let count = i32::try_from(batch.send.values.len()).unwrap_or(0);
            self.known.entry(partition).or_default().sequence = (sequence + count) & i32::MAX;
        }
        Some(batch)
    }

    /// Something that must be refused, or be known as a duplicate. Only what the broker must know of is tried.
    fn trial(
        &mut self,
        chance: u64,
        partition: Partition,
        plan: &TopicPlan,
        topic: &Topic,
        index: i32,
    ) -> Option<Batch> {
        let (id, epoch) = self.identity?;
        let known = self.known.get(&partition)?;
        let before = known.before;
        let acknowledged: Vec<_> = known.acknowledged.iter().cloned().collect();
        let next = known.sequence;
        let trial = match chance {
            // One of the last batches once more.
            0..40_000 if !acknowledged.is_empty() => {
                let mut batch = self.client.dice.pick(&acknowledged).clone();
                batch.begun = self.client.invoke(Call::Send(batch.send.clone()));
                batch.is_known = true;
                self.client.recorder.count("duplicate tried");
                batch
            }
            40_000..60_000 if !acknowledged.is_empty() => {
                let identity = ProducerIdentity { id, epoch, sequence: next + 7 };
                self.client.recorder.count("gap tried");
                self.make(partition, plan, topic, index, -1, Some(identity))
            }
            60_000..400_000 if before.is_some() => {
                let (old, sequence) = before?;
                let is_new = acknowledged.is_empty();
                if is_new && chance < 100_000 {
                    // A new epoch begins at 0.
                    let identity = ProducerIdentity { id, epoch, sequence: 5 };
                    self.client.recorder.count("new epoch tried at 5");
                    self.make(partition, plan, topic, index, -1, Some(identity))
                } else if !is_new && chance < 200_000 {
                    let identity = ProducerIdentity { id, epoch: old, sequence };
                    self.client.recorder.count("old epoch tried");
                    self.make(partition, plan, topic, index, -1, Some(identity))
                } else {
                    return None;
                }
            }
            _ => return None,
        };
        Some(Batch { is_trial: true, maybe_appended: false, ..trial })
    }

    pub(super) fn make(
        &mut self,
        partition: Partition,
        plan: &TopicPlan,
        topic: &Topic,
        index: i32,
        acks: i16,
        producer: Option<ProducerIdentity>,
    ) -> Batch {
        let dice = &mut self.client.dice;
        let many = if dice.chance(MILLION / 10) { 30 } else { 4 };
        let count = dice.range(1..many);
        let first = self.next_value;
        self.next_value += count;
        let values = (first..self.next_value).map(|number| Value::new(self.client.number, number));
        let key = |_| u32::try_from(dice.below(plan.keys)).unwrap_or(0);
        let keys = if plan.keys > 0 { (0..count).map(key).collect() } else { Vec::new() };
        let places =
            (0..u32::try_from(keys.len()).unwrap_or(0)).filter(|_| dice.chance(MILLION / 12));
        let tombstones = places.collect();
        let send = Send { partition, producer, acks, values: values.collect(), keys, tombstones };
        let size_max = if dice.chance(MILLION / 50) { 40_000 } else { 400 };
        let size_bytes = dice.magnitude(40..size_max);
        // Now and then a clock is far ahead: such records are refused.
        let is_ahead = producer.is_none() && dice.chance(MILLION / 60);
        let ahead = if is_ahead { 36_000_000 } else { 0 };
        let compression = *dice.pick(&[
            Compression::None,
            Compression::None,
            Compression::None,
            Compression::Gzip,
            Compression::Snappy,
            Compression::Lz4,
            Compression::Zstd,
        ]);
        let shape = Shape {
            topic_id: topic.id,
            partition: index,
            compression,
            size_bytes: usize::try_from(size_bytes).unwrap_or(100),
            timestamp: self.client.clock_ms() + ahead,
        };
        let bytes = build(&send, shape);
        Batch {
            begun: self.client.invoke(Call::Send(send.clone())),
            send,
            topic: topic.name.clone(),
            topic_id: topic.id,
            kind: plan.kind,
            index,
            bytes,
            made_at: self.now(),
            not_before: 0,
            maybe_appended: false,
            is_trial: false,
            is_known: false,
        }
    }

    /// Whether the topic of a batch is not there any more, as far as the client knows.
    pub(super) fn is_gone(&self, batch: &Batch, error: ErrorCode) -> bool {
        let known = self.client.topics.get(&batch.topic);
        batch.kind == TopicKind::Fleeting
            && matches!(error, ErrorCode::UnknownTopicId | ErrorCode::UnknownTopicOrPartition)
            && known.is_none_or(|topic| topic.id != batch.topic_id)
    }
}
