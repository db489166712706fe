//! The simulator's command: `cargo sim`.

use std::process::ExitCode;

/// Built without `--cfg madsim` there is nothing to simulate with.
#[cfg(not(madsim))]
fn main() -> ExitCode {
    eprintln!("this is not a build for the simulator: use `cargo sim` (see .cargo/config.toml)");
    ExitCode::from(2)
}

#[cfg(madsim)]
fn main() -> ExitCode {
    ottla_sim::cli::main()
}
