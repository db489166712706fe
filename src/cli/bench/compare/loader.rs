//! The other measurements, each run as the command that anybody can repeat, in a process of its own.

use std::{
    env,
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use super::{
    CompareError,
    broker::{last_lines, read_back, without_settings},
    interrupt::Interrupt,
};
use crate::client::Address;

/// How often it is looked whether the loader has ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A loader that runs. It is stopped when it is dropped.
#[derive(Debug)]
struct Loader(Child);

impl Drop for Loader {
    fn drop(&mut self) {
        // Neither does anything to who has ended and was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `ottla` with these arguments against a broker, and returns what it prints.
pub(super) fn run(
    address: &Address,
    arguments: &[String],
    scratch: &Path,
    interrupt: &Interrupt,
) -> Result<Value, CompareError> {
    let executable = env::current_exe().map_err(CompareError::io("this executable"))?;
    let (said, printed) = (file(&scratch.join("said"))?, file(&scratch.join("printed"))?);
    let mut command = Command::new(executable);
    without_settings(&mut command)
        .args(["--json", "--bootstrap", &address.to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(printed.try_clone().map_err(CompareError::io("a file"))?)
        .stderr(said.try_clone().map_err(CompareError::io("a file"))?);
    tracing::debug!(%address, arguments = arguments.join(" "), "measuring");
    let child = command.spawn().map_err(CompareError::io("starting the loader"))?;
    let mut loader = Loader(child);
    let status = loop {
        if let Some(status) = loader.0.try_wait().map_err(CompareError::io("the loader"))? {
            break status;
        }
        interrupt.pause(LOOK_INTERVAL)?;
    };
    // The keyboard's interrupt reaches the loader, too, which then ends early and well.
    interrupt.check()?;
    let said = read_back(said).map_err(CompareError::io("a file"))?;
    if !status.success() {
        let said = last_lines(&said);
        return Err(CompareError::Loader(said.strip_prefix("ottla: ").unwrap_or(&said).to_owned()));
    }
    let printed = read_back(printed).map_err(CompareError::io("a file"))?;
    serde_json::from_str(&printed).map_err(|error| {
        CompareError::Loader(format!("the loader printed what is not JSON: {error}"))
    })
}

/// An empty file to be written and read.
fn file(path: &Path) -> Result<File, CompareError> {
    let options = || File::options().read(true).write(true).create(true).truncate(true).open(path);
    options().map_err(CompareError::io(path.display()))
}
