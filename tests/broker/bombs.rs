//! Batches of a few kilobytes whose records would be hundreds of megabytes.

use std::time::{Duration, Instant};

use ottla_core::{
    records::{BATCH_HEADER_BYTES, BatchHeader, Compression},
    wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
};

use crate::support::{Broker, Client, Folder, batch, frame, produce_request};

const CORRUPT_MESSAGE: i16 = 2;
const INVALID_RECORD: i16 = 87;
const CODECS: [Compression; 4] =
    [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// Much more than the broker takes from one batch.
const BOMB_BYTES: usize = 400 << 20;
const PIECE_BYTES: usize = 1 << 20;
/// What Snappy and LZ4 put before their blocks, and LZ4 behind them.
const SNAPPY_HEADER_BYTES: usize = 16;
const LZ4_HEADER_BYTES: usize = 7;
const LZ4_END_BYTES: usize = 4;

/// Compressed zeros, the same piece over and over.
fn bomb(codec: Compression) -> Vec<u8> {
    let piece = codec.compress(&vec![0; PIECE_BYTES]).into_owned();
    let count = BOMB_BYTES / PIECE_BYTES;
    match codec {
        Compression::None | Compression::Gzip | Compression::Zstd => piece.repeat(count),
        Compression::Snappy => {
            let (header, blocks) = piece.split_at(SNAPPY_HEADER_BYTES);
            [header, &blocks.repeat(count)].concat()
        }
        Compression::Lz4 => {
            let (header, rest) = piece.split_at(LZ4_HEADER_BYTES);
            let (blocks, end) = rest.split_at(rest.len() - LZ4_END_BYTES);
            [header, &blocks.repeat(count), end].concat()
        }
    }
}

/// A batch that claims to hold a million records.
fn batch_of(codec: Compression, body: &[u8]) -> Vec<u8> {
    let header = BatchHeader::parse(&batch(b"value")).unwrap();
    let mut attributes = header.attributes;
    attributes.0 |= codec.code();
    let header = BatchHeader {
        attributes,
        size_bytes: BATCH_HEADER_BYTES + body.len(),
        record_count: 1_000_000,
        last_offset_delta: 999_999,
        ..header
    };
    [&header.sealed(body).to_bytes()[..], body].concat()
}

fn offset_by_time(client: &mut Client, topic: &str, timestamp: i64) -> (i16, i64) {
    let partition = ListOffsetsPartition { partition_index: 0, timestamp, ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: topic.into(), partitions: vec![partition] }];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
    let found = client.call(7, request).topics.remove(0).partitions.remove(0);
    (found.error_code, found.offset)
}

/// Bombs end in an error, in the time and the memory that a batch may take, and hold up nobody.
#[test]
fn are_refused_or_left_alone() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = broker.client();
    let large = ("max.message.bytes", "40000000");
    assert_eq!(client.create("compacted", &[large, ("cleanup.policy", "compact")]).0, 0);
    assert_eq!(client.produce("compacted", batch(b"value")), (0, 0));
    for codec in CODECS {
        let name = codec.name();
        let batch_bytes = batch_of(codec, &bomb(codec));
        // Where records must have keys they are looked at.
        let mut other = broker.client();
        client.send(&frame(8, &produce_request("compacted", 0, batch_bytes.clone()).into()));
        let since = Instant::now();
        assert_eq!(offset_by_time(&mut other, "compacted", -1), (0, 1), "{name}");
        assert!(since.elapsed() < Duration::from_secs(1), "{name}: {:?}", since.elapsed());
        client.receive().unwrap();
        let (error, _) = client.produce("compacted", batch_bytes.clone());
        assert_eq!(error, INVALID_RECORD, "{name}");
        // Elsewhere they are as the producer made them, until somebody looks for a time.
        assert_eq!(client.create(name, &[large]).0, 0);
        assert_eq!(client.produce(name, batch_bytes), (0, 0));
        assert_eq!(offset_by_time(&mut client, name, 500).0, CORRUPT_MESSAGE, "{name}");
        assert_eq!(client.produce(name, batch(b"value")), (0, 1_000_000));
    }
    assert_eq!(client.produce("compacted", batch(b"value")), (0, 1));
    let peak = broker.memory_peak_bytes();
    assert!(peak < 900 << 20, "{} MiB", peak >> 20);
    broker.check_alive();
}
