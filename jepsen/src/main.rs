//! The command `jepsen`: judges a history that lies in a file.

use std::{
    fs::File,
    io::{BufReader, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use ottla_jepsen::{
    check::{Anomaly, Kind, Report, check},
    history::{Event, History, read},
};
use serde_json::json;

/// The history is right.
const VALID: u8 = 0;
/// A promise was broken.
const INVALID: u8 = 1;
/// The file cannot be judged.
const UNUSABLE: u8 = 2;

/// Histories of what clients asked and were told.
#[derive(Debug, Parser)]
#[command(name = "jepsen", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge a history. Exits with 0 if it is valid, 1 if a promise was broken, 2 if it cannot be judged.
    Check {
        /// A history: a header and events, one JSON value for each line.
        file: PathBuf,
        /// Print the verdict as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the anomalies that are looked for.
    Anomalies,
}

fn main() -> ExitCode {
    let mut output = std::io::stdout().lock();
    let code = match Arguments::parse().command {
        Command::Check { file, json } => check_file(&mut output, &file, json),
        Command::Anomalies => {
            let lines = Kind::ALL.iter().map(|kind| format!("{:28}{}\n", kind, kind.meaning()));
            write!(output, "{}", lines.collect::<String>()).map(|()| VALID)
        }
    };
    // Whoever read the output may have had enough.
    ExitCode::from(code.unwrap_or(UNUSABLE))
}

fn check_file(output: &mut impl Write, file: &Path, json: bool) -> std::io::Result<u8> {
    let judged = load(file).and_then(|history| {
        let report = check(&history).map_err(|unusable| unusable.to_string())?;
        Ok((history, report))
    });
    match judged {
        Ok((history, report)) => {
            if json {
                writeln!(output, "{:#}", as_json(&history, &report))?;
            } else {
                write!(output, "{}", as_text(&history, &report))?;
            }
            Ok(if report.anomalies.is_empty() { VALID } else { INVALID })
        }
        Err(reason) => {
            if json {
                writeln!(output, "{:#}", json!({ "valid": null, "unusable": reason }))?;
            }
            eprintln!("jepsen: {}: {reason}", file.display());
            Ok(UNUSABLE)
        }
    }
}

/// From how many bytes on it is worth saying how far we are, and how often.
const NOTE_BYTES: u64 = 64 << 20;

fn load(file: &Path) -> Result<History, String> {
    let opened = File::open(file).map_err(|error| error.to_string())?;
    let total = opened.metadata().map_err(|error| error.to_string())?.len();
    let tells = total > NOTE_BYTES && std::io::stderr().is_terminal();
    let mut bytes = 0;
    let progress = |length: usize| {
        let before = bytes / NOTE_BYTES;
        bytes += length as u64;
        if tells && bytes / NOTE_BYTES > before {
            eprintln!("jepsen: {} of {} MiB read", bytes >> 20, total >> 20);
        }
    };
    read(BufReader::with_capacity(1 << 20, opened), progress).map_err(|error| error.to_string())
}

/// The events that show an anomaly, as they stand in the file.
fn witnesses<'a>(
    history: &'a History,
    anomaly: &'a Anomaly,
) -> impl Iterator<Item = (usize, &'a Event)> {
    // The header is the first line, and lines count from 1.
    anomaly.witnesses.iter().filter_map(|at| Some((at + 2, history.events.get(*at)?)))
}

/// What can be read of an event at a glance.
const LINE_CHARS_MAX: usize = 160;

fn as_text(history: &History, report: &Report) -> String {
    let figures = report.figures;
    let mut text = format!(
        "seed {}: {} operations ({} ok, {} fail, {} info); {} records sent, {} acknowledged, {} read\n",
        history.header.seed,
        figures.operations,
        figures.ok,
        figures.fail,
        figures.info,
        figures.records_sent,
        figures.records_acknowledged,
        figures.records_read,
    );
    if report.anomalies.is_empty() {
        text.push_str("valid: no promise was broken\n");
        return text;
    }
    text.push_str("INVALID\n");
    for (kind, count) in report.anomalies.counts() {
        text.push_str(&format!("\n{kind}: {count}. {}\n", kind.meaning()));
        for anomaly in report.anomalies.iter().filter(|anomaly| anomaly.kind == *kind) {
            text.push_str(&format!("  {}\n", anomaly.text));
            for (line, event) in witnesses(history, anomaly) {
                let event = serde_json::to_string(event).unwrap_or_default();
                let clipped: String = event.chars().take(LINE_CHARS_MAX).collect();
                let more = if clipped.len() < event.len() { "…" } else { "" };
                text.push_str(&format!("    line {line}: {clipped}{more}\n"));
            }
        }
    }
    text
}

fn as_json(history: &History, report: &Report) -> serde_json::Value {
    let anomalies = report.anomalies.iter().map(|anomaly| {
        let lines = witnesses(history, anomaly).map(|(line, _)| line);
        let events = witnesses(history, anomaly).map(|(_, event)| event);
        json!({
            "kind": anomaly.kind.name(),
            "text": anomaly.text,
            "lines": lines.collect::<Vec<_>>(),
            "events": events.collect::<Vec<_>>(),
        })
    });
    let counts = report.anomalies.counts().iter();
    let counts: serde_json::Map<_, _> =
        counts.map(|(kind, count)| (kind.name().to_owned(), (*count).into())).collect();
    json!({
        "valid": report.anomalies.is_empty(),
        "seed": history.header.seed,
        "figures": report.figures,
        "counts": counts,
        "anomalies": anomalies.collect::<Vec<_>>(),
    })
}
