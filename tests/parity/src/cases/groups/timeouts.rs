//! Members that go silent.

use std::{thread, time::Duration};

use ottla_core::wire::messages::{
    describe_groups::DescribeGroupsRequest, join_group::JoinGroupRequest,
};

use super::{Cases, HEARTBEAT, JOIN, Member, SYNC, join};
use crate::case::{B, Case, Done};

pub(super) fn cases(cases: &mut Cases) {
    sessions(cases);
    rebalances(cases);
}

const SHORT_MS: i32 = 1000;
/// After this the short time is certainly over.
const AFTERWARDS: Duration = Duration::from_millis(2500);

fn short_session(request: JoinGroupRequest) -> JoinGroupRequest {
    JoinGroupRequest { session_timeout_ms: SHORT_MS, ..request }
}

fn short_rebalance(request: JoinGroupRequest) -> JoinGroupRequest {
    JoinGroupRequest { rebalance_timeout_ms: SHORT_MS, ..request }
}

fn keep_group(c: &mut Case, group: &str) -> Done {
    let groups = vec![group.to_owned()];
    c.ask(5, DescribeGroupsRequest { groups, ..Default::default() })?;
    Ok(())
}

fn sessions(cases: &mut Cases) {
    cases.slow("session-ends", |c| {
        let group = c.name("g");
        let given = c.ask(JOIN, short_session(join(&group, "")))?;
        let joined = c.ask(JOIN, short_session(join(&group, &given.member_id)))?;
        let member = Member::of(&group, &joined);
        c.ask(SYNC, member.sync(&[&member]))?;
        thread::sleep(AFTERWARDS);
        c.note("after a silence longer than the session");
        keep_group(c, &group)?;
        c.ask(HEARTBEAT, member.heartbeat())?;
        c.ask(JOIN, member.join())?;
        Ok(())
    });
    cases.slow("session-is-kept-by-heartbeats", |c| {
        let group = c.name("g");
        let given = c.ask(JOIN, short_session(join(&group, "")))?;
        let joined = c.ask(JOIN, short_session(join(&group, &given.member_id)))?;
        let member = Member::of(&group, &joined);
        c.ask(SYNC, member.sync(&[&member]))?;
        for _ in 0..12 {
            thread::sleep(AFTERWARDS / 12);
            c.quiet(HEARTBEAT, member.heartbeat())?;
        }
        c.ask(HEARTBEAT, member.heartbeat())?;
        Ok(())
    });
    cases.slow("given-id-is-not-used-in-time", |c| {
        let group = c.name("g");
        let given = c.ask(JOIN, short_session(join(&group, "")))?;
        thread::sleep(AFTERWARDS);
        c.ask(JOIN, join(&group, &given.member_id))?;
        Ok(())
    });
    cases.slow("session-of-a-follower-ends", |c| {
        let group = c.name("g");
        let first = c.stable_member(&group)?;
        let given = c.ask_on(B, JOIN, short_session(join(&group, "")))?;
        let pending = c.send(B, JOIN, short_session(join(&group, &given.member_id)))?;
        c.until(HEARTBEAT, first.heartbeat(), |answer| answer.error_code != 0)?;
        let leader = Member::of(&group, &c.ask(JOIN, first.join())?);
        let follower = Member::of(&group, &c.receive(pending)?);
        c.ask(SYNC, leader.sync(&[&leader, &follower]))?;
        thread::sleep(AFTERWARDS);
        c.note("the leader learns of it");
        c.ask(HEARTBEAT, leader.heartbeat())?;
        c.ask(JOIN, leader.join())?;
        Ok(())
    });
}

fn rebalances(cases: &mut Cases) {
    cases.slow("rebalance-goes-on-without-a-member", |c| {
        let group = c.name("g");
        let given = c.ask(JOIN, short_rebalance(join(&group, "")))?;
        let joined = c.ask(JOIN, short_rebalance(join(&group, &given.member_id)))?;
        let first = Member::of(&group, &joined);
        c.ask(SYNC, first.sync(&[&first]))?;
        let given = c.ask_on(B, JOIN, short_rebalance(join(&group, "")))?;
        let pending = c.send(B, JOIN, short_rebalance(join(&group, &given.member_id)))?;
        c.note("the first member does not join again");
        c.receive(pending)?;
        c.ask(HEARTBEAT, first.heartbeat())?;
        Ok(())
    });
    cases.slow("leader-does-not-sync", |c| {
        let group = c.name("g");
        let given = c.ask(JOIN, short_rebalance(join(&group, "")))?;
        let joined = c.ask(JOIN, short_rebalance(join(&group, &given.member_id)))?;
        let member = Member::of(&group, &joined);
        thread::sleep(AFTERWARDS);
        c.note("after longer than a rebalance may take");
        keep_group(c, &group)?;
        c.ask(SYNC, member.sync(&[&member]))?;
        Ok(())
    });
    cases.slow("follower-does-not-sync", |c| {
        let group = c.name("g");
        let given = c.ask(JOIN, short_rebalance(join(&group, "")))?;
        let joined = c.ask(JOIN, short_rebalance(join(&group, &given.member_id)))?;
        let first = Member::of(&group, &joined);
        c.ask(SYNC, first.sync(&[&first]))?;
        let given = c.ask_on(B, JOIN, short_rebalance(join(&group, "")))?;
        let pending = c.send(B, JOIN, short_rebalance(join(&group, &given.member_id)))?;
        c.until(HEARTBEAT, first.heartbeat(), |answer| answer.error_code != 0)?;
        let leader = Member::of(&group, &c.ask(JOIN, short_rebalance(first.join()))?);
        let follower = Member::of(&group, &c.receive(pending)?);
        c.ask(SYNC, leader.sync(&[&leader, &follower]))?;
        thread::sleep(AFTERWARDS);
        c.note("after longer than a rebalance may take");
        c.ask(HEARTBEAT, leader.heartbeat())?;
        c.ask_on(B, SYNC, follower.sync(&[]))?;
        Ok(())
    });
}
