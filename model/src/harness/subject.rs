//! What the harness asks of a model.

use std::{fmt::Debug, hash::Hash};
#[cfg(feature = "checker")]
use std::{io, net::SocketAddr};

#[cfg(feature = "checker")]
use super::exhaust::exhaust;
use super::{
    Expectation, Model, Outcome, Progress, Replayed,
    schedule::replay,
    search::{Limits, search},
    walk::{Walks, WalksOutcome, walk},
};
use serde::{Deserialize, Serialize};

/// A line of a story: something is sent from one to another, or happens to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Who acts: an index into [`Story::lanes`].
    pub from: usize,
    /// To whom; the same if it is nobody else's business.
    pub to: usize,
    /// What happens, as a sentence.
    pub text: String,
}

/// A model whose paths can be told.
pub trait Story: Model {
    /// Who takes part, from left to right.
    fn lanes(&self) -> Vec<String> {
        vec!["model".into()]
    }

    /// What an action has done; nothing if it is not worth a word.
    fn tell(&self, before: &Self::State, action: &Self::Action, after: &Self::State) -> Vec<Line>;
}

/// In which order states are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By their distance from the beginning, by our own search: the first violation is the shortest.
    Breadth,
    /// By stateright's depth-first search: it needs the least memory.
    Depth,
}

/// A model with its bounds, whatever its types are.
pub trait Subject: Send + Sync {
    /// The names of the properties, and of the marks that must be reachable.
    fn properties(&self) -> (Vec<&'static str>, Vec<&'static str>);

    /// Who takes part in its stories.
    fn lanes(&self) -> Vec<String>;

    /// Visits all states, until something is violated.
    fn search(&self, order: Order, limits: &Limits<'_>, tell: &mut dyn FnMut(Progress)) -> Outcome;

    /// Walks at random.
    fn walk(&self, walks: &Walks, tell: &mut dyn FnMut(Progress)) -> WalksOutcome;

    /// Takes the actions of these names.
    fn replay(&self, names: &[&str]) -> Replayed;

    /// Serves stateright's Explorer, until the process ends.
    #[cfg(feature = "checker")]
    fn explore(&self, address: SocketAddr) -> io::Result<()>;
}

impl<M> Subject for M
where
    M: Story + Clone + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq + Send + Sync + 'static,
{
    fn properties(&self) -> (Vec<&'static str>, Vec<&'static str>) {
        let (mut always, mut marks) = (Vec::new(), Vec::new());
        for property in Model::properties(self) {
            match property.expectation {
                Expectation::Always => always.push(property.name),
                Expectation::Sometimes => marks.push(property.name),
                // It misses violations on cycles and on paths that join: no model of ours relies on it.
                Expectation::Eventually => panic!("{} is not decided", property.name),
            }
        }
        (always, marks)
    }

    fn lanes(&self) -> Vec<String> {
        Story::lanes(self)
    }

    fn search(&self, order: Order, limits: &Limits<'_>, tell: &mut dyn FnMut(Progress)) -> Outcome {
        match order {
            Order::Breadth => search(self, limits, tell),
            #[cfg(feature = "checker")]
            Order::Depth => exhaust(self, limits, tell),
            // Without stateright the order is the only difference.
            #[cfg(not(feature = "checker"))]
            Order::Depth => search(self, limits, tell),
        }
    }

    fn walk(&self, walks: &Walks, tell: &mut dyn FnMut(Progress)) -> WalksOutcome {
        walk(self, walks, tell)
    }

    fn replay(&self, names: &[&str]) -> Replayed {
        replay(self, names, &[])
    }

    #[cfg(feature = "checker")]
    fn explore(&self, address: SocketAddr) -> io::Result<()> {
        // The Explorer panics if it cannot listen, and would tell nobody why.
        drop(std::net::TcpListener::bind(address)?);
        drop(self.clone().checker().serve(address));
        Ok(())
    }
}
