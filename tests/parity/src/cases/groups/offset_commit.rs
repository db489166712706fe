//! OffsetCommit.

use ottla_core::{
    types::Uuid,
    wire::{
        ApiKey,
        messages::{
            offset_commit::{OffsetCommitRequest, OffsetCommitRequestTopic},
            offset_fetch::OffsetFetchRequest,
        },
    },
};

use super::{COMMIT, Cases, Member, commit};
use crate::{
    case::{A, Case, Done},
    mask::UNKNOWN_TOPIC_ID,
    setup::Topic,
};

pub(super) fn cases(cases: &mut Cases) {
    simple(cases);
    members(cases);
    wrong_members(cases);
    partitions(cases);
    values(cases);
    by_id(cases);
}

/// The first version that names topics by id.
const BY_ID: i16 = 10;

fn of(version: i16, group: &str, topic: &Topic, offsets: &[(i32, i64)]) -> OffsetCommitRequest {
    let mut request = commit(group, &topic.name, offsets);
    if version >= BY_ID {
        request.topics[0].name = String::new();
        request.topics[0].topic_id = topic.id;
    }
    request
}

fn by_member(request: OffsetCommitRequest, member: &Member) -> OffsetCommitRequest {
    OffsetCommitRequest {
        generation_id_or_member_epoch: member.generation,
        member_id: member.id.clone(),
        ..request
    }
}

/// Keeps all that the group has committed.
fn keep_offsets(c: &mut Case, group: &str) -> Done {
    let group_id = group.to_owned();
    c.ask(7, OffsetFetchRequest { group_id, topics: None, ..Default::default() })?;
    Ok(())
}

/// A consumer that assigns itself partitions, and has no membership.
fn simple(cases: &mut Cases) {
    cases.each(ApiKey::OffsetCommit.versions(), "plain", |c, v| {
        let topic = c.topic("t", 2)?;
        let group = c.name("g");
        c.ask(v, of(v, &group, &topic, &[(0, 5), (1, 6)]))?;
        keep_offsets(c, &group)
    });
    cases.case("again", |c| {
        let topic = c.topic("t", 1)?;
        let group = c.name("g");
        for offset in [5, 3, 3] {
            c.ask(COMMIT, of(COMMIT, &group, &topic, &[(0, offset)]))?;
        }
        keep_offsets(c, &group)
    });
    cases.case("simple-while-there-are-members", |c| {
        let topic = c.topic("t", 1)?;
        let group = c.name("g");
        c.stable_member(&group)?;
        c.ask(COMMIT, of(COMMIT, &group, &topic, &[(0, 5)]))?;
        Ok(())
    });
    cases.case("simple-after-members-left", |c| {
        let topic = c.topic("t", 1)?;
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        c.quiet(super::LEAVE, member.leave(super::LEAVE))?;
        c.ask(COMMIT, of(COMMIT, &group, &topic, &[(0, 5)]))?;
        Ok(())
    });
    cases.each(2..=4, "retention-time", |c, v| {
        let topic = c.topic("t", 1)?;
        let group = c.name("g");
        let request = of(v, &group, &topic, &[(0, 5)]);
        c.ask(v, OffsetCommitRequest { retention_time_ms: 1000, ..request })?;
        Ok(())
    });
}

fn members(cases: &mut Cases) {
    cases.each(ApiKey::OffsetCommit.versions(), "by-member", |c, v| {
        let topic = c.topic("t", 1)?;
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        c.ask(v, by_member(of(v, &group, &topic, &[(0, 5)]), &member))?;
        keep_offsets(c, &group)
    });
}

fn wrong_members(cases: &mut Cases) {
    for version in [2, 5, 9, 10] {
        cases.each(version..=version, "unknown-member", |c, v| {
            let topic = c.topic("t", 1)?;
            let group = c.name("g");
            let member = c.stable_member(&group)?;
            let nobody = Member { id: "nobody".to_owned(), ..member };
            c.ask(v, by_member(of(v, &group, &topic, &[(0, 5)]), &nobody))?;
            Ok(())
        });
        for (what, generation) in [("old", 0), ("future", 2), ("none", -1)] {
            cases.each(version..=version, &format!("generation-{what}"), move |c, v| {
                let topic = c.topic("t", 1)?;
                let group = c.name("g");
                let member = Member { generation, ..c.stable_member(&group)? };
                c.ask(v, by_member(of(v, &group, &topic, &[(0, 5)]), &member))?;
                Ok(())
            });
        }
        cases.each(version..=version, "member-of-no-group", |c, v| {
            let topic = c.topic("t", 1)?;
            let group = c.name("no-such");
            for generation in [0, 3, -1] {
                let id = "nobody".to_owned();
                let member = Member { group: group.clone(), id, generation };
                c.ask(v, by_member(of(v, &group, &topic, &[(0, 5)]), &member))?;
            }
            Ok(())
        });
        cases.each(version..=version, "generation-without-member", |c, v| {
            let topic = c.topic("t", 1)?;
            let group = c.name("g");
            let request = of(v, &group, &topic, &[(0, 5)]);
            c.ask(v, OffsetCommitRequest { generation_id_or_member_epoch: 1, ..request })?;
            Ok(())
        });
        // There is only one group without a name.
        cases.alone(&format!("v{version:02}/empty-group-id"), move |c| {
            let topic = c.topic("t", 1)?;
            c.ask(version, of(version, "", &topic, &[(0, 5)]))?;
            Ok(())
        });
    }
}

fn partitions(cases: &mut Cases) {
    for version in [2, 5, 9] {
        cases.each(version..=version, "unknown-topic", |c, v| {
            let topic = Topic::imagined(c.name("no-such"), Uuid::ZERO);
            let group = c.name("g");
            c.ask(v, of(v, &group, &topic, &[(0, 5)]))?;
            keep_offsets(c, &group)
        });
        cases.each(version..=version, "unknown-partition", |c, v| {
            let topic = c.topic("t", 1)?;
            let group = c.name("g");
            c.ask(v, of(v, &group, &topic, &[(7, 5), (0, 5), (-1, 5)]))?;
            keep_offsets(c, &group)
        });
    }
    cases.case("two-topics-one-unknown", |c| {
        let topic = c.topic("t", 1)?;
        let unknown = Topic::imagined(c.name("no-such"), Uuid::ZERO);
        let group = c.name("g");
        let mut request = of(COMMIT, &group, &unknown, &[(0, 5)]);
        request.topics.extend(of(COMMIT, &group, &topic, &[(0, 6)]).topics);
        c.ask(COMMIT, request)?;
        Ok(())
    });
    cases.case("partition-twice", |c| {
        let topic = c.topic("t", 1)?;
        let group = c.name("g");
        c.ask(COMMIT, of(COMMIT, &group, &topic, &[(0, 5), (0, 6)]))?;
        keep_offsets(c, &group)
    });
    cases.case("topic-twice", |c| {
        let topic = c.topic("t", 2)?;
        let group = c.name("g");
        let mut request = of(COMMIT, &group, &topic, &[(0, 5)]);
        request.topics.extend(of(COMMIT, &group, &topic, &[(1, 6)]).topics);
        c.ask(COMMIT, request)?;
        Ok(())
    });
    for (what, with_topic) in [("no-topics", false), ("no-partitions", true)] {
        cases.case(what, move |c| {
            let topic = c.topic("t", 1)?;
            let group = c.name("g");
            let mut request = of(COMMIT, &group, &topic, &[]);
            if !with_topic {
                request.topics.clear();
            }
            c.ask(COMMIT, request)?;
            Ok(())
        });
    }
    cases.case("internal-topic", |c| {
        let topic = Topic::imagined("__consumer_offsets".to_owned(), Uuid::ZERO);
        let group = c.name("g");
        c.ask(COMMIT, of(COMMIT, &group, &topic, &[(0, 5)]))?;
        Ok(())
    });
}

fn values(cases: &mut Cases) {
    for (what, offset) in
        [("zero", 0), ("negative", -1), ("least", i64::MIN), ("beyond-end", 1_000_000)]
    {
        cases.case(&format!("offset-{what}"), move |c| {
            let topic = c.topic("t", 1)?;
            let group = c.name("g");
            c.outcome(A, COMMIT, of(COMMIT, &group, &topic, &[(0, offset)]))?;
            keep_offsets(c, &group)
        });
    }
    for (what, bytes) in [("longest", 4096), ("too-long", 4097)] {
        for version in [2, 9] {
            cases.each(version..=version, &format!("metadata-{what}"), move |c, v| {
                let topic = c.topic("t", 2)?;
                let group = c.name("g");
                let mut request = of(v, &group, &topic, &[(0, 5), (1, 6)]);
                request.topics[0].partitions[0].committed_metadata = Some("m".repeat(bytes));
                c.ask(v, request)?;
                keep_offsets(c, &group)
            });
        }
    }
    for (what, metadata) in [("null", None), ("empty", Some("")), ("not-ascii", Some("ü\0"))] {
        cases.case(&format!("metadata-{what}"), move |c| {
            let topic = c.topic("t", 1)?;
            let group = c.name("g");
            let mut request = of(COMMIT, &group, &topic, &[(0, 5)]);
            request.topics[0].partitions[0].committed_metadata = metadata.map(str::to_owned);
            c.ask(COMMIT, request)?;
            keep_offsets(c, &group)
        });
    }
    for version in [6, 9, 10] {
        for (what, epoch) in [("right", 0), ("future", 9), ("negative", -2)] {
            cases.each(version..=version, &format!("leader-epoch-{what}"), move |c, v| {
                let topic = c.topic("t", 1)?;
                let group = c.name("g");
                let mut request = of(v, &group, &topic, &[(0, 5)]);
                request.topics[0].partitions[0].committed_leader_epoch = epoch;
                c.ask(v, request)?;
                keep_offsets(c, &group)
            });
        }
    }
}

fn by_id(cases: &mut Cases) {
    for (what, id) in [("unknown", UNKNOWN_TOPIC_ID), ("zero", Uuid::ZERO)] {
        cases.each(10..=10, &format!("topic-id-{what}"), move |c, v| {
            let topic = Topic::imagined(String::new(), id);
            let group = c.name("g");
            c.ask(v, of(v, &group, &topic, &[(0, 5), (1, 6)]))?;
            Ok(())
        });
    }
    cases.each(10..=10, "topic-id-known-and-unknown", |c, v| {
        let topic = c.topic("t", 1)?;
        let group = c.name("g");
        let mut request =
            of(v, &group, &Topic::imagined(String::new(), UNKNOWN_TOPIC_ID), &[(0, 5)]);
        request.topics.extend(of(v, &group, &topic, &[(0, 6), (7, 6)]).topics);
        c.ask(v, request)?;
        keep_offsets(c, &group)
    });
    cases.each(10..=10, "topic-id-without-partitions", |c, v| {
        let group = c.name("g");
        let topics =
            vec![OffsetCommitRequestTopic { topic_id: UNKNOWN_TOPIC_ID, ..Default::default() }];
        c.ask(v, OffsetCommitRequest { group_id: group, topics, ..Default::default() })?;
        Ok(())
    });
}
