//! SyncGroup.

use ottla_core::wire::{ApiKey, messages::sync_group::SyncGroupRequest};

use super::{Cases, JOIN, Member, SYNC};
use crate::case::{A, B};

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    wrong(cases);
    protocol(cases);
    states(cases);
    assignments(cases);
}

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::SyncGroup.versions(), "plain", |c, v| {
        let group = c.name("g");
        let member = c.joined_member(&group)?;
        c.ask(v, member.sync(&[&member]))?;
        Ok(())
    });
}

fn wrong(cases: &mut Cases) {
    for version in [0, 3, 5] {
        cases.each(version..=version, "unknown-group", |c, v| {
            let group = c.name("no-such");
            let member = Member { group, id: "nobody".to_owned(), generation: 1 };
            c.ask(v, member.sync(&[]))?;
            Ok(())
        });
        cases.each(version..=version, "empty-group-id", |c, v| {
            let member = Member { group: String::new(), id: "nobody".to_owned(), generation: 1 };
            c.ask(v, member.sync(&[]))?;
            Ok(())
        });
        cases.each(version..=version, "unknown-member", |c, v| {
            let group = c.name("g");
            let member = c.joined_member(&group)?;
            c.ask(v, Member { id: "nobody".to_owned(), ..member }.sync(&[]))?;
            Ok(())
        });
        for (what, generation) in [("old", 0), ("future", 2), ("negative", -1)] {
            cases.each(version..=version, &format!("generation-{what}"), move |c, v| {
                let group = c.name("g");
                let member = c.joined_member(&group)?;
                c.ask(v, Member { generation, ..member }.sync(&[]))?;
                Ok(())
            });
        }
    }
    cases.case("empty-group", |c| {
        let group = c.empty_group("g")?;
        let member = Member { group, id: "nobody".to_owned(), generation: -1 };
        c.ask(SYNC, member.sync(&[]))?;
        Ok(())
    });
    cases.case("given-id-that-has-not-joined", |c| {
        let group = c.name("g");
        let given = c.ask(JOIN, super::join(&group, ""))?;
        let member = Member { generation: 0, ..Member::of(&group, &given) };
        c.ask(SYNC, member.sync(&[&member]))?;
        Ok(())
    });
}

/// From version 5 on the request says what it believes the group's protocol to be.
fn protocol(cases: &mut Cases) {
    let named = |name: Option<&str>| name.map(str::to_owned);
    for (what, protocol_type, protocol_name) in [
        ("null", None, None),
        ("type-null", None, Some("range")),
        ("name-null", Some("consumer"), None),
        ("type-wrong", Some("connect"), Some("range")),
        ("name-wrong", Some("consumer"), Some("sticky")),
        ("empty", Some(""), Some("")),
    ] {
        cases.case(&format!("protocol-{what}"), move |c| {
            let group = c.name("g");
            let member = c.joined_member(&group)?;
            let request = SyncGroupRequest {
                protocol_type: named(protocol_type),
                protocol_name: named(protocol_name),
                ..member.sync(&[&member])
            };
            c.outcome(A, SYNC, request)?;
            Ok(())
        });
    }
}

fn states(cases: &mut Cases) {
    cases.each(ApiKey::SyncGroup.versions(), "again-when-stable", |c, v| {
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        c.ask(v, member.sync(&[]))?;
        Ok(())
    });
    for version in [0, 5] {
        cases.each(version..=version, "during-rebalance", |c, v| {
            let group = c.name("g");
            let member = c.stable_member(&group)?;
            c.begin_rebalance(B, &member)?;
            c.ask(v, member.sync(&[&member]))?;
            Ok(())
        });
    }
    cases.case("follower-waits-for-leader", |c| {
        let group = c.name("g");
        let first = c.stable_member(&group)?;
        let (_, pending) = c.begin_rebalance(B, &first)?;
        let leader = Member::of(&group, &c.ask(JOIN, first.join())?);
        let follower = Member::of(&group, &c.receive(pending)?);
        let waiting = c.send(B, SYNC, follower.sync(&[]))?;
        c.ask(SYNC, leader.sync(&[&leader, &follower]))?;
        c.receive(waiting)?;
        Ok(())
    });
    cases.case("follower-assigns", |c| {
        let group = c.name("g");
        let first = c.stable_member(&group)?;
        let (_, pending) = c.begin_rebalance(B, &first)?;
        let leader = Member::of(&group, &c.ask(JOIN, first.join())?);
        let follower = Member::of(&group, &c.receive(pending)?);
        c.note("what a follower assigns is of no account");
        let waiting = c.send(B, SYNC, follower.sync(&[&follower, &leader]))?;
        c.ask(SYNC, leader.sync(&[&leader, &follower]))?;
        c.receive(waiting)?;
        Ok(())
    });
}

fn assignments(cases: &mut Cases) {
    cases.case("assigns-nothing", |c| {
        let group = c.name("g");
        let member = c.joined_member(&group)?;
        c.ask(SYNC, member.sync(&[]))?;
        c.ask(SYNC, member.sync(&[&member]))?;
        Ok(())
    });
    cases.case("assigns-to-unknown-member", |c| {
        let group = c.name("g");
        let member = c.joined_member(&group)?;
        let nobody = Member { id: "nobody".to_owned(), ..member.clone() };
        c.ask(SYNC, member.sync(&[&nobody, &member]))?;
        Ok(())
    });
    cases.case("assigns-twice-to-a-member", |c| {
        let group = c.name("g");
        let member = c.joined_member(&group)?;
        c.ask(SYNC, member.sync(&[&member, &member]))?;
        Ok(())
    });
}
