//! A connection that fetches, for one or more readers that each have a request under way.

use std::{collections::VecDeque, io::IoSlice, time::Instant};

use bytes::BytesMut;
use ottla_core::{
    types::Uuid,
    wire::{
        ApiKey,
        messages::fetch::{FetchPartition, FetchRequest, FetchTopic},
    },
};

use super::{
    BenchError,
    fetch_stream::{Event, FetchStream},
    frames::{TopicRef, encode_frame},
    socket::{Readiness, Socket},
};
use crate::client::Address;

/// A partition from its first offset to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) partition: i32,
    pub(super) start: i64,
    /// Where to begin again; none is never.
    pub(super) end: Option<i64>,
}

/// How a fetch is done.
#[derive(Debug, Clone)]
pub(super) struct FetchKind {
    pub(super) topic: TopicRef,
    pub(super) version: i16,
    pub(super) max_wait_ms: i32,
    pub(super) max_bytes: i32,
}

/// What a fetch brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetched {
    /// A batch.
    Batch {
        /// Of which partition.
        partition: i32,
        /// The offset behind it.
        next_offset: i64,
        /// How many records.
        records: u32,
        /// How many bytes.
        bytes: usize,
    },
    /// The fetch is complete; it was asked then.
    Done(Instant),
}

/// Who reads some partitions, one request after the other.
#[derive(Debug)]
struct Reader {
    ranges: Vec<Range>,
    request: FetchRequest,
    /// How far the partition is read of which the last batch was.
    progress: Option<(i32, i64)>,
}

/// A connection that fetches.
#[derive(Debug)]
pub(super) struct FetchConnection {
    pub(super) socket: Socket,
    version: i16,
    readers: Vec<Reader>,
    /// The requests under way, oldest first: whose, and when they were sent.
    waiting: VecDeque<(usize, Instant)>,
    /// The number of the oldest.
    correlation_id: i32,
    outbox: BytesMut,
    stream: FetchStream,
}

impl Reader {
    fn new(ranges: Vec<Range>, kind: &FetchKind) -> Self {
        let partitions = ranges.iter().map(|range| FetchPartition {
            partition: range.partition,
            fetch_offset: range.start,
            partition_max_bytes: kind.max_bytes,
            ..Default::default()
        });
        let topic = FetchTopic {
            topic: kind.topic.name.clone(),
            topic_id: kind.topic.id,
            partitions: partitions.collect(),
        };
        debug_assert!(kind.version < 13 || kind.topic.id != Uuid::ZERO);
        let request = FetchRequest {
            max_wait_ms: kind.max_wait_ms,
            min_bytes: 1,
            max_bytes: kind.max_bytes,
            topics: vec![topic],
            ..Default::default()
        };
        Self { ranges, request, progress: None }
    }

    /// Takes note of a batch. Several of one partition mostly come together, so only the last need be looked up.
    fn advance(&mut self, partition: i32, next_offset: i64) {
        if self.progress.is_some_and(|(known, _)| known != partition) {
            self.settle();
        }
        self.progress = Some((partition, next_offset));
    }

    /// Goes on behind the last batch, or at the beginning again.
    fn settle(&mut self) {
        let Some((partition, next_offset)) = self.progress.take() else { return };
        let Some(range) = self.ranges.iter().find(|range| range.partition == partition) else {
            return;
        };
        let is_at_end = range.end.is_some_and(|end| next_offset >= end);
        let next = if is_at_end { range.start } else { next_offset };
        let partitions = self.request.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        for known in partitions.filter(|known| known.partition == partition) {
            known.fetch_offset = next;
        }
    }

    /// A broker fills its answer from the front: another partition stands there next time.
    fn rotate(&mut self) {
        self.settle();
        for topic in &mut self.request.topics {
            let by = 1.min(topic.partitions.len());
            topic.partitions.rotate_left(by);
        }
    }
}

impl FetchConnection {
    /// Connects, with a reader for each list of ranges.
    pub(super) fn connect(
        address: &Address,
        kind: &FetchKind,
        readers: Vec<Vec<Range>>,
    ) -> Result<Self, BenchError> {
        let readers: Vec<_> = readers.into_iter().map(|ranges| Reader::new(ranges, kind)).collect();
        Ok(Self {
            socket: Socket::connect(address)?,
            version: kind.version,
            waiting: VecDeque::with_capacity(readers.len()),
            readers,
            correlation_id: 0,
            outbox: BytesMut::new(),
            stream: FetchStream::new(kind.version),
        })
    }

    pub(super) fn wanted(&self) -> Readiness {
        Readiness { read: true, write: !self.outbox.is_empty() }
    }

    /// Has every reader send its first request.
    pub(super) fn start(&mut self, now: Instant) -> Result<(), BenchError> {
        for reader in 0..self.readers.len() {
            self.ask(reader, now);
        }
        self.write()
    }

    fn ask(&mut self, reader: usize, now: Instant) {
        let age = i32::try_from(self.waiting.len()).unwrap_or(0);
        let correlation_id = self.correlation_id.wrapping_add(age);
        let request = &self.readers[reader].request;
        encode_frame(&mut self.outbox, ApiKey::Fetch, self.version, correlation_id, request);
        self.waiting.push_back((reader, now));
    }

    /// Writes as much as there is room for.
    pub(super) fn write(&mut self) -> Result<(), BenchError> {
        while !self.outbox.is_empty() {
            let Some(written) = self.socket.write(&[IoSlice::new(&self.outbox)])? else { break };
            drop(self.outbox.split_to(written));
        }
        Ok(())
    }

    /// Reads what is there, through a buffer that all connections share, and asks for more.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        on_fetched: &mut impl FnMut(Fetched),
    ) -> Result<(), BenchError> {
        while let Some(bytes) = self.socket.read(buffer)? {
            let mut stream = std::mem::replace(&mut self.stream, FetchStream::new(self.version));
            let mut outcome = Ok(());
            let fed = stream.feed(&buffer[..bytes], &mut |event| {
                if outcome.is_ok() {
                    outcome = self.take(event, on_fetched);
                }
            });
            self.stream = stream;
            fed.and(outcome)?;
            if bytes < buffer.len() {
                break;
            }
        }
        self.write()
    }

    fn take(
        &mut self,
        event: Event,
        on_fetched: &mut impl FnMut(Fetched),
    ) -> Result<(), BenchError> {
        let Some(&(reader, sent)) = self.waiting.front() else {
            return Err(BenchError::OutOfOrder);
        };
        match event {
            Event::Begin { correlation_id } if correlation_id != self.correlation_id => {
                return Err(BenchError::OutOfOrder);
            }
            Event::Begin { .. } => {}
            Event::Batch { partition, next_offset, records, bytes } => {
                self.readers[reader].advance(partition, next_offset);
                on_fetched(Fetched::Batch { partition, next_offset, records, bytes });
            }
            Event::End => {
                self.waiting.pop_front();
                self.correlation_id = self.correlation_id.wrapping_add(1);
                self.readers[reader].rotate();
                on_fetched(Fetched::Done(sent));
                self.ask(reader, Instant::now());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_goes_on_and_begins_again_at_the_end() {
        let kind = FetchKind {
            topic: TopicRef { name: "t".into(), id: Uuid::ZERO },
            version: 12,
            max_wait_ms: 100,
            max_bytes: 1000,
        };
        let ranges = vec![
            Range { partition: 0, start: 5, end: Some(20) },
            Range { partition: 1, start: 0, end: None },
        ];
        let mut reader = Reader::new(ranges, &kind);
        let offsets = |reader: &Reader| {
            let partitions = &reader.request.topics[0].partitions;
            partitions.iter().map(|p| (p.partition, p.fetch_offset)).collect::<Vec<_>>()
        };
        assert_eq!(offsets(&reader), [(0, 5), (1, 0)]);
        reader.advance(0, 10);
        reader.advance(1, 1_000_000);
        reader.rotate();
        assert_eq!(offsets(&reader), [(1, 1_000_000), (0, 10)]);
        reader.advance(0, 20);
        reader.settle();
        assert_eq!(offsets(&reader), [(1, 1_000_000), (0, 5)]);
    }
}
