//! `cargo sim pinned`: seeds that once found something.

use std::process::ExitCode;

use clap::{Args, Parser};

use super::{Child, RunOptions};
use crate::run::Verdict;

/// The seeds, one on a line: SEED [OPTIONS] # WHY
const SEEDS: &str = include_str!("../../seeds.txt");

#[derive(Debug, Args)]
pub(super) struct PinnedArgs {}

/// A line of the file, as a command line.
#[derive(Debug, Parser)]
#[command(name = "seed")]
struct Line {
    seed: u64,
    #[command(flatten)]
    options: RunOptions,
}

/// A seed that is pinned, and why.
struct Pinned {
    line: Line,
    why: String,
}

fn parse(text: &str) -> Result<Vec<Pinned>, String> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|text| {
            let (command, why) = text.split_once(" # ").ok_or_else(|| format!("why {text}?"))?;
            let words = std::iter::once("seed").chain(command.split_whitespace());
            let line = Line::try_parse_from(words).map_err(|error| format!("{text}: {error}"))?;
            Ok(Pinned { line, why: why.trim().to_owned() })
        })
        .collect()
}

pub(super) fn run(_: &PinnedArgs) -> ExitCode {
    let pinned = match parse(SEEDS) {
        Ok(pinned) => pinned,
        Err(error) => {
            eprintln!("seeds.txt: {error}");
            return ExitCode::from(2);
        }
    };
    let mut worst = None;
    for Pinned { line: Line { seed, options }, why } in pinned {
        let ended = match Child::start(seed, &options, &[]).and_then(Child::wait) {
            Ok(ended) => ended,
            Err(error) => {
                eprintln!("a run cannot be started: {error}");
                return ExitCode::from(2);
            }
        };
        println!("{:<15} {} # {why}", ended.verdict.name(), options.line("run", seed));
        if ended.verdict != Verdict::Good {
            worst = worst.max(Some(ended.verdict));
        }
    }
    ExitCode::from(worst.map_or(0, Verdict::exit_code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_can_be_read() {
        let pinned = parse(SEEDS).expect("it can");
        assert!(pinned.iter().all(|pinned| !pinned.why.is_empty()));
    }

    #[test]
    fn a_seed_is_pinned_for_a_reason() {
        let pinned = parse("# All.\n7 --without net-loss --chaos-ms 5 # it lost a record\n");
        let pinned = pinned.expect("it is well-formed");
        let Pinned { line, why } = &pinned[0];
        assert_eq!((line.seed, why.as_str()), (7, "it lost a record"));
        assert_eq!(line.options.chaos_ms, Some(5));
        assert!(parse("7\n").is_err());
        assert!(parse("7 --thither # no\n").is_err());
    }
}
