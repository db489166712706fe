//! The arguments of the measurements.

use std::time::Duration;

use clap::Args;

use super::{meter::Goal, process::Process};
use crate::cli::{
    arguments,
    produce::{AcksArg, CompressionArg},
};

/// The topic to measure with.
#[derive(Debug, Args)]
pub(crate) struct TopicArgs {
    /// A topic; one that is not there is created, and deleted at the end
    #[arg(long, value_name = "TOPIC")]
    pub(super) topic: Option<String>,
    /// A configuration of the topic when it is created; may be repeated
    #[arg(long = "topic-config", value_name = "KEY=VALUE", value_parser = arguments::pair)]
    pub(super) topic_configs: Vec<(String, String)>,
    /// How many partitions a topic gets when it is created
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(i32).range(1..))]
    pub(super) partitions: i32,
    /// How many copies of each, if not as many as by default
    #[arg(long, value_parser = clap::value_parser!(i16).range(1..))]
    pub(super) replication_factor: Option<i16>,
    /// Leave the topic that was created
    #[arg(long)]
    pub(super) keep: bool,
}

/// What is sent.
#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    /// How large a value is
    #[arg(long, value_name = "BYTES", default_value = "1KiB", value_parser = arguments::bytes)]
    pub(super) record_bytes: u64,
    /// How batches are compressed; sizes and rates are those of what is sent
    #[arg(long, value_enum, default_value = "none")]
    pub(super) compression: CompressionArg,
    /// When the broker acknowledges
    #[arg(long, value_enum, default_value = "all")]
    pub(super) acks: AcksArg,
    /// In which version to speak Produce
    #[arg(long, value_name = "VERSION", default_value = "9")]
    pub(super) produce_version: i16,
}

/// How much is done.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct GoalArgs {
    /// End after so many bytes; without this and --duration after 1 GB, or (latency) 10 s
    #[arg(long, value_name = "BYTES", value_parser = arguments::bytes)]
    pub(super) total_bytes: Option<u64>,
    /// End after so long
    #[arg(long, value_name = "DURATION", value_parser = arguments::duration)]
    pub(super) duration: Option<Duration>,
}

impl GoalArgs {
    pub(super) fn goal(&self, default: Goal) -> Goal {
        match (self.total_bytes, self.duration) {
            (Some(bytes), _) => Goal::Bytes(bytes),
            (None, Some(duration)) => Goal::Time(duration),
            (None, None) => default,
        }
    }
}

/// What is looked at beside.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The broker's process, to tell what processor time and memory it and its children take (Linux, same machine)
    #[arg(long)]
    pub(super) pid: Option<u32>,
    /// Count nothing for so long at the beginning
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = arguments::duration)]
    pub(super) warmup: Duration,
}

impl WatchArgs {
    pub(super) fn broker(&self) -> Option<Process> {
        self.pid.map(Process::Other)
    }
}

/// Over what it goes.
#[derive(Debug, Args)]
pub(crate) struct ConnectionArgs {
    /// How many connections; there is at least one to each leader
    #[arg(long, default_value_t = DEFAULT_CONNECTIONS, value_parser = positive)]
    pub(super) connections: usize,
    /// How many requests are under way on each
    #[arg(long, default_value_t = DEFAULT_IN_FLIGHT, value_parser = positive)]
    pub(super) in_flight: usize,
}

const DEFAULT_CONNECTIONS: usize = 4;
pub(super) const DEFAULT_IN_FLIGHT: usize = 5;

/// A number from 1 on.
pub(super) fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("not a number from 1 on".to_owned()),
    }
}
