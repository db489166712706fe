//! What a partition remembers of its idempotent producers (KIP-98): the last batches of each, to tell a repetition from a gap.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use crate::{
    mutants::{Mutant, planted},
    records::batch::BatchProducer,
    types::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp},
};

/// How many batches a producer may have in flight: Kafka's clients keep to five.
pub const BATCHES_REMEMBERED: usize = 5;

/// A batch that was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RememberedBatch {
    /// The sequence of its last record.
    pub last_sequence: Sequence,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// Its last offset less its first.
    pub offset_delta: i32,
    /// Its greatest timestamp.
    pub timestamp: Timestamp,
}

impl RememberedBatch {
    /// The sequence of its first record.
    pub fn first_sequence(&self) -> Sequence {
        Sequence(self.last_sequence.0.wrapping_sub(self.offset_delta) & i32::MAX)
    }

    /// The offset of its first record.
    pub fn first_offset(&self) -> Offset {
        Offset(self.last_offset.0 - i64::from(self.offset_delta))
    }
}

/// What is known of a producer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Producer {
    /// Its current incarnation.
    pub epoch: ProducerEpoch,
    /// Its last batches in this epoch, the oldest first; at most [`BATCHES_REMEMBERED`].
    pub batches: VecDeque<RememberedBatch>,
    /// By the broker's clock, when it last wrote.
    pub last_write: Timestamp,
}

impl Producer {
    /// The sequence of its last record.
    pub fn last_sequence(&self) -> Option<Sequence> {
        self.batches.back().map(|batch| batch.last_sequence)
    }
}

/// What is to be done with a producer's batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceCheck {
    /// Append it.
    InSequence,
    /// It is there already.
    Duplicate(RememberedBatch),
    /// Batches before it are missing.
    OutOfOrder {
        /// The last sequence that was appended, if any is known.
        last: Option<Sequence>,
    },
    /// A newer incarnation of the producer has written.
    StaleEpoch {
        /// The newer incarnation.
        current: ProducerEpoch,
    },
}

/// The producers of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Producers {
    producers: BTreeMap<ProducerId, Producer>,
}

impl Producers {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (ProducerId, &Producer)> {
        self.producers.iter().map(|(&id, producer)| (id, producer))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// The last offset of each producer's last batch.
    pub fn last_offsets(&self) -> BTreeMap<ProducerId, Offset> {
        let last = |producer: &Producer| producer.batches.back().map(|batch| batch.last_offset);
        self.iter().filter_map(|(id, producer)| Some((id, last(producer)?))).collect()
    }

    /// What is known without the batches at `offset` and above.
    #[must_use]
    pub fn below(&self, offset: Offset) -> Self {
        let mut below = self.clone();
        for producer in below.producers.values_mut() {
            producer.batches.retain(|batch| batch.last_offset < offset);
        }
        below
    }

    /// Restores a producer out of a snapshot.
    pub fn restore(&mut self, id: ProducerId, producer: Producer) {
        self.producers.insert(id, producer);
    }

    /// Judges a batch of `record_count` records.
    pub fn check(&self, batch: BatchProducer, record_count: i32) -> SequenceCheck {
        let first = batch.base_sequence;
        let Some(producer) = self.producers.get(&batch.id) else {
            // Nothing is known: the producer is new here, or its state has expired. Kafka takes any sequence then, and so lets
            // a producer go on whose records retention has deleted (KIP-360).
            return SequenceCheck::InSequence;
        };
        if batch.epoch < producer.epoch && !planted(Mutant::StaleEpochAccepted) {
            return SequenceCheck::StaleEpoch { current: producer.epoch };
        }
        if batch.epoch > producer.epoch {
            return if first == Sequence(0) || planted(Mutant::AnySequenceInNewEpoch) {
                SequenceCheck::InSequence
            } else {
                SequenceCheck::OutOfOrder { last: None }
            };
        }
        let last_sequence = first.plus(record_count - 1);
        let repeated = producer
            .batches
            .iter()
            .find(|known| known.first_sequence() == first && known.last_sequence == last_sequence);
        match (repeated, producer.last_sequence()) {
            (Some(batch), _) => SequenceCheck::Duplicate(*batch),
            (None, None) => SequenceCheck::InSequence,
            (None, Some(_)) if planted(Mutant::GapInSequenceAccepted) => SequenceCheck::InSequence,
            (None, Some(last)) if last.plus(1) == first => SequenceCheck::InSequence,
            (None, Some(last)) => SequenceCheck::OutOfOrder { last: Some(last) },
        }
    }

    /// Takes note of a batch that was appended.
    pub fn note(
        &mut self,
        batch: BatchProducer,
        last_offset: Offset,
        record_count: i32,
        timestamp: Timestamp,
        now: Timestamp,
    ) {
        let producer = self.producers.entry(batch.id).or_insert_with(|| Producer {
            epoch: batch.epoch,
            batches: VecDeque::new(),
            last_write: now,
        });
        // Recovery may come upon a batch that a snapshot knows already.
        let is_known =
            producer.batches.back().is_some_and(|known| known.last_offset >= last_offset);
        if is_known || batch.epoch < producer.epoch {
            return;
        }
        if producer.epoch != batch.epoch {
            producer.epoch = batch.epoch;
            producer.batches.clear();
        }
        let remembered = if planted(Mutant::OneBatchRemembered) { 1 } else { BATCHES_REMEMBERED };
        if producer.batches.len() == remembered {
            producer.batches.pop_front();
        }
        producer.batches.push_back(RememberedBatch {
            last_sequence: batch.base_sequence.plus(record_count - 1),
            last_offset,
            offset_delta: record_count - 1,
            timestamp,
        });
        producer.last_write = producer.last_write.max(now);
    }

    /// Forgets producers that have not written since `before` (`producer.id.expiration.ms`).
    pub fn expire(&mut self, before: Timestamp) {
        self.producers.retain(|_, producer| producer.last_write > before);
    }

    /// Forgets everything: the log begins anew.
    pub fn clear(&mut self) {
        self.producers.clear();
    }

    /// The producers in the order of their ids, for a description.
    pub fn describe(&self) -> Vec<(ProducerId, Producer)> {
        self.producers.iter().map(|(&id, producer)| (id, producer.clone())).collect()
    }
}
