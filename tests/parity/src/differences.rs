//! Where Ottla answers otherwise on purpose.

use std::{fs, path::Path};

use serde::Deserialize;

/// The list of deliberate differences.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Differences {
    #[serde(default)]
    difference: Vec<Difference>,
}

/// Cases that differ for the same reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Difference {
    /// Names of cases, with `*` for any characters.
    pub(crate) cases: Vec<String>,
    /// Why Ottla's answer is the better one for it.
    pub(crate) reason: String,
}

impl Differences {
    /// Reads the list.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{path:?}: {error}"))?;
        toml::from_str(&text).map_err(|error| format!("{path:?}: {error}"))
    }

    /// The difference that a case is listed under.
    pub(crate) fn of(&self, case: &str) -> Option<&Difference> {
        self.difference
            .iter()
            .find(|difference| difference.cases.iter().any(|pattern| matches(pattern, case)))
    }

    /// All patterns of the list.
    #[cfg(test)]
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &str> {
        self.difference.iter().flat_map(|difference| &difference.cases).map(String::as_str)
    }
}

/// Whether `name` is `pattern` with something, or nothing, for each `*`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(before) else { return false };
    (0..=rest.len()).filter_map(|start| rest.get(start..)).any(|rest| matches(after, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(matches("a/*/plain", "a/v01/plain"));
        assert!(matches("a/*", "a/"));
        assert!(matches("a/b", "a/b"));
        assert!(!matches("a/*/plain", "a/v01/other"));
        assert!(!matches("a", "ab"));
    }
}
