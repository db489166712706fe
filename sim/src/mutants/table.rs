//! The mutants of the simulator: after how many seeds each must be caught, and which seeds are known to catch it.

use std::fmt::Write as _;

use ottla_core::mutants::Mutant;

use super::hunt::Hunt;

/// A line for each mutant: its id, its budget or `-` if it need not be caught, and seeds.
const TABLE: &str = include_str!("../../mutants.txt");

/// The least budget.
pub(super) const BUDGET_MIN: u64 = 20;

/// How many times as many seeds as it took a mutant gets: how long it takes is a matter of luck.
const PATIENCE: u64 = 5;

/// How many known seeds are kept: a change of the broker or of the workload may spoil some.
const SEEDS_KEPT: usize = 3;

/// What is known of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) mutant: Mutant,
    /// After how many seeds it must be caught.
    pub(super) budget: Option<u64>,
    /// Seeds that have caught it.
    pub(super) seeds: Vec<u64>,
}

/// Reads the table. A line that names no mutant is a comment.
pub(super) fn read() -> Vec<Known> {
    TABLE.lines().filter_map(parse).collect()
}

fn parse(line: &str) -> Option<Known> {
    let mut fields = line.split_whitespace();
    let mutant = Mutant::from_id(fields.next()?)?;
    let budget = fields.next().and_then(|budget| budget.parse().ok());
    let seeds = fields.filter_map(|seed| seed.parse().ok()).collect();
    Some(Known { mutant, budget, seeds })
}

/// The table with what was found.
pub(super) fn write(table: &[Known], hunts: &[Hunt]) -> String {
    let mut text = String::new();
    for line in TABLE.lines().take_while(|line| line.starts_with('#')) {
        text.push_str(line);
        text.push('\n');
    }
    for known in table {
        let found = hunts.iter().find(|hunt| hunt.mutant == known.mutant && hunt.is_caught());
        let mut known = known.clone();
        if let Some(hunt) = found {
            known.budget = Some(BUDGET_MIN.max(PATIENCE * hunt.seeds_to_catch()));
            known.seeds = hunt.caught.iter().map(|catch| catch.seed).take(SEEDS_KEPT).collect();
        }
        let budget = known.budget.map_or_else(|| "-".into(), |budget| budget.to_string());
        let seeds: String = known.seeds.iter().map(|seed| format!(" {seed}")).collect();
        writeln!(text, "{:<4} {budget:>5}{seeds}", known.mutant.id())
            .expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_names_a_mutant_of_its_own() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        let table = read();
        assert_eq!(lines.count(), table.len());
        let ids: std::collections::BTreeSet<_> = table.iter().map(|known| known.mutant).collect();
        assert_eq!(ids.len(), table.len());
    }

    #[test]
    fn written_as_it_is_read() {
        assert_eq!(write(&read(), &[]), TABLE);
    }
}
