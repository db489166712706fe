//! Rebalances: two and three members, on connections of their own.

use std::{thread, time::Duration};

use ottla_core::wire::messages::{
    describe_groups::DescribeGroupsRequest,
    join_group::{JoinGroupRequest, JoinGroupRequestProtocol},
};

use super::{
    COMMIT, Cases, HEARTBEAT, JOIN, LEAVE, Member, SYNC, commit, join, protocols, subscription,
};
use crate::{
    case::{A, B, C, Case, Done},
    client::Failure,
};

pub(super) fn cases(cases: &mut Cases) {
    two_members(cases);
    leaders(cases);
    choice_of_protocol(cases);
    meanwhile(cases);
}

/// A stable group of a leader on the first connection and a follower on the second.
fn pair(c: &mut Case) -> Result<(Member, Member), Failure> {
    let group = c.name("g");
    let first = c.stable_member(&group)?;
    let (_, pending) = c.begin_rebalance(B, &first)?;
    let leader = Member::of(&group, &c.ask(JOIN, first.join())?);
    let follower = Member::of(&group, &c.receive(pending)?);
    c.ask(SYNC, leader.sync(&[&leader, &follower]))?;
    c.ask_on(B, SYNC, follower.sync(&[]))?;
    Ok((leader, follower))
}

/// Keeps what DescribeGroups says of the group.
fn keep_group(c: &mut Case, group: &str) -> Done {
    let groups = vec![group.to_owned()];
    c.ask(5, DescribeGroupsRequest { groups, ..Default::default() })?;
    Ok(())
}

fn two_members(cases: &mut Cases) {
    cases.case("second-member", |c| {
        let (leader, follower) = pair(c)?;
        c.ask(HEARTBEAT, leader.heartbeat())?;
        c.ask_on(B, HEARTBEAT, follower.heartbeat())?;
        keep_group(c, &leader.group)
    });
    for version in [0, 1, 2, 3] {
        cases.each(version..=version, "second-member", |c, v| {
            let group = c.name("g");
            let first = c.stable_member(&group)?;
            let pending = c.send(B, v, join(&group, ""))?;
            c.until(HEARTBEAT, first.heartbeat(), |answer| answer.error_code != 0)?;
            c.ask(v, first.join())?;
            c.receive(pending)?;
            Ok(())
        });
    }
    cases.case("follower-leaves", |c| {
        let (leader, follower) = pair(c)?;
        c.ask_on(B, LEAVE, follower.leave(LEAVE))?;
        c.ask(HEARTBEAT, leader.heartbeat())?;
        let alone = Member::of(&leader.group, &c.ask(JOIN, leader.join())?);
        c.ask(SYNC, alone.sync(&[&alone]))?;
        keep_group(c, &leader.group)
    });
    cases.case("leader-leaves", |c| {
        let (leader, follower) = pair(c)?;
        c.ask(LEAVE, leader.leave(LEAVE))?;
        c.ask_on(B, HEARTBEAT, follower.heartbeat())?;
        c.ask_on(B, JOIN, follower.join())?;
        Ok(())
    });
    cases.case("both-leave", |c| {
        let (leader, follower) = pair(c)?;
        c.ask(LEAVE, super::leave(&leader.group, &[(&leader.id, None), (&follower.id, None)]))?;
        keep_group(c, &leader.group)
    });
    cases.case("third-member", |c| {
        let (leader, follower) = pair(c)?;
        let (_, third) = c.begin_rebalance(C, &leader)?;
        let leader = c.send(A, JOIN, leader.join())?;
        // The third member waits for both.
        c.ask_on(B, JOIN, follower.join())?;
        c.receive(leader)?;
        c.receive(third)?;
        Ok(())
    });
}

fn leaders(cases: &mut Cases) {
    cases.case("leader-rejoins-alone", |c| {
        let (leader, follower) = pair(c)?;
        let pending = c.send(A, JOIN, leader.join())?;
        c.until_on(B, HEARTBEAT, follower.heartbeat(), |answer| answer.error_code != 0)?;
        c.ask_on(B, HEARTBEAT, follower.heartbeat())?;
        c.ask_on(B, JOIN, follower.join())?;
        c.receive(pending)?;
        Ok(())
    });
    cases.case("follower-has-another-subscription", |c| {
        let (leader, follower) = pair(c)?;
        let mut request = follower.join();
        request.protocols[0].metadata = subscription(&["another"]);
        let pending = c.send(B, JOIN, request)?;
        c.until(HEARTBEAT, leader.heartbeat(), |answer| answer.error_code != 0)?;
        c.ask(JOIN, leader.join())?;
        c.receive(pending)?;
        Ok(())
    });
    cases.case("sync-of-the-old-generation", |c| {
        let (leader, follower) = pair(c)?;
        let (_, pending) = c.begin_rebalance(C, &leader)?;
        c.note("while members join");
        c.ask(SYNC, leader.sync(&[&leader, &follower]))?;
        let rejoined = c.send(A, JOIN, leader.join())?;
        c.ask_on(B, JOIN, follower.join())?;
        c.receive(rejoined)?;
        c.receive(pending)?;
        c.note("when they have joined");
        c.ask(SYNC, leader.sync(&[&leader, &follower]))?;
        c.ask(HEARTBEAT, leader.heartbeat())?;
        Ok(())
    });
}

fn choice_of_protocol(cases: &mut Cases) {
    // Where votes are even, Kafka's choice is a matter of chance.
    let offers: [(&str, &[&str], &[&str]); 3] = [
        ("only-common", &["range", "sticky"], &["sticky"]),
        ("agreed-favourite", &["range", "sticky"], &["range", "sticky"]),
        ("favourite-not-common", &["range", "sticky", "x"], &["sticky", "x"]),
    ];
    for (what, first, second) in offers {
        cases.case(&format!("protocol-{what}"), move |c| {
            let group = c.name("g");
            let request = |member_id: &str, offered: &[&str]| JoinGroupRequest {
                protocols: protocols(offered),
                ..join(&group, member_id)
            };
            let given = c.ask(JOIN, request("", first))?;
            let joined = c.ask(JOIN, request(&given.member_id, first))?;
            let given = c.ask_on(B, JOIN, request("", second))?;
            let pending = c.send(B, JOIN, request(&given.member_id, second))?;
            let leader = Member::of(&group, &joined);
            c.until(HEARTBEAT, leader.heartbeat(), |answer| answer.error_code != 0)?;
            c.ask(JOIN, request(&leader.id, first))?;
            c.receive(pending)?;
            Ok(())
        });
    }
    cases.case("metadata-of-the-chosen-protocol", |c| {
        let group = c.name("g");
        let mine = || "mine".to_owned();
        let request = JoinGroupRequest {
            protocol_type: mine(),
            protocols: vec![
                JoinGroupRequestProtocol { name: "one".to_owned(), metadata: "of one".into() },
                JoinGroupRequestProtocol { name: "two".to_owned(), metadata: "of two".into() },
            ],
            ..join(&group, "")
        };
        let joined = c.ask(3, request)?;
        let leader = Member::of(&group, &joined);
        let request = JoinGroupRequest {
            protocol_type: mine(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "two".to_owned(),
                metadata: "of the other".into(),
            }],
            ..join(&group, "")
        };
        let pending = c.send(B, 3, request)?;
        c.until(HEARTBEAT, leader.heartbeat(), |answer| answer.error_code != 0)?;
        let request = JoinGroupRequest {
            protocol_type: mine(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "two".to_owned(),
                metadata: "of two".into(),
            }],
            ..leader.join()
        };
        c.ask(3, request)?;
        c.receive(pending)?;
        Ok(())
    });
}

/// Other requests while the group rebalances.
fn meanwhile(cases: &mut Cases) {
    cases.case("described-while-joining", |c| {
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        c.begin_rebalance(B, &member)?;
        keep_group(c, &group)
    });
    cases.case("described-before-sync", |c| {
        let group = c.name("g");
        c.joined_member(&group)?;
        keep_group(c, &group)
    });
    cases.case("commit-while-joining", |c| {
        let topic = c.topic("t", 1)?;
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        c.begin_rebalance(B, &member)?;
        let mut request = commit(&group, &topic.name, &[(0, 7)]);
        request.member_id = member.id;
        request.generation_id_or_member_epoch = member.generation;
        c.ask(COMMIT, request)?;
        Ok(())
    });
    cases.case("commit-before-sync", |c| {
        let topic = c.topic("t", 1)?;
        let group = c.name("g");
        let member = c.joined_member(&group)?;
        let mut request = commit(&group, &topic.name, &[(0, 7)]);
        request.member_id = member.id;
        request.generation_id_or_member_epoch = member.generation;
        c.ask(COMMIT, request)?;
        Ok(())
    });
    cases.case("new-member-joins-twice", |c| {
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        let (id, pending) = c.begin_rebalance(B, &member)?;
        c.note("the same member asks again on another connection; the first request stays open");
        let again = c.send(C, JOIN, join(&group, &id))?;
        // Nothing tells when the broker has seen it.
        thread::sleep(Duration::from_millis(500));
        c.ask(JOIN, member.join())?;
        c.receive(again)?;
        c.expect_nothing(pending)
    });
}
