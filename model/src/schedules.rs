//! Counterexamples that are kept: the actions of a story, one a line, in the words of the model.
//!
//! The first line says what a schedule is of: `# CONFIGURATION MUTANT PROPERTY`, or `# settings LOSSY MENDED PROPERTY` with the names
//! of two of the settings of [`alone`](crate::advisor::alone), the second being the first as `ottla prove` would mend it.

use ottla_core::mutants::Mutant;

use crate::{
    advisor::{Counterexample, Question},
    harness::Violation,
};

macro_rules! schedules {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../schedules/", $name, ".txt"))),)*]
    };
}

/// The schedules, by the names of their files.
const SCHEDULES: &[(&str, &str)] = schedules! {
    "group-move-G6"
    "group-move-G13"
    "group-move-G14"
    "group-reconnect-G7"
    "replication-rejoin-M1"
    "replication-last-in-sync-I1"
    "settings-acks-0-flush-os-commit-after-crash"
    "settings-acks-0-flush-os-commit-after-crash-power-loss"
    "settings-acks-0-flush-fsync-commit-after-crash"
    "settings-acks-0-flush-fsync-commit-after-crash-power-loss"
    "settings-acks-1-flush-os-commit-after-crash-power-loss"
    "settings-acks-all-flush-os-commit-after-crash-power-loss"
    "settings-acks-all-flush-fsync-commit-before-crash"
    "settings-acks-all-flush-fsync-auto-crash"
};

/// With what a schedule violates a property, and with what it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Within the bounds of a configuration, the core without a rule, and whole.
    Rule {
        /// The configuration's name.
        configuration: &'static str,
        /// What takes the rule out.
        mutant: Mutant,
    },
    /// The whole core, with settings that can lose records, and with those that mend them.
    Settings {
        /// What can lose records.
        lossy: Question,
        /// What would mend it.
        mended: Question,
    },
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The name of its file.
    pub name: &'static str,
    /// What it is of.
    pub of: Of,
    /// What is violated after its last step.
    pub property: &'static str,
    /// Its steps, as the model writes them.
    pub steps: Vec<&'static str>,
}

/// All that are kept.
pub fn all() -> Result<Vec<Schedule>, String> {
    let read = |&(name, text)| parse(name, text).map_err(|error| format!("{name}: {error}"));
    SCHEDULES.iter().map(read).collect()
}

/// The one with this name.
pub fn named(name: &str) -> Result<Schedule, String> {
    let found = all()?.into_iter().find(|schedule| schedule.name == name);
    found.ok_or_else(|| format!("there is no schedule {name}"))
}

fn parse(name: &'static str, text: &'static str) -> Result<Schedule, String> {
    let mut lines = text.lines();
    let head = lines.next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default();
    let words: Vec<_> = head.split_whitespace().collect();
    let (of, property) = match words[..] {
        ["settings", lossy, mended, property] => {
            let question =
                |name| Question::named(name).ok_or_else(|| format!("nobody asks {name}"));
            (Of::Settings { lossy: question(lossy)?, mended: question(mended)? }, property)
        }
        [configuration, mutant, property] => {
            let known = Mutant::from_id(mutant);
            let mutant = known.ok_or_else(|| format!("there is no mutant {mutant}"))?;
            (Of::Rule { configuration, mutant }, property)
        }
        _ => return Err(format!("what is it a schedule of: {head}")),
    };
    let steps = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    Ok(Schedule { name, of, property, steps })
}

/// The file of a violation with a mutant.
pub fn file_of_rule(configuration: &str, mutant: &str, found: &Violation) -> String {
    let properties = found.properties.join(" ");
    let what = Mutant::from_id(mutant).map_or("", Mutant::description);
    format!("# {configuration} {mutant} {properties}\n# {what}\n{}\n", found.actions.join("\n"))
}

/// The file of what the advisor has found, and its name.
pub fn file_of_settings(lossy: &Question, found: &Counterexample) -> (String, String) {
    let Counterexample { property, actions, mend } = found;
    let (changes, steps) = (mend.changes.join(" and "), actions.join("\n"));
    let head = format!("# settings {} {} {property}", lossy.name(), mend.question.name());
    let name = format!("settings-{}", lossy.name().replace(['=', ','], "-"));
    (name, format!("{head}\n# What would mend it: {changes}.\n{steps}\n"))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, env, fs};

    use super::*;
    use crate::{advisor, registry};

    #[test]
    fn rules_can_be_taken_by_the_whole_core() {
        for schedule in all().expect("they are well-formed") {
            let Of::Rule { configuration, .. } = schedule.of else { continue };
            let all = registry::all().into_iter();
            let known = all.into_iter().find(|known| known.name == configuration);
            let replayed = known.expect("it is there").subject.replay(&schedule.steps);
            assert!(replayed.violated.is_empty(), "{}: {replayed:?}", schedule.name);
            assert!(replayed.steps > 0, "{}: {replayed:?}", schedule.name);
        }
    }

    /// What is kept of settings is what the advisor finds, and nothing of it is missing. `UPDATE_SCHEDULES=1` writes it.
    #[test]
    fn settings_are_what_the_advisor_says() {
        let found = advisor::alone().into_iter().filter_map(|question| {
            let found = advisor::counterexample(&question, &mut |_, _| {})?;
            Some(file_of_settings(&question, &found))
        });
        let found: BTreeMap<String, String> = found.collect();
        if env::var_os("UPDATE_SCHEDULES").is_some() {
            for (name, text) in &found {
                let path = format!("{}/schedules/{name}.txt", env!("CARGO_MANIFEST_DIR"));
                fs::write(path, text).expect("it can be written");
            }
            return;
        }
        let kept = SCHEDULES.iter().filter(|(name, _)| name.starts_with("settings-"));
        let kept = kept.map(|&(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(kept.collect::<BTreeMap<_, _>>(), found, "UPDATE_SCHEDULES=1 mends it");
    }
}
