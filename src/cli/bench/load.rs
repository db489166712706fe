//! The loops that keep a broker busy. One thread serves all connections: it sends what is due, waits until a socket is
//! ready, and reads what came.

use std::time::{Duration, Instant};

use super::{
    BenchError,
    control::Control,
    fetch_connection::{FetchConnection, Fetched},
    meter::{Goal, Meter},
    producers::Producers,
    socket::{Readiness, wait},
    tail::Tail,
};

/// The longest time to wait without a look at anything else.
const WAIT_MAX: Duration = Duration::from_millis(100);
/// A thread that sleeps wakes a little late. This much before a request is due it no longer sleeps, or its lateness would
/// be taken for the broker's.
const AWAKE: Duration = Duration::from_micros(60);
/// How long acknowledged records may take to the consumer at the end.
const TAIL_MAX: Duration = Duration::from_secs(10);
/// Through this much the answers to all fetches are read, so that it stays in the cache.
const BUFFER_BYTES: usize = 128 << 10;

/// Produces until the goal is reached and all is settled, and with a tail until that has seen all.
pub(super) fn produce(
    producers: &mut Producers,
    mut tail: Option<&mut Tail>,
    meter: &mut Meter,
    control: &mut Control,
) -> Result<(), BenchError> {
    let mut ready: Vec<Readiness> = Vec::new();
    let mut tail_ends = None;
    let followers = |tail: &Option<&mut Tail>| tail.as_ref().map_or(0, |t| t.connections.len());
    loop {
        let now = Instant::now();
        meter.tick(now)?;
        control.tick(now, meter.begins, meter.bytes)?;
        if control.is_stopped() {
            producers.stop();
        }
        producers.send(now, meter)?;
        if producers.is_done(meter.begins, now) {
            let unseen = tail.as_ref().map_or(0, |t| producers.acknowledged.saturating_sub(t.seen));
            if unseen == 0 {
                return Ok(());
            }
            if now > *tail_ends.get_or_insert(now + TAIL_MAX) {
                return Err(BenchError::Unseen(unseen));
            }
        }
        let limit = producers.next_due(meter.begins, now).map_or(WAIT_MAX, |due| {
            due.saturating_duration_since(Instant::now()).saturating_sub(AWAKE).min(WAIT_MAX)
        });
        let sockets = producers.sockets(meter.begins, now);
        let tail_sockets = tail.iter().flat_map(|t| &t.connections);
        let tail_sockets = tail_sockets.map(|c| (&c.socket, c.wanted()));
        wait(sockets.chain(tail_sockets), limit, &mut ready)?;
        let (ready_producers, ready_followers) = ready.split_at(ready.len() - followers(&tail));
        if ready.iter().any(|ready| ready.read || ready.write) {
            control.moved(now);
        }
        // First the consumer: a record may be there before its acknowledgement, and later readers wait longer.
        if let Some(tail) = tail.as_deref_mut() {
            for (index, _) in ready_followers.iter().enumerate().filter(|(_, ready)| ready.read) {
                tail.read(index)?;
            }
        }
        for (index, _) in ready_producers.iter().enumerate().filter(|(_, ready)| ready.read) {
            producers.read(index, meter)?;
        }
    }
}

/// Fetches until the goal is reached.
pub(super) fn fetch(
    connections: &mut [FetchConnection],
    goal: Goal,
    meter: &mut Meter,
    control: &mut Control,
) -> Result<(), BenchError> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut ready: Vec<Readiness> = Vec::new();
    let now = Instant::now();
    connections.iter_mut().try_for_each(|connection| connection.start(now))?;
    loop {
        let now = Instant::now();
        meter.tick(now)?;
        control.tick(now, meter.begins, meter.bytes)?;
        if control.is_stopped() || goal.is_reached(meter.bytes, meter.begins, now) {
            return Ok(());
        }
        let sockets = connections.iter().map(|c| (&c.socket, c.wanted()));
        wait(sockets, WAIT_MAX, &mut ready)?;
        for (connection, ready) in connections.iter_mut().zip(&ready) {
            if ready.write {
                connection.write()?;
            }
            if ready.read {
                let now = Instant::now();
                connection.read(&mut buffer, &mut |fetched| match fetched {
                    Fetched::Batch { records, bytes, .. } => {
                        control.moved(now);
                        meter.count(now, bytes as u64, records.into());
                    }
                    Fetched::Done(since) => meter.request(since, now),
                })?;
            }
        }
    }
}
