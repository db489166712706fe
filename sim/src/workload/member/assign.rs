//! How the leader shares partitions out.

use std::collections::BTreeMap;

use super::protocol::{Named, Subscription};

/// For each member its part.
pub(super) type Shares = BTreeMap<String, Vec<Named>>;

/// One after the other, in turn. Where members keep what they have, a partition that somebody else still has is given to nobody:
/// that one gives it up first, and all join again.
pub(super) fn share_out(
    members: &BTreeMap<String, Subscription>,
    partitions: &[Named],
    is_cooperative: bool,
) -> Shares {
    let mut shares: Shares = members.keys().map(|member| (member.clone(), Vec::new())).collect();
    let owners = owners(members);
    let ids: Vec<&String> = members.keys().collect();
    let most = partitions.len().div_ceil(ids.len().max(1));
    let mut left = Vec::new();
    for partition in partitions {
        // Who has it keeps it, as long as that is fair.
        let owner = owners.get(partition).filter(|_| is_cooperative);
        match owner.and_then(|owner| shares.get_mut(*owner)) {
            Some(share) if share.len() < most => share.push(partition.clone()),
            _ => left.push(partition.clone()),
        }
    }
    for partition in left {
        let poorest = shares.iter_mut().min_by_key(|(_, share)| share.len());
        let Some((member, share)) = poorest else { break };
        let has_another = owners.get(&partition).is_some_and(|owner| *owner != member);
        if is_cooperative && has_another {
            continue;
        }
        share.push(partition);
    }
    shares
}

/// Who has what: of two who say so, who was assigned it later; of two of one generation nobody.
fn owners(members: &BTreeMap<String, Subscription>) -> BTreeMap<Named, &String> {
    let mut owners: BTreeMap<Named, (i32, Option<&String>)> = BTreeMap::new();
    for (member, subscription) in members {
        for partition in &subscription.owned {
            let entry =
                owners.entry(partition.clone()).or_insert((subscription.generation, Some(member)));
            if entry.1 == Some(member) || entry.0 > subscription.generation {
                continue;
            }
            let is_newer = subscription.generation > entry.0;
            *entry = (subscription.generation, is_newer.then_some(member));
        }
    }
    owners.into_iter().filter_map(|(partition, (_, owner))| Some((partition, owner?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(indexes: &[i32]) -> Vec<Named> {
        indexes.iter().map(|index| ("a".to_owned(), *index)).collect()
    }

    fn members(owned: &[(&str, &[i32], i32)]) -> BTreeMap<String, Subscription> {
        let members = owned.iter().map(|(name, owned, generation)| {
            let subscription = Subscription {
                topics: vec!["a".into()],
                owned: named(owned),
                generation: *generation,
            };
            ((*name).to_owned(), subscription)
        });
        members.collect()
    }

    #[test]
    fn eager_shares_are_fair() {
        let members = members(&[("m", &[0, 1, 2], 1), ("n", &[], -1)]);
        let shares = share_out(&members, &named(&[0, 1, 2]), false);
        assert_eq!((shares["m"].len(), shares["n"].len()), (2, 1));
    }

    #[test]
    fn what_somebody_has_is_first_given_up() {
        let first = members(&[("m", &[0, 1, 2], 1), ("n", &[], -1)]);
        let shares = share_out(&first, &named(&[0, 1, 2]), true);
        assert_eq!((&shares["m"], &shares["n"]), (&named(&[0, 1]), &named(&[])));
        let then = members(&[("m", &[0, 1], 2), ("n", &[], 2)]);
        let shares = share_out(&then, &named(&[0, 1, 2]), true);
        assert_eq!((&shares["m"], &shares["n"]), (&named(&[0, 1]), &named(&[2])));
    }

    #[test]
    fn the_later_claim_counts() {
        let both = members(&[("m", &[0], 1), ("n", &[0], 2)]);
        let shares = share_out(&both, &named(&[0]), true);
        assert_eq!((&shares["m"], &shares["n"]), (&named(&[]), &named(&[0])));
    }
}
