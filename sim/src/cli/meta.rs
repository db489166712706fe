//! `cargo sim meta`: whether a seed decides everything, and the same inputs all that the core does.

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
use crate::run::{ALIKE, Finding, Report, Verdict};

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
            Ok(None) => println!("seed {seed}: the same, twice, and by fresh cores"),
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
    for (is_first, path) in [true, false].into_iter().zip(&paths) {
        let mut more = vec![OsString::from("--trace"), path.clone().into_os_string()];
        more.extend(is_first.then(|| "--replay".into()));
        let ended = Child::start(seed, options, &more)?.wait()?;
        if is_first && let Some(finding) = unlike_a_fresh_core(ended.report.as_ref()) {
            std::fs::remove_dir_all(&folder)?;
            return Ok(Some(finding));
        }
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

/// What shows that a fresh core does not do the same, or was not told all.
fn unlike_a_fresh_core(report: Option<&Report>) -> Option<Finding> {
    let report = report?;
    let finding = report.findings.iter().find(|finding| finding.property == ALIKE);
    let is_told = matches!(report.replayed, Some((1.., 0)));
    let untold = || Finding {
        property: ALIKE.to_owned(),
        detail: format!("fresh cores were not told all: {:?}", report.replayed),
        events: Vec::new(),
    };
    finding.cloned().or_else(|| (!is_told).then(untold))
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
