//! ListOffsets.

use ottla_core::{
    records::Compression,
    types::Uuid,
    wire::{
        ApiKey,
        messages::{delete_records::DeleteRecordsPartition, list_offsets::ListOffsetsRequest},
    },
};

use super::{Cases, delete_records};
use crate::{
    batch::{T0, at_times, batch},
    case::{A, Case},
    client::Failure,
    requests::list_offsets,
    setup::{EARLIEST, LATEST, Topic},
};

const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    special(cases);
    by_time(cases);
    wrong(cases);
    shapes(cases);
}

/// A topic with batches whose records are at 10, 20, 20 and 40, 30, 50 after [`T0`].
fn timed(c: &mut Case, codec: Compression, configs: &[(&str, &str)]) -> Result<Topic, Failure> {
    let topic = c.topic_with("t", 1, configs)?;
    c.produce(&topic, at_times(codec, &[T0 + 10, T0 + 20, T0 + 20]))?;
    c.produce(&topic, at_times(codec, &[T0 + 40, T0 + 30, T0 + 50]))?;
    Ok(topic)
}

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::ListOffsets.versions(), "plain", |c, v| {
        let topic = timed(c, Compression::None, &[])?;
        for timestamp in [EARLIEST, LATEST, T0 + 30] {
            c.ask(v, list_offsets(&topic, &[(0, timestamp)]))?;
        }
        Ok(())
    });
}

fn special(cases: &mut Cases) {
    for (what, timestamp) in [
        ("max-timestamp", MAX_TIMESTAMP),
        ("earliest-local", EARLIEST_LOCAL),
        ("latest-tiered", LATEST_TIERED),
        ("earliest-pending-upload", EARLIEST_PENDING_UPLOAD),
        ("no-such-special", -7),
        ("least-timestamp", i64::MIN),
    ] {
        for version in [1, 6, 7, 8, 9, 10] {
            cases.each(version..=version, what, move |c, v| {
                let topic = timed(c, Compression::None, &[])?;
                c.outcome(A, v, list_offsets(&topic, &[(0, timestamp)]))?;
                Ok(())
            });
        }
    }
    cases.case("empty-partition", |c| {
        let topic = c.topic("t", 1)?;
        for timestamp in [EARLIEST, LATEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, T0, 0] {
            c.ask(10, list_offsets(&topic, &[(0, timestamp)]))?;
        }
        Ok(())
    });
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        cases.case(&format!("max-timestamp-{}", codec.name()), move |c| {
            let topic = timed(c, codec, &[])?;
            c.produce(&topic, at_times(codec, &[T0 + 49, T0 + 48]))?;
            c.ask(10, list_offsets(&topic, &[(0, MAX_TIMESTAMP)]))?;
            Ok(())
        });
    }
    cases.case("max-timestamp-twice", |c| {
        let topic = timed(c, Compression::None, &[])?;
        c.produce(&topic, at_times(Compression::None, &[T0 + 50, T0 + 50]))?;
        c.ask(10, list_offsets(&topic, &[(0, MAX_TIMESTAMP)]))?;
        Ok(())
    });
    cases.case("after-records-were-deleted", |c| {
        let topic = timed(c, Compression::None, &[])?;
        let until = DeleteRecordsPartition { partition_index: 0, offset: 2 };
        c.quiet(2, delete_records::request(&topic, vec![until]))?;
        for timestamp in [EARLIEST, LATEST, MAX_TIMESTAMP, EARLIEST_LOCAL, T0, T0 + 20] {
            c.ask(10, list_offsets(&topic, &[(0, timestamp)]))?;
        }
        Ok(())
    });
    cases.case("after-all-records-were-deleted", |c| {
        let topic = timed(c, Compression::None, &[])?;
        let until = DeleteRecordsPartition { partition_index: 0, offset: -1 };
        c.quiet(2, delete_records::request(&topic, vec![until]))?;
        for timestamp in [EARLIEST, LATEST, MAX_TIMESTAMP, T0 + 20] {
            c.ask(10, list_offsets(&topic, &[(0, timestamp)]))?;
        }
        Ok(())
    });
}

fn by_time(cases: &mut Cases) {
    for (what, after) in [
        ("before", 5),
        ("equal-first", 10),
        ("between", 15),
        ("equal-second", 20),
        ("between-batches", 25),
        ("out-of-order", 30),
        ("within-out-of-order", 35),
        ("equal-last", 50),
        ("after", 51),
    ] {
        for codec in [Compression::None, Compression::Lz4] {
            cases.case(&format!("time-{what}-{}", codec.name()), move |c| {
                let topic = timed(c, codec, &[])?;
                c.ask(7, list_offsets(&topic, &[(0, T0 + after)]))?;
                Ok(())
            });
        }
    }
    for (what, timestamp) in [("zero", 0), ("greatest", i64::MAX)] {
        cases.case(&format!("time-{what}"), move |c| {
            let topic = timed(c, Compression::None, &[])?;
            c.ask(7, list_offsets(&topic, &[(0, timestamp)]))?;
            Ok(())
        });
    }
    for codec in [Compression::None, Compression::Gzip] {
        cases.case(&format!("append-time-{}", codec.name()), move |c| {
            let topic = timed(c, codec, &[("message.timestamp.type", "LogAppendTime")])?;
            // The records' own times are of no account.
            for timestamp in [T0 + 20, i64::MAX, MAX_TIMESTAMP] {
                c.ask(7, list_offsets(&topic, &[(0, timestamp)]))?;
            }
            Ok(())
        });
    }
    cases.case("records-without-timestamps", |c| {
        let topic = c.filled_topic("t", at_times(Compression::None, &[-1, -1]))?;
        for timestamp in [0, MAX_TIMESTAMP] {
            c.ask(7, list_offsets(&topic, &[(0, timestamp)]))?;
        }
        Ok(())
    });
}

fn wrong(cases: &mut Cases) {
    cases.each(ApiKey::ListOffsets.versions(), "unknown-topic", |c, v| {
        let unknown = Topic::imagined(c.name("no-such"), Uuid::ZERO);
        c.ask(v, list_offsets(&unknown, &[(0, LATEST)]))?;
        Ok(())
    });
    for version in [1, 4, 7, 10] {
        cases.each(version..=version, "unknown-partition", |c, v| {
            let topic = c.topic("t", 1)?;
            for partition in [1, -1] {
                c.ask(v, list_offsets(&topic, &[(partition, LATEST)]))?;
            }
            Ok(())
        });
    }
    for version in [4, 7, 10] {
        for (what, epoch) in [("right", 0), ("unknown", 1), ("negative", -7)] {
            cases.each(version..=version, &format!("current-leader-epoch-{what}"), move |c, v| {
                let topic = c.filled_topic("t", batch(&["a"]))?;
                let mut request = list_offsets(&topic, &[(0, LATEST)]);
                request.topics[0].partitions[0].current_leader_epoch = epoch;
                c.ask(v, request)?;
                Ok(())
            });
        }
    }
    for (what, name) in [("empty-name", ""), ("bad-name", "a b")] {
        cases.case(what, move |c| {
            let topic = Topic::imagined(name.to_owned(), Uuid::ZERO);
            c.ask(7, list_offsets(&topic, &[(0, LATEST)]))?;
            Ok(())
        });
    }
}

fn shapes(cases: &mut Cases) {
    for version in [1, 6, 10] {
        cases.each(version..=version, "partition-twice", |c, v| {
            let topic = c.filled_topic("t", batch(&["a"]))?;
            c.ask(v, list_offsets(&topic, &[(0, LATEST), (0, EARLIEST)]))?;
            Ok(())
        });
        cases.each(version..=version, "several", |c, v| {
            let (t, u) = (c.topic("t", 3)?, c.filled_topic("u", batch(&["a"]))?);
            let mut request = list_offsets(&u, &[(0, LATEST)]);
            request.topics.extend(list_offsets(&t, &[(2, LATEST), (0, LATEST), (9, 0)]).topics);
            c.ask(v, request)?;
            Ok(())
        });
        cases.each(version..=version, "no-topics", |c, v| {
            c.ask(v, ListOffsetsRequest { replica_id: -1, ..Default::default() })?;
            Ok(())
        });
    }
    for level in [1, 2, -1] {
        cases.case(&format!("isolation-level-{level}"), move |c| {
            let topic = c.filled_topic("t", batch(&["a"]))?;
            let request = list_offsets(&topic, &[(0, LATEST)]);
            c.outcome(A, 7, ListOffsetsRequest { isolation_level: level, ..request })?;
            Ok(())
        });
    }
    for (what, replica_id) in [("itself", 1), ("unknown", 2), ("debugging", -2), ("odd", -3)] {
        cases.case(&format!("replica-{what}"), move |c| {
            let topic = c.filled_topic("t", batch(&["a"]))?;
            let request = list_offsets(&topic, &[(0, LATEST)]);
            c.outcome(A, 7, ListOffsetsRequest { replica_id, ..request })?;
            Ok(())
        });
    }
}
