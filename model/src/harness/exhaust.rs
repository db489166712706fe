//! An exhaustive search by stateright: depth first, with the least memory.

use std::{fmt::Debug, hash::Hash, thread, time::Duration};

use stateright::{Checker, HasDiscoveries, Model};

use super::{
    Outcome, Progress, Stopwatch, Story,
    search::{Limits, Properties, outcome, search},
};

/// How often it is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Visits all states. A violation is looked for once more, breadth first, to be told in as few steps as it takes.
///
/// stateright does not tell a search that was stopped from one that has come to its end, and on one thread does not look at its
/// own clock. So the end of its thread is what counts; a search that does not end in time is left to the end of the process.
pub(super) fn exhaust<M>(model: &M, limits: &Limits<'_>, tell: &mut dyn FnMut(Progress)) -> Outcome
where
    M: Story + Clone + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq + Send + Sync + 'static,
{
    assert!(limits.only.is_empty(), "stateright looks for all properties");
    let clock = Stopwatch::start();
    let builder = model.clone().checker().threads(1).finish_when(HasDiscoveries::AnyFailures);
    let mut checker = builder.spawn_dfs();
    let handles = checker.handles();
    let mut looks: u32 = 0;
    let mut stopped = false;
    while handles.iter().any(|handle| !handle.is_finished()) {
        let progress = progress(&checker);
        looks += 1;
        if looks.is_multiple_of(25) {
            tell(progress);
        }
        let memory_mib = super::peak_memory_mib();
        if clock.elapsed() > limits.time
            || progress.generated > limits.generated
            || memory_mib > limits.memory_mib
        {
            stopped = true;
            break;
        }
        #[expect(clippy::disallowed_methods, reason = "no machine waits for it")]
        thread::sleep(LOOK_EVERY);
    }
    if !stopped {
        for handle in handles {
            handle.join().expect("the model does not panic");
        }
    }
    let found = checker.discoveries();
    let properties = Properties::of(model);
    let mut marks = properties.marks;
    marks.iter_mut().for_each(|(name, reached)| *reached = found.contains_key(name.as_str()));
    let violated = properties.always.iter().any(|property| found.contains_key(property.name));
    if violated {
        return search(model, limits, tell);
    }
    outcome(progress(&checker), !stopped, clock, marks, None)
}

fn progress<M: Model>(checker: &impl Checker<M>) -> Progress {
    Progress {
        generated: checker.state_count(),
        unique: checker.unique_state_count(),
        // stateright counts states, not steps.
        depth: checker.max_depth().saturating_sub(1),
    }
}
