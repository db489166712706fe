//! Tests of the checker: a history for each anomaly, and histories that were right until one thing in them was changed.

mod generated;
mod goldens;
mod goldens_groups;

use std::collections::BTreeMap;

use super::{Kind, check};
use crate::history::{
    Answer, Call, Event, Header, History, Note, Partition, PartitionName, Polled, Probed,
    ProducerIdentity, Read, Send, Value, What,
};

/// A history that is being written.
#[derive(Debug, Clone, Default)]
struct Scene {
    history: History,
    operations: u64,
    partitions: u32,
    process_of: BTreeMap<u64, u32>,
}

const A: Partition = Partition(0);
const B: Partition = Partition(1);

impl Scene {
    /// Two partitions: a-0 and b-0.
    fn new() -> Self {
        let mut scene = Self { history: History::default(), ..Self::default() };
        scene.history.header = Header::default();
        scene.partition("a", "1");
        scene.partition("b", "2");
        scene
    }

    fn partition(&mut self, topic: &str, id: &str) -> Partition {
        let name = PartitionName { topic: topic.into(), id: id.into(), index: 0 };
        self.note(0, Note::Partition(name));
        self.partitions += 1;
        Partition(self.partitions - 1)
    }

    fn event(&mut self, process: u32, operation: u64, what: What) {
        let time = self.history.events.len() as u64;
        self.history.events.push(Event { time, process, operation, what });
    }

    fn note(&mut self, process: u32, note: Note) {
        self.event(process, 0, What::Note(note));
    }

    fn invoke(&mut self, process: u32, call: Call) -> u64 {
        self.operations += 1;
        self.process_of.insert(self.operations, process);
        self.event(process, self.operations, What::Invoke(call));
        self.operations
    }

    fn end(&mut self, operation: u64, what: What) {
        self.event(self.process_of[&operation], operation, what);
    }

    fn ok(&mut self, operation: u64, answer: Answer) {
        self.end(operation, What::Ok(answer));
    }

    fn fail(&mut self, operation: u64) {
        self.end(operation, What::Fail("refused".into()));
    }

    fn info(&mut self, operation: u64) {
        self.end(operation, What::Info("timed out".into()));
    }

    fn call(&mut self, process: u32, call: Call, answer: Answer) {
        let operation = self.invoke(process, call);
        self.ok(operation, answer);
    }

    /// A plain batch begins.
    fn send(&mut self, process: u32, partition: Partition, values: &[u64]) -> u64 {
        let values = values.iter().map(|value| Value(*value)).collect();
        let send = Send { partition, acks: -1, values, ..Send::default() };
        self.invoke(process, Call::Send(send))
    }

    fn sent(&mut self, operation: u64, offset: i64) {
        self.ok(operation, Answer::Sent { offset: Some(offset), attempts: 1 });
    }

    /// An acknowledged batch.
    fn put(&mut self, partition: Partition, offset: i64, values: &[u64]) {
        let operation = self.send(1, partition, values);
        self.sent(operation, offset);
    }

    /// An idempotent batch.
    fn send_in_sequence(&mut self, sequence: i32, values: &[u64]) -> u64 {
        self.send_in_epoch(0, sequence, values)
    }

    fn send_in_epoch(&mut self, epoch: i16, sequence: i32, values: &[u64]) -> u64 {
        let producer = Some(ProducerIdentity { id: 7, epoch, sequence });
        let values = values.iter().map(|value| Value(*value)).collect();
        let send = Send { partition: A, producer, acks: -1, values, ..Send::default() };
        self.invoke(1, Call::Send(send))
    }

    /// A batch with keys.
    fn put_keyed(&mut self, offset: i64, values: &[u64], keys: &[u32], tombstones: &[u32]) {
        let send = Send {
            partition: A,
            acks: -1,
            values: values.iter().map(|value| Value(*value)).collect(),
            keys: keys.to_vec(),
            tombstones: tombstones.to_vec(),
            ..Send::default()
        };
        self.call(1, Call::Send(send), Answer::Sent { offset: Some(offset), attempts: 1 });
    }

    fn answer_poll(&mut self, operation: u64, partition: Partition, records: &[(i64, u64)]) {
        let records = records.iter().map(|(offset, value)| (*offset, Value(*value))).collect();
        let read = Read { partition, records, ..Read::default() };
        self.ok(operation, Answer::Polled(Polled { reads: vec![read], unprocessed: false }));
    }

    /// One reads.
    fn poll(&mut self, process: u32, partition: Partition, records: &[(i64, u64)]) {
        let operation = self.invoke(process, Call::Poll { group: None });
        self.answer_poll(operation, partition, records);
    }

    /// A group reads.
    fn process(&mut self, process: u32, records: &[(i64, u64)]) {
        let operation = self.invoke(process, Call::Poll { group: Some("g".into()) });
        self.answer_poll(operation, A, records);
    }

    fn seek(&mut self, process: u32, partition: Partition, offset: i64) {
        self.note(process, Note::Seek { partition, offset: Some(offset) });
    }

    /// One reads everything at the end.
    fn read_all(&mut self, partition: Partition, records: &[(i64, u64)]) {
        let since = self.history.events.len() as u64;
        let start = records.first().map_or(0, |record| record.0);
        let end = records.last().map_or(0, |record| record.0 + 1);
        self.seek(99, partition, start);
        self.poll(99, partition, records);
        self.note(99, Note::Complete { partition, start, end, since });
    }

    fn probe(&mut self, probed: Probed) {
        self.call(50, Call::Probe { partition: A }, Answer::Probed(probed));
    }

    fn create(&mut self, topic: &str, name: &str, value: &str) {
        let settings = [(name.to_owned(), value.to_owned())].into();
        let call = Call::CreateTopic { topic: topic.into(), settings };
        self.call(9, call, Answer::Done);
    }

    /// The names of what is wrong with it.
    fn kinds(&self) -> Vec<Kind> {
        check(&self.history).expect("it is a history").anomalies.kinds()
    }
}
