//! OffsetFetch.

use ottla_core::{
    types::Uuid,
    wire::{
        ApiKey,
        messages::offset_fetch::{
            OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic,
            OffsetFetchRequestTopics,
        },
    },
};

use super::Cases;
use crate::{
    case::{A, Case},
    client::Failure,
    mask::UNKNOWN_TOPIC_ID,
    setup::Topic,
};

pub(super) fn cases(cases: &mut Cases) {
    some(cases);
    all(cases);
    unknown(cases);
    members(cases);
    several(cases);
}

/// The first version that asks for several groups, and the first that names topics by id.
const SEVERAL_GROUPS: i16 = 8;
const BY_ID: i16 = 10;

/// A request of this version for partitions of topics, or for all.
fn of(version: i16, group: &str, topics: Option<&[(&Topic, &[i32])]>) -> OffsetFetchRequest {
    if version >= SEVERAL_GROUPS {
        let groups = vec![part_of(version, group, topics)];
        return OffsetFetchRequest { groups, ..Default::default() };
    }
    let topics = topics.map(|topics| {
        let named = topics.iter().map(|&(topic, partitions)| OffsetFetchRequestTopic {
            name: topic.name.clone(),
            partition_indexes: partitions.to_vec(),
        });
        named.collect()
    });
    OffsetFetchRequest { group_id: group.to_owned(), topics, ..Default::default() }
}

/// One group's part of a request.
fn part_of(
    version: i16,
    group: &str,
    topics: Option<&[(&Topic, &[i32])]>,
) -> OffsetFetchRequestGroup {
    let by_id = version >= BY_ID;
    let topics = topics.map(|topics| {
        let asked = topics.iter().map(|&(topic, partitions)| OffsetFetchRequestTopics {
            name: if by_id { String::new() } else { topic.name.clone() },
            topic_id: if by_id { topic.id } else { Uuid::ZERO },
            partition_indexes: partitions.to_vec(),
        });
        asked.collect()
    });
    OffsetFetchRequestGroup { group_id: group.to_owned(), topics, ..Default::default() }
}

/// A group that has committed offsets of two of a topic's three partitions.
fn committed(c: &mut Case) -> Result<(String, Topic), Failure> {
    let topic = c.topic("t", 3)?;
    let group = c.name("g");
    c.committed(&group, &topic, &[(0, 5), (2, 7)])?;
    Ok((group, topic))
}

fn some(cases: &mut Cases) {
    cases.each(ApiKey::OffsetFetch.versions(), "plain", |c, v| {
        let (group, topic) = committed(c)?;
        c.ask(v, of(v, &group, Some(&[(&topic, &[0, 1])])))?;
        Ok(())
    });
    for version in [1, 7, 9, 10] {
        cases.each(version..=version, "no-topics", |c, v| {
            let (group, _) = committed(c)?;
            c.ask(v, of(v, &group, Some(&[])))?;
            Ok(())
        });
        cases.each(version..=version, "no-partitions", |c, v| {
            let (group, topic) = committed(c)?;
            c.ask(v, of(v, &group, Some(&[(&topic, &[])])))?;
            Ok(())
        });
        cases.each(version..=version, "partition-twice", |c, v| {
            let (group, topic) = committed(c)?;
            c.ask(v, of(v, &group, Some(&[(&topic, &[2, 0, 2])])))?;
            Ok(())
        });
        cases.each(version..=version, "topic-twice", |c, v| {
            let (group, topic) = committed(c)?;
            c.ask(v, of(v, &group, Some(&[(&topic, &[0]), (&topic, &[2])])))?;
            Ok(())
        });
    }
}

fn all(cases: &mut Cases) {
    cases.each(2..=10, "all", |c, v| {
        let (group, _) = committed(c)?;
        c.ask(v, of(v, &group, None))?;
        Ok(())
    });
    cases.each(7..=10, "require-stable", |c, v| {
        let (group, topic) = committed(c)?;
        for asked in [None, Some(&[(&topic, &[0][..])][..])] {
            c.ask(v, OffsetFetchRequest { require_stable: true, ..of(v, &group, asked) })?;
        }
        Ok(())
    });
    cases.each(9..=10, "all-after-topic-was-deleted", |c, v| {
        let (group, topic) = committed(c)?;
        let request = ottla_core::wire::messages::delete_topics::DeleteTopicsRequest {
            topic_names: vec![topic.name.clone()],
            timeout_ms: 10_000,
            ..Default::default()
        };
        c.quiet(5, request)?;
        c.ask_until(v, of(v, &group, None), |answer| answer.groups[0].topics.is_empty())?;
        Ok(())
    });
}

fn unknown(cases: &mut Cases) {
    for version in [1, 2, 7, 8, 9, 10] {
        cases.each(version..=version, "unknown-group", |c, v| {
            let topic = c.topic("t", 1)?;
            let group = c.name("no-such");
            c.ask(v, of(v, &group, Some(&[(&topic, &[0])])))?;
            if v > 1 {
                c.ask(v, of(v, &group, None))?;
            }
            Ok(())
        });
        cases.each(version..=version, "unknown-topic", |c, v| {
            let (group, topic) = committed(c)?;
            let unknown = Topic::imagined(c.name("no-such"), UNKNOWN_TOPIC_ID);
            c.ask(v, of(v, &group, Some(&[(&unknown, &[0, 1]), (&topic, &[0])])))?;
            Ok(())
        });
        cases.each(version..=version, "unknown-partition", |c, v| {
            let (group, topic) = committed(c)?;
            c.ask(v, of(v, &group, Some(&[(&topic, &[9, -1])])))?;
            Ok(())
        });
        cases.each(version..=version, "empty-group-id", |c, v| {
            let topic = c.topic("t", 1)?;
            c.ask(v, of(v, "", Some(&[(&topic, &[0])])))?;
            Ok(())
        });
    }
    cases.each(10..=10, "zero-topic-id", |c, v| {
        let (group, _) = committed(c)?;
        let topic = Topic::imagined(String::new(), Uuid::ZERO);
        c.outcome(A, v, of(v, &group, Some(&[(&topic, &[0])])))?;
        Ok(())
    });
}

/// From version 9 on a member may say who it is.
fn members(cases: &mut Cases) {
    for (what, id, epoch) in [
        ("unknown", Some("nobody"), 3),
        ("unknown-without-epoch", Some("nobody"), -1),
        ("null-with-epoch", None, 3),
        ("empty", Some(""), 0),
    ] {
        cases.each(9..=10, &format!("member-{what}"), move |c, v| {
            let (group, topic) = committed(c)?;
            let mut request = of(v, &group, Some(&[(&topic, &[0])]));
            request.groups[0].member_id = id.map(str::to_owned);
            request.groups[0].member_epoch = epoch;
            c.ask(v, request)?;
            Ok(())
        });
    }
    cases.each(9..=10, "member-of-a-classic-group", |c, v| {
        let (group, topic) = committed(c)?;
        let member = c.stable_member(&group)?;
        for epoch in [member.generation, 7] {
            let mut request = of(v, &group, Some(&[(&topic, &[0])]));
            request.groups[0].member_id = Some(member.id.clone());
            request.groups[0].member_epoch = epoch;
            c.ask(v, request)?;
        }
        Ok(())
    });
}

fn several(cases: &mut Cases) {
    cases.each(8..=10, "several-groups", |c, v| {
        let (group, topic) = committed(c)?;
        let (other, unknown) = (c.name("other"), c.name("no-such"));
        c.committed(&other, &topic, &[(1, 9)])?;
        let groups = vec![
            part_of(v, &other, None),
            part_of(v, &unknown, None),
            part_of(v, &group, Some(&[(&topic, &[0, 1])])),
            part_of(v, "", Some(&[(&topic, &[0])])),
        ];
        c.ask(v, OffsetFetchRequest { groups, ..Default::default() })?;
        Ok(())
    });
    cases.each(8..=10, "group-twice", |c, v| {
        let (group, topic) = committed(c)?;
        let groups = vec![
            part_of(v, &group, Some(&[(&topic, &[0])])),
            part_of(v, &group, Some(&[(&topic, &[2])])),
        ];
        c.ask(v, OffsetFetchRequest { groups, ..Default::default() })?;
        Ok(())
    });
    cases.each(8..=10, "no-groups", |c, v| {
        c.ask(v, OffsetFetchRequest::default())?;
        Ok(())
    });
}
