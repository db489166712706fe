//! The `parity` command: the same requests to Apache Kafka and to Ottla must have the same answers.

mod batch;
mod case;
mod cases;
mod client;
mod commands;
mod differences;
mod mask;
mod options;
mod requests;
mod run;
mod setup;
mod snapshot;
mod tree;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    commands::Home,
    options::{Command, Options},
};

fn main() -> ExitCode {
    let options = Options::parse();
    let home = Home::new(options.home);
    let result = match &options.command {
        Command::Record { broker, selection, as_ottla } => {
            commands::record(&home, broker, selection, *as_ottla)
        }
        Command::Check { broker, selection, reference } => {
            commands::check(&home, broker, selection, *reference)
        }
        Command::List { selection } => {
            commands::list(selection);
            Ok(true)
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("parity: {error}");
            ExitCode::from(2)
        }
    }
}
