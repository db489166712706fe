//! The `ottla` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ottla::cli::main()
}
