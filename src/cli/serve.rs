//! `ottla serve`: a broker.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use crate::server::{ServeSettings, standalone};

/// What the command line and the environment say; a setting of the command line is the stronger.
#[derive(Debug, Default, Args)]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 takes a free one and prints it [default: 127.0.0.1:9092]
    #[arg(long, env = "OTTLA_LISTEN", value_name = "HOST:PORT")]
    listen: Option<String>,
    /// What clients are told to connect to, if that differs
    #[arg(long, env = "OTTLA_ADVERTISE", value_name = "HOST:PORT")]
    advertise: Option<String>,
    /// Where the data is kept [default: ./ottla-data]
    #[arg(long, env = "OTTLA_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Settings: TOML, or Kafka's server.properties if its name ends so
    #[arg(long, env = "OTTLA_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting, under Kafka's name; stronger than the environment and the file
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.trim().into(), value.trim().into())),
        Some(_) | None => Err("a setting is KEY=VALUE, as in num.partitions=3".into()),
    }
}

pub(super) fn run(args: ServeArgs) -> ExitCode {
    let ServeArgs { listen, advertise, data, config, set } = args;
    standalone::run(ServeSettings { listen, advertise, data, config, set })
}
