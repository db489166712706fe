//! The same inputs have the same effects, byte for byte.

use ottla_core::{
    machine::Effects,
    records::Compression,
    shard::{Input, Shard},
};

use crate::support::{
    broker::Broker,
    client::{batch, produce_request},
    group::join_request,
};

/// A life with many kinds of inputs.
fn record(seed: u64) -> Broker {
    let mut broker = Broker::new(seed, &[("group.initial.rebalance.delay.ms", "10")]).with_topic(
        "t",
        3,
        &[("internal.segment.bytes", "600"), ("cleanup.policy", "compact")],
    );
    broker.record = Some(Vec::new());
    broker.start();
    let connection = broker.connect();
    for round in 0..40_u8 {
        let key = [round % 7];
        let records = batch(Compression::Zstd, &[(1_700_000_000_000, Some(&key), Some(&[round]))]);
        let partition = i32::from(round % 3);
        broker.send(connection, 9, produce_request("t", partition, -1, records));
        broker.step();
    }
    let member = broker.connect();
    broker.send(member, 5, join_request("g", "", None));
    broker.sleep_ms(200_000);
    broker.read_all("t");
    broker.list_offset("t", 0);
    broker.handle(Input::Shutdown);
    broker.settle();
    broker
}

#[test]
fn the_same_inputs_have_the_same_effects() {
    for seed in 0..10 {
        let broker = record(seed);
        let (now, config, born) = broker.born.expect("it was born");
        let mut effects = Effects::new();
        let mut other = Shard::new(config, now, &mut effects);
        assert_eq!(format!("{:?}", effects.as_slice()), format!("{born:?}"));
        let inputs = broker.record.expect("all was recorded");
        assert!(inputs.len() > 300, "a life has many moments");
        for (now, input, expected) in inputs {
            effects.drain();
            let told = format!("{input:?}");
            other.handle(now, input, &mut effects);
            // Values and their text: maps whose order is left to chance would show in the one or the other.
            assert_eq!(effects.as_slice(), expected, "after {told}");
            assert_eq!(
                format!("{:?}", effects.as_slice()),
                format!("{expected:?}"),
                "after {told}"
            );
        }
    }
}

/// The driver is as pure as what it drives: a seed is a whole life.
#[test]
fn a_seed_is_a_life() {
    let (one, other) = (record(7), record(7));
    assert_eq!(format!("{:?}", one.record), format!("{:?}", other.record));
    assert_ne!(format!("{:?}", one.record), format!("{:?}", record(8).record));
}
