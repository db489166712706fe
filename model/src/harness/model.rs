//! What a model is: stateright's trait; or, for who only asks the advisor, its like, without all that stateright brings along.

#[cfg(not(feature = "checker"))]
pub use plain::{Expectation, Model, Property};
#[cfg(feature = "checker")]
pub use stateright::{Expectation, Model, Property};

#[cfg(not(feature = "checker"))]
mod plain {
    use std::fmt::Debug;

    /// A system that goes from state to state.
    pub trait Model: Sized {
        /// A state.
        type State;
        /// What leads from one to another.
        type Action;

        /// Where it may begin.
        fn init_states(&self) -> Vec<Self::State>;

        /// All that may happen in a state.
        fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>);

        /// What a state becomes.
        fn next_state(&self, last: &Self::State, action: Self::Action) -> Option<Self::State>;

        /// An action, as it is shown.
        fn format_action(&self, action: &Self::Action) -> String
        where
            Self::Action: Debug,
        {
            format!("{action:?}")
        }

        /// What must hold, and what must be reached.
        fn properties(&self) -> Vec<Property<Self>>;
    }

    /// When a property's condition must be true.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Expectation {
        /// In every state.
        Always,
        /// In some state of every path.
        Eventually,
        /// In some state.
        Sometimes,
    }

    /// A condition with a name.
    #[derive(Debug)]
    pub struct Property<M: Model> {
        /// When it must be true.
        pub expectation: Expectation,
        /// Its name.
        pub name: &'static str,
        /// The condition.
        pub condition: fn(&M, &M::State) -> bool,
    }

    impl<M: Model> Property<M> {
        /// It is true in every state.
        pub fn always(name: &'static str, condition: fn(&M, &M::State) -> bool) -> Self {
            Self { expectation: Expectation::Always, name, condition }
        }

        /// It is true in some state.
        pub fn sometimes(name: &'static str, condition: fn(&M, &M::State) -> bool) -> Self {
            Self { expectation: Expectation::Sometimes, name, condition }
        }
    }
}
