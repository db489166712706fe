//! DeleteRecords.

use ottla_core::{
    types::Uuid,
    wire::{
        ApiKey,
        messages::delete_records::{
            DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
        },
    },
};

use super::Cases;
use crate::{
    batch::batch,
    case::{Case, Done},
    client::Failure,
    requests::{fetch, list_offsets},
    setup::{EARLIEST, LATEST, Topic},
};

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    offsets(cases);
    wrong(cases);
}

/// A request for partitions of one topic.
pub(super) fn request(
    topic: &Topic,
    partitions: Vec<DeleteRecordsPartition>,
) -> DeleteRecordsRequest {
    DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic { name: topic.name.clone(), partitions }],
        timeout_ms: 10_000,
    }
}

fn until(topic: &Topic, offset: i64) -> DeleteRecordsRequest {
    request(topic, vec![DeleteRecordsPartition { partition_index: 0, offset }])
}

fn five_records(c: &mut Case) -> Result<Topic, Failure> {
    let topic = c.filled_topic("t", batch(&["a", "b", "c"]))?;
    c.produce(&topic, batch(&["d", "e"]))?;
    Ok(topic)
}

fn keep_bounds(c: &mut Case, topic: &Topic) -> Done {
    for timestamp in [EARLIEST, LATEST] {
        c.ask(7, list_offsets(topic, &[(0, timestamp)]))?;
    }
    Ok(())
}

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::DeleteRecords.versions(), "plain", |c, v| {
        let topic = five_records(c)?;
        c.ask(v, until(&topic, 3))?;
        keep_bounds(c, &topic)
    });
    cases.each(ApiKey::DeleteRecords.versions(), "all", |c, v| {
        let topic = five_records(c)?;
        c.ask(v, until(&topic, -1))?;
        keep_bounds(c, &topic)
    });
}

fn offsets(cases: &mut Cases) {
    for (what, offset) in [("zero", 0), ("end", 5), ("beyond-end", 6), ("negative", -2)] {
        cases.case(&format!("offset-{what}"), move |c| {
            let topic = five_records(c)?;
            c.ask(2, until(&topic, offset))?;
            keep_bounds(c, &topic)
        });
    }
    cases.case("within-batch", |c| {
        let topic = five_records(c)?;
        c.ask(2, until(&topic, 2))?;
        c.ask(12, fetch(12, &topic, 2))?;
        Ok(())
    });
    cases.case("again", |c| {
        let topic = five_records(c)?;
        for offset in [3, 3, 1, -1, -1, 5] {
            c.ask(2, until(&topic, offset))?;
        }
        Ok(())
    });
    cases.case("empty-partition", |c| {
        let topic = c.topic("t", 1)?;
        for offset in [-1, 0, 1] {
            c.ask(2, until(&topic, offset))?;
        }
        Ok(())
    });
    cases.case("append-after-all", |c| {
        let topic = five_records(c)?;
        c.ask(2, until(&topic, -1))?;
        c.produce(&topic, batch(&["f"]))?;
        c.ask(12, fetch(12, &topic, 5))?;
        keep_bounds(c, &topic)
    });
}

fn wrong(cases: &mut Cases) {
    cases.each(ApiKey::DeleteRecords.versions(), "unknown-topic", |c, v| {
        let unknown = Topic::imagined(c.name("no-such"), Uuid::ZERO);
        c.ask(v, until(&unknown, 0))?;
        Ok(())
    });
    cases.case("unknown-partition", |c| {
        let topic = five_records(c)?;
        let partitions =
            [7, -1, 0].map(|partition_index| DeleteRecordsPartition { partition_index, offset: 1 });
        c.ask(2, request(&topic, partitions.to_vec()))?;
        Ok(())
    });
    cases.case("partition-twice", |c| {
        let topic = five_records(c)?;
        let partitions = [1, 2].map(|offset| DeleteRecordsPartition { partition_index: 0, offset });
        c.ask(2, request(&topic, partitions.to_vec()))?;
        keep_bounds(c, &topic)
    });
    for policy in ["compact", "compact,delete"] {
        cases.case(&format!("cleanup-policy-{}", policy.replace(',', "-")), move |c| {
            let topic = c.topic_with("t", 1, &[("cleanup.policy", policy)])?;
            c.produce(&topic, batch(&["a", "b"]))?;
            c.ask(2, until(&topic, 1))?;
            Ok(())
        });
    }
    cases.case("internal-topic", |c| {
        let offsets = Topic::imagined("__consumer_offsets".to_owned(), Uuid::ZERO);
        c.ask(2, until(&offsets, 0))?;
        Ok(())
    });
    cases.case("no-topics", |c| {
        c.ask(2, DeleteRecordsRequest { timeout_ms: 1000, ..Default::default() })?;
        Ok(())
    });
    for (what, timeout_ms) in [("timeout-0", 0), ("timeout-negative", -1)] {
        cases.case(what, move |c| {
            let topic = five_records(c)?;
            c.ask(2, DeleteRecordsRequest { timeout_ms, ..until(&topic, 2) })?;
            Ok(())
        });
    }
}
