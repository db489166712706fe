//! What can be asked of a broker that is alone, and is asked of the simulator as well.

use super::{Acks, Faults, Flush, Question, question::consumer};
use crate::group::Commits;

/// All settings of a single broker, with each that may go wrong with it: what the simulator can show or refute.
pub fn alone() -> Vec<Question> {
    let crash = Faults { crashes: 1, power_losses: 0, leader_changes: 0, lags: 0 };
    let power = Faults { power_losses: 1, ..crash };
    let one = Question { replication_factor: 1, min_insync: 1, ..Question::default() };
    let mut all = Vec::new();
    for acks in [Acks::None, Acks::Leader, Acks::All] {
        for flush in [Flush::System, Flush::Fsync] {
            all.extend([crash, power].map(|faults| Question { acks, flush, faults, ..one }));
        }
    }
    let early = [Commits::BeforeProcessing, Commits::Auto];
    all.extend(early.map(|consumer| Question { consumer, faults: crash, ..one }));
    all
}

impl Question {
    /// Its name among those of [`alone`].
    pub fn name(&self) -> String {
        let (acks, flush) = (self.acks.name(), self.flush.name());
        let Faults { crashes, power_losses, .. } = self.faults;
        let mut name = format!("acks={acks},flush={flush},{}", consumer(self.consumer));
        for (count, fault) in [(crashes, "crash"), (power_losses, "power-loss")] {
            if count > 0 {
                name += &format!(",{fault}");
            }
        }
        name
    }

    /// The one of [`alone`] with this name.
    pub fn named(name: &str) -> Option<Self> {
        alone().into_iter().find(|question| question.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_has_a_name() {
        let names: BTreeSet<_> = alone().iter().map(Question::name).collect();
        assert_eq!(names.len(), alone().len());
        for question in alone() {
            assert_eq!(Question::named(&question.name()), Some(question));
        }
        assert!(names.contains("acks=all,flush=fsync,commit-after,crash,power-loss"));
    }
}
