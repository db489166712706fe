//! The `ottla` command.

use std::process::ExitCode;

// A broker for use is never one that loses data on purpose.
#[cfg(not(debug_assertions))]
const _: () = assert!(!ottla_core::mutants::CAN_BE_PLANTED, "built with the feature mutants");

fn main() -> ExitCode {
    ottla::cli::main()
}
