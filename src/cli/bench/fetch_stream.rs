//! Reads the answers to Fetch as they come, through a small buffer: only the headers of batches are looked at, and records
//! are passed over, so that reading costs the loader little beside the copy out of the kernel.

use ottla_core::{
    records::{BATCH_HEADER_BYTES, BatchHeader},
    wire::ApiKey,
};

use super::BenchError;
use crate::client::ServerError;

const KEY: ApiKey = ApiKey::Fetch;
/// How much of the input is put aside at once where a field is cut off.
const ASIDE_BYTES: usize = 256;

/// What an answer says, piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// An answer begins.
    Begin {
        /// Which request it answers.
        correlation_id: i32,
    },
    /// A whole batch.
    Batch {
        /// Of which partition.
        partition: i32,
        /// The offset behind it.
        next_offset: i64,
        /// How many records it has.
        records: u32,
        /// How many bytes.
        bytes: usize,
    },
    /// The answer is complete.
    End,
}

/// Where the reading stands.
#[derive(Debug, Clone, Copy)]
enum State {
    Length,
    Header,
    Topic,
    Partition,
    /// At a batch of the partition's records.
    Batch,
    /// Within a batch that is whole, of which so many bytes are left.
    Skip {
        bytes: usize,
    },
    PartitionEnd,
    TopicEnd,
    End,
}

/// The reading of one connection's answers.
#[derive(Debug)]
pub(super) struct FetchStream {
    version: i16,
    flexible: bool,
    state: State,
    /// The beginning of something whose end has not come.
    aside: Vec<u8>,
    topics_left: u32,
    partitions_left: u32,
    partition: i32,
    records_left: usize,
}

/// What is left of the input. `None` from its methods means that it ends too early.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }

    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn varint(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Some(value)
    }

    /// A length or a count, where null is as good as nothing.
    fn length(&mut self, flexible: bool) -> Option<u32> {
        if flexible {
            self.varint().map(|length| length.saturating_sub(1))
        } else {
            self.i32().map(|length| u32::try_from(length).unwrap_or(0))
        }
    }

    fn tagged_fields(&mut self, flexible: bool) -> Option<()> {
        if flexible {
            for _ in 0..self.varint()? {
                self.varint()?;
                let bytes = self.varint()?;
                self.skip(bytes as usize)?;
            }
        }
        Some(())
    }
}

impl FetchStream {
    pub(super) fn new(version: i16) -> Self {
        Self {
            version,
            flexible: KEY.version(version).flexible,
            state: State::Length,
            aside: Vec::new(),
            topics_left: 0,
            partitions_left: 0,
            partition: 0,
            records_left: 0,
        }
    }

    /// Takes what came in.
    pub(super) fn feed(
        &mut self,
        mut input: &[u8],
        on_event: &mut impl FnMut(Event),
    ) -> Result<(), BenchError> {
        loop {
            if let State::Skip { bytes } = self.state {
                let skipped = bytes.min(input.len());
                input = &input[skipped..];
                self.state = State::Skip { bytes: bytes - skipped };
                if skipped < bytes {
                    return Ok(());
                }
                self.state = State::Batch;
            }
            if self.aside.is_empty() {
                let mut rest = Input(input);
                if self.step(&mut rest, on_event)?.is_none() {
                    self.aside.extend_from_slice(input);
                    return Ok(());
                }
                input = rest.0;
                continue;
            }
            if input.is_empty() {
                return Ok(());
            }
            // A little more may do; what is not needed of it goes back.
            let more = &input[..input.len().min(ASIDE_BYTES)];
            let mut aside = std::mem::take(&mut self.aside);
            aside.extend_from_slice(more);
            let mut rest = Input(&aside);
            if self.step(&mut rest, on_event)?.is_none() {
                input = &input[more.len()..];
                self.aside = aside;
            } else {
                // What was put aside before was too little for one step, so nothing of it is left.
                input = &input[more.len() - rest.0.len()..];
                aside.clear();
                self.aside = aside;
            }
        }
    }

    /// Reads the next piece if it is there whole; otherwise changes nothing.
    fn step(
        &mut self,
        input: &mut Input<'_>,
        on_event: &mut impl FnMut(Event),
    ) -> Result<Option<()>, BenchError> {
        match self.state {
            State::Length => Ok(input.i32().map(|_| self.state = State::Header)),
            State::Header => self.header(input, on_event),
            State::Topic => Ok(self.topic(input)),
            State::Partition => self.partition(input),
            State::Batch => self.batch(input, on_event),
            // Passed over by the caller.
            State::Skip { .. } => Ok(Some(())),
            State::PartitionEnd => Ok(input.tagged_fields(self.flexible).map(|()| {
                self.partitions_left -= 1;
                self.state =
                    if self.partitions_left > 0 { State::Partition } else { State::TopicEnd };
            })),
            State::TopicEnd => Ok(input.tagged_fields(self.flexible).map(|()| {
                self.topics_left -= 1;
                self.state = if self.topics_left > 0 { State::Topic } else { State::End };
            })),
            State::End => Ok(input.tagged_fields(self.flexible).map(|()| {
                self.state = State::Length;
                on_event(Event::End);
            })),
        }
    }

    fn header(
        &mut self,
        input: &mut Input<'_>,
        on_event: &mut impl FnMut(Event),
    ) -> Result<Option<()>, BenchError> {
        let mut read = || {
            let correlation_id = input.i32()?;
            input.tagged_fields(self.flexible)?;
            let _throttle_time_ms = input.i32()?;
            let (mut error_code, mut _session_id) = (0, 0);
            if self.version >= 7 {
                (error_code, _session_id) = (input.i16()?, input.i32()?);
            }
            Some((correlation_id, error_code, input.length(self.flexible)?))
        };
        let Some((correlation_id, error_code, topics)) = read() else { return Ok(None) };
        check(error_code)?;
        self.topics_left = topics;
        self.state = if topics > 0 { State::Topic } else { State::End };
        on_event(Event::Begin { correlation_id });
        Ok(Some(()))
    }

    fn topic(&mut self, input: &mut Input<'_>) -> Option<()> {
        if self.version >= 13 {
            input.skip(16)?;
        } else {
            let length = if self.flexible {
                input.length(true)?
            } else {
                u32::try_from(input.i16()?).ok()?
            };
            input.skip(length as usize)?;
        }
        self.partitions_left = input.length(self.flexible)?;
        self.state = if self.partitions_left > 0 { State::Partition } else { State::TopicEnd };
        Some(())
    }

    fn partition(&mut self, input: &mut Input<'_>) -> Result<Option<()>, BenchError> {
        let mut read = || {
            let (partition, error_code) = (input.i32()?, input.i16()?);
            // High watermark, last stable offset, log start offset.
            input.skip(if self.version >= 5 { 24 } else { 16 })?;
            for _ in 0..input.length(self.flexible)? {
                input.skip(16)?;
                input.tagged_fields(self.flexible)?;
            }
            if self.version >= 11 {
                let _preferred_read_replica = input.i32()?;
            }
            Some((partition, error_code, input.length(self.flexible)? as usize))
        };
        let Some((partition, error_code, records)) = read() else { return Ok(None) };
        check(error_code)?;
        (self.partition, self.records_left) = (partition, records);
        self.state = State::Batch;
        Ok(Some(()))
    }

    fn batch(
        &mut self,
        input: &mut Input<'_>,
        on_event: &mut impl FnMut(Event),
    ) -> Result<Option<()>, BenchError> {
        if self.records_left == 0 {
            self.state = State::PartitionEnd;
            return Ok(Some(()));
        }
        if self.records_left < BATCH_HEADER_BYTES {
            // The last batch is cut off.
            self.state = State::Skip { bytes: std::mem::take(&mut self.records_left) };
            return Ok(Some(()));
        }
        let Some(head) = input.take::<BATCH_HEADER_BYTES>() else { return Ok(None) };
        let header = BatchHeader::parse(&head).map_err(BenchError::Batch)?;
        if header.size_bytes <= self.records_left {
            on_event(Event::Batch {
                partition: self.partition,
                next_offset: header.next_offset().0,
                records: u32::try_from(header.record_count).unwrap_or(0),
                bytes: header.size_bytes,
            });
        }
        let bytes = header.size_bytes.min(self.records_left);
        self.records_left -= bytes;
        self.state = State::Skip { bytes: bytes - BATCH_HEADER_BYTES };
        Ok(Some(()))
    }
}

fn check(error_code: i16) -> Result<(), BenchError> {
    ServerError::check(error_code, None).map_err(|error| BenchError::Refused { key: KEY, error })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ottla_core::{
        records::Compression,
        types::{ErrorCode, Timestamp, Uuid},
        wire::{
            RecordData, Wire, Writer, encode_response_header,
            messages::fetch::{
                AbortedTransaction, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
                PartitionData,
            },
        },
    };

    use super::*;
    use crate::cli::bench::frames::Batch;

    fn answer(version: i16, partitions: Vec<PartitionData>, error_code: i16) -> Vec<u8> {
        let response = FetchResponse {
            error_code,
            responses: vec![FetchableTopicResponse {
                topic: "a topic".into(),
                topic_id: Uuid::from_random(1),
                partitions,
            }],
            ..Default::default()
        };
        let mut bytes = Writer::new();
        bytes.put_i32(0);
        encode_response_header(&mut bytes, KEY, version, 77);
        response.encode(&mut bytes, KEY.version(version));
        bytes.freeze().to_vec()
    }

    fn partitions() -> Vec<PartitionData> {
        let batch = Batch::build(300, 40, Compression::None, Timestamp(5)).bytes;
        let mut records = batch.to_vec();
        records.extend_from_slice(&batch);
        records.extend_from_slice(&batch[..100]);
        let full = PartitionData {
            partition_index: 3,
            aborted_transactions: Some(vec![AbortedTransaction::default()]),
            records: Some(RecordData::Bytes(records.into())),
            current_leader: LeaderIdAndEpoch { leader_id: 1, leader_epoch: 2 },
            ..Default::default()
        };
        let cut = PartitionData {
            partition_index: 4,
            records: Some(RecordData::Bytes(batch.slice(..20))),
            ..Default::default()
        };
        let empty = PartitionData { partition_index: 5, records: None, ..Default::default() };
        let none =
            PartitionData { records: Some(RecordData::Bytes(Bytes::new())), ..empty.clone() };
        vec![full, cut, empty, none]
    }

    fn events(version: i16, input: &[u8], piece: usize) -> Result<Vec<Event>, BenchError> {
        let mut stream = FetchStream::new(version);
        let mut events = Vec::new();
        for piece in input.chunks(piece) {
            stream.feed(piece, &mut |event| events.push(event))?;
        }
        Ok(events)
    }

    #[test]
    fn every_version_in_pieces_of_every_size() {
        let batch = Batch::build(300, 40, Compression::None, Timestamp(5));
        let whole = Event::Batch {
            partition: 3,
            next_offset: i64::from(batch.record_count),
            records: batch.record_count,
            bytes: batch.bytes.len(),
        };
        let once = [Event::Begin { correlation_id: 77 }, whole, whole, Event::End];
        let twice = [once, once].concat();
        for version in KEY.versions() {
            let mut input = answer(version, partitions(), 0);
            input.extend(answer(version, partitions(), 0));
            for piece in [1, 2, 3, 7, 61, 100, 255, 256, 257, input.len()] {
                assert_eq!(events(version, &input, piece), Ok(twice.clone()), "v{version} {piece}");
            }
        }
    }

    #[test]
    fn an_answer_without_anything() {
        let nothing = [Event::Begin { correlation_id: 77 }, Event::End];
        for version in KEY.versions() {
            assert_eq!(events(version, &answer(version, vec![], 0), 5), Ok(nothing.to_vec()));
        }
    }

    #[test]
    fn an_error_ends_it() {
        let code = ErrorCode::OffsetOutOfRange.code();
        let partition = PartitionData { error_code: code, ..Default::default() };
        assert!(matches!(
            events(12, &answer(12, vec![partition], 0), 9),
            Err(BenchError::Refused { .. })
        ));
        assert!(matches!(
            events(12, &answer(12, vec![], code), 9),
            Err(BenchError::Refused { .. })
        ));
    }
}
