//! Writes down what clients ask and are told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ottla_core::types::Uuid;
use ottla_jepsen::history::{
    Answer, Call, Event, Header, History, Note, Partition, PartitionName, Value, What,
};

use super::Violation;
use crate::{
    node::NodeIndex,
    oracle,
    trace::{Kind, Trace},
    world::Environment,
};

/// The history of a run, while it is written. Clones share it.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    environment: Environment,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    history: History,
    operations: u64,
    processes: u32,
    partitions: BTreeMap<(String, Uuid, i32), Partition>,
    names: Vec<(String, Uuid, i32)>,
    /// How many there were of each kind, by how they ended.
    counts: BTreeMap<String, u64>,
    producer_ids: BTreeSet<i64>,
    /// What was read where records may be lost, by offset and epoch.
    of_epochs: BTreeMap<(Partition, i64, i32), Value>,
    violations: Vec<Violation>,
}

/// An operation that has begun.
#[derive(Debug, Clone, Copy)]
#[must_use = "an operation comes to an end, or is known not to"]
pub struct Begun {
    /// Its number.
    pub number: u64,
    process: u32,
    node: NodeIndex,
    name: &'static str,
}

/// The name under which an operation is counted.
pub const fn name(call: &Call) -> &'static str {
    match call {
        Call::Send(_) => "send",
        Call::Poll { .. } => "poll",
        Call::Probe { .. } => "probe",
        Call::Join { .. } => "join",
        Call::Sync { .. } => "sync",
        Call::Leave { .. } => "leave",
        Call::Commit(_) => "commit",
        Call::FetchOffset { .. } => "fetch-offset",
        Call::CreateTopic { .. } => "create-topic",
        Call::DeleteTopic { .. } => "delete-topic",
        Call::AlterTopic { .. } => "alter-topic",
        Call::DeleteRecords { .. } => "delete-records",
        Call::DeleteGroup { .. } => "delete-group",
        Call::DeleteOffset { .. } => "delete-offset",
        Call::Other(_) => "other",
    }
}

impl Recorder {
    /// An empty history.
    pub fn new(environment: Environment, header: Header) -> Self {
        let history = History { header, events: Vec::new() };
        let state = Mutex::new(State { history, ..State::default() });
        Self(Arc::new(Shared { environment, state }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trace(&self) -> &Trace {
        &self.0.environment.trace
    }

    fn push(&self, state: &mut State, process: u32, operation: u64, what: What) {
        let time = self.0.environment.timers.now();
        state.history.events.push(Event { time, process, operation, what });
    }

    /// A number for a process: each has its own.
    pub fn process(&self) -> u32 {
        let mut state = self.state();
        state.processes += 1;
        state.processes
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The number of the next event.
    pub fn now(&self) -> u64 {
        self.state().history.events.len() as u64
    }

    /// The partition's number in the history.
    pub fn partition(&self, topic: &str, id: Uuid, index: i32) -> Partition {
        let mut state = self.state();
        let key = (topic.to_owned(), id, index);
        if let Some(known) = state.partitions.get(&key) {
            return *known;
        }
        let number = u32::try_from(state.names.len()).unwrap_or(u32::MAX);
        state.partitions.insert(key.clone(), Partition(number));
        state.names.push(key);
        let name = PartitionName { topic: topic.to_owned(), id: id.to_string(), index };
        self.push(&mut state, 0, 0, What::Note(Note::Partition(name)));
        Partition(number)
    }

    /// What a partition is called.
    pub fn name_of(&self, partition: Partition) -> (String, Uuid, i32) {
        self.state().names[partition.0 as usize].clone()
    }

    /// An operation begins.
    pub fn invoke(&self, node: NodeIndex, process: u32, call: Call) -> Begun {
        let name = name(&call);
        let mut state = self.state();
        state.operations += 1;
        let number = state.operations;
        let figures = [number, u64::from(process), 0];
        self.trace().row(node, Kind::Invoke, figures, || format!("p{process} op{number} {call:?}"));
        self.push(&mut state, process, number, What::Invoke(call));
        Begun { number, process, node, name }
    }

    fn end(&self, begun: Begun, outcome: &'static str, what: What) {
        let Begun { number, process, node, name } = begun;
        let mut state = self.state();
        *state.counts.entry(format!("{name} {outcome}")).or_default() += 1;
        let figures = [number, u64::from(process), outcome.len() as u64];
        self.trace().row(node, Kind::Answer, figures, || format!("p{process} op{number} {what:?}"));
        self.push(&mut state, process, number, what);
    }

    /// It happened.
    pub fn ok(&self, begun: Begun, answer: Answer) {
        self.end(begun, "ok", What::Ok(answer));
    }

    /// It did not, and never will.
    pub fn fail(&self, begun: Begun, reason: impl Into<String>) {
        self.end(begun, "fail", What::Fail(reason.into()));
    }

    /// Nobody knows.
    pub fn info(&self, begun: Begun, reason: impl Into<String>) {
        self.end(begun, "info", What::Info(reason.into()));
    }

    /// Something that takes no time.
    pub fn note(&self, process: u32, note: Note) {
        self.push(&mut self.state(), process, 0, What::Note(note));
    }

    /// A producer was given an id, which must be nobody else's.
    pub fn producer_id(&self, id: i64) {
        if !self.state().producer_ids.insert(id) {
            let detail = format!("producer id {id} was given out twice");
            self.violation(oracle::IDS_ARE_UNIQUE, detail);
        }
    }

    /// A record was read where records may be lost: whatever comes in its place has another epoch.
    pub fn record_read(&self, partition: Partition, (offset, value): (i64, Value), epoch: i32) {
        let known = *self.state().of_epochs.entry((partition, offset, epoch)).or_insert(value);
        if known != value {
            let (name, _, index) = self.name_of(partition);
            let detail =
                format!("{name}-{index} at {offset} of epoch {epoch}: {known}, then {value}");
            self.violation(oracle::EPOCHS_TELL_APART, detail);
        }
    }

    /// What must not be, and what the history cannot tell.
    pub fn violation(&self, property: &str, detail: String) {
        let violation = Violation { property: property.to_owned(), detail, events: Vec::new() };
        let mut state = self.state();
        // One is enough, and they may come often.
        if state.violations.len() < 16 {
            state.violations.push(violation);
        }
    }

    /// Something happened that is to happen sometimes.
    pub fn count(&self, what: &str) {
        *self.state().counts.entry(what.to_owned()).or_default() += 1;
    }

    /// Everything that was written down.
    pub fn finish(&self) -> (History, BTreeMap<String, u64>, Vec<Violation>) {
        let mut state = self.state();
        (
            std::mem::take(&mut state.history),
            std::mem::take(&mut state.counts),
            std::mem::take(&mut state.violations),
        )
    }
}
