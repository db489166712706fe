//! A model small enough to be counted by hand, to test the harness with.

use std::time::Duration;

use stateright::{Checker, Model, Property};

use super::{
    Caught, Configuration, Limits, Line, Order, Outcome, Size, Story, Subject, Verdict, Walks,
    search, visit_all,
};

/// Two counters below a limit, of which each step moves one.
#[derive(Debug, Clone)]
struct Counters {
    limit: u8,
    /// What the sum must stay below.
    below: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Left,
    Right,
}

impl Model for Counters {
    type State = (u8, u8);
    type Action = Step;

    fn init_states(&self) -> Vec<Self::State> {
        vec![(0, 0)]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Step>) {
        if state.0 < self.limit {
            actions.push(Step::Left);
        }
        if state.1 < self.limit {
            actions.push(Step::Right);
        }
    }

    fn next_state(&self, state: &Self::State, action: Step) -> Option<Self::State> {
        Some(match action {
            Step::Left => (state.0 + 1, state.1),
            Step::Right => (state.0, state.1 + 1),
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("Below", |model: &Self, state: &(u8, u8)| {
                state.0 + state.1 < model.below
            }),
            Property::sometimes("both moved", |_, state: &(u8, u8)| state.0 > 0 && state.1 > 0),
            Property::sometimes("far", |_, state: &(u8, u8)| state.0 > 99),
        ]
    }
}

impl Story for Counters {
    fn tell(&self, _: &(u8, u8), action: &Step, after: &(u8, u8)) -> Vec<Line> {
        vec![Line { from: 0, to: 0, text: format!("{action:?} makes it {after:?}") }]
    }
}

const FINE: Counters = Counters { limit: 9, below: 100 };

fn configuration(unique: usize, unreachable: &'static [&'static str]) -> Configuration {
    Configuration {
        name: "counters",
        bounds: "two counters to 9",
        size: Size::Small,
        unique: Some(unique),
        unreachable,
        mutants: &[],
        subject: Box::new(FINE),
    }
}

#[test]
fn both_orders_visit_every_state_once() {
    for order in [Order::Breadth, Order::Depth] {
        let outcome = Subject::search(&FINE, order, &Limits::SMALL, &mut |_| {});
        assert!(outcome.exhausted, "{order:?}");
        assert_eq!((outcome.unique, outcome.depth), (100, 18), "{order:?}");
        assert_eq!(outcome.generated, 181, "{order:?}");
        assert_eq!(outcome.violation, None, "{order:?}");
        assert!(outcome.marks["both moved"], "{order:?}");
        assert!(!outcome.marks["far"], "{order:?}");
    }
    let lean = visit_all(&FINE, &Limits::SMALL, &mut |_| {});
    assert!(lean.exhausted && lean.violation.is_none());
    assert_eq!((lean.unique, lean.depth, lean.generated), (100, 18, 181));
    // A third opinion.
    assert_eq!(FINE.checker().spawn_bfs().join().unique_state_count(), 100);
}

#[test]
fn the_shortest_violation_is_told() {
    let model = Counters { limit: 9, below: 4 };
    for order in [Order::Breadth, Order::Depth] {
        let outcome = Subject::search(&model, order, &Limits::SMALL, &mut |_| {});
        assert!(!outcome.exhausted, "{order:?}");
        let violation = outcome.violation.expect("four steps are too many");
        assert_eq!((violation.steps, violation.actions.len()), (4, 4), "{order:?}");
        assert_eq!(violation.properties, ["Below"]);
        assert_eq!(violation.story[3].text, "Left makes it (4, 0)");
    }
    let lean = visit_all(&model, &Limits::SMALL, &mut |_| {});
    assert_eq!(
        lean,
        Outcome {
            seconds: lean.seconds,
            memory_mib: lean.memory_mib,
            ..search(&model, &Limits::SMALL, &mut |_| {})
        }
    );
}

#[test]
fn a_limit_is_no_proof() {
    let endless = Counters { limit: u8::MAX / 2, below: u8::MAX };
    let limits = Limits { generated: 5_000, ..Limits::SMALL };
    let outcome = search(&endless, &limits, &mut |_| {});
    assert!(!outcome.exhausted && outcome.violation.is_none());
    assert!(!visit_all(&endless, &limits, &mut |_| {}).exhausted);
    let judged = configuration(outcome.unique, &["far"]).judge(&outcome);
    assert!(matches!(judged, Verdict::Not(why) if why.starts_with("not exhausted")));
}

#[test]
fn an_outcome_is_judged() {
    let outcome = search(&FINE, &Limits::SMALL, &mut |_| {});
    assert_eq!(configuration(100, &["far"]).judge(&outcome), Verdict::AsExpected);
    for (unique, unreachable, expected) in [
        (99, &["far"] as &[_], "100 states, pinned are 99"),
        (100, &[], "not reached: far"),
        (100, &["far", "both moved"], "unexpectedly reached: both moved"),
    ] {
        let verdict = configuration(unique, unreachable).judge(&outcome);
        assert_eq!(verdict, Verdict::Not(expected.into()));
    }
    let caught =
        |property| Caught { mutant: ottla_core::mutants::Mutant::AcknowledgeBeforeSync, property };
    let fine = configuration(100, &["far"]).judge_mutant(&caught("Below"), &outcome);
    assert_eq!(fine, Verdict::Not("not noticed".into()));
    let bad = search(&Counters { limit: 9, below: 4 }, &Limits::SMALL, &mut |_| {});
    let judge = |property| configuration(100, &[]).judge_mutant(&caught(property), &bad);
    assert_eq!(judge("Below"), Verdict::AsExpected);
    assert!(matches!(judge("Above"), Verdict::Not(_)));
}

#[test]
fn a_walk_is_repeated_by_its_seed() {
    let walks = Walks { seed: 7, count: 100, steps: 50, time: Duration::from_secs(10) };
    let fine = Subject::walk(&FINE, &walks, &mut |_| {});
    assert_eq!((fine.walks, fine.ended, fine.steps), (100, 100, 1_800));
    assert_eq!((fine.marks["both moved"], fine.marks["far"]), (100, 0));
    let model = Counters { limit: 9, below: 4 };
    let (seed, violation) = Subject::walk(&model, &walks, &mut |_| {}).violation.expect("it fails");
    assert_eq!((seed, violation.steps), (7, 4));
    let again = Subject::walk(&model, &Walks { count: 1, ..walks }, &mut |_| {});
    assert_eq!(again.violation, Some((seed, violation)));
}
