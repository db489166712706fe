//! A consumer at the end of the log, which sees how long records take from producer to consumer.

use std::{collections::BTreeMap, time::Instant};

use super::{
    BenchError,
    fetch_connection::{FetchConnection, FetchKind, Fetched, Range},
    lanes::Lane,
    meter::Latencies,
    pace::Turns,
};

/// Through this much the answers are read.
const BUFFER_BYTES: usize = 64 << 10;

/// A partition that is followed.
#[derive(Debug, Clone, Copy)]
struct Followed {
    /// Which turn it has in the schedule.
    place: u64,
    /// Where the log ended before the first record of ours.
    start: i64,
    next: i64,
}

/// A consumer at the end of the log. The records after its start must be those of the schedule and no others.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) connections: Vec<FetchConnection>,
    followed: BTreeMap<i32, Followed>,
    turns: Turns,
    begins: Instant,
    buffer: Vec<u8>,
    /// All records that were seen.
    pub(super) seen: u64,
    pub(super) latencies: Latencies,
}

impl Tail {
    /// Connects. `ends` says where the partitions end now, in the order of their turns.
    pub(super) fn connect(
        lanes: Vec<Lane>,
        kind: &FetchKind,
        ends: &BTreeMap<i32, i64>,
        turns: Turns,
        begins: Instant,
    ) -> Result<Self, BenchError> {
        let mut connections = Vec::new();
        for Lane { address, workers } in lanes {
            let range = |partition: i32| Range {
                partition,
                start: ends.get(&partition).copied().unwrap_or(0),
                end: None,
            };
            let ranges = workers.into_iter().flatten().map(range).collect();
            connections.push(FetchConnection::connect(&address, kind, vec![ranges])?);
        }
        let followed = ends.iter().zip(0..).map(|((&partition, &start), place)| {
            (partition, Followed { place, start, next: start })
        });
        Ok(Self {
            connections,
            followed: followed.collect(),
            turns,
            begins,
            buffer: vec![0; BUFFER_BYTES],
            seen: 0,
            latencies: Latencies::new(),
        })
    }

    /// Begins to wait for records.
    pub(super) fn start(&mut self) -> Result<(), BenchError> {
        let now = Instant::now();
        self.connections.iter_mut().try_for_each(|connection| connection.start(now))
    }

    /// Reads what came to one connection.
    pub(super) fn read(&mut self, index: usize) -> Result<(), BenchError> {
        let Self { connections, followed, turns, begins, buffer, seen, latencies } = self;
        let mut now = None;
        connections[index].read(buffer, &mut |fetched| {
            let Fetched::Batch { partition, next_offset, .. } = fetched else { return };
            let Some(followed) = followed.get_mut(&partition) else { return };
            let now = *now.get_or_insert_with(Instant::now);
            for offset in followed.next..next_offset {
                let record = u64::try_from(offset - followed.start).unwrap_or(0);
                let intended = turns.intended(followed.place, record);
                if intended >= *begins {
                    latencies.add(now.saturating_duration_since(intended));
                }
                *seen += 1;
            }
            followed.next = followed.next.max(next_offset);
        })
    }
}
