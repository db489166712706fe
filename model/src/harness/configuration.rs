//! A configuration: a model with bounds, and what is expected of it.

use ottla_core::mutants::Mutant;

use super::{Outcome, Subject};

/// How much of the checkers' time a configuration is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// Seconds: it is checked with every change.
    Small,
    /// Minutes to hours: it is checked at night.
    Large,
    /// More than can be visited: one walks in it.
    Endless,
}

/// A mutant that a configuration must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caught {
    /// The mutant.
    pub mutant: Mutant,
    /// What it violates.
    pub property: &'static str,
}

/// A configuration.
pub struct Configuration {
    /// Its name.
    pub name: &'static str,
    /// Its bounds, in words.
    pub bounds: &'static str,
    /// How much time it needs.
    pub size: Size,
    /// The number of different states, where it has been counted: another number is another model.
    pub unique: Option<usize>,
    /// Marks that these bounds cannot reach; all others must be reached.
    pub unreachable: &'static [&'static str],
    /// The mutants that it must notice.
    pub mutants: &'static [Caught],
    /// The model.
    pub subject: Box<dyn Subject>,
}

impl std::fmt::Debug for Configuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Configuration({}: {})", self.name, self.bounds)
    }
}

/// What is to be thought of an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is as expected.
    AsExpected,
    /// It is not, and why.
    Not(String),
}

impl Configuration {
    /// Judges a search of the model as it is.
    pub fn judge(&self, outcome: &Outcome) -> Verdict {
        if let Some(violation) = &outcome.violation {
            let properties = violation.properties.join(", ");
            return Verdict::Not(format!("violates {properties} in {} steps", violation.steps));
        }
        if !outcome.exhausted {
            return Verdict::Not(format!("not exhausted within {:.0} s", outcome.seconds));
        }
        for (mark, reached) in &outcome.marks {
            let can_be = !self.unreachable.contains(&mark.as_str());
            if can_be != *reached {
                let word = if can_be { "not" } else { "unexpectedly" };
                return Verdict::Not(format!("{word} reached: {mark}"));
            }
        }
        match self.unique {
            Some(unique) if unique != outcome.unique => {
                Verdict::Not(format!("{} states, pinned are {unique}", outcome.unique))
            }
            Some(_) | None => Verdict::AsExpected,
        }
    }

    /// Judges a search of the model with a mutant, which looks for what the mutant is expected to violate and nothing else.
    pub fn judge_mutant(&self, caught: &Caught, outcome: &Outcome) -> Verdict {
        match &outcome.violation {
            Some(found) if found.properties.iter().any(|name| name == caught.property) => {
                Verdict::AsExpected
            }
            Some(found) => {
                let properties = found.properties.join(", ");
                Verdict::Not(format!("violates {properties}, expected was {}", caught.property))
            }
            None => Verdict::Not("not noticed".into()),
        }
    }
}
