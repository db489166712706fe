//! FindCoordinator.

use ottla_core::wire::{ApiKey, messages::find_coordinator::FindCoordinatorRequest};

use super::Cases;
use crate::case::A;

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    kinds(cases);
    shapes(cases);
}

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

/// A request of this version: the newer ones ask for several keys.
fn request(version: i16, key_type: i8, keys: &[&str]) -> FindCoordinatorRequest {
    let coordinator_keys = keys.iter().map(|&key| key.to_owned()).collect();
    if version < 4 {
        FindCoordinatorRequest { key: keys[0].to_owned(), key_type, ..Default::default() }
    } else {
        FindCoordinatorRequest { key_type, coordinator_keys, ..Default::default() }
    }
}

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::FindCoordinator.versions(), "plain", |c, v| {
        let group = c.name("g");
        c.ask(v, request(v, GROUP, &[&group]))?;
        Ok(())
    });
}

fn kinds(cases: &mut Cases) {
    cases.each(1..=6, "transaction", |c, v| {
        let id = c.name("x");
        c.ask(v, request(v, TRANSACTION, &[&id]))?;
        Ok(())
    });
    for version in [1, 3, 4, 5, 6] {
        for (what, key_type) in [("share", SHARE), ("unknown", 3), ("negative", -1)] {
            cases.each(version..=version, &format!("type-{what}"), move |c, v| {
                let key = c.name("k");
                c.outcome(A, v, request(v, key_type, &[&key]))?;
                Ok(())
            });
        }
        for (what, key_type) in [("group", GROUP), ("transaction", TRANSACTION)] {
            cases.each(version..=version, &format!("empty-{what}"), move |c, v| {
                c.outcome(A, v, request(v, key_type, &[""]))?;
                Ok(())
            });
        }
    }
    cases.each(6..=6, "share-malformed-key", |c, v| {
        c.outcome(A, v, request(v, SHARE, &["a:b", "g:AAAAAAAAAAAAAAAAAAAAAQ:x"]))?;
        Ok(())
    });
}

fn shapes(cases: &mut Cases) {
    cases.each(4..=6, "several", |c, v| {
        let [b, a, b2] = ["b", "a", "b"].map(|label| c.name(label));
        c.ask(v, request(v, GROUP, &[&b, &a, "", &b2]))?;
        Ok(())
    });
    cases.each(4..=6, "none", |c, v| {
        c.ask(v, request(v, GROUP, &[]))?;
        Ok(())
    });
}
