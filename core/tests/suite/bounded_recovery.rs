//! How much recovery reads does not depend on how much was written.

use ottla_core::{notice::Notice, records::Compression};

use crate::support::{broker::Broker, client::batch};

const TOPIC: &str = "t";
/// Recovery is to read no more than this, and what was appended while a checkpoint was written.
const LIMIT: u64 = 5_000;
const BATCH_BYTES: u64 = 300;

fn broker() -> Broker {
    let limit = LIMIT.to_string();
    let configuration = [("ottla.flush.offset.checkpoint.bytes", limit.as_str())];
    let small = [("internal.segment.bytes", "2000")];
    let mut broker = Broker::new(1, &configuration).with_topic(TOPIC, 1, &small);
    broker.start();
    broker
}

fn produce(broker: &mut Broker, batches: usize) {
    for _ in 0..batches {
        let value = [7; 200];
        let record = (broker.now.timestamp.0, None, Some(&value[..]));
        broker.produce(TOPIC, batch(Compression::None, &[record]));
        broker.sleep_ms(1);
    }
}

/// How much is read by recovery after the broker is killed.
fn scanned_bytes(broker: &mut Broker) -> u64 {
    broker.notices.clear();
    broker.kill();
    broker.start();
    let recovered = broker.notices.iter().filter_map(|notice| match notice {
        Notice::LogRecovered { recovered, .. } => Some(recovered.scanned_bytes),
        _ => None,
    });
    recovered.sum()
}

#[test]
fn what_is_read_is_bounded_however_much_was_written() {
    let mut broker = broker();
    for batches in [10, 100, 400] {
        produce(&mut broker, batches);
        let scanned = scanned_bytes(&mut broker);
        assert!(
            scanned <= LIMIT + BATCH_BYTES,
            "{scanned} bytes were read after {batches} batches"
        );
    }
}

#[test]
fn what_recovery_reads_counts_as_well() {
    let mut broker = broker();
    // Less each time than what makes a checkpoint due.
    let scanned: Vec<u64> = (0..10)
        .map(|_| {
            produce(&mut broker, 5);
            scanned_bytes(&mut broker)
        })
        .collect();
    assert!(scanned.iter().all(|scanned| *scanned <= LIMIT + 5 * BATCH_BYTES), "{scanned:?}");
    assert!(scanned.iter().any(|scanned| *scanned > LIMIT / 2), "it was hardly tried: {scanned:?}");
}
