//! `ottla bench consume`.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use clap::Args;
use ottla_core::wire::ApiKey;

use super::{
    BenchError, Report, Target,
    args::{BatchArgs, ConnectionArgs, GoalArgs, TopicArgs, WatchArgs, positive},
    conclude,
    control::{Control, Stop},
    fetch_connection::{FetchConnection, FetchKind, Range},
    in_thread,
    lanes::{self, Lane},
    load,
    meter::{Goal, Meter},
    process::Process,
    produce::{DEFAULT_BYTES, Production},
};
use crate::{
    cli::{CliError, Context, arguments},
    client::{clock, offsets::OffsetSpec},
};

/// How long a fetch of data that is there may wait: it should not.
const MAX_WAIT_MS: i32 = 500;

#[derive(Debug, Args)]
pub(crate) struct ConsumeArgs {
    #[command(flatten)]
    topic: TopicArgs,
    #[command(flatten)]
    batch: BatchArgs,
    /// How large a batch is at most that is written to be read
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = arguments::bytes)]
    batch_bytes: u64,
    /// How much is written to a new topic to be read, over and over
    #[arg(long, value_name = "BYTES", default_value = "500MB", value_parser = arguments::bytes)]
    data_bytes: u64,
    /// How many connections; there is at least one to each leader. Partitions are shared out, and where there are fewer
    /// than connections, several read the same
    #[arg(long, default_value = "4", value_parser = positive)]
    connections: usize,
    /// How many readers share a connection, each with a request under way and partitions of its own
    #[arg(long, default_value = "1", value_parser = positive)]
    in_flight: usize,
    /// How much a fetch asks for
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = arguments::bytes)]
    fetch_max_bytes: u64,
    /// In which version to speak Fetch
    #[arg(long, value_name = "VERSION", default_value = "12")]
    fetch_version: i16,
    #[command(flatten)]
    goal: GoalArgs,
    #[command(flatten)]
    watch: WatchArgs,
}

pub(crate) async fn run(args: ConsumeArgs, context: &Context) -> Result<(), CliError> {
    let target = Target::prepare(&context.client, &args.topic, clock::now()).await?;
    let outcome = measure(&args, &target, context).await;
    conclude(outcome, &target, args.topic.keep, context).await
}

async fn measure(
    args: &ConsumeArgs,
    target: &Target,
    context: &Context,
) -> Result<Report, CliError> {
    let client = &context.client;
    target.require(client, ApiKey::Fetch, args.fetch_version).await?;
    if target.is_new {
        target.require(client, ApiKey::Produce, args.batch.produce_version).await?;
        fill(args, target).await?;
    }
    let starts = target.offsets(client, OffsetSpec::Earliest).await?;
    let ends = target.offsets(client, OffsetSpec::Latest).await?;
    target.require_data(&starts, &ends)?;
    let kind = FetchKind {
        topic: target.topic.clone(),
        version: args.fetch_version,
        max_wait_ms: MAX_WAIT_MS,
        max_bytes: i32::try_from(args.fetch_max_bytes).unwrap_or(i32::MAX),
    };
    let goal = args.goal.goal(Goal::Bytes(DEFAULT_BYTES));
    let lanes = lanes::spread(&target.partitions, args.connections, args.in_flight, false);
    let lanes = ranges(lanes, &starts, &ends);
    let watch = (args.watch.warmup, args.watch.broker());
    let (topic, pid) = (target.topic.name.clone(), args.watch.pid);
    let report = in_thread(move |stop| {
        let meter = fetch(&kind, lanes, goal, watch, stop)?;
        Report::new("consume", &topic, pid, Some("fetch"), meter)
    });
    Ok(report.await?)
}

/// Writes what is to be read.
async fn fill(args: &ConsumeArgs, target: &Target) -> Result<(), BenchError> {
    let connections = ConnectionArgs { connections: args.connections, in_flight: args.in_flight };
    let production = Production::new(&target.topic, &args.batch, args.batch_bytes, &connections);
    let goal = Goal::Bytes(args.data_bytes);
    let target = target.clone();
    in_thread(move |stop| {
        production.run(&target, None, goal, (Duration::ZERO, None), stop).map(drop)
    })
    .await
}

/// A connection, and what each of its readers reads.
type Readers = (Lane, Vec<Vec<Range>>);

/// What of each lane's partitions there is to read. A partition without anything is left out.
fn ranges(
    lanes: Vec<Lane>,
    starts: &BTreeMap<i32, i64>,
    ends: &BTreeMap<i32, i64>,
) -> Vec<Readers> {
    let range = |partition: &i32| {
        let (start, end) = (*starts.get(partition)?, *ends.get(partition)?);
        (start < end).then_some(Range { partition: *partition, start, end: Some(end) })
    };
    let with_readers = |lane: Lane| {
        let readers = lane.workers.iter().map(|worker| worker.iter().filter_map(range).collect());
        let readers = readers.filter(|ranges: &Vec<Range>| !ranges.is_empty()).collect();
        (lane, readers)
    };
    lanes.into_iter().map(with_readers).collect()
}

fn fetch(
    kind: &FetchKind,
    lanes: Vec<Readers>,
    goal: Goal,
    (warmup, broker): (Duration, Option<Process>),
    stop: Stop,
) -> Result<Meter, BenchError> {
    let mut connections = Vec::new();
    for (lane, readers) in lanes {
        connections.push(FetchConnection::connect(&lane.address, kind, readers)?);
    }
    let mut meter = Meter::new(Instant::now() + warmup, broker);
    let mut control = Control::new(stop, goal, "consuming");
    load::fetch(&mut connections, goal, &mut meter, &mut control)?;
    Ok(meter)
}
