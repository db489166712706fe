//! A log that is a list of batch descriptors: what the model checks with, and what tests compare the real log to.

use alloc::vec::Vec;

use super::{Corrupt, ReplicaLog, acknowledgeable};
use crate::{
    log::{epochs::Epochs, producers::Producers},
    mutants::{Mutant, planted},
    records::batch::BatchProducer,
    types::{LeaderEpoch, Offset, Timestamp},
};

/// A batch, without its records.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Batch<P> {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// How many records it has.
    pub count: i32,
    /// The epoch of the leader that appended it.
    pub epoch: LeaderEpoch,
    /// The idempotent producer that it came from.
    pub producer: Option<BatchProducer>,
    /// What stands for its records.
    pub payload: P,
}

impl<P> Batch<P> {
    /// The offset after its last record.
    pub fn next_offset(&self) -> Offset {
        self.base_offset + i64::from(self.count)
    }
}

/// A log in memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListLog<P> {
    start_offset: Offset,
    batches: Vec<Batch<P>>,
    end: Offset,
    durable: Offset,
    /// Nothing is acknowledged before it is durable.
    is_durable: bool,
    epochs: Epochs,
    producers: Producers,
}

impl<P: Clone> ListLog<P> {
    /// An empty log.
    pub fn new(is_durable: bool) -> Self {
        Self {
            start_offset: Offset::ZERO,
            batches: Vec::new(),
            end: Offset::ZERO,
            durable: Offset::ZERO,
            is_durable,
            epochs: Epochs::default(),
            producers: Producers::default(),
        }
    }

    /// The batches.
    pub fn batches(&self) -> &[Batch<P>] {
        &self.batches
    }

    /// Everything before this survives a crash.
    pub const fn durable(&self) -> Offset {
        self.durable
    }

    /// The idempotent producers.
    pub const fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Appends a batch of the leader's.
    pub fn append(
        &mut self,
        epoch: LeaderEpoch,
        producer: Option<BatchProducer>,
        count: i32,
        payload: P,
    ) {
        let base_offset = self.end;
        self.push(Batch { base_offset, count, epoch, producer, payload });
    }

    fn push(&mut self, batch: Batch<P>) {
        self.epochs.assign(batch.epoch, batch.base_offset);
        note_producer(&mut self.producers, &batch);
        self.end = batch.next_offset();
        self.batches.push(batch);
    }

    /// The batches from `offset` on, at most `limit`.
    pub fn read(&self, offset: Offset, limit: usize) -> Vec<Batch<P>> {
        let from = self.batches.partition_point(|batch| batch.base_offset < offset);
        self.batches[from..].iter().take(limit).cloned().collect()
    }

    /// Makes everything durable.
    pub const fn sync(&mut self) {
        self.durable = self.end;
    }

    /// Makes what lies before `offset` durable.
    pub fn sync_to(&mut self, offset: Offset) {
        self.durable = self.durable.max(offset.min(self.end));
    }

    /// Deletes what lies below `offset`.
    pub fn raise_start(&mut self, offset: Offset) {
        if offset > self.start_offset {
            self.start_offset = offset;
            self.batches.retain(|batch| batch.next_offset() > offset);
            self.epochs.truncate_from_start(offset);
        }
    }

    /// What is found after a crash that has kept everything before `kept`: the epochs and producers of the batches that are there.
    #[must_use]
    pub fn recovered(&self, kept: Offset) -> Self {
        let mut log = Self { start_offset: self.start_offset, ..Self::new(self.is_durable) };
        log.end = self.start_offset;
        for batch in self.batches.iter().filter(|batch| batch.next_offset() <= kept) {
            log.push(batch.clone());
        }
        if planted(Mutant::TailNotNoted) {
            log.producers = Producers::default();
        }
        log.sync();
        log
    }

    fn cut(&mut self, end: Offset) {
        self.batches.retain(|batch| batch.next_offset() <= end);
        self.end = end;
        self.durable = self.durable.min(end);
        self.epochs.truncate_from_end(end);
        self.producers = Producers::default();
        for batch in &self.batches {
            note_producer(&mut self.producers, batch);
        }
    }
}

fn note_producer<P>(producers: &mut Producers, batch: &Batch<P>) {
    if let Some(producer) = batch.producer {
        let last_offset = Offset(batch.next_offset().0 - 1);
        producers.note(producer, last_offset, batch.count, Timestamp(0), Timestamp(0));
    }
}

impl<P: Clone> ReplicaLog for ListLog<P> {
    type Records<'a> = Vec<Batch<P>>;

    fn start_offset(&self) -> Offset {
        self.start_offset
    }

    fn end_offset(&self) -> Offset {
        self.end
    }

    fn acknowledgeable(&self) -> Offset {
        acknowledgeable(self.is_durable, self.durable, self.end)
    }

    fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    fn begin_epoch(&mut self, epoch: LeaderEpoch) {
        self.epochs.assign(epoch, self.end);
    }

    fn append_replicated(&mut self, records: Self::Records<'_>) -> Result<(), Corrupt> {
        for batch in records {
            if batch.base_offset != self.end {
                return Err(Corrupt);
            }
            self.push(batch);
        }
        Ok(())
    }

    fn truncate(&mut self, to: Offset) {
        self.cut(to.min(self.end));
    }

    fn reset(&mut self, start: Offset) {
        self.cut(self.start_offset);
        self.start_offset = start;
        self.end = start;
        self.durable = start;
        self.epochs = Epochs::default();
    }

    fn is_truncating(&self) -> bool {
        false
    }
}
