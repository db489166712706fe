//! A history made ready for the checks: operations, values and partitions by dense numbers.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasherDefault, Hasher},
};

use crate::history::{
    Answer, Call, History, Note, Partition, PartitionName, Send, Unusable, Value, What,
};

/// No event, no operation.
pub(super) const NONE: u32 = u32::MAX;

/// An operation from its invocation to its completion, as places in the history.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    pub(super) invoke: u32,
    pub(super) completion: u32,
    pub(super) outcome: Outcome,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    Fail,
    Info,
}

/// A batch that was sent.
#[derive(Debug)]
pub(super) struct Batch<'h> {
    pub(super) send: &'h Send,
    pub(super) operation: Operation,
    /// Where it lies: told by an acknowledgement, or seen.
    pub(super) offset: Option<i64>,
    /// Whether it must be in the log: it was acknowledged as durable.
    pub(super) acknowledged: bool,
    pub(super) attempts: u32,
}

/// A record that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) value: Value,
    /// The first batch that holds it, and its place there.
    pub(super) batch: u32,
    pub(super) place: u32,
    /// Whether later batches hold it too.
    pub(super) again: bool,
    /// Where it was first seen or acknowledged.
    pub(super) offset: i64,
    /// The last of the offsets at which it lies: who repeats a batch without numbers may append it twice.
    pub(super) last: i64,
    /// The first event that read it.
    pub(super) read: u32,
    /// Who reads everything at the end has read it.
    pub(super) at_end: bool,
}

/// What may happen to a partition's records.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Allowed {
    pub(super) deletes: bool,
    pub(super) compacts: bool,
    /// Tombstones may go within the time that a run takes.
    pub(super) tombstones_go: bool,
    /// What was acknowledged may be lost with power, and was.
    pub(super) forgets: bool,
    /// The last event up to which a deletion of the topic may have been under way.
    pub(super) topic_deleted: Option<u32>,
    /// The highest start of the log that was told.
    pub(super) log_start: i64,
}

/// Multiplies: values differ in a few bits, and nobody chooses them to collide.
#[derive(Default)]
pub(super) struct Multiply(u64);

impl Hasher for Multiply {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let product = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }
}

type Numbers = HashMap<u64, u32, BuildHasherDefault<Multiply>>;

/// A history made ready for the checks.
pub(super) struct Index<'h> {
    pub(super) history: &'h History,
    pub(super) operations: Vec<Operation>,
    /// For each event, the operation that it belongs to.
    operation_of: Vec<u32>,
    pub(super) partitions: Vec<&'h PartitionName>,
    pub(super) allowed: Vec<Allowed>,
    pub(super) batches: Vec<Batch<'h>>,
    pub(super) values: Vec<Sent>,
    pub(super) numbers: Numbers,
    /// All batches of those values that several hold.
    pub(super) again: BTreeMap<u32, Vec<u32>>,
    /// For each operation, its batch.
    batch_of: Vec<u32>,
}

pub(super) fn narrow(place: usize) -> u32 {
    u32::try_from(place).expect("a history has fewer than 2^32 of anything")
}

impl<'h> Index<'h> {
    pub(super) fn new(history: &'h History) -> Result<Self, Unusable> {
        let mut index = Self {
            history,
            operations: Vec::new(),
            operation_of: vec![NONE; history.events.len()],
            partitions: Vec::new(),
            allowed: Vec::new(),
            batches: Vec::new(),
            values: Vec::new(),
            numbers: Numbers::default(),
            again: BTreeMap::new(),
            batch_of: Vec::new(),
        };
        let mut open = Numbers::default();
        open.reserve(history.events.len() / 2);
        for (place, event) in history.events.iter().enumerate() {
            index.take(place, event.operation, &event.what, &mut open).map_err(|reason| {
                // The header is the first line, and lines count from 1.
                Unusable { line: place + 2, reason }
            })?;
        }
        index.number_values();
        super::allowed::fill(&mut index);
        Ok(index)
    }

    fn take(
        &mut self,
        place: usize,
        number: u64,
        what: &'h What,
        open: &mut Numbers,
    ) -> Result<(), String> {
        let (outcome, answer) = match what {
            What::Note(note) => return self.take_note(place, note),
            What::Invoke(call) => {
                self.check_partition(call_partition(call))?;
                let operation = narrow(self.operations.len());
                if number == 0 || open.insert(number, operation).is_some() {
                    return Err(format!("operation {number} begins twice, or is 0"));
                }
                self.operation_of[place] = operation;
                self.operations.push(Operation {
                    invoke: narrow(place),
                    completion: NONE,
                    outcome: Outcome::Info,
                });
                if let Call::Send(send) = call {
                    check_batch(send)?;
                    self.batch_of.push(narrow(self.batches.len()));
                    self.batches.push(Batch {
                        send,
                        operation: self.operations[operation as usize],
                        offset: None,
                        acknowledged: false,
                        attempts: 1,
                    });
                } else {
                    self.batch_of.push(NONE);
                }
                return Ok(());
            }
            What::Ok(answer) => (Outcome::Ok, Some(answer)),
            What::Fail(_) => (Outcome::Fail, None),
            What::Info(_) => (Outcome::Info, None),
        };
        let operation = *open
            .get(&number)
            .ok_or_else(|| format!("operation {number} ends, and never began"))?;
        self.operation_of[place] = operation;
        let entry = &mut self.operations[operation as usize];
        if entry.completion != NONE {
            return Err(format!("operation {number} ends twice"));
        }
        (entry.completion, entry.outcome) = (narrow(place), outcome);
        let entry = *entry;
        if let Some(batch) = self.batches.get_mut(self.batch_of[operation as usize] as usize) {
            let rules = self.history.header.rules;
            batch.operation = entry;
            let counts = match batch.send.acks {
                0 => rules.sent_is_acknowledged,
                1 => rules.leader_ack_is_durable,
                acks => acks == -1,
            };
            batch.acknowledged = outcome == Outcome::Ok && counts;
            if let Some(Answer::Sent { offset, attempts }) = answer {
                (batch.offset, batch.attempts) = (*offset, (*attempts).max(1));
            }
        }
        if let Some(Answer::Polled(polled)) = answer {
            for read in &polled.reads {
                self.check_partition(Some(read.partition))?;
            }
        }
        Ok(())
    }

    fn take_note(&mut self, place: usize, note: &'h Note) -> Result<(), String> {
        match note {
            Note::Partition(name) => {
                self.partitions.push(name);
                Ok(())
            }
            Note::Complete { since, .. } if *since > place as u64 => {
                Err(format!("event {since} is still to come"))
            }
            Note::Seek { partition, .. }
            | Note::Begin { partition, .. }
            | Note::Complete { partition, .. }
            | Note::Drained { partition, .. } => self.check_partition(Some(*partition)),
            Note::Crash | Note::Fault(_) => Ok(()),
        }
    }

    fn check_partition(&self, partition: Option<Partition>) -> Result<(), String> {
        match partition {
            Some(Partition(number)) if number as usize >= self.partitions.len() => {
                Err(format!("partition {number} was not named"))
            }
            _ => Ok(()),
        }
    }

    fn number_values(&mut self) {
        let count = self.batches.iter().map(|batch| batch.send.values.len()).sum();
        self.values.reserve(count);
        self.numbers.reserve(count);
        for (at, batch) in self.batches.iter().enumerate() {
            for (place, value) in batch.send.values.iter().enumerate() {
                let next = narrow(self.values.len());
                let number = *self.numbers.entry(value.0).or_insert(next);
                if number == next {
                    self.values.push(Sent {
                        value: *value,
                        batch: narrow(at),
                        place: narrow(place),
                        again: false,
                        offset: -1,
                        last: -1,
                        read: NONE,
                        at_end: false,
                    });
                } else {
                    let sent = &mut self.values[number as usize];
                    sent.again = true;
                    let first = sent.batch;
                    self.again.entry(number).or_insert_with(|| vec![first]).push(narrow(at));
                }
            }
        }
    }

    /// The operation that an event belongs to.
    pub(super) fn operation(&self, event: usize) -> Option<Operation> {
        self.operations.get(self.operation_of[event] as usize).copied()
    }

    /// The number of the operation that an event belongs to.
    pub(super) fn operation_number(&self, event: usize) -> Option<u32> {
        Some(self.operation_of[event]).filter(|number| *number != NONE)
    }

    /// The batch that an event is about.
    pub(super) fn batch(&self, event: usize) -> Option<&Batch<'h>> {
        let batch = self.batch_of.get(self.operation_of[event] as usize)?;
        self.batches.get(*batch as usize)
    }

    /// What was asked by the operation that an event completes.
    pub(super) fn call(&self, event: usize) -> Option<&'h Call> {
        match &self.history.events[self.operation(event)?.invoke as usize].what {
            What::Invoke(call) => Some(call),
            What::Ok(_) | What::Fail(_) | What::Info(_) | What::Note(_) => None,
        }
    }

    /// A value's number, if anybody sent it.
    pub(super) fn number(&self, value: Value) -> Option<u32> {
        self.numbers.get(&value.0).copied()
    }

    /// All batches that hold a value.
    pub(super) fn batches_of<'a>(&'a self, number: u32, sent: &'a Sent) -> &'a [u32] {
        match self.again.get(&number) {
            Some(batches) => batches,
            None => std::slice::from_ref(&sent.batch),
        }
    }

    /// A partition as people call it.
    pub(super) fn name(&self, partition: Partition) -> String {
        let name = self.partitions[partition.0 as usize];
        let again = self.partitions.iter().any(|other| {
            other.topic == name.topic && other.index == name.index && other.id != name.id
        });
        match again {
            true => format!("{}-{} (id {})", name.topic, name.index, name.id),
            false => format!("{}-{}", name.topic, name.index),
        }
    }
}

fn check_batch(send: &Send) -> Result<(), String> {
    if send.values.is_empty() {
        return Err("a batch has no records".into());
    }
    if !send.keys.is_empty() && send.keys.len() != send.values.len() {
        return Err("a batch has keys for some of its records only".into());
    }
    Ok(())
}

const fn call_partition(call: &Call) -> Option<Partition> {
    match call {
        Call::Send(send) => Some(send.partition),
        Call::Commit(commit) => Some(commit.partition),
        Call::Probe { partition }
        | Call::FetchOffset { partition, .. }
        | Call::DeleteRecords { partition, .. }
        | Call::DeleteOffset { partition, .. } => Some(*partition),
        Call::Poll { .. }
        | Call::Join { .. }
        | Call::Sync { .. }
        | Call::Leave { .. }
        | Call::CreateTopic { .. }
        | Call::DeleteTopic { .. }
        | Call::AlterTopic { .. }
        | Call::DeleteGroup { .. }
        | Call::Other(_) => None,
    }
}
