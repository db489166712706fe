//! What the tests share.

pub(crate) mod broker;
pub(crate) mod client;
pub(crate) mod dice;
pub(crate) mod disk;
pub(crate) mod group;

/// Plants the mutant that the environment names, in a build that has them: shows what these tests alone would notice.
#[cfg(feature = "mutants")]
pub(crate) fn plant_mutant() {
    use ottla_core::mutants::{Mutant, plant};

    if let Ok(id) = std::env::var("CORE_TESTS_MUTANT") {
        plant(Mutant::from_id(&id).expect("there is such a mutant"));
    }
}

#[cfg(not(feature = "mutants"))]
pub(crate) const fn plant_mutant() {}
