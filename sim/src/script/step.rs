//! The model's actions, as what they are for a broker that is alone.

use std::collections::BTreeMap;

use crate::workload::member::Act;

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A producer sends a record, and waits for the answer if it is to have one.
    Produce {
        /// Which.
        record: u64,
    },
    /// A member does something.
    Member(usize, Act),
    /// A member's process is killed, and another begins from nothing.
    Crash(usize),
    /// The broker's process is killed.
    Kill,
    /// The broker's machine loses power, and with it whatever was not synced.
    PowerLoss,
    /// The broker is started.
    Start,
    /// A commit that is under way arrives, and is answered.
    Deliver(usize),
    /// What is under way comes to its end.
    Rest,
}

impl Step {
    /// What an action of the replication model with one replica is.
    pub fn of_partition(action: &str) -> Option<Self> {
        Some(match parts(action) {
            ("Produce", numbers) => Self::Produce { record: *numbers.get(1)? },
            ("Kill", _) => Self::Kill,
            // Of what was not synced nothing is kept: what there is was written since the beginning.
            ("PowerLoss", numbers) if numbers[..] == [0, 0] => Self::PowerLoss,
            ("Start", _) => Self::Start,
            ("Sync", _) => Self::Rest,
            _ => return None,
        })
    }

    /// What an action of the group model is.
    pub fn of_group(action: &str) -> Option<Self> {
        let (name, numbers) = parts(action);
        let mut numbers = numbers.into_iter();
        let member = numbers.next().map(usize::try_from).and_then(Result::ok);
        let partition = numbers.next().map(i32::try_from).and_then(Result::ok);
        let act = match (name, partition) {
            ("Join", None) => Act::Join,
            ("Sync", None) => Act::Sync,
            ("Heartbeat", None) => Act::Heartbeat,
            ("Disconnect", None) => Act::Disconnect,
            ("FetchOffset", Some(_)) => Act::Begin,
            ("Poll", Some(partition)) => Act::Poll(partition),
            ("Process", Some(_)) => Act::Process,
            ("Commit", Some(_)) => Act::Commit,
            ("Crash", None) => return Some(Self::Crash(member?)),
            ("Deliver", None) => return Some(Self::Deliver(member?)),
            ("Written", None) => return Some(Self::Rest),
            // A coordinator that moves, and has lost what was not durable, is for a broker that is alone one that comes again.
            ("Move", None) if member == Some(0) => return Some(Self::PowerLoss),
            ("Load", None) => return Some(Self::Start),
            _ => return None,
        };
        Some(Self::Member(member?, act))
    }
}

/// A commit that arrives when its member has another connection comes late: it is held, and sent when it is to arrive.
pub(super) fn hold_what_is_late(steps: &mut [Step]) {
    let mut connections: BTreeMap<usize, u32> = BTreeMap::new();
    let mut under_way = Vec::new();
    for place in 0..steps.len() {
        let connection =
            |number: usize, of: &BTreeMap<usize, u32>| of.get(&number).copied().unwrap_or(0);
        match steps[place] {
            Step::Member(number, Act::Commit) => {
                under_way.push((place, number, connection(number, &connections)));
            }
            Step::Member(number, Act::Disconnect) => *connections.entry(number).or_default() += 1,
            Step::Deliver(index) if index < under_way.len() => {
                let (sent, number, by) = under_way.remove(index);
                if by != connection(number, &connections) {
                    steps[sent] = Step::Member(number, Act::Hold);
                    steps[place] = Step::Member(number, Act::CommitHeld);
                }
            }
            Step::Produce { .. }
            | Step::Member(..)
            | Step::Crash(_)
            | Step::Kill
            | Step::PowerLoss
            | Step::Start
            | Step::Deliver(_)
            | Step::Rest => {}
        }
    }
}

/// The name of an action, and its numbers in their order.
fn parts(action: &str) -> (&str, Vec<u64>) {
    let end = action.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(action.len());
    let (name, rest) = action.split_at(end);
    let numbers = rest.split(|letter: char| !letter.is_ascii_digit());
    (name, numbers.filter_map(|digits| digits.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read() {
        let produce = Step::of_partition("Produce { to: 0, record: 3 }");
        assert_eq!(produce, Some(Step::Produce { record: 3 }));
        assert_eq!(Step::of_partition("PowerLoss(0, Offset(0))"), Some(Step::PowerLoss));
        assert_eq!(Step::of_partition("PowerLoss(0, Offset(1))"), None);
        assert_eq!(Step::of_partition("Lag { leader: 0, follower: 1 }"), None);
        assert_eq!(Step::of_group("Poll(1, 2)"), Some(Step::Member(1, Act::Poll(2))));
        assert_eq!(Step::of_group("Written"), Some(Step::Rest));
        assert_eq!(Step::of_group("TimeOut(Join)"), None);
    }

    #[test]
    fn what_its_connection_has_left_behind_is_held() {
        let of = |actions: &[&str]| -> Vec<Step> {
            let mut steps: Vec<_> =
                actions.iter().map(|action| Step::of_group(action).expect("it is one")).collect();
            hold_what_is_late(&mut steps);
            steps
        };
        let actions = ["Commit(0, 0)", "Disconnect(0)", "Commit(0, 0)", "Deliver(1)", "Deliver(0)"];
        let [held, late] = [Act::Hold, Act::CommitHeld].map(|act| Step::Member(0, act));
        let steps = of(&actions);
        assert_eq!((steps[0], steps[4]), (held, late));
        assert_eq!((steps[2], steps[3]), (Step::Member(0, Act::Commit), Step::Deliver(1)));
        let crashed = of(&["Commit(0, 0)", "Crash(0)", "Deliver(0)"]);
        assert_eq!(crashed[0], Step::Member(0, Act::Commit));
    }
}
