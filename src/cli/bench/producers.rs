//! The connections that produce: as fast as they can, or at a fixed rate.

use std::{collections::VecDeque, time::Instant};

use super::{
    BenchError,
    lanes::Lane,
    meter::{Goal, Latencies, Meter},
    pace::Pace,
    produce_connection::{ProduceConnection, ProduceKind},
    socket::{Readiness, Socket},
};

/// How much is produced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Volume {
    pub(super) batch_bytes: u64,
    pub(super) batch_records: u64,
    /// None is as fast as it goes.
    pub(super) pace: Option<Pace>,
    pub(super) goal: Goal,
}

/// A connection, and the partitions that it produces to in turn.
#[derive(Debug)]
struct Producer {
    connection: ProduceConnection,
    partitions: Vec<i32>,
    next: usize,
    /// What is due and finds no room: to which partition, and since when.
    backlog: VecDeque<(i32, Instant)>,
}

/// The connections that produce.
#[derive(Debug)]
pub(super) struct Producers {
    producers: Vec<Producer>,
    /// For a fixed rate: the partitions in the order of their turns, with whose they are.
    turns: Vec<(i32, usize)>,
    volume: Volume,
    is_answered: bool,
    /// Requests that were due so far, at a fixed rate.
    due: u64,
    /// What counts towards the goal.
    pushed_bytes: u64,
    is_stopped: bool,
    /// All records that were acknowledged, those of the warm-up too.
    pub(super) acknowledged: u64,
    /// How late requests were sent.
    pub(super) delays: Latencies,
}

impl Producers {
    /// Connects.
    pub(super) fn connect(
        lanes: Vec<Lane>,
        kind: &ProduceKind,
        in_flight_max: usize,
        volume: Volume,
    ) -> Result<Self, BenchError> {
        let mut producers = Vec::new();
        let mut turns = Vec::new();
        for Lane { address, workers } in lanes {
            let partitions: Vec<i32> = workers.into_iter().flatten().collect();
            let connection = ProduceConnection::connect(&address, kind, in_flight_max)?;
            turns.extend(partitions.iter().map(|&partition| (partition, producers.len())));
            producers.push(Producer { connection, partitions, next: 0, backlog: VecDeque::new() });
        }
        turns.sort_unstable();
        Ok(Self {
            producers,
            turns,
            volume,
            is_answered: kind.is_answered,
            due: 0,
            pushed_bytes: 0,
            is_stopped: false,
            acknowledged: 0,
            delays: Latencies::new(),
        })
    }

    /// The sockets, and what each is waited for.
    pub(super) fn sockets(
        &self,
        begins: Instant,
        now: Instant,
    ) -> impl Iterator<Item = (&Socket, Readiness)> {
        // Without acknowledgements there is nothing else that would say when more can be sent.
        let unprompted =
            !self.is_answered && self.volume.pace.is_none() && !self.is_over(begins, now);
        self.producers.iter().map(move |Producer { connection, .. }| {
            let write = unprompted || !connection.outbox.is_written();
            (&connection.socket, Readiness { read: true, write })
        })
    }

    /// Whether all is sent that shall be.
    fn is_over(&self, begins: Instant, now: Instant) -> bool {
        self.is_stopped || self.volume.goal.is_reached(self.pushed_bytes, begins, now)
    }

    /// Whether all is sent that shall be, and settled.
    pub(super) fn is_done(&self, begins: Instant, now: Instant) -> bool {
        let settled = |producer: &Producer| {
            producer.backlog.is_empty() && producer.connection.outbox.is_idle()
        };
        self.is_over(begins, now) && self.producers.iter().all(settled)
    }

    /// Sends no more than what is under way.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
        self.producers.iter_mut().for_each(|producer| producer.backlog.clear());
    }

    /// When the next request is due, at a fixed rate.
    pub(super) fn next_due(&self, begins: Instant, now: Instant) -> Option<Instant> {
        let pace = self.volume.pace.filter(|_| !self.is_over(begins, now))?;
        Some(pace.intended(self.due))
    }

    /// Takes on what is due and finds room, and writes it.
    pub(super) fn send(&mut self, now: Instant, meter: &mut Meter) -> Result<(), BenchError> {
        let begins = meter.begins;
        if let Some(pace) = self.volume.pace {
            while !self.is_over(begins, now) && pace.intended(self.due) <= now {
                let turn = usize::try_from(self.due).unwrap_or(0) % self.turns.len();
                let (partition, producer) = self.turns[turn];
                let intended = pace.intended(self.due);
                self.producers[producer].backlog.push_back((partition, intended));
                self.due += 1;
                self.push(now, begins);
            }
        }
        for index in 0..self.producers.len() {
            while self.producers[index].connection.outbox.has_room() {
                if let Some((partition, intended)) = self.producers[index].backlog.pop_front() {
                    if intended >= begins {
                        self.delays.add(now.saturating_duration_since(intended));
                    }
                    self.producers[index].connection.outbox.push(partition, intended);
                } else if self.volume.pace.is_none() && !self.is_over(begins, now) {
                    let producer = &mut self.producers[index];
                    let partition = producer.partitions[producer.next];
                    producer.next = (producer.next + 1) % producer.partitions.len();
                    producer.connection.outbox.push(partition, now);
                    self.push(now, begins);
                } else {
                    break;
                }
            }
            let Volume { batch_bytes, batch_records, .. } = self.volume;
            self.producers[index].connection.write(&mut |since| {
                self.acknowledged += batch_records;
                meter.count(now, batch_bytes, batch_records);
                meter.request(since, now);
            })?;
        }
        Ok(())
    }

    fn push(&mut self, now: Instant, begins: Instant) {
        if now >= begins {
            self.pushed_bytes += self.volume.batch_bytes;
        }
    }

    /// Reads the answers that came to one connection.
    pub(super) fn read(&mut self, index: usize, meter: &mut Meter) -> Result<(), BenchError> {
        let Volume { batch_bytes, batch_records, .. } = self.volume;
        let mut now = None;
        self.producers[index].connection.read(&mut |since| {
            let now = *now.get_or_insert_with(Instant::now);
            self.acknowledged += batch_records;
            meter.count(now, batch_bytes, batch_records);
            meter.request(since, now);
        })
    }

    /// Waits until the brokers have taken all that was written and is not answered.
    pub(super) fn await_taken(&mut self) -> Result<(), BenchError> {
        self.producers.iter_mut().try_for_each(|producer| producer.connection.await_taken())
    }
}
