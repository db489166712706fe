//! A search in a process of its own: which mutant is planted is a matter of the whole process, and so is its memory.

use std::{env, process::Command};

use ottla_model::harness::{Caught, Limits, Outcome};

/// Searches a configuration in a process of its own; with a mutant, for what that is expected to violate.
pub(super) fn search(
    name: &str,
    caught: Option<&Caught>,
    limits: &Limits<'_>,
) -> Result<Outcome, String> {
    let program = env::current_exe().map_err(|error| format!("this program: {error}"))?;
    let mut command = Command::new(program);
    command.args(["run", name]);
    if let Some(caught) = caught {
        command.args(["--mutant", caught.mutant.id(), "--property", caught.property]);
    }
    command.args(["--time", &limits.time.as_secs().to_string()]);
    command.args(["--generated", &limits.generated.to_string()]);
    command.args(["--memory", &limits.memory_mib.to_string()]);
    let output = command.output().map_err(|error| format!("a process of {name}: {error}"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}", output.status, told.trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("its outcome: {error}"))
}
