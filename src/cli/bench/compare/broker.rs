//! A broker that runs for a comparison: started by its command, ready when it answers, and stopped in any case.

use std::{
    env,
    fs::{self, File},
    io::{self, Seek},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use ottla_core::wire::{ApiKey, messages::api_versions::ApiVersionsRequest};
use rustix::process::{Pid, Signal, kill_process_group};

use super::{CompareError, interrupt::Interrupt, template::Contender};
use crate::{
    cli::bench::{BenchError, frames::encode_frame, process::group_runs, socket::Socket},
    client::Address,
};

/// How long a broker may take to answer.
const READY_MAX: Duration = Duration::from_secs(120);
/// How long it may take for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How often it is asked: starting is timed.
const ASK_INTERVAL: Duration = Duration::from_millis(1);
/// How long a broker may take to stop cleanly.
const STOP_MAX: Duration = Duration::from_secs(30);
const STOP_INTERVAL: Duration = Duration::from_millis(20);
/// How much of what a broker said is passed on.
const LAST_LINES: usize = 10;
const HOST: &str = "127.0.0.1";

/// A broker that runs. It is stopped when it is dropped, with all that its command started.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) name: String,
    pub(super) address: Address,
    pub(super) started: Instant,
    child: Child,
    /// What it writes to its outputs.
    output: PathBuf,
}

impl Broker {
    /// Starts a broker that keeps its data in `folder`, which is made if it is not there.
    pub(super) fn launch(contender: &Contender, folder: &Path) -> Result<Self, CompareError> {
        let name = contender.name.clone();
        let data = folder.join("data");
        fs::create_dir_all(&data).map_err(CompareError::io(data.display()))?;
        let port = free_port().map_err(CompareError::io("a free port"))?;
        let output = folder.join("output");
        let file = File::create(&output).map_err(CompareError::io(output.display()))?;
        let again = file.try_clone().map_err(CompareError::io(output.display()))?;
        let mut command = Command::new("sh");
        without_settings(&mut command)
            .args(["-c", &contender.command(port, &data)])
            // An interrupt from the keyboard is for who began the comparison.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(again);
        let started = Instant::now();
        let child = command.spawn().map_err(CompareError::io(format_args!("starting {name}")))?;
        let address = Address { host: HOST.to_owned(), port };
        Ok(Self { name, address, started, child, output })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it answers.
    pub(super) fn await_ready(&mut self, interrupt: &Interrupt) -> Result<(), CompareError> {
        let address = self.address.clone();
        self.retry(interrupt, || Ok(answers(&address)?))
    }

    /// Makes attempts until one succeeds. Time runs from the start of the broker.
    pub(super) fn retry<T>(
        &mut self,
        interrupt: &Interrupt,
        mut attempt: impl FnMut() -> Result<T, CompareError>,
    ) -> Result<T, CompareError> {
        loop {
            interrupt.check()?;
            self.check_runs()?;
            let why = match attempt() {
                Ok(value) => return Ok(value),
                Err(error) => error.to_string(),
            };
            let after = self.started.elapsed();
            if after > READY_MAX {
                let (name, said) = (self.name.clone(), self.said());
                return Err(CompareError::NotReady { name, after: READY_MAX, why, said });
            }
            thread::sleep(ASK_INTERVAL);
        }
    }

    /// Fails if it has ended by itself.
    pub(super) fn check_runs(&mut self) -> Result<(), CompareError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                let (name, said) = (self.name.clone(), self.said());
                Err(CompareError::Ended { name, status, said })
            }
            Err(error) => Err(CompareError::io(&self.name)(error)),
        }
    }

    /// The last lines that it wrote.
    fn said(&self) -> String {
        let output = fs::read(&self.output).unwrap_or_default();
        last_lines(&String::from_utf8_lossy(&output))
    }

    /// Whether anything that its command started still runs.
    fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None)) || group_runs(self.pid())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        for signal in [Signal::TERM, Signal::KILL] {
            if !self.runs() {
                return;
            }
            let _ = kill_process_group(group, signal);
            let end = Instant::now() + STOP_MAX;
            while self.runs() && Instant::now() < end {
                thread::sleep(STOP_INTERVAL);
            }
        }
    }
}

/// Has a command not take over the settings of this one from the environment.
pub(super) fn without_settings(command: &mut Command) -> &mut Command {
    let is_setting = |name: &str| name.starts_with("OTTLA_") && !name.starts_with("OTTLA_TEST_");
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_setting) {
            command.env_remove(name);
        }
    }
    command
}

/// A port that nobody listens at, and neither at the one behind it: Apache Kafka wants two.
fn free_port() -> io::Result<u16> {
    loop {
        let first = TcpListener::bind((HOST, 0))?;
        let port = first.local_addr()?.port();
        let Some(next) = port.checked_add(1) else { continue };
        if TcpListener::bind((HOST, next)).is_ok() {
            return Ok(port);
        }
    }
}

/// Asks which versions a broker speaks.
fn answers(address: &Address) -> Result<(), BenchError> {
    let mut question = BytesMut::new();
    let version = *ApiKey::ApiVersions.versions().start();
    let body = ApiVersionsRequest::default();
    encode_frame(&mut question, ApiKey::ApiVersions, version, 0, &body);
    Socket::connect(address)?.exchange(&question, &mut [0; 64], ANSWER_MAX)
}

pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

/// Everything that a file that was written through `file` holds.
pub(super) fn read_back(mut file: File) -> io::Result<String> {
    file.rewind()?;
    io::read_to_string(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::compare::{scratch::Scratch, template};

    fn launch(scratch: &Scratch, script: &str) -> Broker {
        let contender = template::parse(&format!("a=: {{port}}; {script}")).expect("valid");
        Broker::launch(&contender, &scratch.folder("a")).expect("it starts")
    }

    #[test]
    fn all_that_a_command_started_is_stopped() {
        let scratch = Scratch::create(&env::temp_dir()).expect("a folder");
        // The shell itself goes at once; its child is told apart, and says so when it is gone.
        let mut broker = launch(
            &scratch,
            "(trap 'sleep 0.3; touch {dir}/gone; exit' TERM; touch {dir}/runs; \
             while :; do sleep 0.05; done) & wait",
        );
        let data = scratch.folder("a").join("data");
        while !data.join("runs").exists() {
            broker.check_runs().expect("it runs");
            thread::sleep(STOP_INTERVAL);
        }
        let group = broker.pid();
        assert!(group_runs(group));
        drop(broker);
        assert!(data.join("gone").exists());
        assert!(!group_runs(group));
    }

    #[test]
    fn a_broker_that_ends_says_why() {
        let scratch = Scratch::create(&env::temp_dir()).expect("a folder");
        let mut broker = launch(&scratch, "seq 1 12; echo no such thing >&2; exit 3");
        let error = broker.await_ready(&Interrupt::default()).expect_err("it ends");
        let CompareError::Ended { status, said, .. } = &error else { panic!("{error}") };
        assert_eq!(status.code(), Some(3));
        assert_eq!(said, "4\n5\n6\n7\n8\n9\n10\n11\n12\nno such thing");
    }
}
