//! DescribeGroups.

use ottla_core::wire::{ApiKey, messages::describe_groups::DescribeGroupsRequest};

use super::Cases;
use crate::case::A;

pub(super) fn cases(cases: &mut Cases) {
    states(cases);
    shapes(cases);
}

fn of(groups: &[&str]) -> DescribeGroupsRequest {
    let groups = groups.iter().map(|&group| group.to_owned()).collect();
    DescribeGroupsRequest { groups, ..Default::default() }
}

fn states(cases: &mut Cases) {
    cases.each(ApiKey::DescribeGroups.versions(), "plain", |c, v| {
        let group = c.name("g");
        c.stable_member(&group)?;
        c.ask(v, of(&[&group]))?;
        Ok(())
    });
    cases.each(ApiKey::DescribeGroups.versions(), "unknown-group", |c, v| {
        let group = c.name("no-such");
        c.ask(v, of(&[&group]))?;
        Ok(())
    });
    for version in [0, 5, 6] {
        cases.each(version..=version, "empty", |c, v| {
            let group = c.empty_group("g")?;
            c.ask(v, of(&[&group]))?;
            Ok(())
        });
        cases.each(version..=version, "empty-after-members", |c, v| {
            let group = c.name("g");
            let member = c.stable_member(&group)?;
            c.quiet(super::LEAVE, member.leave(super::LEAVE))?;
            c.ask(v, of(&[&group]))?;
            Ok(())
        });
        cases.each(version..=version, "before-sync", |c, v| {
            let group = c.name("g");
            c.joined_member(&group)?;
            c.ask(v, of(&[&group]))?;
            Ok(())
        });
    }
}

fn shapes(cases: &mut Cases) {
    cases.each(3..=6, "authorized-operations", |c, v| {
        let group = c.name("g");
        c.stable_member(&group)?;
        let unknown = c.name("no-such");
        c.ask(
            v,
            DescribeGroupsRequest {
                include_authorized_operations: true,
                ..of(&[&group, &unknown])
            },
        )?;
        Ok(())
    });
    for version in [0, 6] {
        cases.each(version..=version, "several", |c, v| {
            let group = c.name("g");
            c.stable_member(&group)?;
            let (empty, unknown) = (c.empty_group("empty")?, c.name("no-such"));
            c.ask(v, of(&[&unknown, &group, &empty, &group]))?;
            Ok(())
        });
        // There is only one group without a name.
        cases.alone(&format!("v{version:02}/empty-group-id"), move |c| {
            let topic = c.topic("t", 1)?;
            c.committed("", &topic, &[(0, 5)])?;
            c.outcome(A, version, of(&[""]))?;
            Ok(())
        });
        cases.each(version..=version, "no-groups", |c, v| {
            c.ask(v, of(&[]))?;
            Ok(())
        });
    }
}
