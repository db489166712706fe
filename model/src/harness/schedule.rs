//! Schedules: the actions of a story, one a line by their names, taken once more.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use super::{Story, search::Properties};

/// What came of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// How many of its steps were taken.
    pub steps: usize,
    /// What the last state violates.
    pub violated: Vec<String>,
    /// What was to be done next and cannot be, and all that can be instead.
    pub refused: Option<(String, Vec<String>)>,
}

/// Takes the actions of these names, one after the other, until one cannot be taken or something is violated: of these properties,
/// or of all if none is named.
pub(crate) fn replay<M>(model: &M, names: &[&str], only: &[&str]) -> Replayed
where
    M: Story,
    M::Action: Debug,
{
    let mut properties = Properties::of(model);
    properties.keep(only);
    let mut state = model.init_states().swap_remove(0);
    let mut replayed = Replayed { steps: 0, violated: Vec::new(), refused: None };
    for name in names {
        let mut actions = Vec::new();
        model.actions(&state, &mut actions);
        let found = actions.iter().position(|action| model.format_action(action) == *name);
        let Some(found) = found else {
            let offered = actions.iter().map(|action| model.format_action(action)).collect();
            replayed.refused = Some(((*name).to_owned(), offered));
            break;
        };
        let next = model.next_state(&state, actions.swap_remove(found));
        state = next.expect("an action that is offered can be taken");
        replayed.steps += 1;
        replayed.violated = properties.look_at(model, &state);
        if !replayed.violated.is_empty() {
            break;
        }
    }
    replayed
}
