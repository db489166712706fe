//! A breadth-first search: the first violation that it meets is the shortest there is. And a depth-first one, for which it looks the
//! shortest up.
//!
//! stateright's own breadth-first search looks at states in blocks and keeps the last violation of a block, and with one thread
//! it does not look at its clock. Here a limit that is met is told, so that nobody takes an unfinished search for a proof.

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry},
    fmt::Debug,
    hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher},
    time::Duration,
};

use super::{
    Expectation, Line, Model, Outcome, Progress, Property, Stopwatch, Story, Violation,
    peak_memory_mib,
};

/// What a search may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    /// How long it may take.
    pub time: Duration,
    /// How many states it may generate.
    pub generated: usize,
    /// How much memory the process may have.
    pub memory_mib: u64,
    /// The properties that are of interest; all if none is named.
    pub only: &'a [&'a str],
}

impl Limits<'_> {
    /// What a small configuration needs at most.
    pub const SMALL: Self = Self {
        time: Duration::from_secs(120),
        generated: 50_000_000,
        memory_mib: 4_096,
        only: &[],
    };

    /// Whether a search has met one of them, at so many states; tells how far it is. It looks now and then only.
    fn are_met(
        &self,
        visited: usize,
        clock: &Stopwatch,
        progress: Progress,
        tell: &mut dyn FnMut(Progress),
    ) -> bool {
        if !visited.is_multiple_of(LOOK_EVERY) {
            return false;
        }
        let is_large = visited.is_multiple_of(TELL_EVERY) && {
            tell(progress);
            peak_memory_mib() > self.memory_mib
        };
        is_large || clock.elapsed() > self.time || progress.generated > self.generated
    }
}

/// A fingerprint is a hash already.
#[derive(Debug, Default)]
pub(super) struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are hashed");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// From where a state was reached first: the fingerprint of the state before, and the number of the action; or which of the
/// first states it is.
#[derive(Debug, Clone, Copy)]
struct Origin {
    before: Option<u64>,
    action: u32,
}

type Origins = HashMap<u64, Origin, BuildHasherDefault<Same>>;

pub(super) fn fingerprint(state: &impl Hash) -> u64 {
    // Its keys are fixed: the same state has the same fingerprint in every run.
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// How often a search looks at the clock.
const LOOK_EVERY: usize = 4_096;

/// How often a search looks at its memory, and tells how far it is.
const TELL_EVERY: usize = 16 * LOOK_EVERY;

/// Visits all states in the order of their distance from the first, until one violates a property.
pub fn search<M>(model: &M, limits: &Limits<'_>, tell: &mut dyn FnMut(Progress)) -> Outcome
where
    M: Story,
    M::State: Clone + Debug + Hash,
    M::Action: Debug,
{
    let clock = Stopwatch::start();
    let mut properties = Properties::of(model);
    properties.keep(limits.only);
    let mut origins = Origins::default();
    let mut frontier = VecDeque::new();
    let mut progress = Progress::default();
    for (number, state) in model.init_states().into_iter().enumerate() {
        progress.generated += 1;
        let print = fingerprint(&state);
        if let Entry::Vacant(place) = origins.entry(print) {
            place.insert(Origin { before: None, action: to_u32(number) });
            frontier.push_back((print, 0, state));
        }
    }
    let mut actions = Vec::new();
    let mut visited = 0;
    let mut found = None;
    let mut exhausted = true;
    while let Some((print, depth, state)) = frontier.pop_front() {
        progress.depth = depth;
        let violated = properties.look_at(model, &state);
        if !violated.is_empty() {
            found = Some((violated, print));
            break;
        }
        visited += 1;
        progress.unique = origins.len();
        if limits.are_met(visited, &clock, progress, tell) {
            exhausted = false;
            break;
        }
        model.actions(&state, &mut actions);
        for (number, action) in actions.drain(..).enumerate() {
            let next = model.next_state(&state, action);
            let next = next.expect("an action that is offered can be taken");
            progress.generated += 1;
            let next_print = fingerprint(&next);
            if let Entry::Vacant(place) = origins.entry(next_print) {
                place.insert(Origin { before: Some(print), action: to_u32(number) });
                frontier.push_back((next_print, depth + 1, next));
            }
        }
    }
    progress.unique = origins.len();
    let exhausted = exhausted && found.is_none();
    let violation = found.map(|(violated, print)| {
        let numbers = trace(&origins, print);
        retell(model, violated, &numbers)
    });
    outcome(progress, exhausted, clock, properties.marks, violation)
}

/// Visits all states, and keeps no more of them than their fingerprints: depth first, for the way back from a state is short, where
/// the border of a breadth-first search is millions of states. Only if one violates a property is the shortest way looked for.
pub fn visit_all<M>(model: &M, limits: &Limits<'_>, tell: &mut dyn FnMut(Progress)) -> Outcome
where
    M: Story,
    M::State: Clone + Debug + Hash,
    M::Action: Debug,
{
    let clock = Stopwatch::start();
    let mut properties = Properties::of(model);
    properties.keep(limits.only);
    let mut known: HashSet<u64, BuildHasherDefault<Same>> = HashSet::default();
    let mut ahead: Vec<(usize, M::State)> = Vec::new();
    let mut progress = Progress::default();
    for state in model.init_states() {
        progress.generated += 1;
        if known.insert(fingerprint(&state)) {
            ahead.push((0, state));
        }
    }
    let mut actions = Vec::new();
    let mut visited = 0;
    let mut exhausted = true;
    while let Some((depth, state)) = ahead.pop() {
        progress.depth = progress.depth.max(depth);
        if !properties.look_at(model, &state).is_empty() {
            return search(model, limits, tell);
        }
        visited += 1;
        progress.unique = known.len();
        if limits.are_met(visited, &clock, progress, tell) {
            exhausted = false;
            break;
        }
        model.actions(&state, &mut actions);
        for action in actions.drain(..) {
            let next = model.next_state(&state, action);
            let next = next.expect("an action that is offered can be taken");
            progress.generated += 1;
            if known.insert(fingerprint(&next)) {
                ahead.push((depth + 1, next));
            }
        }
    }
    progress.unique = known.len();
    outcome(progress, exhausted, clock, properties.marks, None)
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).expect("a state has fewer actions")
}

/// Which of the first states, and which actions, lead to a state.
fn trace(origins: &Origins, mut print: u64) -> Vec<usize> {
    let mut numbers = Vec::new();
    while let Some(origin) = origins.get(&print) {
        numbers.push(origin.action as usize);
        match origin.before {
            Some(before) => print = before,
            None => break,
        }
    }
    numbers.reverse();
    numbers
}

/// The properties of a model, and which marks were reached.
pub(super) struct Properties<M: Model> {
    pub(super) always: Vec<Property<M>>,
    sometimes: Vec<Property<M>>,
    pub(super) marks: std::collections::BTreeMap<String, bool>,
}

impl<M: Model> Properties<M> {
    pub(super) fn of(model: &M) -> Self {
        let (sometimes, always): (Vec<_>, Vec<_>) = model
            .properties()
            .into_iter()
            .partition(|property| property.expectation == Expectation::Sometimes);
        let marks = sometimes.iter().map(|mark| (mark.name.into(), false)).collect();
        Self { always, sometimes, marks }
    }

    /// Leaves out all properties but some.
    pub(super) fn keep(&mut self, only: &[&str]) {
        self.always.retain(|property| only.is_empty() || only.contains(&property.name));
        assert!(!self.always.is_empty(), "there is something to look for");
    }

    /// Notes the marks that a state reaches, and says which properties it violates.
    pub(super) fn look_at(&mut self, model: &M, state: &M::State) -> Vec<String> {
        self.sometimes.retain(|mark| {
            let reached = (mark.condition)(model, state);
            if reached {
                self.marks.insert(mark.name.into(), true);
            }
            !reached
        });
        let violated = self.always.iter().filter(|known| !(known.condition)(model, state));
        violated.map(|property| property.name.into()).collect()
    }
}

/// Goes a path once more and writes it down.
pub(super) fn retell<M>(model: &M, properties: Vec<String>, numbers: &[usize]) -> Violation
where
    M: Story,
    M::State: Debug,
    M::Action: Debug,
{
    let (first, numbers) = numbers.split_first().expect("a path begins somewhere");
    let mut state = model.init_states().swap_remove(*first);
    let mut names = Vec::new();
    let mut story: Vec<Line> = Vec::new();
    for number in numbers {
        let mut actions = Vec::new();
        model.actions(&state, &mut actions);
        names.push(model.format_action(&actions[*number]));
        let action = actions.swap_remove(*number);
        let mut again = Vec::new();
        model.actions(&state, &mut again);
        let next = model.next_state(&state, action).expect("the action was taken before");
        story.extend(model.tell(&state, &again[*number], &next));
        state = next;
    }
    let state = format!("{state:?}");
    Violation { properties, steps: numbers.len(), actions: names, story, state }
}

pub(super) fn outcome(
    progress: Progress,
    exhausted: bool,
    clock: Stopwatch,
    marks: std::collections::BTreeMap<String, bool>,
    violation: Option<Violation>,
) -> Outcome {
    Outcome {
        exhausted,
        generated: progress.generated,
        unique: progress.unique,
        depth: progress.depth,
        seconds: clock.elapsed().as_secs_f64(),
        memory_mib: peak_memory_mib(),
        marks,
        violation,
    }
}
