//! What all commands that run seeds can be told.

use std::{fmt, time::Duration};

use clap::Args;
use ottla_core::mutants::Mutant;
use ottla_model::{advisor::Question, schedules};

use crate::{
    faults::{Family, FaultRow},
    plan::Overrides,
    script::Script,
};

/// What is to be otherwise than the seed decides.
#[derive(Debug, Clone, Default, Args)]
pub struct RunOptions {
    /// Leave out a family of faults; may be repeated
    #[arg(long, value_name = "FAMILY", value_delimiter = ',')]
    pub without: Vec<Family>,
    /// Leave out single faults, or a row of them; may be repeated
    #[arg(long, value_name = "KIND#NUMBER[-NUMBER]", value_delimiter = ',')]
    pub drop: Vec<FaultRow>,
    /// Heal the world after so many milliseconds
    #[arg(long, value_name = "MS")]
    pub chaos_ms: Option<u64>,
    /// Have clients do so many operations at the most
    #[arg(long, value_name = "COUNT")]
    pub operations: Option<u64>,
    /// Take the settings and the faults of a question to the advisor; see `cargo sim advise`
    #[arg(long, value_name = "NAME", value_parser = question)]
    pub advised: Option<Question>,
    /// Do what a schedule of the model says, and nothing that is drawn; see `cargo sim regress`
    #[arg(long, value_name = "NAME", value_parser = schedule)]
    pub schedule: Option<Script>,
    /// Plant a mutant
    #[arg(long, value_name = "ID", value_parser = mutant)]
    pub mutant: Option<Mutant>,
}

fn mutant(text: &str) -> Result<Mutant, String> {
    Mutant::from_id(text).ok_or_else(|| {
        let ids: Vec<&str> = Mutant::ALL.iter().map(|mutant| mutant.id()).collect();
        format!("there is no mutant {text}; there are: {}", ids.join(", "))
    })
}

fn question(name: &str) -> Result<Question, String> {
    Question::named(name).ok_or_else(|| {
        let names: Vec<_> = ottla_model::advisor::alone().iter().map(Question::name).collect();
        format!("nobody asks {name}; there are: {}", names.join(" "))
    })
}

fn schedule(name: &str) -> Result<Script, String> {
    Script::read(schedules::named(name)?)
}

impl RunOptions {
    /// What is to be otherwise.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            without: self.without.iter().copied().collect(),
            dropped: self.drop.iter().flat_map(FaultRow::ids).collect(),
            chaos: self.chaos_ms.map(Duration::from_millis),
            operations: self.operations,
            advised: self.advised,
            script: self.schedule.clone(),
        }
    }

    /// The same, as arguments.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut add = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        if !self.without.is_empty() {
            add("--without", join(&self.without));
        }
        if !self.drop.is_empty() {
            add("--drop", join(&self.drop));
        }
        if let Some(ms) = self.chaos_ms {
            add("--chaos-ms", ms.to_string());
        }
        if let Some(count) = self.operations {
            add("--operations", count.to_string());
        }
        if let Some(question) = self.advised {
            add("--advised", question.name());
        }
        if let Some(script) = &self.schedule {
            add("--schedule", script.schedule().name.to_owned());
        }
        if let Some(mutant) = self.mutant {
            add("--mutant", mutant.id().to_owned());
        }
        arguments
    }

    /// The line that runs a seed like this.
    pub fn line(&self, command: &str, seed: u64) -> String {
        let mut line = format!("cargo sim {command} --seed {seed}");
        for argument in self.arguments() {
            line.push(' ');
            line.push_str(&argument);
        }
        line
    }
}

fn join(values: &[impl fmt::Display]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
