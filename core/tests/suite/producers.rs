//! Idempotent producers that repeat what was not answered, over crashes.

use std::collections::{BTreeMap, VecDeque};

use ottla_core::{
    machine::ConnectionId,
    records::{BatchBuilder, Compression, batch::BatchProducer},
    shard::{Input, Timer},
    types::{ProducerEpoch, ProducerId, Sequence},
};
use proptest::prelude::*;

use crate::support::{
    broker::{BEGINNING, Broker, Ticket},
    client::EARLIEST,
    dice::Dice,
};

const TOPIC: &str = "t";
/// As many as Kafka's clients have in flight.
const IN_FLIGHT_MAX: usize = 5;
const BATCHES: usize = 40;

#[derive(Debug, Clone, Copy)]
struct Batch {
    first_sequence: i32,
    count: i32,
}

/// A producer as Kafka's clients are: what is not answered is sent again, in order.
struct Producer {
    id: i64,
    connection: ConnectionId,
    unsent: VecDeque<Batch>,
    in_flight: VecDeque<(Batch, Option<Ticket>)>,
    /// The base offset of each batch, by its first sequence.
    acknowledged: BTreeMap<i32, i64>,
}

impl Producer {
    fn new(id: i64, connection: ConnectionId, dice: &mut Dice) -> Self {
        let mut next = i32::MAX - 60;
        let unsent = (0..BATCHES).map(|_| {
            let count = i32::try_from(1 + dice.below(4)).expect("a few");
            let batch = Batch { first_sequence: next, count };
            next = Sequence(next).plus(count).0;
            batch
        });
        let unsent = unsent.collect();
        let (in_flight, acknowledged) = (VecDeque::new(), BTreeMap::new());
        Self { id, connection, unsent, in_flight, acknowledged }
    }

    fn is_done(&self) -> bool {
        self.unsent.is_empty() && self.in_flight.is_empty()
    }

    fn send(&mut self, broker: &mut Broker) {
        for (batch, ticket) in &mut self.in_flight {
            if ticket.is_none() {
                let bytes = bytes(self.id, *batch);
                *ticket = Some(broker.begin_produce(self.connection, TOPIC, bytes));
            }
        }
        if self.in_flight.len() < IN_FLIGHT_MAX
            && let Some(batch) = self.unsent.pop_front()
        {
            let bytes = bytes(self.id, batch);
            let ticket = broker.begin_produce(self.connection, TOPIC, bytes);
            self.in_flight.push_back((batch, Some(ticket)));
        }
    }

    fn take_answers(&mut self, broker: &mut Broker) {
        while let Some((batch, Some(ticket))) = self.in_flight.front().copied() {
            let Some((error, base)) = broker.produced(ticket) else { return };
            assert_eq!(error, 0, "what is repeated in order is taken, or known: {batch:?}");
            self.acknowledged.insert(batch.first_sequence, base);
            self.in_flight.pop_front();
        }
    }

    fn connection_lost(&mut self, broker: &mut Broker) {
        self.connection = broker.connect();
        for (_, ticket) in &mut self.in_flight {
            *ticket = None;
        }
    }
}

fn bytes(id: i64, batch: Batch) -> bytes::Bytes {
    let mut builder = BatchBuilder::new(Compression::None).with_producer(BatchProducer {
        id: ProducerId(id),
        epoch: ProducerEpoch(0),
        base_sequence: Sequence(batch.first_sequence),
    });
    for delta in 0..batch.count {
        let value = format!("{id} {}", Sequence(batch.first_sequence).plus(delta));
        builder.push(BEGINNING, None, Some(value.as_bytes()), &[]);
    }
    builder.build()
}

fn run(seed: u64, crash_percent: usize, segment_bytes: u32) {
    let configuration = [("log.flush.offset.checkpoint.interval.ms", "5000")];
    let mut broker = Broker::new(seed, &configuration).with_topic(
        TOPIC,
        1,
        &[("internal.segment.bytes", &segment_bytes.to_string())],
    );
    broker.start();
    let mut dice = Dice::new(seed);
    let mut producers: Vec<_> = (7..10)
        .map(|id| {
            let connection = broker.connect();
            Producer::new(id, connection, &mut dice)
        })
        .collect();
    while !producers.iter().all(Producer::is_done) {
        let index = dice.below(producers.len());
        producers[index].send(&mut broker);
        for _ in 0..dice.below(12) {
            broker.step();
        }
        if dice.percent(10) {
            broker.fire_next_timer();
        }
        for producer in &mut producers {
            producer.take_answers(&mut broker);
        }
        if dice.percent(crash_percent) {
            match dice.below(3) {
                0 => broker.kill(),
                1 => broker.lose_power(),
                _ => {
                    broker.settle();
                    for producer in &mut producers {
                        producer.take_answers(&mut broker);
                    }
                    broker.stop();
                }
            }
            broker.start();
            for producer in &mut producers {
                producer.connection_lost(&mut broker);
            }
        }
    }
    check(&mut broker, &producers);
}

/// Each record is there once, in order, where it was acknowledged.
fn check(broker: &mut Broker, producers: &[Producer]) {
    let content = broker.read_all(TOPIC);
    for producer in producers {
        let own: Vec<(i64, i32)> = content
            .records
            .iter()
            .filter_map(|record| {
                let value = record.value.as_deref().expect("records have values");
                let text = std::str::from_utf8(value).expect("it is text");
                let (id, sequence) = text.split_once(' ').expect("it has two parts");
                (id == producer.id.to_string())
                    .then(|| (record.offset, sequence.parse().expect("it is a number")))
            })
            .collect();
        let mut expected = i32::MAX - 60;
        for (_, sequence) in &own {
            assert_eq!(*sequence, expected, "each once, in order");
            expected = Sequence(expected).plus(1).0;
        }
        for (sequence, base) in &producer.acknowledged {
            assert!(own.contains(&(*base, *sequence)), "{sequence} is at {base}");
        }
        assert_eq!(producer.acknowledged.len(), BATCHES, "all were acknowledged");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        max_shrink_time: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn each_record_is_there_once(
        seed in any::<u64>(),
        crash_percent in 0..15_usize,
        segment_bytes in prop_oneof![Just(600_u32), Just(1 << 20)],
    ) {
        run(seed, crash_percent, segment_bytes);
    }
}

/// A batch that was not written when the recovery point moved is not in the snapshot: were the power to fail, it would be lost,
/// and its repetition taken for one of a batch that is there.
#[test]
fn a_snapshot_knows_no_batch_that_is_not_written() {
    for seed in 0..20 {
        let mut broker = Broker::new(seed, &[]).with_topic(TOPIC, 1, &[]);
        broker.start();
        let connection = broker.connect();
        let first = Batch { first_sequence: 0, count: 1 };
        let second = Batch { first_sequence: 1, count: 1 };
        let ticket = broker.begin_produce(connection, TOPIC, bytes(7, first));
        broker.settle();
        assert_eq!(broker.produced(ticket), Some((0, 0)));
        broker.begin_produce(connection, TOPIC, bytes(7, second));
        while let Some((_, timer)) = broker.shard().poll_timeout() {
            broker.fire_next_timer();
            if timer == Timer::Checkpoint {
                break;
            }
        }
        // The second batch's write is the oldest; all but that ends.
        broker.disk.apply_all();
        while broker.disk.pending().1 > 1 {
            let (io, result) = broker.disk.complete(1);
            broker.handle(Input::Disk { io, result });
            broker.disk.apply_all();
        }
        broker.lose_power();
        broker.start();
        let connection = broker.connect();
        let ticket = broker.begin_produce(connection, TOPIC, bytes(7, second));
        broker.settle();
        assert_eq!(broker.produced(ticket), Some((0, 1)), "seed {seed}");
        assert_eq!(broker.read_all(TOPIC).records.len(), 2);
    }
}

/// What is known of a producer outlives its batches: they are removed only once a snapshot holds it.
#[test]
fn retention_takes_no_producer_with_it() {
    for after_ms in [0, 10_000, 20_000, 61_000] {
        let configuration = [
            ("log.flush.offset.checkpoint.interval.ms", "60000"),
            ("log.retention.check.interval.ms", "5000"),
        ];
        let brief = [("internal.segment.bytes", "80"), ("retention.ms", "1000")];
        let mut broker = Broker::new(1, &configuration).with_topic(TOPIC, 1, &brief);
        broker.start();
        let send = |broker: &mut Broker, sequence| {
            let connection = broker.connect();
            let batch = bytes(7, Batch { first_sequence: sequence, count: 1 });
            let ticket = broker.begin_produce(connection, TOPIC, batch);
            broker.settle();
            assert_eq!(broker.produced(ticket), Some((0, i64::from(sequence))), "after {after_ms}");
        };
        send(&mut broker, 0);
        broker.sleep_ms(90_000);
        assert_eq!(broker.list_offset(TOPIC, EARLIEST).offset, 1, "what is old is removed");
        send(&mut broker, 1);
        broker.sleep_ms(after_ms);
        broker.kill();
        broker.start();
        send(&mut broker, 2);
    }
}
