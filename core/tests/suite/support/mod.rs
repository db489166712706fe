//! What the tests share.

pub(crate) mod broker;
pub(crate) mod client;
pub(crate) mod dice;
pub(crate) mod disk;
pub(crate) mod group;
pub(crate) mod replica;

/// Plants the mutant that the environment names, in a build that has them: shows what these tests alone would notice.
#[cfg(feature = "mutants")]
pub(crate) fn plant_mutant() {
    use ottla_core::mutants::{Mutant, plant};

    if let Ok(id) = std::env::var("CORE_TESTS_MUTANT") {
        plant(Mutant::from_id(&id).expect("there is such a mutant"));
    }
}

/// Asserts that a test fails when a mutant is planted.
#[cfg(feature = "mutants")]
pub(crate) fn assert_noticed(id: &str, test: &str) {
    let own = std::env::current_exe().expect("a process has a program");
    let output = std::process::Command::new(own)
        .args(["--exact", test, "--quiet"])
        .env("CORE_TESTS_MUTANT", id)
        .output()
        .expect("the program can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "there is a test {test}: {text}");
    assert!(!output.status.success(), "{test} notices {id}");
}

#[cfg(not(feature = "mutants"))]
pub(crate) const fn plant_mutant() {}
