//! Requests that are built once and only patched: the number of the request and of the partition are all that changes.

use std::{mem, sync::Arc};

use bytes::{Bytes, BytesMut};
use ottla_core::{
    records::{BatchBuilder, Compression},
    types::{Timestamp, Uuid},
    wire::{
        ApiKey, Reader, RequestHeader, Wire, Writer,
        codec::unsigned_varint_size,
        decode_response_header, encode_response_header,
        messages::produce::{
            PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
            TopicProduceData, TopicProduceResponse,
        },
    },
};

use super::BenchError;
use crate::client::ServerError;

/// What the loader calls itself.
pub(super) const CLIENT_ID: &str = "ottla-bench";
const LENGTH_BYTES: usize = 4;
/// Behind the length, the API key and the version.
const CORRELATION_ID_AT: usize = 8;
/// Until this size a frame is copied whole for each request under way, so that frames lie side by side and go out as one
/// piece; beyond it the batch is shared, so that it stays in the cache.
const WHOLE_FRAME_BYTES_MAX: usize = 8 << 10;

/// The topic as requests name it.
#[derive(Debug, Clone)]
pub(super) struct TopicRef {
    pub(super) name: String,
    pub(super) id: Uuid,
}

/// Leads a request with its length and header.
pub(super) fn encode_frame(
    buffer: &mut BytesMut,
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    body: &impl Wire,
) {
    let start = buffer.len();
    let mut writer = Writer::with_buffer(mem::take(buffer));
    writer.put_i32(0);
    let client_id = Some(CLIENT_ID.to_owned());
    RequestHeader { key, version, correlation_id, client_id }.encode(&mut writer);
    body.encode(&mut writer, key.version(version));
    *buffer = writer.into_buffer();
    let length = i32::try_from(buffer.len() - start - LENGTH_BYTES).expect("below 2 GiB");
    buffer[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
}

/// A batch to send over and over.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) bytes: Bytes,
    pub(super) record_count: u32,
}

impl Batch {
    /// As many records with values of `record_bytes` as fit `batch_bytes`, but one at least.
    pub(super) fn build(
        batch_bytes: usize,
        record_bytes: usize,
        compression: Compression,
        timestamp: Timestamp,
    ) -> Self {
        let mut noise = 0x9e37_79b9_u32;
        let mut builder = BatchBuilder::new(compression);
        let mut record_count = 0;
        loop {
            // Letters that do not repeat, so that compression has something to do.
            let value: Vec<u8> = (0..record_bytes)
                .map(|_| {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    b'a' + noise.to_be_bytes()[0] % 26
                })
                .collect();
            builder.push(timestamp, None, Some(&value), &[]);
            record_count += 1;
            let bytes_each = builder.size_bytes() / record_count as usize;
            if builder.size_bytes() + bytes_each > batch_bytes {
                return Self { bytes: builder.build(), record_count };
            }
        }
    }
}

/// A Produce of one batch to one partition.
#[derive(Debug, Clone)]
pub(super) struct ProduceFrame {
    /// What each request has for itself: the beginning of the frame, or the whole.
    pub(super) own: Vec<u8>,
    /// What all requests share: the rest of the frame.
    pub(super) shared: Arc<[u8]>,
    partition_at: usize,
}

impl ProduceFrame {
    pub(super) fn new(topic: &TopicRef, version: i16, acks: i16, batch: &Bytes) -> Self {
        let request = ProduceRequest {
            transactional_id: None,
            acks,
            timeout_ms: 30_000,
            topic_data: vec![TopicProduceData {
                name: topic.name.clone(),
                topic_id: topic.id,
                partition_data: vec![PartitionProduceData {
                    index: 0,
                    records: Some(batch.clone()),
                }],
            }],
        };
        let mut frame = BytesMut::new();
        encode_frame(&mut frame, ApiKey::Produce, version, 0, &request);
        // Behind the batch stand the tagged fields of the partition, the topic and the request, if anything.
        let flexible = ApiKey::Produce.version(version).flexible;
        let batch_at = frame.len() - batch.len() - if flexible { 3 } else { 0 };
        assert!(frame[batch_at..].starts_with(batch), "the batch is where it is looked for");
        let length = u32::try_from(batch.len() + 1).expect("a batch is below 2 GiB");
        let length_bytes = if flexible { unsigned_varint_size(length) } else { 4 };
        let partition_at = batch_at - length_bytes - 4;
        let own_bytes = if frame.len() <= WHOLE_FRAME_BYTES_MAX { frame.len() } else { batch_at };
        Self { own: frame[..own_bytes].to_vec(), shared: frame[own_bytes..].into(), partition_at }
    }

    /// Makes `own`, a copy of this frame's own part, the request with this number to this partition.
    pub(super) fn patch(&self, own: &mut [u8], correlation_id: i32, partition: i32) {
        own[CORRELATION_ID_AT..][..4].copy_from_slice(&correlation_id.to_be_bytes());
        own[self.partition_at..][..4].copy_from_slice(&partition.to_be_bytes());
    }
}

/// What a good answer to a Produce looks like.
#[derive(Debug, Clone)]
pub(super) struct ProduceAnswer {
    version: i16,
    length: usize,
    error_at: usize,
}

impl ProduceAnswer {
    pub(super) fn new(topic: &TopicRef, version: i16) -> Self {
        let answer = |error_code| {
            let partition = PartitionProduceResponse { error_code, ..Default::default() };
            let response = ProduceResponse {
                responses: vec![TopicProduceResponse {
                    name: topic.name.clone(),
                    topic_id: topic.id,
                    partition_responses: vec![partition],
                }],
                ..Default::default()
            };
            let mut bytes = Writer::new();
            encode_response_header(&mut bytes, ApiKey::Produce, version, 0);
            response.encode(&mut bytes, ApiKey::Produce.version(version));
            bytes.freeze()
        };
        let (good, bad) = (answer(0), answer(i16::from_be_bytes([1, 1])));
        let error_at = good.iter().zip(&bad).position(|(good, bad)| good != bad);
        let error_at = error_at.expect("the error code makes a difference");
        Self { version, length: good.len(), error_at }
    }

    /// Whether the batch was accepted. Reads no more than it must of the usual answer.
    pub(super) fn check(&self, answer: &[u8]) -> Result<(), BenchError> {
        if answer.len() == self.length && answer[self.error_at..].starts_with(&[0, 0]) {
            return Ok(());
        }
        let key = ApiKey::Produce;
        let malformed = |error| BenchError::Malformed { key, error };
        let mut reader = Reader::new(Bytes::copy_from_slice(answer));
        decode_response_header(&mut reader, key, self.version).map_err(malformed)?;
        let response =
            ProduceResponse::decode(&mut reader, key.version(self.version)).map_err(malformed)?;
        for partition in response.responses.iter().flat_map(|topic| &topic.partition_responses) {
            ServerError::check(partition.error_code, partition.error_message.as_deref())
                .map_err(|error| BenchError::Refused { key, error })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ottla_core::{records::batch::verify, types::ErrorCode, wire::Request};

    use super::*;

    fn topic() -> TopicRef {
        TopicRef { name: "topic".into(), id: Uuid::from_random(1) }
    }

    #[test]
    fn a_batch_is_as_full_as_it_may_be() {
        let batch = Batch::build(65_536, 1024, Compression::None, Timestamp(5));
        let header = verify(&batch.bytes).expect("the batch is valid");
        assert_eq!(header.record_count.cast_unsigned(), batch.record_count);
        assert!((64_000..=65_536).contains(&batch.bytes.len()), "{}", batch.bytes.len());
        assert_eq!(Batch::build(10, 100, Compression::None, Timestamp(5)).record_count, 1);
    }

    #[test]
    fn a_patched_frame_is_the_request_in_every_version() {
        for batch_bytes in [100, 100_000] {
            let batch = Batch::build(batch_bytes, 50, Compression::None, Timestamp(5));
            for version in ApiKey::Produce.versions() {
                let frame = ProduceFrame::new(&topic(), version, -1, &batch.bytes);
                let mut own = frame.own.clone();
                frame.patch(&mut own, 0x0102_0304, 7);
                own.extend_from_slice(&frame.shared);
                let mut reader = Reader::new(own.into());
                let length = i32::decode(&mut reader, ApiKey::Produce.version(0));
                assert_eq!(length, i32::try_from(reader.remaining()).map_err(|_| unreachable!()));
                let header = RequestHeader::decode(&mut reader).expect("the header is well formed");
                assert_eq!((header.version, header.correlation_id), (version, 0x0102_0304));
                let request = Request::decode(ApiKey::Produce, version, reader);
                let Ok(Request::Produce(request)) = request else { panic!("v{version}") };
                let data = &request.topic_data[0].partition_data[0];
                assert_eq!((data.index, data.records.as_ref()), (7, Some(&batch.bytes)));
            }
        }
    }

    #[test]
    fn an_answer_is_good_or_says_why_not() {
        for version in ApiKey::Produce.versions() {
            let expected = ProduceAnswer::new(&topic(), version);
            for (code, message) in
                [(ErrorCode::None, None), (ErrorCode::MessageTooLarge, Some("m"))]
            {
                let partition = PartitionProduceResponse {
                    index: 3,
                    error_code: code.code(),
                    base_offset: 12,
                    error_message: message.map(str::to_owned),
                    ..Default::default()
                };
                let response = ProduceResponse {
                    responses: vec![TopicProduceResponse {
                        name: topic().name,
                        topic_id: topic().id,
                        partition_responses: vec![partition],
                    }],
                    ..Default::default()
                };
                let mut answer = Writer::new();
                encode_response_header(&mut answer, ApiKey::Produce, version, 9);
                response.encode(&mut answer, ApiKey::Produce.version(version));
                let outcome = expected.check(answer.as_slice());
                assert_eq!(outcome.is_ok(), code == ErrorCode::None, "v{version}: {outcome:?}");
            }
            assert!(expected.check(&[0; 5]).is_err());
        }
    }
}
