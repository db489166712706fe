//! The `parity` command: the same requests to Apache Kafka and to Ottla must have the same answers.

mod batch;
mod case;
mod cases;
mod client;
mod commands;
mod differences;
mod mask;
mod options;
mod requests;
mod run;
mod setup;
mod snapshot;
mod tree;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    commands::Home,
    options::{Command, Options},
};

fn main() -> ExitCode {
    let options = Options::parse();
    let home = Home::new(options.home);
    let result = match &options.command {
        Command::Record { broker, selection, as_ottla } => {
            commands::record(&home, broker, selection, *as_ottla)
        }
        Command::Check { broker, selection, reference } => {
            commands::check(&home, broker, selection, *reference)
        }
        Command::List { selection } => {
            commands::list(selection);
            Ok(true)
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("parity: {error}");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use crate::{
        cases,
        differences::{self, Differences},
        snapshot,
    };

    /// What a topic's name may be long at most, less the suite's prefix and a case's label for the topic.
    const NAME_BYTES_MAX: usize = 200;

    fn home() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    fn names() -> BTreeSet<String> {
        cases::all().into_iter().map(|case| case.name).collect()
    }

    #[test]
    fn cases_have_names_of_their_own() {
        let all = cases::all();
        assert_eq!(all.len(), names().len());
        for name in names() {
            assert!(name.len() <= NAME_BYTES_MAX, "{name}");
            let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-');
            assert!(name.chars().all(is_legal), "{name}");
        }
    }

    #[test]
    fn each_case_has_an_answer_and_each_answer_a_case() {
        let answers = snapshot::read(&home().join("answers")).expect("the answers can be read");
        let kept: BTreeSet<String> = answers.into_keys().collect();
        let names = names();
        let unanswered: Vec<_> = names.difference(&kept).collect();
        let left_over: Vec<_> = kept.difference(&names).collect();
        assert!(unanswered.is_empty() && left_over.is_empty(), "{unanswered:?} {left_over:?}");
    }

    #[test]
    fn differences_are_of_cases_that_there_are() {
        let listed = Differences::read(&home().join("differences.toml")).expect("a list");
        let names = names();
        for pattern in listed.patterns() {
            let is_used = names.iter().any(|name| differences::matches(pattern, name));
            assert!(is_used, "no case is {pattern}");
        }
        let kept = snapshot::read(&home().join("answers/ottla")).expect("the answers can be read");
        for name in kept.keys() {
            assert!(listed.of(name).is_some(), "{name} is not listed as a difference");
        }
    }
}
