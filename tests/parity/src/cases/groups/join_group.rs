//! JoinGroup.

use ottla_core::wire::{
    ApiKey,
    messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol},
};

use super::{Cases, JOIN, JOIN_NEEDS_ID, Member, SYNC, join, protocols, subscription};
use crate::case::{A, B, C, D};

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    wrong(cases);
    protocols_of_members(cases);
    again(cases);
    size(cases);
}

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::JoinGroup.versions(), "plain", |c, v| {
        let group = c.name("g");
        let given = c.ask(v, join(&group, ""))?;
        if v >= JOIN_NEEDS_ID {
            c.ask(v, join(&group, &given.member_id))?;
        }
        Ok(())
    });
    cases.each(4..=9, "given-id-twice", |c, v| {
        let group = c.name("g");
        c.ask(v, join(&group, ""))?;
        c.ask(v, join(&group, ""))?;
        Ok(())
    });
    cases.each(8..=9, "reason", |c, v| {
        let group = c.name("g");
        let reason = Some("because".to_owned());
        c.ask(v, JoinGroupRequest { reason, ..join(&group, "") })?;
        Ok(())
    });
    cases.case("client-id", |c| {
        let group = c.name("g");
        for client_id in [Some("some client"), Some(""), None] {
            c.client(A)?.set_client_id(client_id);
            c.ask(JOIN, join(&group, ""))?;
        }
        Ok(())
    });
}

fn wrong(cases: &mut Cases) {
    for version in [0, 3, 5, 9] {
        cases.each(version..=version, "empty-group-id", |c, v| {
            c.ask(v, join("", ""))?;
            Ok(())
        });
        for (what, timeout) in
            [("too-short", 199), ("too-long", 60_001), ("zero", 0), ("negative", -1)]
        {
            cases.each(version..=version, &format!("session-timeout-{what}"), move |c, v| {
                let group = c.name("g");
                c.ask(v, JoinGroupRequest { session_timeout_ms: timeout, ..join(&group, "") })?;
                Ok(())
            });
        }
        cases.each(version..=version, "unknown-member", |c, v| {
            let group = c.name("g");
            c.ask(v, join(&group, "nobody"))?;
            c.note("in a group that exists");
            c.stable_member(&group)?;
            c.ask(v, join(&group, "nobody"))?;
            Ok(())
        });
        cases.each(version..=version, "no-protocols", |c, v| {
            let group = c.name("g");
            c.ask(v, JoinGroupRequest { protocols: vec![], ..join(&group, "") })?;
            Ok(())
        });
        cases.each(version..=version, "empty-protocol-type", |c, v| {
            let group = c.name("g");
            c.ask(v, JoinGroupRequest { protocol_type: String::new(), ..join(&group, "") })?;
            Ok(())
        });
    }
    for (what, timeout) in [("zero", 0), ("negative", -1)] {
        cases.case(&format!("rebalance-timeout-{what}"), move |c| {
            let group = c.name("g");
            let request = |member_id: &str| JoinGroupRequest {
                rebalance_timeout_ms: timeout,
                ..join(&group, member_id)
            };
            let given = c.ask(JOIN, request(""))?;
            c.outcome(A, JOIN, request(&given.member_id))?;
            Ok(())
        });
    }
    cases.case("given-id-in-another-group", |c| {
        let (group, other) = (c.name("g"), c.name("other"));
        let given = c.ask(JOIN, join(&group, ""))?;
        c.ask(JOIN, join(&other, &given.member_id))?;
        Ok(())
    });
    cases.case("odd-group-ids", |c| {
        for group in ["a b", "ü/\u{1F600}", ".", "consumer\ngroup"] {
            c.ask(JOIN, join(group, "nobody"))?;
        }
        Ok(())
    });
}

fn protocols_of_members(cases: &mut Cases) {
    for version in [3, 9] {
        cases.each(version..=version, "other-protocol-type", |c, v| {
            let group = c.name("g");
            c.stable_member(&group)?;
            let protocol_type = "connect".to_owned();
            c.ask(v, JoinGroupRequest { protocol_type, ..join(&group, "") })?;
            Ok(())
        });
        cases.each(version..=version, "no-common-protocol", |c, v| {
            let group = c.name("g");
            c.stable_member(&group)?;
            c.ask(v, JoinGroupRequest { protocols: protocols(&["sticky"]), ..join(&group, "") })?;
            Ok(())
        });
    }
    cases.case("first-of-its-protocols", |c| {
        let group = c.name("g");
        let request = JoinGroupRequest {
            protocols: protocols(&["sticky", "range", "roundrobin"]),
            ..join(&group, "")
        };
        c.ask(3, request)?;
        Ok(())
    });
    cases.case("protocol-twice", |c| {
        let group = c.name("g");
        let request =
            JoinGroupRequest { protocols: protocols(&["range", "range"]), ..join(&group, "") };
        c.no_answer(3, request)
    });
    cases.case("unreadable-subscription", |c| {
        let group = c.name("g");
        let mut request = join(&group, "");
        request.protocols[0].metadata = "no subscription".into();
        c.no_answer(3, request)
    });
    cases.case("metadata-of-any-kind", |c| {
        let group = c.name("g");
        let metadata = |name: &str, metadata: &'static [u8]| JoinGroupRequestProtocol {
            name: name.to_owned(),
            metadata: metadata.into(),
        };
        let request = JoinGroupRequest {
            protocol_type: "of my own".to_owned(),
            protocols: vec![metadata("x", b"\0\xff\0"), metadata("", b"")],
            ..join(&group, "")
        };
        c.ask(3, request)?;
        Ok(())
    });
}

/// A member that is in the group already.
fn again(cases: &mut Cases) {
    for version in [3, 5, 9] {
        cases.each(version..=version, "leader-again", |c, v| {
            let group = c.name("g");
            let member = c.stable_member(&group)?;
            c.ask(v, member.join())?;
            Ok(())
        });
        cases.each(version..=version, "again-before-sync", |c, v| {
            let group = c.name("g");
            let member = c.joined_member(&group)?;
            c.note("as before");
            c.ask(v, member.join())?;
            c.note("with another subscription");
            let mut request = member.join();
            request.protocols[0].metadata = subscription(&["another"]);
            c.ask(v, request)?;
            Ok(())
        });
    }
    cases.case("leader-again-and-sync-with-old-generation", |c| {
        let group = c.name("g");
        let old = c.stable_member(&group)?;
        let joined = c.ask(JOIN, old.join())?;
        let new = Member::of(&group, &joined);
        c.ask(SYNC, old.sync(&[&old]))?;
        c.ask(SYNC, new.sync(&[&new]))?;
        Ok(())
    });
    cases.case("follower-again", |c| {
        let group = c.name("g");
        let first = c.stable_member(&group)?;
        let (_, pending) = c.begin_rebalance(B, &first)?;
        let leader = Member::of(&group, &c.ask(JOIN, first.join())?);
        let follower = Member::of(&group, &c.receive(pending)?);
        c.ask(SYNC, leader.sync(&[&leader, &follower]))?;
        c.ask_on(B, SYNC, follower.sync(&[]))?;
        c.note("a follower that has nothing new is told the generation that there is");
        c.ask_on(B, JOIN, follower.join())?;
        Ok(())
    });
    cases.case("other-protocols-of-its-own", |c| {
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        let protocols = protocols(&["sticky"]);
        c.ask(JOIN, JoinGroupRequest { protocols, ..member.join() })?;
        Ok(())
    });
}

/// The broker is set to take three members.
fn size(cases: &mut Cases) {
    for version in [3, 9] {
        cases.each(version..=version, "group-is-full", |c, v| {
            let group = c.name("g");
            let first = c.stable_member(&group)?;
            let (_, second) = c.begin_rebalance(B, &first)?;
            let first = Member::of(&group, &c.ask(JOIN, first.join())?);
            let second = Member::of(&group, &c.receive(second)?);
            let (_, third) = c.begin_rebalance(C, &first)?;
            let first = c.send(A, JOIN, first.join())?;
            c.ask_on(B, JOIN, second.join())?;
            c.receive(first)?;
            c.receive(third)?;
            c.note("a fourth");
            c.ask_on(D, v, join(&group, ""))?;
            Ok(())
        });
    }
    cases.case("group-is-full-of-given-ids", |c| {
        let group = c.name("g");
        for connection in [A, B, C, D] {
            c.ask_on(connection, JOIN, join(&group, ""))?;
        }
        Ok(())
    });
}
