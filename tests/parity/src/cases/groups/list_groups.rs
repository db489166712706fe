//! ListGroups.

use ottla_core::wire::{ApiKey, messages::list_groups::ListGroupsRequest};

use super::Cases;
use crate::{
    case::{B, Case},
    client::Failure,
};

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    filters(cases);
}

/// Groups in four states.
fn groups(c: &mut Case) -> Result<(), Failure> {
    let [stable, joined, joining] = ["stable", "joined", "joining"].map(|label| c.name(label));
    c.stable_member(&stable)?;
    c.joined_member(&joined)?;
    c.empty_group("empty")?;
    let member = c.stable_member(&joining)?;
    c.begin_rebalance(B, &member)?;
    Ok(())
}

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::ListGroups.versions(), "plain", |c, v| {
        groups(c)?;
        c.ask_own(v, ListGroupsRequest::default())?;
        Ok(())
    });
}

fn filters(cases: &mut Cases) {
    let states: [(&str, &[&str]); 9] = [
        ("stable", &["Stable"]),
        ("empty", &["Empty"]),
        ("two", &["PreparingRebalance", "CompletingRebalance"]),
        ("lower-case", &["stable"]),
        ("upper-case", &["EMPTY"]),
        ("of-the-new-protocol", &["Assigning", "Reconciling"]),
        ("dead", &["Dead"]),
        ("unknown", &["Sleeping"]),
        ("unknown-and-stable", &["Sleeping", "Stable"]),
    ];
    for (what, filter) in states {
        cases.each(4..=5, &format!("states-{what}"), move |c, v| {
            groups(c)?;
            let states_filter = filter.iter().map(|&state| state.to_owned()).collect();
            c.ask_own(v, ListGroupsRequest { states_filter, ..Default::default() })?;
            Ok(())
        });
    }
    let types: [(&str, &[&str]); 6] = [
        ("classic", &["classic"]),
        ("capital", &["Classic"]),
        ("consumer", &["consumer"]),
        ("both", &["classic", "consumer"]),
        ("unknown", &["odd"]),
        ("unknown-and-classic", &["odd", "classic"]),
    ];
    for (what, filter) in types {
        cases.each(5..=5, &format!("types-{what}"), move |c, v| {
            groups(c)?;
            let types_filter = filter.iter().map(|&kind| kind.to_owned()).collect();
            c.ask_own(v, ListGroupsRequest { types_filter, ..Default::default() })?;
            Ok(())
        });
    }
    cases.each(5..=5, "states-and-types", |c, v| {
        groups(c)?;
        c.ask_own(
            v,
            ListGroupsRequest {
                states_filter: vec!["Stable".to_owned()],
                types_filter: vec!["classic".to_owned()],
            },
        )?;
        Ok(())
    });
}
