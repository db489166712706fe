//! One file for each command, or for what several have in common.

pub(crate) mod check;
mod child;
pub(crate) mod one;
pub(crate) mod regress;
pub(crate) mod tell;

use ottla_model::{
    harness::{Configuration, Limits, Size},
    registry,
};

/// What is to be checked.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Which configurations.
    pub(crate) size: Size,
    /// Only those whose name contains this.
    pub(crate) only: Option<String>,
    /// How many at a time.
    pub(crate) jobs: usize,
    /// What each may cost.
    pub(crate) limits: Limits<'static>,
}

/// The configurations whose name contains a word.
fn chosen(only: Option<&str>) -> Result<Vec<Configuration>, String> {
    let mut chosen = registry::all();
    chosen.retain(|known| only.is_none_or(|word| known.name.contains(word)));
    if chosen.is_empty() {
        return Err("there is no such configuration; see `cargo model list`".into());
    }
    Ok(chosen)
}

/// The configuration of a name.
fn named(name: &str) -> Result<Configuration, String> {
    let found = registry::all().into_iter().find(|known| known.name == name);
    found.ok_or_else(|| format!("there is no configuration {name}; see `cargo model list`"))
}
