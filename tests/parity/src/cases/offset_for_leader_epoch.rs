//! OffsetForLeaderEpoch.

use ottla_core::{
    types::Uuid,
    wire::{
        ApiKey,
        messages::offset_for_leader_epoch::{
            OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
        },
    },
};

use super::Cases;
use crate::{batch::batch, case::A, setup::Topic};

pub(super) fn cases(cases: &mut Cases) {
    epochs(cases);
    wrong(cases);
}

fn request(topic: &Topic, partition: i32, leader_epoch: i32) -> OffsetForLeaderEpochRequest {
    let asked = OffsetForLeaderPartition { partition, leader_epoch, ..Default::default() };
    OffsetForLeaderEpochRequest {
        replica_id: -1,
        topics: vec![OffsetForLeaderTopic { topic: topic.name.clone(), partitions: vec![asked] }],
    }
}

fn epochs(cases: &mut Cases) {
    let versions = || ApiKey::OffsetForLeaderEpoch.versions();
    for (what, epoch) in
        [("plain", 0), ("epoch-unknown", 1), ("epoch-undefined", -1), ("epoch-negative", -5)]
    {
        cases.each(versions(), what, move |c, v| {
            let topic = c.filled_topic("t", batch(&["a", "b"]))?;
            c.ask(v, request(&topic, 0, epoch))?;
            Ok(())
        });
    }
    for (what, epoch) in [("right", 0), ("unknown", 1), ("negative", -5)] {
        cases.each(versions(), &format!("current-leader-epoch-{what}"), move |c, v| {
            let topic = c.filled_topic("t", batch(&["a", "b"]))?;
            let mut request = request(&topic, 0, 0);
            request.topics[0].partitions[0].current_leader_epoch = epoch;
            c.ask(v, request)?;
            Ok(())
        });
    }
    cases.each(versions(), "empty-partition", |c, v| {
        let topic = c.topic("t", 1)?;
        for epoch in [0, 1] {
            c.ask(v, request(&topic, 0, epoch))?;
        }
        Ok(())
    });
}

fn wrong(cases: &mut Cases) {
    cases.each(ApiKey::OffsetForLeaderEpoch.versions(), "unknown-topic", |c, v| {
        let unknown = Topic::imagined(c.name("no-such"), Uuid::ZERO);
        c.ask(v, request(&unknown, 0, 0))?;
        Ok(())
    });
    cases.case("unknown-partition", |c| {
        let topic = c.topic("t", 1)?;
        for partition in [1, -1] {
            c.ask(4, request(&topic, partition, 0))?;
        }
        Ok(())
    });
    for (what, replica_id) in [("itself", 1), ("unknown", 2), ("debugging", -2)] {
        cases.each(3..=4, &format!("replica-{what}"), move |c, v| {
            let topic = c.filled_topic("t", batch(&["a"]))?;
            let request = OffsetForLeaderEpochRequest { replica_id, ..request(&topic, 0, 0) };
            c.outcome(A, v, request)?;
            Ok(())
        });
    }
    cases.case("no-topics", |c| {
        c.ask(4, OffsetForLeaderEpochRequest { replica_id: -1, ..Default::default() })?;
        Ok(())
    });
}
