//! What a client asks a broker, and how it reads the answers.

use std::collections::BTreeSet;

use bytes::Bytes;
use ottla_core::{
    machine::ConnectionId,
    records::{BATCH_HEADER_BYTES, BatchBuilder, BatchHeader, Compression, Records, batch},
    types::Timestamp,
    wire::{
        RecordData,
        messages::{
            delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic},
            fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData},
            list_offsets::{
                ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest,
                ListOffsetsTopic,
            },
            produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
        },
    },
};

use super::broker::{Broker, Ticket};

pub(crate) const PRODUCE: i16 = 9;
pub(crate) const FETCH: i16 = 12;
pub(crate) const LIST_OFFSETS: i16 = 7;
pub(crate) const DELETE_RECORDS: i16 = 2;

/// A record as a consumer gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) epoch: i32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

/// A partition as a consumer finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) start_offset: i64,
    pub(crate) high_watermark: i64,
    pub(crate) batches: Vec<BatchHeader>,
    pub(crate) records: Vec<Seen>,
}

/// A record's timestamp, key and value.
pub(crate) type Unsent<'a> = (i64, Option<&'a [u8]>, Option<&'a [u8]>);

/// A batch of these records.
pub(crate) fn batch(compression: Compression, records: &[Unsent<'_>]) -> Bytes {
    let mut builder = BatchBuilder::new(compression);
    for &(timestamp, key, value) in records {
        builder.push(Timestamp(timestamp), key, value, &[]);
    }
    builder.build()
}

pub(crate) fn produce_request(
    topic: &str,
    partition: i32,
    acks: i16,
    records: Bytes,
) -> ProduceRequest {
    let partition_data = vec![PartitionProduceData { index: partition, records: Some(records) }];
    let topic_data =
        vec![TopicProduceData { name: topic.into(), partition_data, ..Default::default() }];
    ProduceRequest { acks, timeout_ms: 30_000, topic_data, ..Default::default() }
}

pub(crate) fn fetch_request(topic: &str, partition: i32, offset: i64) -> FetchRequest {
    let partition = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let topics =
        vec![FetchTopic { topic: topic.into(), partitions: vec![partition], ..Default::default() }];
    FetchRequest { max_wait_ms: 0, topics, ..Default::default() }
}

impl Broker {
    /// Sends a batch for partition 0 of a topic.
    pub(crate) fn begin_produce(
        &mut self,
        connection: ConnectionId,
        topic: &str,
        records: Bytes,
    ) -> Ticket {
        self.send(connection, PRODUCE, produce_request(topic, 0, -1, records))
    }

    /// The error and the base offset that a batch was answered with.
    pub(crate) fn produced(&mut self, ticket: Ticket) -> Option<(i16, i64)> {
        let answer = self.answer::<ProduceRequest>(ticket, PRODUCE)?;
        let partition = &answer.responses[0].partition_responses[0];
        Some((partition.error_code, partition.base_offset))
    }

    /// Appends a batch, and returns its base offset.
    pub(crate) fn produce(&mut self, topic: &str, records: Bytes) -> i64 {
        let answer = self.call(PRODUCE, produce_request(topic, 0, -1, records));
        let partition = &answer.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, 0, "the batch is taken: {:?}", partition.error_message);
        partition.base_offset
    }

    pub(crate) fn fetch(&mut self, topic: &str, offset: i64) -> PartitionData {
        let mut answer = self.call(FETCH, fetch_request(topic, 0, offset));
        answer.responses.remove(0).partitions.remove(0)
    }

    pub(crate) fn list_offset(
        &mut self,
        topic: &str,
        timestamp: i64,
    ) -> ListOffsetsPartitionResponse {
        self.call(LIST_OFFSETS, list_request(topic, timestamp))
            .topics
            .remove(0)
            .partitions
            .remove(0)
    }

    /// The same, from a broker that answers at once.
    pub(crate) fn list_offset_now(
        &mut self,
        topic: &str,
        timestamp: i64,
    ) -> ListOffsetsPartitionResponse {
        let connection = self.connect();
        let ticket = self.send(connection, LIST_OFFSETS, list_request(topic, timestamp));
        let answer = self.answer::<ListOffsetsRequest>(ticket, LIST_OFFSETS);
        self.disconnect(connection);
        answer.expect("it is answered at once").topics.remove(0).partitions.remove(0)
    }

    pub(crate) fn begin_delete_records(
        &mut self,
        connection: ConnectionId,
        topic: &str,
        offset: i64,
    ) -> Ticket {
        self.send(connection, DELETE_RECORDS, delete_request(topic, offset))
    }

    /// The error and the new start that a deletion was answered with.
    pub(crate) fn records_deleted(&mut self, ticket: Ticket) -> Option<(i16, i64)> {
        let answer = self.answer::<DeleteRecordsRequest>(ticket, DELETE_RECORDS)?;
        let partition = &answer.topics[0].partitions[0];
        Some((partition.error_code, partition.low_watermark))
    }

    /// Reads partition 0 of a topic from beginning to end.
    pub(crate) fn read_all(&mut self, topic: &str) -> Content {
        let start = self.list_offset(topic, EARLIEST);
        assert_eq!(start.error_code, 0, "the partition is there");
        let mut content = Content {
            start_offset: start.offset,
            high_watermark: 0,
            batches: Vec::new(),
            records: Vec::new(),
        };
        let mut next = start.offset;
        loop {
            let fetched = self.fetch(topic, next);
            assert_eq!(fetched.error_code, 0, "offset {next} can be read");
            content.high_watermark = fetched.high_watermark;
            let records = bytes_of(fetched.records);
            if records.is_empty() {
                assert_eq!(next, fetched.high_watermark, "all that is shown can be read");
                break;
            }
            for (header, seen) in parse(&records) {
                assert!(header.last_offset().0 >= next, "a fetch goes on where the last ended");
                next = header.next_offset().0;
                assert!(content.batches.len() < 10_000, "reading goes in circles");
                content.batches.push(header);
                content.records.extend(seen);
            }
        }
        content.records.retain(|record| record.offset >= start.offset);
        let offsets: BTreeSet<_> = content.records.iter().map(|record| record.offset).collect();
        assert_eq!(offsets.len(), content.records.len(), "no offset is given twice");
        content
    }
}

fn list_request(topic: &str, timestamp: i64) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition { partition_index: 0, timestamp, ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: topic.into(), partitions: vec![partition] }];
    ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }
}

pub(crate) fn delete_request(topic: &str, offset: i64) -> DeleteRecordsRequest {
    let partition = DeleteRecordsPartition { partition_index: 0, offset };
    let topics = vec![DeleteRecordsTopic { name: topic.into(), partitions: vec![partition] }];
    DeleteRecordsRequest { topics, timeout_ms: 30_000 }
}

/// Kafka's numbers for offsets that are not looked for by time.
pub(crate) const EARLIEST: i64 = -2;
pub(crate) const LATEST: i64 = -1;
pub(crate) const MAX_TIMESTAMP: i64 = -3;

pub(crate) fn bytes_of(records: Option<RecordData>) -> Bytes {
    match records {
        Some(RecordData::Bytes(bytes)) => bytes,
        None => Bytes::new(),
        Some(RecordData::Range(_)) => unreachable!("an answer that was sent has bytes"),
    }
}

/// The whole batches that `bytes` begin with; the last may be cut off.
pub(crate) fn parse(bytes: &Bytes) -> Vec<(BatchHeader, Vec<Seen>)> {
    let mut batches = Vec::new();
    let mut rest = bytes.clone();
    while let Ok(header) = batch::verify(&rest) {
        let body = rest.slice(BATCH_HEADER_BYTES..header.size_bytes);
        let codec = header.attributes.compression().expect("the codec is known");
        let body = codec.decompress(&body);
        let body = body.unwrap_or_else(|error| panic!("{codec:?} in {header:?}: {error}"));
        let mut seen = Vec::new();
        for record in Records::new(&body) {
            let record = record.expect("the batch is intact");
            seen.push(Seen {
                offset: header.base_offset.0 + i64::from(record.offset_delta),
                timestamp: header.timestamp_of(record.timestamp_delta).0,
                epoch: header.leader_epoch.0,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
            });
        }
        batches.push((header, seen));
        rest = rest.slice(header.size_bytes..);
    }
    batches
}
