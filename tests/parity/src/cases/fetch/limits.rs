//! How much a Fetch may bring.

use ottla_core::wire::messages::fetch::FetchRequest;

use super::{Cases, batch_of, fetch_with, three_batches};
use crate::{
    case::A,
    requests::{fetch, fetch_from},
};

pub(super) fn cases(cases: &mut Cases) {
    of_partition(cases);
    of_request(cases);
    over_partitions(cases);
}

/// The first two of the three batches: 79 and 70 bytes.
const TWO_BATCHES: i32 = 149;

fn of_partition(cases: &mut Cases) {
    for version in [4, 12, 13] {
        for (what, bytes) in [
            ("0", 0),
            ("1", 1),
            ("negative", -1),
            ("one-batch-and-a-bit", 79 + 20),
            ("two-batches", TWO_BATCHES),
            ("less-than-two-batches", TWO_BATCHES - 1),
            ("greatest", i32::MAX),
        ] {
            cases.each(version..=version, &format!("partition-max-bytes-{what}"), move |c, v| {
                let topic = three_batches(c, "t")?;
                let request = fetch_with(v, &topic, |asked| asked.partition_max_bytes = bytes);
                c.outcome(A, v, request)?;
                Ok(())
            });
        }
    }
}

fn of_request(cases: &mut Cases) {
    for version in [4, 12, 13] {
        for (what, max_bytes) in
            [("0", 0), ("1", 1), ("negative", -1), ("two-batches", TWO_BATCHES)]
        {
            cases.each(version..=version, &format!("max-bytes-{what}"), move |c, v| {
                let topic = three_batches(c, "t")?;
                c.outcome(A, v, FetchRequest { max_bytes, ..fetch(v, &topic, 0) })?;
                Ok(())
            });
        }
    }
}

/// The first partition that has records gives at least a batch; the others only what fits.
fn over_partitions(cases: &mut Cases) {
    for (what, max_bytes) in [
        ("1", 1),
        ("first-batch", 171),
        ("first-batch-and-a-bit", 171 + 60),
        ("two-batches", 342),
        ("two-batches-and-a-bit", 342 + 170),
    ] {
        cases.case(&format!("max-bytes-{what}-of-three-partitions"), move |c| {
            let topic = c.topic("t", 4)?;
            for partition in 1..4 {
                c.produce_to(&topic, partition, batch_of(100))?;
            }
            let request = fetch_from(12, &topic, &[(0, 0), (1, 0), (2, 0), (3, 0)]);
            c.ask(12, FetchRequest { max_bytes, ..request })?;
            Ok(())
        });
    }
    cases.case("partition-max-bytes-1-of-two-partitions", |c| {
        let topic = c.topic("t", 2)?;
        for partition in 0..2 {
            c.produce_to(&topic, partition, batch_of(100))?;
        }
        let mut request = fetch_from(12, &topic, &[(0, 0), (1, 0)]);
        for partition in &mut request.topics[0].partitions {
            partition.partition_max_bytes = 1;
        }
        c.ask(12, request)?;
        Ok(())
    });
    cases.case("max-bytes-with-a-failing-partition", |c| {
        let topic = c.topic("t", 2)?;
        c.produce_to(&topic, 1, batch_of(100))?;
        let request = fetch_from(12, &topic, &[(0, 9), (1, 0)]);
        c.ask(12, FetchRequest { max_bytes: 1, ..request })?;
        Ok(())
    });
}
