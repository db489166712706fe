//! LeaveGroup.

use ottla_core::wire::{ApiKey, messages::leave_group::LeaveGroupRequest};

use super::{Cases, HEARTBEAT, JOIN, LEAVE, Member, join, leave};
use crate::case::B;

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    wrong(cases);
    several(cases);
}

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::LeaveGroup.versions(), "plain", |c, v| {
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        c.ask(v, member.leave(v))?;
        c.ask(HEARTBEAT, member.heartbeat())?;
        Ok(())
    });
    cases.each(5..=5, "reason", |c, v| {
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        let mut request = member.leave(v);
        request.members[0].reason = Some("because".to_owned());
        c.ask(v, request)?;
        Ok(())
    });
    for version in [1, 5] {
        cases.each(version..=version, "before-sync", |c, v| {
            let group = c.name("g");
            let member = c.joined_member(&group)?;
            c.ask(v, member.leave(v))?;
            c.ask(HEARTBEAT, member.heartbeat())?;
            Ok(())
        });
        cases.each(version..=version, "before-joining", |c, v| {
            let group = c.name("g");
            let given = c.ask(JOIN, join(&group, ""))?;
            c.ask(v, Member::of(&group, &given).leave(v))?;
            c.note("the id that was given is worth nothing now");
            c.ask(JOIN, join(&group, &given.member_id))?;
            Ok(())
        });
    }
    cases.case("lets-a-rebalance-end", |c| {
        let group = c.name("g");
        let first = c.stable_member(&group)?;
        let (_, pending) = c.begin_rebalance(B, &first)?;
        c.ask(LEAVE, first.leave(LEAVE))?;
        c.receive(pending)?;
        Ok(())
    });
}

fn wrong(cases: &mut Cases) {
    for version in [0, 2, 3, 5] {
        cases.each(version..=version, "unknown-group", |c, v| {
            let group = c.name("no-such");
            c.ask(v, Member { group, id: "nobody".to_owned(), generation: 0 }.leave(v))?;
            Ok(())
        });
        cases.each(version..=version, "empty-group-id", |c, v| {
            let member = Member { group: String::new(), id: "nobody".to_owned(), generation: 0 };
            c.ask(v, member.leave(v))?;
            Ok(())
        });
        for id in ["nobody", ""] {
            let what = if id.is_empty() { "empty-member-id" } else { "unknown-member" };
            cases.each(version..=version, what, move |c, v| {
                let group = c.name("g");
                let member = c.stable_member(&group)?;
                c.ask(v, Member { id: id.to_owned(), ..member }.leave(v))?;
                Ok(())
            });
        }
    }
    cases.case("twice", |c| {
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        c.ask(LEAVE, member.leave(LEAVE))?;
        c.ask(LEAVE, member.leave(LEAVE))?;
        Ok(())
    });
}

fn several(cases: &mut Cases) {
    cases.each(3..=5, "known-and-unknown", |c, v| {
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        let members = [("nobody", None), (&member.id[..], None), ("", Some("no-such-instance"))];
        c.ask(v, leave(&group, &members))?;
        c.ask(HEARTBEAT, member.heartbeat())?;
        Ok(())
    });
    cases.each(3..=5, "member-twice", |c, v| {
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        c.ask(v, leave(&group, &[(&member.id, None), (&member.id, None)]))?;
        Ok(())
    });
    cases.each(3..=5, "no-members", |c, v| {
        let group = c.name("g");
        c.stable_member(&group)?;
        c.ask(v, LeaveGroupRequest { group_id: group, ..Default::default() })?;
        Ok(())
    });
}
