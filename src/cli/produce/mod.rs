//! `ottla produce`: lines into records.

mod lines;
mod tally;

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use clap::{ArgAction, Args, ValueEnum};
use ottla_core::{records::Compression, types::PartitionIndex};
use serde_json::json;
use tokio::sync::mpsc;

use super::{CliError, Context, arguments, words::counted};
use crate::client::{
    Producer,
    producer::{Acks, Delivery, ProduceError, ProducerConfig, ProducerRecord},
};
use lines::Line;
use tally::Tally;

/// Records that are on their way, beyond which reading waits.
const DELIVERIES_MAX: usize = 100_000;

#[derive(Debug, Args)]
pub(crate) struct ProduceArgs {
    /// The topic
    topic: String,
    /// Read this file rather than standard input
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// What parts the key from the value in a line; without it lines are values
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// A key or value that is this text is null; a null value is a tombstone
    #[arg(long, value_name = "TEXT")]
    null_marker: Option<String>,
    /// A header of every record; may be repeated
    #[arg(long = "header", value_name = "KEY=VALUE", value_parser = arguments::pair)]
    headers: Vec<(String, String)>,
    /// How batches are compressed
    #[arg(long, value_enum, default_value = "none")]
    compression: CompressionArg,
    /// When the broker acknowledges: never, once the leader has it, or once all in-sync replicas have it
    #[arg(long, value_enum, default_value = "all")]
    acks: AcksArg,
    /// The partition, rather than that of the key, or any
    #[arg(long, value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// Let brokers recognize a batch that is sent again, so that no record is there twice; needs --acks all, and is on
    /// with it by default
    #[arg(long, value_name = "BOOL", action = ArgAction::Set)]
    #[arg(num_args = 0..=1, default_missing_value = "true")]
    idempotent: Option<bool>,
    /// How large a batch may be before compression
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = arguments::bytes)]
    batch_bytes: u64,
    /// How long a batch waits for more lines
    #[arg(long, value_name = "DURATION", default_value = "5ms", value_parser = arguments::duration)]
    linger: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AcksArg {
    #[value(name = "0")]
    None,
    #[value(name = "1")]
    Leader,
    #[value(name = "all", alias = "-1")]
    All,
}

impl From<AcksArg> for Acks {
    fn from(acks: AcksArg) -> Self {
        match acks {
            AcksArg::None => Self::None,
            AcksArg::Leader => Self::Leader,
            AcksArg::All => Self::All,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressionArg {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl From<CompressionArg> for Compression {
    fn from(compression: CompressionArg) -> Self {
        match compression {
            CompressionArg::None => Self::None,
            CompressionArg::Gzip => Self::Gzip,
            CompressionArg::Snappy => Self::Snappy,
            CompressionArg::Lz4 => Self::Lz4,
            CompressionArg::Zstd => Self::Zstd,
        }
    }
}

impl ProduceArgs {
    fn config(&self) -> Result<ProducerConfig, CliError> {
        let idempotent = self.idempotent.unwrap_or(self.acks == AcksArg::All);
        if idempotent && self.acks != AcksArg::All {
            return Err(CliError::Usage(
                "--idempotent needs --acks all; leave out one of the two".to_owned(),
            ));
        }
        Ok(ProducerConfig {
            acks: self.acks.into(),
            idempotent,
            compression: self.compression.into(),
            batch_bytes: usize::try_from(self.batch_bytes).unwrap_or(usize::MAX),
            linger: self.linger,
            ..Default::default()
        })
    }

    /// The record of a line. None when the line has no key separator where there must be one.
    fn record(&self, line: &Bytes) -> Option<ProducerRecord> {
        let (key, value) = match &self.key_separator {
            None => (None, line.clone()),
            Some(separator) => {
                let at = find(line, separator.as_bytes())?;
                (Some(line.slice(..at)), line.slice(at + separator.len()..))
            }
        };
        let not_null = |bytes: &Bytes| {
            self.null_marker.as_ref().is_none_or(|marker| bytes != marker.as_bytes())
        };
        let header = |(key, value): &(String, String)| {
            (key.clone(), Some(Bytes::copy_from_slice(value.as_bytes())))
        };
        Some(ProducerRecord {
            key: key.filter(not_null),
            value: Some(value).filter(not_null),
            headers: self.headers.iter().map(header).collect(),
            timestamp: None,
            partition: self.partition.map(PartitionIndex),
        })
    }
}

/// Where `needle` begins in `bytes`.
fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len().max(1)).position(|window| window.starts_with(needle))
}

/// Why reading ended before the end of the input.
#[derive(Debug)]
enum Stop {
    Interrupted,
    NoKeySeparator { line: u64 },
    Refused { line: u64, error: ProduceError },
    Input(CliError),
}

pub(crate) async fn run(args: ProduceArgs, context: &Context) -> Result<(), CliError> {
    let config = args.config()?;
    // A topic that does not exist shall be noticed before the first line is.
    let topic = context.client.topic(&args.topic).await?;
    let mut producer = Producer::new(context.client.clone(), config);
    let mut lines = lines::read(args.file.clone())?;
    let (deliveries, queue) = mpsc::channel(DELIVERIES_MAX);
    let tally = tokio::spawn(tally::collect(queue));
    let stop = send_lines(&args, &topic.name, &mut producer, &mut lines, &deliveries).await;
    drop(deliveries);
    let settled = async {
        producer.close().await;
        tally.await
    };
    let tally = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => return Err(CliError::Failed(
            "interrupted before all records were settled; what became of them is unknown".to_owned(),
        )),
        tally = settled => tally,
    };
    let tally = tally.map_err(|_| CliError::Failed("the producer broke down".to_owned()))?;
    report(&args, context, &tally, stop)
}

/// Sends until the input ends, or cannot go on.
async fn send_lines(
    args: &ProduceArgs,
    topic: &str,
    producer: &mut Producer,
    lines: &mut mpsc::Receiver<Vec<Line>>,
    deliveries: &mpsc::Sender<(u64, Delivery)>,
) -> Option<Stop> {
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let chunk = tokio::select! {
            biased;
            _ = &mut interrupt => return Some(Stop::Interrupted),
            chunk = lines.recv() => chunk?,
        };
        for Line { number, text } in chunk {
            let text = match text {
                Ok(text) => text,
                Err(error) => {
                    return Some(Stop::Input(CliError::io(format!("line {number}"), &error)));
                }
            };
            let Some(record) = args.record(&text) else {
                return Some(Stop::NoKeySeparator { line: number });
            };
            match producer.send(topic, record).await {
                // The tally takes until the senders are gone.
                Ok(delivery) => drop(deliveries.send((number, delivery)).await),
                Err(error) => return Some(Stop::Refused { line: number, error }),
            }
        }
    }
}

fn report(
    args: &ProduceArgs,
    context: &Context,
    tally: &Tally,
    stop: Option<Stop>,
) -> Result<(), CliError> {
    let word = if args.acks == AcksArg::None { "sent, unacknowledged" } else { "acknowledged" };
    // For people the count goes to standard error, with the failures.
    context.print(
        || {
            let (acknowledged, failed) = (tally.acknowledged, tally.failed());
            json!({ "topic": args.topic, "acknowledged": acknowledged, "failed": failed })
        },
        String::new,
    )?;
    eprintln!("{} {word}", counted(tally.acknowledged, "record"));
    for failure in &tally.failures {
        eprintln!("{failure}");
    }
    let failed = tally.failed();
    let all = tally.acknowledged + failed;
    match stop {
        Some(Stop::NoKeySeparator { line }) => Err(CliError::Failed(format!(
            "line {line} has no key separator `{}`; neither it nor what follows was sent",
            args.key_separator.as_deref().unwrap_or_default()
        ))),
        Some(Stop::Refused { line, error }) => Err(CliError::Failed(format!(
            "line {line}: {error}; neither it nor what follows was sent"
        ))),
        Some(Stop::Input(error)) => Err(error),
        Some(Stop::Interrupted) | None if failed > 0 => {
            Err(CliError::Failed(format!("{failed} of {all} records were not acknowledged")))
        }
        Some(Stop::Interrupted) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: ProduceArgs,
    }

    fn args(arguments: &[&str]) -> ProduceArgs {
        Command::parse_from([&["produce", "topic"], arguments].concat()).args
    }

    fn record(arguments: &[&str], line: &str) -> Option<(Option<Bytes>, Option<Bytes>)> {
        let record = args(arguments).record(&Bytes::copy_from_slice(line.as_bytes()))?;
        Some((record.key, record.value))
    }

    fn some(text: &'static str) -> Option<Bytes> {
        Some(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_line_is_a_value_or_a_key_and_a_value() {
        assert_eq!(record(&[], "a:b"), Some((None, some("a:b"))));
        let separator = ["--key-separator", "::"];
        assert_eq!(record(&separator, "a::b::c"), Some((some("a"), some("b::c"))));
        assert_eq!(record(&separator, "::"), Some((some(""), some(""))));
        assert_eq!(record(&separator, "a:b"), None);
        let marker = ["--key-separator", ":", "--null-marker", "NULL"];
        assert_eq!(record(&marker, "NULL:NULL"), Some((None, None)));
        assert_eq!(record(&marker, "NULL:NULLs"), Some((None, some("NULLs"))));
    }

    #[test]
    fn idempotence_goes_with_acks_all_alone() {
        let idempotent = |arguments: &[&str]| args(arguments).config().map(|c| c.idempotent).ok();
        assert_eq!(idempotent(&[]), Some(true));
        assert_eq!(idempotent(&["--acks", "1"]), Some(false));
        assert_eq!(idempotent(&["--acks", "1", "--idempotent"]), None);
        assert_eq!(idempotent(&["--idempotent", "false"]), Some(false));
    }
}
