//! `cargo sim meta`: whether a seed decides everything.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufRead, BufReader},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::{Child, RunOptions};
use crate::run::{Finding, Verdict};

#[derive(Debug, Args)]
pub(super) struct MetaArgs {
    /// Which seeds: A..B, B not included
    #[arg(long, value_name = "A..B", value_parser = super::swarm::seeds)]
    seeds: RangeInclusive<u64>,
    #[command(flatten)]
    options: RunOptions,
}

pub(super) fn run(args: &MetaArgs) -> ExitCode {
    let mut differ = 0;
    for seed in args.seeds.clone() {
        match compare(seed, &args.options) {
            Ok(None) => println!("seed {seed}: the same, twice"),
            Ok(Some(Finding { detail, events, .. })) => {
                differ += 1;
                println!("seed {seed}: {detail}");
                for event in events {
                    println!("    {event}");
                }
            }
            Err(error) => {
                eprintln!("seed {seed}: it cannot be run: {error}");
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::from(if differ == 0 { 0 } else { Verdict::NonDeterminism.exit_code() })
}

/// Runs a seed twice in fresh processes, and tells where what happened differs, if it does.
pub(super) fn compare(seed: u64, options: &RunOptions) -> io::Result<Option<Finding>> {
    let folder = std::env::temp_dir().join(format!("ottla-sim-{}-{seed}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let paths = [folder.join("first"), folder.join("second")];
    let mut reports = Vec::new();
    for path in &paths {
        let more = [OsString::from("--trace"), path.clone().into_os_string()];
        let ended = Child::start(seed, options, &more)?.wait()?;
        reports.push((ended.verdict, ended.report.map(|report| (report.rows, report.hash))));
    }
    let mut difference = first_difference(&paths)?;
    if difference.is_none() && reports[0] != reports[1] {
        let detail = format!("the traces are the same, the results are not: {reports:?}");
        difference = Some((detail, Vec::new()));
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(difference.map(|(detail, events)| {
        let property = "a seed decides everything".to_owned();
        Finding { property, detail, events }
    }))
}

fn lines(path: &Path) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
    Ok(BufReader::new(File::open(path)?).split(b'\n'))
}

fn first_difference(paths: &[PathBuf; 2]) -> io::Result<Option<(String, Vec<String>)>> {
    let (mut first, mut second) = (lines(&paths[0])?, lines(&paths[1])?);
    let mut number = 0_u64;
    loop {
        number += 1;
        let (one, other) = (first.next().transpose()?, second.next().transpose()?);
        if one != other {
            let text = |line: Option<Vec<u8>>| {
                line.map_or_else(|| "the end".into(), |line| String::from_utf8_lossy(&line).into())
            };
            let detail = format!("line {number} of the trace differs");
            return Ok(Some((detail, vec![text(one), text(other)])));
        }
        if one.is_none() {
            return Ok(None);
        }
    }
}
