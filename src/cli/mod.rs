//! The command line: what the arguments mean, and one file for each command.

mod arguments;
mod base64;
mod bench;
mod consume;
mod error;
mod group;
mod log;
mod produce;
mod prove;
mod record_format;
mod serve;
mod table;
mod timestamp;
mod topic;
mod tracing;
mod words;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use serde_json::Value;

use crate::client::{Address, Client, ClientConfig};
use error::CliError;

/// How a wrong use of the command line ends; clap ends that way, too.
const USAGE: u8 = 2;

#[derive(Debug, Parser)]
#[command(
    name = "ottla",
    version,
    about = "An event broker that speaks Apache Kafka's wire protocol",
    after_help = "Without a command, a broker is served: `ottla serve`."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of all commands")]
struct Global {
    /// Brokers to begin with; any of the cluster will do
    #[arg(long, global = true, env = "OTTLA_BOOTSTRAP", value_name = "HOST:PORT")]
    #[arg(value_delimiter = ',', default_value = "127.0.0.1:9092")]
    bootstrap: Vec<Address>,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    json: bool,
    /// Tell on standard error what happens on the way
    #[arg(long, short, global = true)]
    verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a broker
    Serve(serve::ServeArgs),
    /// Look at the files of a data folder, without a broker
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Find out whether settings can lose records: visit every state of the broker's machines
    Prove(prove::ProveArgs),
    #[command(flatten)]
    Client(ClientCommand),
}

/// What is done by asking a broker.
#[derive(Debug, Subcommand)]
enum ClientCommand {
    /// Create, list, describe, alter and delete topics
    #[command(subcommand)]
    Topic(topic::TopicCommand),
    /// Write lines to a topic, one record each
    Produce(produce::ProduceArgs),
    /// Read records of a topic
    Consume(consume::ConsumeArgs),
    /// List, describe, reset and delete consumer groups
    #[command(subcommand)]
    Group(group::GroupCommand),
    /// Measure a broker: this one or any other that speaks Kafka's protocol
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

/// What every command works with.
#[derive(Debug)]
struct Context {
    client: Client,
    json: bool,
}

impl Context {
    /// Prints one of the two, as it was asked for.
    fn print(
        &self,
        json: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        print(self.json, json, text)
    }
}

/// Prints one of the two, as it was asked for.
fn print(
    as_json: bool,
    json: impl FnOnce() -> Value,
    text: impl FnOnce() -> String,
) -> Result<(), CliError> {
    let output = if as_json { format!("{}\n", json()) } else { text() };
    match io::stdout().write_all(output.as_bytes()) {
        // Who reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| CliError::io("standard output", &error)),
    }
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let Cli { global, command } = Cli::parse();
    match command.unwrap_or(Command::Serve(serve::ServeArgs::default())) {
        Command::Serve(args) => {
            tracing::begin(tracing::Told::Broker);
            serve::run(args)
        }
        Command::Client(command) => {
            tracing::begin(tracing::Told::Command { verbose: global.verbose });
            conclude(run_client(global, command).map(|()| ExitCode::SUCCESS))
        }
        Command::Log(command) => conclude(log::run(command, global.json)),
        Command::Prove(args) => {
            tracing::begin(tracing::Told::Command { verbose: global.verbose });
            prove::run(&args, global)
        }
    }
}

fn conclude(outcome: Result<ExitCode, CliError>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ottla: {error}");
            error.exit_code()
        }
    }
}

fn run_client(global: Global, command: ClientCommand) -> Result<(), CliError> {
    let runtime = runtime()?;
    let client = Client::new(global.bootstrap, ClientConfig::default());
    let context = Context { client, json: global.json };
    runtime.block_on(async {
        match command {
            ClientCommand::Topic(command) => topic::run(command, &context).await,
            ClientCommand::Produce(args) => produce::run(args, &context).await,
            ClientCommand::Consume(args) => consume::run(args, &context).await,
            ClientCommand::Group(command) => group::run(command, &context).await,
            ClientCommand::Bench(command) => bench::run(command, &context).await,
        }
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(|error| CliError::io("the runtime", &error))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
