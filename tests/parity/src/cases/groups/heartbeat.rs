//! Heartbeat.

use ottla_core::wire::{ApiKey, messages::heartbeat::HeartbeatRequest};

use super::{Cases, HEARTBEAT, JOIN, Member, join};
use crate::case::B;

pub(super) fn cases(cases: &mut Cases) {
    states(cases);
    wrong(cases);
}

fn states(cases: &mut Cases) {
    cases.each(ApiKey::Heartbeat.versions(), "plain", |c, v| {
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        c.ask(v, member.heartbeat())?;
        Ok(())
    });
    cases.each(ApiKey::Heartbeat.versions(), "before-sync", |c, v| {
        let group = c.name("g");
        let member = c.joined_member(&group)?;
        c.ask(v, member.heartbeat())?;
        Ok(())
    });
    cases.each(ApiKey::Heartbeat.versions(), "during-rebalance", |c, v| {
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        c.begin_rebalance(B, &member)?;
        c.ask(v, member.heartbeat())?;
        Ok(())
    });
    cases.case("after-leaving", |c| {
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        c.ask(super::LEAVE, member.leave(super::LEAVE))?;
        c.ask(HEARTBEAT, member.heartbeat())?;
        Ok(())
    });
    cases.case("given-id-that-has-not-joined", |c| {
        let group = c.name("g");
        let given = c.ask(JOIN, join(&group, ""))?;
        let member = Member { generation: -1, ..Member::of(&group, &given) };
        c.ask(HEARTBEAT, member.heartbeat())?;
        Ok(())
    });
}

fn wrong(cases: &mut Cases) {
    for version in [0, 3, 4] {
        cases.each(version..=version, "unknown-group", |c, v| {
            let group_id = c.name("no-such");
            let member_id = "nobody".to_owned();
            c.ask(v, HeartbeatRequest { group_id, member_id, ..Default::default() })?;
            Ok(())
        });
        cases.each(version..=version, "empty-group-id", |c, v| {
            c.ask(v, HeartbeatRequest::default())?;
            Ok(())
        });
        for member_id in ["nobody", ""] {
            let what = if member_id.is_empty() { "empty-member-id" } else { "unknown-member" };
            cases.each(version..=version, what, move |c, v| {
                let group = c.name("g");
                let member = c.stable_member(&group)?;
                let member_id = member_id.to_owned();
                c.ask(v, HeartbeatRequest { member_id, ..member.heartbeat() })?;
                Ok(())
            });
        }
        for (what, generation_id) in [("old", 0), ("future", 2), ("negative", -1)] {
            cases.each(version..=version, &format!("generation-{what}"), move |c, v| {
                let group = c.name("g");
                let member = c.stable_member(&group)?;
                c.ask(v, HeartbeatRequest { generation_id, ..member.heartbeat() })?;
                Ok(())
            });
        }
    }
    cases.case("empty-group", |c| {
        let group_id = c.empty_group("g")?;
        let member_id = "nobody".to_owned();
        c.ask(HEARTBEAT, HeartbeatRequest { group_id, member_id, ..Default::default() })?;
        Ok(())
    });
}
