//! What came out of a search.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Line;

/// How far a search is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// States that were generated, some of them several times.
    pub generated: usize,
    /// Different states.
    pub unique: usize,
    /// The longest path so far.
    pub depth: usize,
}

/// What came out of a search.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether every state within the bounds was visited. No promise is kept by a search that ended early.
    pub exhausted: bool,
    /// States that were generated, some of them several times.
    pub generated: usize,
    /// Different states.
    pub unique: usize,
    /// The longest path.
    pub depth: usize,
    /// How long it took.
    pub seconds: f64,
    /// The most memory that the process has had.
    pub memory_mib: u64,
    /// What must be reachable, lest the search be vacuous: and whether it was reached.
    pub marks: BTreeMap<String, bool>,
    /// What was violated first.
    pub violation: Option<Violation>,
}

/// A property that does not hold, and how it comes to that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The property; several if one state violates several.
    pub properties: Vec<String>,
    /// How many actions it takes.
    pub steps: usize,
    /// The actions, as the model writes them.
    pub actions: Vec<String>,
    /// What happens, in sentences.
    pub story: Vec<Line>,
    /// The state in which it does not hold.
    pub state: String,
}

/// A number with commas.
pub fn counted(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn numbers_have_commas() {
        let texts = [0, 999, 1_000, 1_234_567].map(counted);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }
}
