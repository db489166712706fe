//! OffsetDelete.

use ottla_core::wire::messages::{
    offset_delete::{OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    offset_fetch::OffsetFetchRequest,
};

use super::{Cases, JOIN, LEAVE, Member, SYNC, join, subscription};
use crate::{
    case::{Case, Done},
    client::Failure,
    setup::Topic,
};

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    subscribed(cases);
    wrong(cases);
}

fn of(group: &str, topics: &[(&str, &[i32])]) -> OffsetDeleteRequest {
    let topics = topics.iter().map(|&(name, partitions)| OffsetDeleteRequestTopic {
        name: name.to_owned(),
        partitions: partitions
            .iter()
            .map(|&partition_index| OffsetDeleteRequestPartition { partition_index })
            .collect(),
    });
    OffsetDeleteRequest { group_id: group.to_owned(), topics: topics.collect() }
}

/// A group that has committed offsets of a topic's first two partitions.
fn committed(c: &mut Case) -> Result<(String, Topic), Failure> {
    let topic = c.topic("t", 3)?;
    let group = c.name("g");
    c.committed(&group, &topic, &[(0, 5), (1, 6)])?;
    Ok((group, topic))
}

fn keep_offsets(c: &mut Case, group: &str) -> Done {
    let group_id = group.to_owned();
    c.ask(7, OffsetFetchRequest { group_id, topics: None, ..Default::default() })?;
    Ok(())
}

fn plain(cases: &mut Cases) {
    cases.case("plain", |c| {
        let (group, topic) = committed(c)?;
        c.ask(0, of(&group, &[(&topic.name, &[0])]))?;
        keep_offsets(c, &group)
    });
    cases.case("without-an-offset", |c| {
        let (group, topic) = committed(c)?;
        c.ask(0, of(&group, &[(&topic.name, &[2])]))?;
        keep_offsets(c, &group)
    });
    cases.case("all-and-then-the-group", |c| {
        let (group, topic) = committed(c)?;
        c.ask(0, of(&group, &[(&topic.name, &[0, 1])]))?;
        c.ask(0, of(&group, &[(&topic.name, &[0, 1])]))?;
        Ok(())
    });
    cases.case("two-topics", |c| {
        let (group, t) = committed(c)?;
        let u = c.topic("u", 1)?;
        c.committed(&group, &u, &[(0, 3)])?;
        c.ask(0, of(&group, &[(&u.name, &[0]), (&t.name, &[1])]))?;
        keep_offsets(c, &group)
    });
}

/// Has a member with this subscription join and sync.
fn subscribe(c: &mut Case, group: &str, topics: &[&str]) -> Result<Member, Failure> {
    let with_subscription = |member_id: &str| {
        let mut request = join(group, member_id);
        request.protocols[0].metadata = subscription(topics);
        request
    };
    let given = c.quiet(JOIN, with_subscription(""))?;
    let member = Member::of(group, &c.quiet(JOIN, with_subscription(&given.member_id))?);
    c.quiet(SYNC, member.sync(&[&member]))?;
    Ok(member)
}

fn subscribed(cases: &mut Cases) {
    cases.case("subscribed", |c| {
        let (group, topic) = committed(c)?;
        subscribe(c, &group, &[&topic.name])?;
        c.ask(0, of(&group, &[(&topic.name, &[0, 1])]))?;
        keep_offsets(c, &group)
    });
    cases.case("subscribed-to-another", |c| {
        let (group, topic) = committed(c)?;
        subscribe(c, &group, &["another"])?;
        c.ask(0, of(&group, &[(&topic.name, &[0]), ("another", &[0])]))?;
        keep_offsets(c, &group)
    });
    cases.case("subscribed-and-left", |c| {
        let (group, topic) = committed(c)?;
        let member = subscribe(c, &group, &[&topic.name])?;
        c.quiet(LEAVE, member.leave(LEAVE))?;
        c.ask(0, of(&group, &[(&topic.name, &[0])]))?;
        Ok(())
    });
    cases.case("members-of-another-protocol-type", |c| {
        let (group, topic) = committed(c)?;
        let mut request = join(&group, "");
        request.protocol_type = "connect".to_owned();
        c.quiet(3, request)?;
        c.ask(0, of(&group, &[(&topic.name, &[0])]))?;
        Ok(())
    });
}

fn wrong(cases: &mut Cases) {
    cases.case("unknown-group", |c| {
        let topic = c.topic("t", 1)?;
        let group = c.name("no-such");
        c.ask(0, of(&group, &[(&topic.name, &[0])]))?;
        Ok(())
    });
    cases.case("unknown-topic", |c| {
        let (group, topic) = committed(c)?;
        let unknown = c.name("no-such");
        c.ask(0, of(&group, &[(&unknown, &[0]), (&topic.name, &[1])]))?;
        Ok(())
    });
    cases.case("unknown-partition", |c| {
        let (group, topic) = committed(c)?;
        c.ask(0, of(&group, &[(&topic.name, &[7, -1, 0])]))?;
        Ok(())
    });
    // There is only one group without a name.
    cases.alone("empty-group-id", |c| {
        let topic = c.topic("t", 1)?;
        c.committed("", &topic, &[(0, 5)])?;
        c.ask(0, of("", &[(&topic.name, &[0])]))?;
        Ok(())
    });
    cases.case("no-topics", |c| {
        let (group, _) = committed(c)?;
        c.ask(0, of(&group, &[]))?;
        Ok(())
    });
    cases.case("partition-twice", |c| {
        let (group, topic) = committed(c)?;
        c.ask(0, of(&group, &[(&topic.name, &[0, 0])]))?;
        Ok(())
    });
}
