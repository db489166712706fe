//! DeleteGroups.

use ottla_core::wire::{
    ApiKey,
    messages::{
        delete_groups::DeleteGroupsRequest, describe_groups::DescribeGroupsRequest,
        offset_fetch::OffsetFetchRequest,
    },
};

use super::{Cases, LEAVE};
use crate::case::{Case, Done};

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    wrong(cases);
}

fn of(groups: &[&str]) -> DeleteGroupsRequest {
    DeleteGroupsRequest { groups_names: groups.iter().map(|&group| group.to_owned()).collect() }
}

fn keep_absence(c: &mut Case, group: &str) -> Done {
    let groups = vec![group.to_owned()];
    c.ask(6, DescribeGroupsRequest { groups, ..Default::default() })?;
    let group_id = group.to_owned();
    c.ask(7, OffsetFetchRequest { group_id, topics: None, ..Default::default() })?;
    Ok(())
}

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::DeleteGroups.versions(), "plain", |c, v| {
        let group = c.empty_group("g")?;
        c.ask(v, of(&[&group]))?;
        keep_absence(c, &group)
    });
    cases.case("after-members-left", |c| {
        let group = c.name("g");
        let member = c.stable_member(&group)?;
        c.quiet(LEAVE, member.leave(LEAVE))?;
        c.ask(2, of(&[&group]))?;
        keep_absence(c, &group)
    });
}

fn wrong(cases: &mut Cases) {
    cases.each(ApiKey::DeleteGroups.versions(), "not-empty", |c, v| {
        let group = c.name("g");
        c.stable_member(&group)?;
        c.ask(v, of(&[&group]))?;
        Ok(())
    });
    cases.each(ApiKey::DeleteGroups.versions(), "unknown-group", |c, v| {
        let group = c.name("no-such");
        c.ask(v, of(&[&group]))?;
        Ok(())
    });
    cases.case("id-given-and-not-used", |c| {
        let group = c.name("g");
        c.quiet(super::JOIN, super::join(&group, ""))?;
        c.ask(2, of(&[&group]))?;
        Ok(())
    });
    // There is only one group without a name.
    cases.alone("empty-group-id", |c| {
        let topic = c.topic("t", 1)?;
        c.committed("", &topic, &[(0, 5)])?;
        c.ask(2, of(&[""]))?;
        Ok(())
    });
    cases.case("several", |c| {
        let (empty, unknown, full) = (c.empty_group("empty")?, c.name("no-such"), c.name("full"));
        c.stable_member(&full)?;
        c.ask(2, of(&[&full, &unknown, &empty]))?;
        Ok(())
    });
    cases.case("group-twice", |c| {
        let group = c.empty_group("g")?;
        c.ask(2, of(&[&group, &group]))?;
        Ok(())
    });
    cases.case("no-groups", |c| {
        c.ask(2, of(&[]))?;
        Ok(())
    });
}
