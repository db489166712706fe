//! `ottla consume`: records into lines.

use std::{
    io::{self, BufWriter, StdoutLock, Write},
    time::Duration,
};

use clap::{Args, ValueEnum};
use ottla_core::types::{Offset, PartitionIndex, Timestamp};
use tokio::time::timeout;

use super::{
    CliError, Context,
    record_format::{TextFormat, write_json},
    timestamp,
    words::counted,
};
use crate::client::{
    Consumer, GroupConsumer, TopicPartition,
    consumer::{ConsumerConfig, ConsumerRecord, Position},
    group::GroupConfig,
    offsets::OffsetSpec,
};

/// How long to wait for records before looking at anything else.
const POLL: Duration = Duration::from_millis(500);

/// How long leaving the group may take.
const LEAVE_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(crate) struct ConsumeArgs {
    /// The topic
    topic: String,
    #[command(flatten)]
    start: StartArgs,
    /// Only this partition; may be repeated
    #[arg(long = "partition", conflicts_with = "group")]
    #[arg(value_parser = clap::value_parser!(i32).range(0..))]
    partitions: Vec<i32>,
    /// Share the partitions with the other members of this group, go on where it has committed, and commit what was
    /// written out
    #[arg(long, conflicts_with_all = ["offset", "timestamp"])]
    group: Option<String>,
    /// End after so many records
    #[arg(long, value_name = "COUNT")]
    max_messages: Option<u64>,
    /// End when no record comes for so long
    #[arg(long, value_name = "MS")]
    timeout_ms: Option<u64>,
    /// How a record is written out; --json means the same as json here
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    text: TextArgs,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct StartArgs {
    /// Begin with the first record that is kept, rather than with the next one to come
    #[arg(long)]
    from_beginning: bool,
    /// Begin at this offset
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..))]
    offset: Option<i64>,
    /// Begin with the first record of this time or later
    #[arg(long, value_name = "MS|RFC3339", value_parser = timestamp::parse)]
    timestamp: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, Args)]
struct TextArgs {
    /// Write the timestamp before the value
    #[arg(long)]
    print_timestamp: bool,
    /// Write the partition before the value
    #[arg(long)]
    print_partition: bool,
    /// Write the offset before the value
    #[arg(long)]
    print_offset: bool,
    /// Write the headers before the value
    #[arg(long)]
    print_headers: bool,
    /// Write the key before the value
    #[arg(long)]
    print_key: bool,
    /// What parts them
    #[arg(long, value_name = "TEXT", default_value = "\t", hide_default_value = true)]
    separator: String,
    /// What stands for a key or value that is null
    #[arg(long, value_name = "TEXT", default_value = "null")]
    null_marker: String,
}

impl StartArgs {
    fn position(&self) -> Position {
        match (self.offset, self.timestamp) {
            (Some(offset), _) => Position::Offset(Offset(offset)),
            (None, Some(timestamp)) => Position::Spec(OffsetSpec::At(timestamp)),
            (None, None) => Position::Spec(self.reset()),
        }
    }

    fn reset(&self) -> OffsetSpec {
        if self.from_beginning { OffsetSpec::Earliest } else { OffsetSpec::Latest }
    }
}

/// Where the records come from.
#[derive(Debug)]
enum Source {
    Partitions(Box<Consumer>),
    Group(Box<GroupConsumer>),
}

impl Source {
    async fn poll(&mut self, limit: Duration) -> Result<Vec<ConsumerRecord>, CliError> {
        match self {
            Self::Partitions(consumer) => Ok(consumer.poll(limit).await?),
            Self::Group(consumer) => Ok(consumer.poll(limit).await?),
        }
    }

    fn processed(&mut self, record: &ConsumerRecord) {
        match self {
            Self::Partitions(_) => {}
            Self::Group(consumer) => consumer.processed(record),
        }
    }

    async fn end(self) -> Result<(), CliError> {
        match self {
            Self::Partitions(_) => Ok(()),
            Self::Group(consumer) => Ok(consumer.leave().await?),
        }
    }
}

pub(crate) async fn run(args: ConsumeArgs, context: &Context) -> Result<(), CliError> {
    let mut source = source(&args, context).await?;
    let mut output = Output::new(&args, context.json);
    let outcome = pump(&args, &mut source, &mut output).await;
    eprintln!("{}", counted(output.count, "record"));
    // The group shall not wait for a member that is gone, whatever made it go.
    let ended = timeout(LEAVE_MAX, source.end()).await;
    outcome.and(ended.unwrap_or_else(|_| {
        Err(CliError::Failed(format!(
            "the group's coordinator did not answer within {LEAVE_MAX:?}; \
             the last records may come again"
        )))
    }))
}

async fn source(args: &ConsumeArgs, context: &Context) -> Result<Source, CliError> {
    let client = &context.client;
    let topic = client.topic(&args.topic).await?;
    let position = args.start.position();
    let reset = match position {
        Position::Offset(_) => None,
        Position::Spec(_) => Some(args.start.reset()),
    };
    if let Some(group) = &args.group {
        let config = GroupConfig {
            topics: vec![topic.name.clone()],
            reset: args.start.reset(),
            ..Default::default()
        };
        let consumer = GroupConsumer::new(client.clone(), group, config);
        return Ok(Source::Group(Box::new(consumer)));
    }
    let mut partitions = Vec::new();
    if args.partitions.is_empty() {
        partitions.extend(topic.partitions.iter().map(|partition| partition.index));
    } else {
        for &index in &args.partitions {
            // Says so if there is no such partition.
            client.leader(&TopicPartition::new(topic.name.clone(), index)).await?;
            partitions.push(PartitionIndex(index));
        }
    }
    let mut consumer =
        Consumer::new(client.clone(), ConsumerConfig { reset, ..Default::default() });
    consumer.assign(
        partitions.into_iter().map(|PartitionIndex(index)| {
            (TopicPartition::new(topic.name.clone(), index), position)
        }),
    );
    Ok(Source::Partitions(Box::new(consumer)))
}

/// Moves records until there are enough, none come, nobody reads on, or the operator interrupts.
async fn pump(
    args: &ConsumeArgs,
    source: &mut Source,
    output: &mut Output,
) -> Result<(), CliError> {
    let idle_max = args.timeout_ms.map(Duration::from_millis);
    let mut idle = Duration::ZERO;
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    while args.max_messages.is_none_or(|max| output.count < max) {
        let limit = idle_max.map_or(POLL, |max| POLL.min(max.saturating_sub(idle)));
        let records = tokio::select! {
            biased;
            _ = &mut interrupt => return Ok(()),
            records = source.poll(limit) => records?,
        };
        if records.is_empty() {
            idle += limit;
            if idle_max.is_some_and(|max| idle >= max) {
                return Ok(());
            }
            continue;
        }
        idle = Duration::ZERO;
        let left = args.max_messages.map_or(u64::MAX, |max| max - output.count);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let wanted = &records[..records.len().min(left)];
        match output.write(wanted) {
            Ok(()) => wanted.iter().for_each(|record| source.processed(record)),
            // Who reads has seen enough; what it has not read is not processed.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(CliError::io("standard output", &error)),
        }
    }
    Ok(())
}

/// Where the records go.
#[derive(Debug)]
struct Output {
    stdout: BufWriter<StdoutLock<'static>>,
    json: bool,
    text: TextFormat,
    line: Vec<u8>,
    count: u64,
}

impl Output {
    fn new(args: &ConsumeArgs, json: bool) -> Self {
        let text = &args.text;
        let text = TextFormat {
            timestamp: text.print_timestamp,
            partition: text.print_partition,
            offset: text.print_offset,
            headers: text.print_headers,
            key: text.print_key,
            separator: text.separator.clone(),
            null: text.null_marker.clone(),
        };
        Self {
            stdout: BufWriter::new(io::stdout().lock()),
            json: json || args.format == Format::Json,
            text,
            line: Vec::new(),
            count: 0,
        }
    }

    /// Writes records and sees them out: only then are they processed.
    fn write(&mut self, records: &[ConsumerRecord]) -> io::Result<()> {
        for record in records {
            self.line.clear();
            if self.json {
                write_json(record, &mut self.line);
            } else {
                self.text.write(record, &mut self.line);
            }
            self.stdout.write_all(&self.line)?;
        }
        self.stdout.flush()?;
        self.count += records.len() as u64;
        Ok(())
    }
}
