//! How far a model has come along a run.

use std::fmt::Debug;

use super::{Accepted, name_of};
use crate::harness::Model;

/// A model, and where it has come to.
#[derive(Debug)]
pub(super) struct Course<M: Model> {
    model: M,
    pub(super) state: M::State,
}

impl<M> Course<M>
where
    M: Model,
    M::State: Debug,
    M::Action: Debug + PartialEq,
{
    /// Where the model begins.
    pub(super) fn begin(model: M) -> Self {
        let state = model.init_states().swap_remove(0);
        Self { model, state }
    }

    /// Takes an action, if the model offers it.
    pub(super) fn take(
        &mut self,
        action: M::Action,
        accepted: &mut Accepted,
    ) -> Result<(), String> {
        let mut offered = Vec::new();
        self.model.actions(&self.state, &mut offered);
        if !offered.contains(&action) {
            return Err(format!("{action:?} is none of {offered:?}\n{:?}", self.state));
        }
        *accepted.actions.entry(name_of(&action)).or_default() += 1;
        let next = self.model.next_state(&self.state, action);
        self.state = next.expect("an action that is offered can be taken");
        Ok(())
    }
}
