//! DescribeCluster, DescribeLogDirs, DescribeProducers and DescribeTopicPartitions.

use ottla_core::wire::{
    ApiKey,
    messages::{
        describe_cluster::DescribeClusterRequest,
        describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest},
        describe_producers::{self, DescribeProducersRequest},
        describe_topic_partitions::{self, Cursor, DescribeTopicPartitionsRequest},
        init_producer_id::InitProducerIdRequest,
    },
};

use super::Cases;
use crate::{
    batch::{batch, from_producer},
    case::A,
};

pub(super) fn describe_cluster(cases: &mut Cases) {
    cases.each(ApiKey::DescribeCluster.versions(), "plain", |c, v| {
        c.ask(v, DescribeClusterRequest::default())?;
        Ok(())
    });
    cases.each(ApiKey::DescribeCluster.versions(), "authorized-operations", |c, v| {
        c.ask(
            v,
            DescribeClusterRequest {
                include_cluster_authorized_operations: true,
                ..Default::default()
            },
        )?;
        Ok(())
    });
    for (what, endpoint_type) in [("controllers", 2), ("zero", 0), ("unknown", 3)] {
        cases.each(1..=2, &format!("endpoint-type-{what}"), move |c, v| {
            c.outcome(A, v, DescribeClusterRequest { endpoint_type, ..Default::default() })?;
            Ok(())
        });
    }
    cases.each(2..=2, "fenced-brokers", |c, v| {
        c.ask(v, DescribeClusterRequest { include_fenced_brokers: true, ..Default::default() })?;
        Ok(())
    });
}

fn log_dirs_of(topics: &[(&str, &[i32])]) -> DescribeLogDirsRequest {
    let topics = topics.iter().map(|&(topic, partitions)| DescribableLogDirTopic {
        topic: topic.to_owned(),
        partitions: partitions.to_vec(),
    });
    DescribeLogDirsRequest { topics: Some(topics.collect()) }
}

pub(super) fn describe_log_dirs(cases: &mut Cases) {
    cases.each(ApiKey::DescribeLogDirs.versions(), "plain", |c, v| {
        let topic = c.topic("t", 2)?;
        c.produce(&topic, batch(&["a", "b"]))?;
        c.ask(v, log_dirs_of(&[(&topic.name, &[0, 1])]))?;
        Ok(())
    });
    cases.each(ApiKey::DescribeLogDirs.versions(), "all", |c, v| {
        let topic = c.topic("t", 2)?;
        c.produce_to(&topic, 1, batch(&["a", "b"]))?;
        c.ask_own(v, DescribeLogDirsRequest { topics: None })?;
        Ok(())
    });
    for version in [1, 4] {
        cases.each(version..=version, "unknown-topic", |c, v| {
            let name = c.name("no-such");
            c.ask(v, log_dirs_of(&[(&name, &[0])]))?;
            Ok(())
        });
        cases.each(version..=version, "unknown-partition", |c, v| {
            let topic = c.topic("t", 1)?;
            c.ask(v, log_dirs_of(&[(&topic.name, &[0, 7, -1])]))?;
            Ok(())
        });
        cases.each(version..=version, "no-partitions", |c, v| {
            let topic = c.topic("t", 1)?;
            c.ask(v, log_dirs_of(&[(&topic.name, &[])]))?;
            Ok(())
        });
        cases.each(version..=version, "no-topics", |c, v| {
            c.ask(v, log_dirs_of(&[]))?;
            Ok(())
        });
    }
}

fn producers_of(name: &str, partitions: &[i32]) -> DescribeProducersRequest {
    DescribeProducersRequest {
        topics: vec![describe_producers::TopicRequest {
            name: name.to_owned(),
            partition_indexes: partitions.to_vec(),
        }],
    }
}

pub(super) fn describe_producers(cases: &mut Cases) {
    cases.case("plain", |c| {
        let topic = c.topic("t", 2)?;
        let id = c.quiet(4, InitProducerIdRequest::default())?.producer_id;
        c.produce(&topic, from_producer(id, 0, 0, &["a", "b"]))?;
        c.produce(&topic, from_producer(id, 0, 2, &["c"]))?;
        c.ask(0, producers_of(&topic.name, &[0, 1]))?;
        Ok(())
    });
    cases.case("none", |c| {
        let topic = c.filled_topic("t", batch(&["a"]))?;
        c.ask(0, producers_of(&topic.name, &[0]))?;
        Ok(())
    });
    cases.case("newer-epoch", |c| {
        let topic = c.topic("t", 1)?;
        let id = c.quiet(4, InitProducerIdRequest::default())?.producer_id;
        c.produce(&topic, from_producer(id, 0, 0, &["a", "b"]))?;
        c.produce(&topic, from_producer(id, 3, 0, &["c"]))?;
        c.ask(0, producers_of(&topic.name, &[0]))?;
        Ok(())
    });
    cases.case("unknown-topic", |c| {
        let name = c.name("no-such");
        c.ask(0, producers_of(&name, &[0]))?;
        Ok(())
    });
    cases.case("unknown-partition", |c| {
        let topic = c.topic("t", 1)?;
        c.ask(0, producers_of(&topic.name, &[7, -1, 0]))?;
        Ok(())
    });
    for (what, name) in [("empty-name", ""), ("bad-name", "a b")] {
        cases.case(what, move |c| {
            c.ask(0, producers_of(name, &[0]))?;
            Ok(())
        });
    }
    cases.case("no-partitions", |c| {
        let topic = c.topic("t", 1)?;
        c.ask(0, producers_of(&topic.name, &[]))?;
        Ok(())
    });
    cases.case("no-topics", |c| {
        c.ask(0, DescribeProducersRequest::default())?;
        Ok(())
    });
}

fn partitions_of(names: &[&str]) -> DescribeTopicPartitionsRequest {
    let topics =
        names.iter().map(|&name| describe_topic_partitions::TopicRequest { name: name.to_owned() });
    DescribeTopicPartitionsRequest { topics: topics.collect(), ..Default::default() }
}

pub(super) fn describe_topic_partitions(cases: &mut Cases) {
    cases.case("plain", |c| {
        let topic = c.topic("t", 2)?;
        c.ask(0, partitions_of(&[&topic.name]))?;
        Ok(())
    });
    cases.case("all", |c| {
        c.topic("t", 1)?;
        c.topic("u", 1)?;
        // The cursor begins before this case's topics, and the limit ends the answer after them.
        c.leave_out("next_cursor");
        let cursor = Some(Cursor { topic_name: c.name(""), partition_index: 0 });
        c.ask_own(
            0,
            DescribeTopicPartitionsRequest {
                response_partition_limit: 2,
                cursor,
                ..Default::default()
            },
        )?;
        Ok(())
    });
    cases.case("two-topics-order", |c| {
        let (t, u) = (c.topic("t", 1)?, c.topic("u", 1)?);
        c.ask(0, partitions_of(&[&u.name, &t.name]))?;
        Ok(())
    });
    cases.case("topic-twice", |c| {
        let topic = c.topic("t", 1)?;
        c.ask(0, partitions_of(&[&topic.name, &topic.name]))?;
        Ok(())
    });
    cases.case("unknown-topic", |c| {
        let topic = c.topic("t", 1)?;
        let unknown = c.name("no-such");
        c.ask(0, partitions_of(&[&unknown, &topic.name]))?;
        Ok(())
    });
    for (what, name) in
        [("empty-name", ""), ("bad-name", "a b"), ("internal", "__consumer_offsets")]
    {
        cases.case(what, move |c| {
            c.ask(0, partitions_of(&[name]))?;
            Ok(())
        });
    }
    for limit in [0, -1, 1, 2, 3, 4, 5, 2001] {
        cases.case(&format!("limit-{limit}"), move |c| {
            let (t, u) = (c.topic("t", 3)?, c.topic("u", 1)?);
            let request = partitions_of(&[&t.name, &u.name]);
            c.outcome(
                A,
                0,
                DescribeTopicPartitionsRequest { response_partition_limit: limit, ..request },
            )?;
            Ok(())
        });
    }
    describe_topic_partitions_from_a_cursor(cases);
}

fn describe_topic_partitions_from_a_cursor(cases: &mut Cases) {
    for (what, label, partition_index) in [
        ("first-topic", "t", 1),
        ("second-topic", "u", 0),
        ("between-topics", "tt", 5),
        ("after-all", "z", 0),
        ("past-the-last-partition", "t", 9),
        ("negative-partition", "t", -1),
        ("before-all", "a", 0),
    ] {
        cases.case(&format!("cursor-{what}"), move |c| {
            let (t, u) = (c.topic("t", 3)?, c.topic("u", 1)?);
            let cursor = Some(Cursor { topic_name: c.name(label), partition_index });
            let request = partitions_of(&[&t.name, &u.name]);
            c.outcome(A, 0, DescribeTopicPartitionsRequest { cursor, ..request })?;
            Ok(())
        });
    }
}
