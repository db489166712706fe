//! What lies where in each partition, as far as anybody was told: the version order.

use std::collections::BTreeMap;

use super::{
    anomaly::{Anomalies, Kind},
    index::{Index, NONE, Outcome, narrow},
};
use crate::history::{Answer, BadReason, Partition, Value, What};

/// Nobody sent what lies here.
const UNKNOWN: u32 = u32::MAX;

/// One offset of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) offset: i64,
    /// The value's number.
    pub(super) value: u32,
    /// Who told it first.
    pub(super) event: u32,
    /// Whether somebody read it; if not, it is known from an acknowledgement only.
    pub(super) read: bool,
}

/// All offsets of a partition of which anybody was told, ascending.
#[derive(Debug, Default)]
pub(super) struct Log {
    slots: Vec<Slot>,
    /// How many slots before each one were read.
    read_before: Vec<u32>,
}

impl Log {
    fn new(mut offsets: Vec<i64>) -> Self {
        offsets.sort_unstable();
        offsets.dedup();
        let empty = |offset| Slot { offset, value: UNKNOWN, event: NONE, read: false };
        Self { slots: offsets.into_iter().map(empty).collect(), read_before: Vec::new() }
    }

    /// The place of the first slot at or after an offset.
    pub(super) fn place(&self, offset: i64) -> usize {
        // Where no offset is left out, it can be computed.
        if let Some(first) = self.slots.first()
            && let Ok(guess) = usize::try_from(offset.saturating_sub(first.offset))
            && self.slots.get(guess).is_some_and(|slot| slot.offset == offset)
        {
            return guess;
        }
        self.slots.partition_point(|slot| slot.offset < offset)
    }

    fn slot(&mut self, offset: i64) -> &mut Slot {
        let place = self.place(offset);
        &mut self.slots[place]
    }

    /// The slots between two offsets, the second not included.
    pub(super) fn between(&self, from: i64, to: i64) -> &[Slot] {
        let (first, end) = (self.place(from), self.place(to));
        self.slots.get(first..end).unwrap_or_default()
    }

    /// The slots between two offsets that somebody read. Costs nothing where there are none.
    pub(super) fn read_between(&self, from: i64, to: i64) -> impl Iterator<Item = Slot> + '_ {
        let (first, end) = (self.place(from), self.place(to));
        let before = |place: usize| self.read_before[place];
        let some = first < end && before(end) > before(first);
        let slots = if some { &self.slots[first..end] } else { &[] };
        slots.iter().copied().filter(|slot| slot.read)
    }

    /// All slots.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    fn count_reads(&mut self) {
        let mut count = 0;
        self.read_before.reserve(self.slots.len() + 1);
        self.read_before.push(0);
        for slot in &self.slots {
            count += u32::from(slot.read);
            self.read_before.push(count);
        }
    }
}

/// Builds the version orders, and judges each record by itself on the way.
pub(super) fn build(index: &mut Index<'_>, anomalies: &mut Anomalies) -> Vec<Log> {
    let mut logs: Vec<Log> = mentioned(index).into_iter().map(Log::new).collect();
    let mut values = std::mem::take(&mut index.values);
    let mut builder = Builder { index, logs: &mut logs, anomalies, copies: BTreeMap::new() };
    for (place, event) in builder.index.history.events.iter().enumerate() {
        match &event.what {
            What::Ok(Answer::Sent { .. }) => builder.take_ack(&mut values, place),
            What::Ok(Answer::Polled(polled)) => {
                for read in &polled.reads {
                    for (offset, value) in &read.records {
                        builder.take_read(&mut values, place, read.partition, *offset, *value);
                    }
                    for bad in &read.bad {
                        builder.take_bad(place, read.partition, bad.offset, &bad.reason);
                    }
                }
            }
            What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Note(_) => {}
        }
    }
    index.values = values;
    logs.iter_mut().for_each(Log::count_reads);
    derive_offsets(index);
    logs
}

/// For each partition, each offset of which anybody was told. A reader goes on where the last one began, mostly: what
/// ascends needs not be noted twice.
fn mentioned(index: &Index<'_>) -> Vec<Vec<i64>> {
    let mut offsets: Vec<Vec<i64>> = index.partitions.iter().map(|_| Vec::new()).collect();
    for batch in &index.batches {
        let offsets = &mut offsets[batch.send.partition.0 as usize];
        if let Some(offset) = batch.offset {
            let end = offset.saturating_add(i64::from(narrow(batch.send.values.len())));
            offsets.extend(offset..end);
        }
    }
    for event in &index.history.events {
        if let What::Ok(Answer::Polled(polled)) = &event.what {
            for read in &polled.reads {
                let offsets = &mut offsets[read.partition.0 as usize];
                offsets.extend(read.records.iter().map(|(offset, _)| *offset));
            }
        }
    }
    offsets
}

struct Builder<'a, 'h> {
    index: &'a Index<'h>,
    logs: &'a mut [Log],
    anomalies: &'a mut Anomalies,
    /// Of those values that lie at several offsets, the events that told each.
    copies: BTreeMap<u32, Vec<usize>>,
}

impl Builder<'_, '_> {
    fn take_ack(&mut self, values: &mut [super::index::Sent], place: usize) {
        let Some(batch) = self.index.batch(place) else { return };
        let Some(base) = batch.offset else { return };
        let (partition, count) = (batch.send.partition, batch.send.values.len());
        for (delta, at) in (0_i64..).zip(0..count) {
            let number = self.index.number(batch.send.values[at]).unwrap_or(UNKNOWN);
            self.settle(values, place, partition, base.saturating_add(delta), number);
        }
    }

    fn take_read(
        &mut self,
        values: &mut [super::index::Sent],
        place: usize,
        partition: Partition,
        offset: i64,
        value: Value,
    ) {
        let name = || self.index.name(partition);
        let Some(number) = self.index.number(value) else {
            let text = || format!("{} at {offset}: nobody sent {value}", name());
            self.anomalies.add(Kind::PhantomRead, [place], text);
            self.logs[partition.0 as usize].slot(offset).read = true;
            return;
        };
        let batches = self.index.batches_of(number, &values[number as usize]).iter();
        let mut batches = batches.map(|batch| &self.index.batches[*batch as usize]);
        let home = batches.clone().any(|batch| batch.send.partition == partition);
        if !home {
            let sent = batches.next().map(|batch| batch.operation.invoke as usize);
            let text = || format!("{} at {offset}: {value} was sent elsewhere", name());
            self.anomalies.add(Kind::StrayRead, sent.into_iter().chain([place]), text);
            return;
        }
        if batches.all(|batch| batch.operation.outcome == Outcome::Fail) {
            let sent = &values[number as usize];
            let failed = self.index.batches[sent.batch as usize].operation.completion as usize;
            let text = || format!("{} at {offset}: {value} was read, and had failed", name());
            self.anomalies.add(Kind::AbortedRead, [failed, place], text);
        }
        let sent = &mut values[number as usize];
        if sent.read == NONE {
            sent.read = narrow(place);
        }
        let slot = self.logs[partition.0 as usize].slot(offset);
        slot.read |= slot.value == UNKNOWN || slot.value == number;
        self.settle(values, place, partition, offset, number);
    }

    /// A value lies at an offset.
    fn settle(
        &mut self,
        values: &mut [super::index::Sent],
        place: usize,
        partition: Partition,
        offset: i64,
        number: u32,
    ) {
        if self.index.allowed[partition.0 as usize].forgets {
            // What is lost makes room for others at its offset.
            let sent = &mut values[number as usize];
            sent.last = offset;
            (sent.offset, *self.logs[partition.0 as usize].slot(offset)) =
                (offset, Slot { offset, value: number, event: narrow(place), read: true });
            return;
        }
        let slot = self.logs[partition.0 as usize].slot(offset);
        let sent = &mut values[number as usize];
        if slot.value == UNKNOWN || slot.value == number {
            sent.last = sent.last.max(offset);
        }
        if slot.value == UNKNOWN {
            (slot.value, slot.event) = (number, narrow(place));
            if sent.offset < 0 {
                sent.offset = offset;
            } else if sent.offset != offset {
                self.judge_copies(values[number as usize], number, partition, place, offset);
            }
        } else if slot.value != number {
            let (first, event) = (slot.value, slot.event as usize);
            let second = sent.value;
            let first = values[first as usize].value;
            let text =
                || format!("{} at {offset}: {first}, then {second}", self.index.name(partition));
            self.anomalies.add(Kind::InconsistentOffsets, [event, place], text);
        }
    }

    /// A value lies at two offsets: was it sent that often?
    fn judge_copies(
        &mut self,
        sent: super::index::Sent,
        number: u32,
        partition: Partition,
        place: usize,
        offset: i64,
    ) {
        let mut identities = Vec::new();
        let mut copies_max = 0;
        for batch in self.index.batches_of(number, &sent) {
            let batch = &self.index.batches[*batch as usize];
            match batch.send.producer {
                _ if batch.operation.outcome == Outcome::Fail => {}
                Some(identity) if identities.contains(&identity) => {}
                Some(identity) => {
                    identities.push(identity);
                    copies_max += 1;
                }
                None => copies_max += batch.attempts as usize,
            }
        }
        let first = || self.logs[partition.0 as usize].between(sent.offset, sent.offset + 1);
        let copies = self
            .copies
            .entry(number)
            .or_insert_with(|| first().iter().map(|slot| slot.event as usize).collect());
        copies.push(place);
        if copies.len() <= copies_max {
            return;
        }
        let witnesses = copies.clone();
        self.anomalies.add(Kind::Duplicate, witnesses, || {
            let name = self.index.name(partition);
            format!("{name}: {} lies at {} and at {offset}", sent.value, sent.offset)
        });
    }

    fn take_bad(&mut self, place: usize, partition: Partition, offset: i64, reason: &BadReason) {
        let name = self.index.name(partition);
        match reason {
            BadReason::Corrupt(what) => {
                self.anomalies
                    .add(Kind::CorruptRead, [place], || format!("{name} at {offset}: {what}"));
            }
            BadReason::Stray { value, home } => {
                let text = || format!("{name} at {offset}: {value} was written to {home}");
                self.anomalies.add(Kind::StrayRead, [place], text);
            }
        }
    }
}

/// A batch is appended whole or not at all: who has seen one of its records knows where the others are.
fn derive_offsets(index: &mut Index<'_>) {
    for batch in &mut index.batches {
        if batch.offset.is_some() || batch.operation.outcome == Outcome::Fail {
            continue;
        }
        let own = batch.send.values.iter().enumerate().find_map(|(place, value)| {
            let number = index.numbers.get(&value.0)?;
            let sent = &index.values[*number as usize];
            let known = sent.read != NONE && sent.offset >= 0 && !sent.again;
            known.then(|| sent.offset - i64::from(narrow(place)))
        });
        batch.offset = own.filter(|offset| *offset >= 0);
        if let Some(base) = batch.offset {
            for (place, value) in (0_i64..).zip(&batch.send.values) {
                let Some(number) = index.numbers.get(&value.0) else { continue };
                let sent = &mut index.values[*number as usize];
                if sent.offset < 0 {
                    (sent.offset, sent.last) = (base + place, base + place);
                }
            }
        }
    }
}
