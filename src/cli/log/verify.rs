//! `ottla log verify`.

use std::{io, path::PathBuf};

use clap::Args;
use serde_json::json;

use super::{
    Verdict,
    check::{self, Tally},
    files,
    folder::{self, Folder},
    report::{Finding, Report, Severity},
};
use crate::cli::{CliError, print};

#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArgs {
    /// The data folder
    #[arg(long, env = "OTTLA_DATA", value_name = "DIR", default_value = "ottla-data")]
    data: PathBuf,
}

pub(super) fn run(args: VerifyArgs, json: bool) -> Result<Verdict, CliError> {
    let VerifyArgs { data } = args;
    if !folder::is_one(&data) {
        return Err(CliError::Usage(format!(
            "{} is no data folder: name that of a broker with --data",
            data.display()
        )));
    }
    if let Some(process) = folder::user_of(&data) {
        eprintln!(
            "ottla: process {process} uses {}: what it writes at this moment may look torn",
            data.display()
        );
    }
    let failed = |error: io::Error| CliError::io(data.display().to_string(), &error);
    let mut report = Report::new(json, bytes_of(&data).map_err(failed)?);
    let folder = Folder::read(&data, &mut report).map_err(failed)?;
    let mut tally = Tally::default();
    for partition in &folder.partitions {
        report.look_at(&partition.name);
        match check::check(partition, folder.known(partition), &mut report) {
            Ok(checked) => tally.add(&checked),
            Err(error) => report.add(Finding {
                severity: Severity::Damage,
                file: partition.name.clone(),
                position: None,
                what: format!("the partition cannot be read: {error}"),
                fix: "see whether the disk is in order and the files may be read",
            }),
        }
    }
    for name in folder.missing() {
        report.add(Finding {
            severity: Severity::Damage,
            file: name,
            position: None,
            what: "the partition has no directory, but had records".to_owned(),
            fix: "copy the partition from a backup",
        });
    }
    summarize(&mut report, &tally, folder.partitions.len(), json)
}

fn summarize(
    report: &mut Report,
    tally: &Tally,
    partitions: usize,
    as_json: bool,
) -> Result<Verdict, CliError> {
    let findings = report.end()?;
    let verdict = if report.damages == 0 { Verdict::Sound } else { Verdict::Damaged };
    let (damages, notes) = (report.damages, report.notes);
    let Tally { segments, batches, records, bytes } = *tally;
    let words = match verdict {
        Verdict::Sound => "sound".to_owned(),
        Verdict::Damaged => format!("DAMAGED in {damages} places"),
    };
    let notes_told = if notes == 0 { String::new() } else { format!(", {notes} notes") };
    print(
        as_json,
        || {
            json!({
                "sound": verdict == Verdict::Sound,
                "damages": damages,
                "notes": notes,
                "findings": findings,
                "partitions": partitions,
                "segments": segments,
                "batches": batches,
                "records": records,
                "bytes": bytes,
            })
        },
        || {
            format!(
                "{words}{notes_told}: {partitions} partitions, {segments} segments, {batches} batches, {records} records, {bytes} bytes\n"
            )
        },
    )?;
    Ok(verdict)
}

/// How many bytes of batches there are to be read.
fn bytes_of(data: &std::path::Path) -> io::Result<u64> {
    let mut bytes = 0;
    for name in files::list(data)? {
        let Some(partition) = files::PartitionDirectory::of(data, &name) else { continue };
        for name in files::list(&partition.path)? {
            if let Some(files::Kind::Segment(_)) = files::Kind::of(&name) {
                bytes += partition.path.join(name).metadata().map_or(0, |known| known.len());
            }
        }
    }
    Ok(bytes)
}
