//! The command line.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand};

use crate::cases::Definition;

/// Asks a broker what Apache Kafka was asked, and compares the answers.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// The folder with the answers and differences
    #[arg(long, default_value = env!("CARGO_MANIFEST_DIR"), global = true)]
    pub(crate) home: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs cases and keeps the broker's answers
    Record {
        #[command(flatten)]
        broker: Broker,
        #[command(flatten)]
        selection: Selection,
        /// Keep Ottla's answers to the cases listed as differences, and none else
        #[arg(long)]
        as_ottla: bool,
    },
    /// Runs cases and compares the broker's answers with those kept
    Check {
        #[command(flatten)]
        broker: Broker,
        #[command(flatten)]
        selection: Selection,
        /// The broker is Kafka itself: no difference is deliberate
        #[arg(long)]
        reference: bool,
    },
    /// Prints the names of cases
    List {
        #[command(flatten)]
        selection: Selection,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Broker {
    /// Where the broker listens
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: String,
    /// How many cases to run at once
    #[arg(long, default_value_t = 16)]
    pub(crate) threads: usize,
}

impl Broker {
    pub(crate) fn address(&self) -> Result<SocketAddr, String> {
        let name = &self.bootstrap;
        let mut addresses = name.to_socket_addrs().map_err(|error| format!("{name}: {error}"))?;
        addresses.next().ok_or_else(|| format!("{name} has no address"))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// Only cases whose name begins so
    #[arg(long, value_name = "PREFIX")]
    only: Option<String>,
    /// Only cases of this API or theme
    #[arg(long, value_name = "NAME")]
    api: Option<String>,
}

impl Selection {
    /// The cases that are selected.
    pub(crate) fn of<'a>(&self, cases: &'a [Definition]) -> Vec<&'a Definition> {
        let matches = |case: &&Definition| {
            self.only.as_ref().is_none_or(|prefix| case.name.starts_with(prefix.as_str()))
                && self.api.as_ref().is_none_or(|api| case.theme() == api)
        };
        cases.iter().filter(matches).collect()
    }
}
