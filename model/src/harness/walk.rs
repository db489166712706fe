//! Random walks: what lies beyond the bounds of a search.
//!
//! stateright's own simulation writes down wrong paths when a model refuses an action that it has offered; here that is a fault
//! of the model, and it is told.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Debug,
    hash::{BuildHasherDefault, Hash},
    time::Duration,
};

use ottla_core::machine::Random;
use serde::{Deserialize, Serialize};

use super::{
    Progress, Stopwatch, Story, Violation,
    search::{Properties, Same, fingerprint, retell},
};

/// Which walks to go.
#[derive(Debug, Clone, Copy)]
pub struct Walks {
    /// The seed of the first; the others count up.
    pub seed: u64,
    /// How many.
    pub count: u64,
    /// How many steps each goes at most.
    pub steps: usize,
    /// How long they may take together.
    pub time: Duration,
}

/// What came out of random walks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WalksOutcome {
    /// How many there were.
    pub walks: u64,
    /// How many steps they went together.
    pub steps: u64,
    /// How many different states they have come to.
    pub unique: usize,
    /// How many ended where there was nothing more to do.
    pub ended: u64,
    /// How long it took.
    pub seconds: f64,
    /// What was reached, in how many walks.
    pub marks: BTreeMap<String, u64>,
    /// What was violated, by which seed.
    pub violation: Option<(u64, Violation)>,
}

/// Walks at random until something is violated.
pub(super) fn walk<M>(model: &M, walks: &Walks, tell: &mut dyn FnMut(Progress)) -> WalksOutcome
where
    M: Story,
    M::State: Clone + Debug + Hash,
    M::Action: Debug,
{
    let clock = Stopwatch::start();
    let mut outcome = WalksOutcome {
        walks: 0,
        steps: 0,
        unique: 0,
        ended: 0,
        seconds: 0.0,
        marks: Properties::of(model).marks.into_keys().map(|name| (name, 0)).collect(),
        violation: None,
    };
    let mut seen = Seen::default();
    while outcome.walks < walks.count && clock.elapsed() < walks.time {
        let seed = walks.seed.wrapping_add(outcome.walks);
        let one = walk_once(model, seed, walks.steps, &mut seen);
        outcome.walks += 1;
        outcome.steps += one.numbers.len() as u64 - 1;
        outcome.ended += u64::from(one.ended);
        for (name, _) in one.marks.iter().filter(|(_, reached)| **reached) {
            *outcome.marks.entry(name.clone()).or_default() += 1;
        }
        if !one.violated.is_empty() {
            outcome.violation = Some((seed, retell(model, one.violated, &one.numbers)));
            break;
        }
        if outcome.walks.is_multiple_of(256) {
            let generated = usize::try_from(outcome.steps).unwrap_or(usize::MAX);
            tell(Progress { generated, unique: seen.len(), depth: walks.steps });
        }
    }
    outcome.unique = seen.len();
    outcome.seconds = clock.elapsed().as_secs_f64();
    outcome
}

/// The fingerprints of the states that were come to.
type Seen = HashSet<u64, BuildHasherDefault<Same>>;

struct Walk {
    numbers: Vec<usize>,
    ended: bool,
    marks: BTreeMap<String, bool>,
    violated: Vec<String>,
}

fn walk_once<M>(model: &M, seed: u64, steps_max: usize, seen: &mut Seen) -> Walk
where
    M: Story,
    M::State: Hash,
{
    let mut random = Random::new(seed);
    let mut properties = Properties::of(model);
    let mut states = model.init_states();
    let first = below(&mut random, states.len());
    let mut state = states.swap_remove(first);
    let mut numbers = vec![first];
    let mut ended = false;
    let mut actions = Vec::new();
    let mut violated = properties.look_at(model, &state);
    seen.insert(fingerprint(&state));
    while violated.is_empty() && numbers.len() <= steps_max {
        actions.clear();
        model.actions(&state, &mut actions);
        if actions.is_empty() {
            ended = true;
            break;
        }
        let number = below(&mut random, actions.len());
        numbers.push(number);
        let next = model.next_state(&state, actions.swap_remove(number));
        state = next.expect("an action that is offered can be taken");
        violated = properties.look_at(model, &state);
        seen.insert(fingerprint(&state));
    }
    Walk { numbers, ended, marks: properties.marks, violated }
}

fn below(random: &mut Random, limit: usize) -> usize {
    let limit = u64::try_from(limit).expect("a model has fewer choices");
    usize::try_from(random.next_u64() % limit).expect("it is below the limit")
}
