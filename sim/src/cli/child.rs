//! A seed in a process of its own.

use std::{
    ffi::OsString,
    io::{self, Read},
    os::unix::process::ExitStatusExt,
    process::{self, Command, Stdio},
};

use super::RunOptions;
use crate::run::{Report, Verdict};

/// What a process gets that has used up its time.
const SIGXCPU: i32 = 24;

/// How much of a processor's time a seed may take.
pub(super) const CPU_SECONDS: u64 = 60;

/// A process that runs a seed.
#[derive(Debug)]
pub struct Child {
    seed: u64,
    process: process::Child,
}

/// How it ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The seed.
    pub seed: u64,
    /// How it came out.
    pub verdict: Verdict,
    /// What came of it; nothing if the process died before it could say so.
    pub report: Option<Report>,
}

impl Child {
    /// Starts one.
    pub fn start(seed: u64, options: &RunOptions, more: &[OsString]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["run", "--json", "--seed", &seed.to_string()])
            .args(["--cpu-seconds", &CPU_SECONDS.to_string()])
            .args(options.arguments());
        command.args(more).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        Ok(Self { seed, process: command.spawn()? })
    }

    /// Waits for its end.
    pub fn wait(mut self) -> io::Result<Ended> {
        let mut output = String::new();
        if let Some(stdout) = &mut self.process.stdout {
            stdout.read_to_string(&mut output)?;
        }
        let status = self.process.wait()?;
        let report: Option<Report> = serde_json::from_str(&output).ok();
        let verdict = match status.code() {
            // A signal: it had used up its time.
            None if status.signal() == Some(SIGXCPU) => Verdict::Stall,
            None => Verdict::Panic,
            Some(code) => Verdict::of_exit_code(code).ok_or(io::ErrorKind::InvalidData)?,
        };
        if report.is_none() && verdict == Verdict::Good {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Ended { seed: self.seed, verdict, report })
    }
}
