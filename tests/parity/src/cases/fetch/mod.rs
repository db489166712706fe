//! Fetch.

mod limits;
mod sessions;
mod waiting;

use bytes::Bytes;
use ottla_core::{
    records::Compression,
    types::Uuid,
    wire::{
        ApiKey,
        messages::{
            delete_records::DeleteRecordsPartition,
            fetch::{FetchPartition, FetchRequest, ReplicaState},
        },
    },
};

use super::{Cases, delete_records};
use crate::{
    batch::{batch, compressed},
    case::{A, Case},
    client::Failure,
    mask::UNKNOWN_TOPIC_ID,
    requests::{fetch, fetch_from},
    setup::Topic,
};

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    unknown(cases);
    offsets(cases);
    epochs(cases);
    shapes(cases);
    kinds_of_reader(cases);
    limits::cases(cases);
    sessions::cases(cases);
    waiting::cases(cases);
}

/// A topic with three batches, at offsets 0, 2 and 3.
fn three_batches(c: &mut Case, label: &str) -> Result<Topic, Failure> {
    let topic = c.topic(label, 1)?;
    for values in [&["a", "b"][..], &["c"], &["d", "e"]] {
        c.produce(&topic, batch(values))?;
    }
    Ok(topic)
}

/// A Fetch of the first partition with that partition's part changed.
fn fetch_with(
    version: i16,
    topic: &Topic,
    change: impl FnOnce(&mut FetchPartition),
) -> FetchRequest {
    let mut request = fetch(version, topic, 0);
    change(&mut request.topics[0].partitions[0]);
    request
}

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::Fetch.versions(), "plain", |c, v| {
        let topic = three_batches(c, "t")?;
        c.ask(v, fetch(v, &topic, 0))?;
        c.note("at the end");
        c.ask(v, fetch(v, &topic, 5))?;
        Ok(())
    });
}

fn unknown(cases: &mut Cases) {
    cases.each(ApiKey::Fetch.versions(), "unknown-topic", |c, v| {
        let unknown = Topic::imagined(c.name("no-such"), UNKNOWN_TOPIC_ID);
        c.ask(v, fetch(v, &unknown, 0))?;
        Ok(())
    });
    for version in [4, 11, 12, 13, 18] {
        cases.each(version..=version, "unknown-partition", |c, v| {
            let topic = c.topic("t", 1)?;
            c.ask(v, fetch_from(v, &topic, &[(1, 0), (-1, 0), (0, 0)]))?;
            Ok(())
        });
    }
    cases.each(13..=18, "zero-topic-id", |c, v| {
        c.ask(v, fetch(v, &Topic::imagined(String::new(), Uuid::ZERO), 0))?;
        Ok(())
    });
    for (what, name) in [("empty-name", ""), ("bad-name", "a b")] {
        cases.case(what, move |c| {
            c.ask(12, fetch(12, &Topic::imagined(name.to_owned(), Uuid::ZERO), 0))?;
            Ok(())
        });
    }
    cases.each(13..=13, "known-and-unknown-topic", |c, v| {
        let topic = three_batches(c, "t")?;
        let mut request = fetch(v, &Topic::imagined(String::new(), UNKNOWN_TOPIC_ID), 0);
        request.topics.extend(fetch(v, &topic, 3).topics);
        c.ask(v, request)?;
        Ok(())
    });
}

fn offsets(cases: &mut Cases) {
    for version in [4, 11, 12, 13, 18] {
        cases.each(version..=version, "offset-beyond-end", |c, v| {
            let topic = three_batches(c, "t")?;
            c.ask(v, fetch(v, &topic, 6))?;
            Ok(())
        });
        cases.each(version..=version, "offset-negative", |c, v| {
            let topic = three_batches(c, "t")?;
            c.ask(v, fetch(v, &topic, -1))?;
            Ok(())
        });
        cases.each(version..=version, "offset-within-batch", |c, v| {
            let topic = three_batches(c, "t")?;
            c.ask(v, fetch(v, &topic, 4))?;
            Ok(())
        });
        cases.each(version..=version, "offset-deleted", |c, v| {
            let topic = three_batches(c, "t")?;
            let until = DeleteRecordsPartition { partition_index: 0, offset: 2 };
            c.quiet(2, delete_records::request(&topic, vec![until]))?;
            for offset in [1, 2] {
                c.ask(v, fetch(v, &topic, offset))?;
            }
            Ok(())
        });
    }
    cases.case("empty-partition", |c| {
        let topic = c.topic("t", 1)?;
        for offset in [0, 1] {
            c.ask(12, fetch(12, &topic, offset))?;
        }
        Ok(())
    });
    cases.case("zstd-needs-version-10", |c| {
        let topic = c.filled_topic("t", compressed(Compression::Zstd, &["a"]))?;
        for version in [9, 10] {
            c.ask(version, fetch(version, &topic, 0))?;
        }
        Ok(())
    });
}

fn epochs(cases: &mut Cases) {
    for version in [9, 11, 12, 13, 18] {
        for (what, epoch) in [("right", 0), ("unknown", 1), ("negative", -7)] {
            cases.each(version..=version, &format!("current-leader-epoch-{what}"), move |c, v| {
                let topic = three_batches(c, "t")?;
                c.ask(v, fetch_with(v, &topic, |asked| asked.current_leader_epoch = epoch))?;
                Ok(())
            });
        }
    }
    for version in [12, 13, 18] {
        for (what, epoch, offset) in [
            ("right", 0, 2),
            ("right-at-end", 0, 5),
            ("right-beyond-end", 0, 9),
            ("unknown", 3, 2),
            ("negative", -2, 2),
        ] {
            cases.each(version..=version, &format!("last-fetched-epoch-{what}"), move |c, v| {
                let topic = three_batches(c, "t")?;
                let request = fetch_with(v, &topic, |asked| {
                    asked.last_fetched_epoch = epoch;
                    asked.fetch_offset = offset;
                });
                c.ask(v, request)?;
                Ok(())
            });
        }
    }
}

fn shapes(cases: &mut Cases) {
    cases.each(12..=13, "no-topics", |c, v| {
        c.ask(v, FetchRequest { session_epoch: -1, ..Default::default() })?;
        Ok(())
    });
    cases.each(12..=13, "no-partitions", |c, v| {
        let topic = c.topic("t", 1)?;
        c.ask(v, fetch_from(v, &topic, &[]))?;
        Ok(())
    });
    cases.each(12..=13, "two-topics", |c, v| {
        let (t, u) = (three_batches(c, "t")?, c.filled_topic("u", batch(&["z"]))?);
        let mut request = fetch(v, &u, 0);
        request.topics.extend(fetch(v, &t, 2).topics);
        c.ask(v, request)?;
        Ok(())
    });
    cases.each(12..=13, "partitions-out-of-order", |c, v| {
        let topic = c.topic("t", 3)?;
        for partition in 0..3 {
            c.produce_to(&topic, partition, batch(&["a"]))?;
        }
        c.ask(v, fetch_from(v, &topic, &[(2, 0), (0, 0), (1, 0)]))?;
        Ok(())
    });
    cases.each(12..=13, "partition-twice", |c, v| {
        let topic = three_batches(c, "t")?;
        c.ask(v, fetch_from(v, &topic, &[(0, 0), (0, 3)]))?;
        Ok(())
    });
}

fn kinds_of_reader(cases: &mut Cases) {
    for version in [4, 7, 12, 13] {
        for level in [1, 2, -1] {
            cases.each(version..=version, &format!("isolation-level-{level}"), move |c, v| {
                let topic = three_batches(c, "t")?;
                let request = FetchRequest { isolation_level: level, ..fetch(v, &topic, 3) };
                c.outcome(A, v, request)?;
                Ok(())
            });
        }
    }
    for version in [11, 12, 14] {
        for (what, replica_id) in [("itself", 1), ("unknown", 2), ("debugging", -2)] {
            cases.each(version..=version, &format!("replica-{what}"), move |c, v| {
                let topic = three_batches(c, "t")?;
                c.outcome(A, v, FetchRequest { replica_id, ..fetch(v, &topic, 3) })?;
                Ok(())
            });
        }
    }
    cases.each(15..=18, "replica-unknown", |c, v| {
        let topic = three_batches(c, "t")?;
        let replica_state = ReplicaState { replica_id: 2, replica_epoch: 5 };
        c.outcome(A, v, FetchRequest { replica_state, ..fetch(v, &topic, 3) })?;
        Ok(())
    });
    cases.each(11..=13, "rack", |c, v| {
        let topic = three_batches(c, "t")?;
        c.ask(v, FetchRequest { rack_id: "somewhere".to_owned(), ..fetch(v, &topic, 3) })?;
        Ok(())
    });
    cases.each(12..=13, "cluster-id-wrong", |c, v| {
        let topic = three_batches(c, "t")?;
        let cluster_id = Some("another".to_owned());
        c.outcome(A, v, FetchRequest { cluster_id, ..fetch(v, &topic, 3) })?;
        Ok(())
    });
    cases.each(17..=18, "replica-directory-id", |c, v| {
        let topic = three_batches(c, "t")?;
        let request =
            fetch_with(v, &topic, |asked| asked.replica_directory_id = Uuid::from_bytes([7; 16]));
        c.ask(v, request)?;
        Ok(())
    });
}

/// Bytes that a batch of one record with a value of this length makes.
fn batch_of(value_bytes: usize) -> Bytes {
    batch(&[&"x".repeat(value_bytes)])
}
