//! What was found, told as it is found.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::CliError;

/// How many findings of one file are told; the rest is counted.
const TOLD_PER_FILE: u64 = 20;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// Something is lost or wrong.
    Damage,
    /// Something that a start of the broker puts right.
    Note,
}

impl Severity {
    const fn name(self) -> &'static str {
        match self {
            Self::Damage => "damage",
            Self::Note => "note",
        }
    }
}

/// Something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// Relative to the data folder.
    pub(super) file: String,
    /// The byte where it is.
    pub(super) position: Option<u64>,
    pub(super) what: String,
    /// What the operator can do.
    pub(super) fix: &'static str,
}

/// Takes findings, and tells them.
#[derive(Debug)]
pub(super) struct Report {
    json: bool,
    /// For programs: they get all of them at the end.
    findings: Vec<Value>,
    pub(super) damages: u64,
    pub(super) notes: u64,
    /// The file of the last finding, and how many it has had.
    last: Option<(String, u64)>,
    bar: ProgressBar,
    /// The first failure to tell.
    failure: Option<io::Error>,
}

impl Report {
    /// Nothing found yet in so many bytes.
    pub(super) fn new(json: bool, bytes: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(
            "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {wide_msg}",
        ) {
            bar.set_style(style);
        }
        Self { json, findings: Vec::new(), damages: 0, notes: 0, last: None, bar, failure: None }
    }

    /// What is being looked at.
    pub(super) fn look_at(&self, name: &str) {
        self.bar.set_message(name.to_owned());
    }

    /// So many more bytes were looked at.
    pub(super) fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// Takes a finding.
    pub(super) fn add(&mut self, finding: Finding) {
        match finding.severity {
            Severity::Damage => self.damages += 1,
            Severity::Note => self.notes += 1,
        }
        let count = match &mut self.last {
            Some((file, count)) if *file == finding.file => {
                *count += 1;
                *count
            }
            Some(_) | None => {
                self.end_file();
                self.last = Some((finding.file.clone(), 1));
                1
            }
        };
        if count <= TOLD_PER_FILE {
            self.tell(&finding);
        }
    }

    fn tell(&mut self, finding: &Finding) {
        let Finding { severity, file, position, what, fix } = finding;
        if self.json {
            self.findings.push(json!({
                "severity": severity.name(),
                "file": file,
                "position": position,
                "what": what,
                "fix": fix,
            }));
            return;
        }
        let place = position.map_or(String::new(), |position| format!(" at byte {position}"));
        self.line(&format!("{}: {file}{place}: {what}; {fix}", severity.name()));
    }

    fn line(&mut self, text: &str) {
        let told = self.bar.suspend(|| writeln!(io::stdout(), "{text}"));
        if let Err(error) = told {
            self.failure.get_or_insert(error);
        }
    }

    /// What was not told of the last file is counted.
    fn end_file(&mut self) {
        if let Some((file, count)) = self.last.take()
            && count > TOLD_PER_FILE
            && !self.json
        {
            self.line(&format!("{file}: {} findings more", count - TOLD_PER_FILE));
        }
    }

    /// Nothing more will be found. What was, for programs.
    pub(super) fn end(&mut self) -> Result<Vec<Value>, CliError> {
        self.end_file();
        self.bar.finish_and_clear();
        match self.failure.take() {
            // Who reads has seen enough; the exit code still counts.
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CliError::io("standard output", &error))
            }
            Some(_) | None => Ok(std::mem::take(&mut self.findings)),
        }
    }

    /// What was found so far, for tests.
    #[cfg(test)]
    pub(super) fn found(&self) -> &[Value] {
        &self.findings
    }
}
