//! Files that cannot be read, and what no broker ever wrote.

use ottla_core::{disk::IoError, records::Compression};

use crate::support::{
    broker::{BEGINNING, Broker},
    client::{LATEST, batch, bytes_of, parse},
    disk::Kind,
};

const TOPIC: &str = "t";
const DIRECTORY: &str = "t-0";
const CORRUPT_MESSAGE: i16 = 2;
const STORAGE_ERROR: i16 = 56;

fn broker(seed: u64) -> Broker {
    let configs = [("internal.segment.bytes", "700"), ("index.interval.bytes", "0")];
    let mut broker = Broker::new(seed, &[]).with_topic(TOPIC, 1, &configs);
    broker.start();
    for _ in 0..20 {
        broker.produce(TOPIC, records());
    }
    broker
}

fn records() -> bytes::Bytes {
    batch(Compression::None, &[(BEGINNING.0, None, Some(b"some value"))])
}

/// What cannot be read is not what is not there: whichever read fails at a start, nothing is taken for empty, nothing is
/// removed, and all is there when the disk can be read again.
#[test]
fn a_read_that_fails_at_start() {
    for is_clean in [true, false] {
        for failing in 0..40 {
            let mut broker = broker(failing);
            // One record lies below the start of the log.
            let connection = broker.connect();
            let ticket = broker.begin_delete_records(connection, TOPIC, 1);
            broker.settle();
            assert_eq!(broker.records_deleted(ticket), Some((0, 1)));
            let before = broker.read_all(TOPIC).records;
            if is_clean {
                broker.stop();
            } else {
                broker.kill();
            }
            let names = |broker: &Broker| -> Vec<String> {
                let files = broker.disk.files_of(DIRECTORY).into_keys();
                files.filter(|name| name.ends_with(".log")).collect()
            };
            let files = names(&broker);
            let after = usize::try_from(failing).expect("it is small");
            broker.disk.fail(Kind::Read, after, IoError::Os(5));
            broker.begin_start();
            broker.settle();
            if broker.is_ready() {
                let offset = broker.list_offset(TOPIC, LATEST);
                let answer = (offset.error_code, offset.offset);
                assert!(matches!(answer, (0, 20) | (STORAGE_ERROR, -1)), "{failing}: {answer:?}");
            } else {
                assert!(broker.has_stopped(), "it says that it cannot start");
            }
            assert_eq!(names(&broker), files, "nothing is removed");
            broker.kill();
            broker.start();
            assert_eq!(broker.read_all(TOPIC).records, before, "read {failing}");
            assert_eq!(broker.produce(TOPIC, records()), 20);
        }
    }
}

/// The base offset of a batch is not under its checksum. Whatever it says, nobody gets wrong offsets, and nothing overflows.
#[test]
fn a_base_offset_that_cannot_be() {
    for base in [i64::MAX, i64::MAX - 1, i64::MIN, -1, 1 << 40, 19] {
        for is_clean in [true, false] {
            for at in 0..3 {
                let mut broker = broker(1);
                let before = broker.read_all(TOPIC).records;
                if is_clean {
                    broker.stop();
                } else {
                    broker.kill();
                }
                let mut files = broker.disk.files_of(DIRECTORY);
                files.retain(|name, size| name.ends_with(".log") && *size > 0);
                let names: Vec<String> = files.into_keys().collect();
                let name = &names[at * (names.len() - 1) / 2];
                broker.disk.damage(DIRECTORY, name, |bytes| {
                    // The second batch of the segment, if there is one.
                    let length = i32::from_be_bytes(*bytes[8..].first_chunk().expect("a batch"));
                    let second = 12 + usize::try_from(length).expect("a length");
                    let start = if second + 8 < bytes.len() { second } else { 0 };
                    bytes[start..start + 8].copy_from_slice(&base.to_be_bytes());
                });
                broker.start();
                let start = broker.list_offset(TOPIC, LATEST);
                assert_eq!(start.error_code, 0);
                for record in &before {
                    let fetched = broker.fetch(TOPIC, record.offset);
                    let is_lost = record.offset >= start.offset;
                    if fetched.error_code == 0 && !is_lost {
                        let bytes = bytes_of(fetched.records);
                        let batches = parse(&bytes);
                        for (_, seen) in batches {
                            for seen in seen {
                                assert!(before.contains(&seen), "{seen:?} of {name}, {base}");
                            }
                        }
                    } else {
                        assert!(
                            is_lost && matches!(fetched.error_code, 0 | 1)
                                || fetched.error_code == CORRUPT_MESSAGE,
                            "{}",
                            fetched.error_code
                        );
                    }
                }
                broker.produce(TOPIC, records());
                broker.kill();
                broker.start();
            }
        }
    }
}
