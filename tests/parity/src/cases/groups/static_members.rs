//! Static members (KIP-345).

use ottla_core::wire::messages::{
    describe_groups::DescribeGroupsRequest, heartbeat::HeartbeatRequest,
    join_group::JoinGroupRequest, sync_group::SyncGroupRequest,
};

use super::{
    COMMIT, Cases, HEARTBEAT, JOIN, LEAVE, Member, SYNC, commit, join, leave, subscription,
};
use crate::{
    case::{B, Case},
    client::Failure,
};

pub(super) fn cases(cases: &mut Cases) {
    joining(cases);
    replaced(cases);
    fenced(cases);
    leaving(cases);
}

fn instance() -> Option<String> {
    Some("i".to_owned())
}

fn join_static(group: &str, member_id: &str) -> JoinGroupRequest {
    JoinGroupRequest { group_instance_id: instance(), ..join(group, member_id) }
}

fn sync_static(member: &Member, assigned: &[&Member]) -> SyncGroupRequest {
    SyncGroupRequest { group_instance_id: instance(), ..member.sync(assigned) }
}

fn heartbeat_static(member: &Member) -> HeartbeatRequest {
    HeartbeatRequest { group_instance_id: instance(), ..member.heartbeat() }
}

/// A stable group of one static member.
fn stable(c: &mut Case) -> Result<Member, Failure> {
    let group = c.name("g");
    let member = Member::of(&group, &c.ask(JOIN, join_static(&group, ""))?);
    c.ask(SYNC, sync_static(&member, &[&member]))?;
    Ok(member)
}

fn joining(cases: &mut Cases) {
    cases.each(5..=9, "join", |c, v| {
        let group = c.name("g");
        c.ask(v, join_static(&group, ""))?;
        Ok(())
    });
    for version in [5, 9] {
        cases.each(version..=version, "join-unknown-member", |c, v| {
            let group = c.name("g");
            c.ask(v, join_static(&group, "nobody"))?;
            c.note("in a group that exists");
            stable(c)?;
            c.ask(v, join_static(&group, "nobody"))?;
            Ok(())
        });
        cases.each(version..=version, "join-unknown-instance-with-known-member", |c, v| {
            let member = stable(c)?;
            let group_instance_id = Some("another".to_owned());
            c.ask(v, JoinGroupRequest { group_instance_id, ..member.join() })?;
            Ok(())
        });
    }
    for (what, id) in [
        ("empty", String::new()),
        ("odd", "a b/ü".to_owned()),
        ("dot", ".".to_owned()),
        ("too-long", "i".repeat(250)),
    ] {
        cases.case(&format!("instance-id-{what}"), move |c| {
            let group = c.name("g");
            let group_instance_id = Some(id.clone());
            c.ask(JOIN, JoinGroupRequest { group_instance_id, ..join(&group, "") })?;
            Ok(())
        });
    }
    cases.case("described", |c| {
        let member = stable(c)?;
        for version in [3, 4, 6] {
            let groups = vec![member.group.clone()];
            c.ask(version, DescribeGroupsRequest { groups, ..Default::default() })?;
        }
        Ok(())
    });
}

/// A member that comes back without its id gets a new one, without a rebalance if it wants the same.
fn replaced(cases: &mut Cases) {
    for version in [5, 8, 9] {
        cases.each(version..=version, "replaced", |c, v| {
            let old = stable(c)?;
            let new = Member::of(&old.group, &c.ask(v, join_static(&old.group, ""))?);
            c.ask(SYNC, sync_static(&new, &[]))?;
            c.ask(HEARTBEAT, heartbeat_static(&new))?;
            c.note("the old one");
            c.ask(HEARTBEAT, heartbeat_static(&old))?;
            c.ask(HEARTBEAT, old.heartbeat())?;
            Ok(())
        });
    }
    cases.case("replaced-with-another-subscription", |c| {
        let old = stable(c)?;
        let mut request = join_static(&old.group, "");
        request.protocols[0].metadata = subscription(&["another"]);
        c.ask(JOIN, request)?;
        Ok(())
    });
    cases.case("replaced-before-sync", |c| {
        let group = c.name("g");
        let old = Member::of(&group, &c.ask(JOIN, join_static(&group, ""))?);
        c.ask_on(B, JOIN, join_static(&group, ""))?;
        c.ask(SYNC, sync_static(&old, &[&old]))?;
        Ok(())
    });
    cases.case("replaced-with-other-protocols", |c| {
        let old = stable(c)?;
        let protocols = super::protocols(&["sticky"]);
        c.ask(JOIN, JoinGroupRequest { protocols, ..join_static(&old.group, "") })?;
        Ok(())
    });
    cases.case("again-with-its-id", |c| {
        let member = stable(c)?;
        c.ask(JOIN, join_static(&member.group, &member.id))?;
        Ok(())
    });
    cases.case("follower-replaced", |c| {
        let group = c.name("g");
        let leader = c.stable_member(&group)?;
        let pending = c.send(B, JOIN, join_static(&group, ""))?;
        c.until(HEARTBEAT, leader.heartbeat(), |answer| answer.error_code != 0)?;
        let leader = Member::of(&group, &c.ask(JOIN, leader.join())?);
        let follower = Member::of(&group, &c.receive(pending)?);
        c.ask(SYNC, leader.sync(&[&leader, &follower]))?;
        c.ask_on(B, SYNC, sync_static(&follower, &[]))?;
        let new = Member::of(&group, &c.ask_on(B, JOIN, join_static(&group, ""))?);
        c.ask_on(B, SYNC, sync_static(&new, &[]))?;
        c.note("the leader has nothing to do");
        c.ask(HEARTBEAT, leader.heartbeat())?;
        Ok(())
    });
}

/// What the replaced member is told.
fn fenced(cases: &mut Cases) {
    cases.case("fenced-join", |c| {
        let old = stable(c)?;
        c.ask(JOIN, join_static(&old.group, ""))?;
        for version in [5, 9] {
            c.ask(version, join_static(&old.group, &old.id))?;
        }
        Ok(())
    });
    cases.case("fenced-sync", |c| {
        let old = stable(c)?;
        c.ask(JOIN, join_static(&old.group, ""))?;
        for version in [3, 5] {
            c.ask(version, sync_static(&old, &[]))?;
        }
        Ok(())
    });
    cases.case("fenced-heartbeat", |c| {
        let old = stable(c)?;
        c.ask(JOIN, join_static(&old.group, ""))?;
        for version in [3, 4] {
            c.ask(version, heartbeat_static(&old))?;
        }
        Ok(())
    });
    cases.case("fenced-commit", |c| {
        let topic = c.topic("t", 1)?;
        let old = stable(c)?;
        c.ask(JOIN, join_static(&old.group, ""))?;
        for version in [7, COMMIT] {
            let mut request = commit(&old.group, &topic.name, &[(0, 5)]);
            request.generation_id_or_member_epoch = old.generation;
            request.member_id.clone_from(&old.id);
            request.group_instance_id = instance();
            c.ask(version, request)?;
        }
        Ok(())
    });
    cases.case("fenced-leave", |c| {
        let old = stable(c)?;
        c.ask(JOIN, join_static(&old.group, ""))?;
        for version in [3, 5] {
            c.ask(version, leave(&old.group, &[(&old.id, Some("i"))]))?;
        }
        Ok(())
    });
    cases.case("unknown-instance", |c| {
        let member = stable(c)?;
        let other = || Some("another".to_owned());
        let heartbeat = HeartbeatRequest { group_instance_id: other(), ..member.heartbeat() };
        c.ask(HEARTBEAT, heartbeat)?;
        c.ask(SYNC, SyncGroupRequest { group_instance_id: other(), ..member.sync(&[]) })?;
        Ok(())
    });
}

fn leaving(cases: &mut Cases) {
    for (what, with_id) in [("instance-id", false), ("both-ids", true)] {
        cases.each(3..=5, &format!("leave-by-{what}"), move |c, v| {
            let member = stable(c)?;
            let id = if with_id { &member.id[..] } else { "" };
            c.ask(v, leave(&member.group, &[(id, Some("i"))]))?;
            c.ask(HEARTBEAT, heartbeat_static(&member))?;
            Ok(())
        });
    }
    cases.case("leave-by-member-id-alone", |c| {
        let member = stable(c)?;
        c.ask(LEAVE, leave(&member.group, &[(&member.id, None)]))?;
        Ok(())
    });
    cases.case("leave-with-another-instance-id", |c| {
        let member = stable(c)?;
        c.ask(LEAVE, leave(&member.group, &[(&member.id, Some("another"))]))?;
        Ok(())
    });
}
