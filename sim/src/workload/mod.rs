//! What clients do while the world is troubled, and what they must see.

use std::collections::BTreeMap;

use crate::{dice::Dice, world::Stage};

/// What clients do.
#[derive(Debug, Clone, Default)]
pub struct WorkloadPlan {
    /// How many machines clients have.
    pub machines: u8,
}

impl WorkloadPlan {
    /// Draws it.
    pub fn draw(_dice: &mut Dice) -> Self {
        Self { machines: 1 }
    }

    /// Has clients do so many operations at the most.
    pub fn limit(&mut self, _operations: u64) {}

    /// What was drawn, for the banner.
    pub fn banner(&self) -> String {
        String::new()
    }

    /// What the workload wants the broker to be set to, beyond the defaults.
    pub fn broker_settings(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}

/// What must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The property that does not hold.
    pub property: String,
    /// What is wrong.
    pub detail: String,
    /// The events that show it, the first ones first.
    pub events: Vec<String>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What must not be.
    pub violations: Vec<Violation>,
    /// What was not done in time once the world was whole again.
    pub stalled: Vec<String>,
    /// How many operations there were, by name and by how they ended.
    pub operations: BTreeMap<String, u64>,
}

/// Has the clients work until the world was whole for long enough, and judges what they saw.
pub async fn run(stage: Stage, _plan: WorkloadPlan, _dice: Dice) -> Outcome {
    stage.phases.healed().await;
    Outcome::default()
}
