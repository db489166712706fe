//! `ottla bench latency`.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use clap::Args;
use ottla_core::wire::ApiKey;

use super::{
    BenchError, Report, Target,
    args::{
        BatchArgs, ConnectionArgs, DEFAULT_IN_FLIGHT, GoalArgs, TopicArgs, WatchArgs, positive,
    },
    conclude,
    control::{Control, Stop},
    fetch_connection::FetchKind,
    in_thread, lanes, load,
    meter::{Goal, Meter},
    pace::{Pace, Turns},
    produce::Production,
    producers::{Producers, Volume},
    tail::Tail,
};
use crate::{
    cli::{CliError, Context, arguments, produce::AcksArg},
    client::{clock, offsets::OffsetSpec},
};

const DEFAULT_DURATION: Duration = Duration::from_secs(10);
/// How long a fetch waits at the broker for a record.
const MAX_WAIT_MS: i32 = 500;
const FETCH_BYTES_MAX: i32 = 1 << 20;

#[derive(Debug, Args)]
pub(crate) struct LatencyArgs {
    #[command(flatten)]
    topic: TopicArgs,
    #[command(flatten)]
    batch: BatchArgs,
    /// How large a batch is at most; by default each record goes alone
    #[arg(long, value_name = "BYTES", default_value = "0", hide_default_value = true)]
    #[arg(value_parser = arguments::bytes)]
    batch_bytes: u64,
    /// Records per second
    #[arg(long, default_value = "1000", value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// How many connections produce; there are not more than partitions
    #[arg(long, default_value = "1", value_parser = positive)]
    connections: usize,
    /// How many requests may be under way on each; what is due beyond waits, and the wait counts
    #[arg(long, default_value_t = DEFAULT_IN_FLIGHT, value_parser = positive)]
    in_flight: usize,
    /// Do not consume
    #[arg(long)]
    no_consumer: bool,
    /// In which version to speak Fetch
    #[arg(long, value_name = "VERSION", default_value = "12")]
    fetch_version: i16,
    #[command(flatten)]
    goal: GoalArgs,
    #[command(flatten)]
    watch: WatchArgs,
}

/// A measurement that is prepared.
#[derive(Debug)]
struct Measurement {
    target: Target,
    production: Production,
    /// The consumer, and where the partitions end.
    consumer: Option<(FetchKind, BTreeMap<i32, i64>)>,
    rate: u64,
    goal: Goal,
    watch: WatchArgs,
}

pub(crate) async fn run(args: LatencyArgs, context: &Context) -> Result<(), CliError> {
    if args.batch.acks == AcksArg::None {
        return Err(CliError::Usage(
            "without acknowledgement there is no latency; use --acks 1 or all".to_owned(),
        ));
    }
    let target = Target::prepare(&context.client, &args.topic, clock::now()).await?;
    let keep = args.topic.keep;
    let outcome = measure(args, &target, context).await;
    conclude(outcome, &target, keep, context).await
}

async fn measure(
    args: LatencyArgs,
    target: &Target,
    context: &Context,
) -> Result<Report, CliError> {
    let client = &context.client;
    target.require(client, ApiKey::Produce, args.batch.produce_version).await?;
    let consumer = if args.no_consumer {
        None
    } else {
        target.require(client, ApiKey::Fetch, args.fetch_version).await?;
        let kind = FetchKind {
            topic: target.topic.clone(),
            version: args.fetch_version,
            max_wait_ms: MAX_WAIT_MS,
            max_bytes: FETCH_BYTES_MAX,
        };
        Some((kind, target.offsets(client, OffsetSpec::Latest).await?))
    };
    let connections = ConnectionArgs { connections: args.connections, in_flight: args.in_flight };
    let measurement = Measurement {
        target: target.clone(),
        production: Production::new(&target.topic, &args.batch, args.batch_bytes, &connections),
        consumer,
        rate: args.rate,
        goal: args.goal.goal(Goal::Time(DEFAULT_DURATION)),
        watch: args.watch,
    };
    Ok(in_thread(move |stop| measurement.run(stop)).await?)
}

impl Measurement {
    fn run(self, stop: Stop) -> Result<Report, BenchError> {
        let Self { target, production, consumer, rate, goal, watch } = self;
        let start = Instant::now();
        let begins = start + watch.warmup;
        let pace = Pace::new(start, rate, production.batch_records);
        let volume = Volume {
            batch_bytes: production.batch_bytes,
            batch_records: production.batch_records,
            pace: Some(pace),
            goal,
        };
        // What reaches a partition must do so in the order of the schedule: one connection for each.
        let lanes = lanes::spread(&target.partitions, production.connections, 1, true);
        let mut producers =
            Producers::connect(lanes, &production.kind, production.in_flight, volume)?;
        let mut tail = None;
        if let Some((kind, ends)) = &consumer {
            let lanes = lanes::spread(&target.partitions, 1, 1, true);
            let turns = Turns { pace, partitions: target.partitions.len() as u64 };
            let tail = tail.insert(Tail::connect(lanes, kind, ends, turns, begins)?);
            tail.start()?;
        }
        let mut meter = Meter::new(begins, watch.broker());
        let mut control = Control::new(stop, goal, "measuring");
        load::produce(&mut producers, tail.as_mut(), &mut meter, &mut control)?;
        let topic = &target.topic.name;
        let mut report =
            Report::new("latency", topic, watch.pid, Some("produce to acknowledgement"), meter)?;
        report.end_to_end = tail.map(|tail| tail.latencies);
        report.delays = Some(producers.delays);
        Ok(report)
    }
}
