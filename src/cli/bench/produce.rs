//! `ottla bench produce`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use ottla_core::wire::ApiKey;

use super::{
    BenchError, Report, Target,
    args::{BatchArgs, ConnectionArgs, GoalArgs, TopicArgs, WatchArgs},
    conclude,
    control::{Control, Stop},
    frames::{Batch, ProduceAnswer, ProduceFrame, TopicRef},
    in_thread, lanes, load,
    meter::{Goal, Meter},
    pace::Pace,
    process::Process,
    produce_connection::ProduceKind,
    producers::{Producers, Volume},
};
use crate::{
    cli::{CliError, Context, arguments, produce::AcksArg},
    client::{clock, producer::Acks},
};

pub(super) const DEFAULT_BYTES: u64 = 1_000_000_000;

#[derive(Debug, Args)]
pub(crate) struct ProduceArgs {
    #[command(flatten)]
    topic: TopicArgs,
    #[command(flatten)]
    batch: BatchArgs,
    /// How large a batch is at most, as it is before compression
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = arguments::bytes)]
    batch_bytes: u64,
    #[command(flatten)]
    connections: ConnectionArgs,
    /// Records per second, rather than as fast as it goes
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
    /// First write one batch to each partition, which does not count: some brokers make a partition's files only then
    #[arg(long)]
    prime: bool,
    #[command(flatten)]
    goal: GoalArgs,
    #[command(flatten)]
    watch: WatchArgs,
}

/// How data is produced.
#[derive(Debug, Clone)]
pub(super) struct Production {
    pub(super) kind: ProduceKind,
    pub(super) batch_bytes: u64,
    pub(super) batch_records: u64,
    pub(super) connections: usize,
    pub(super) in_flight: usize,
}

impl Production {
    pub(super) fn new(
        topic: &TopicRef,
        args: &BatchArgs,
        batch_bytes: u64,
        connections: &ConnectionArgs,
    ) -> Self {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let batch = Batch::build(
            size(batch_bytes),
            size(args.record_bytes),
            args.compression.into(),
            clock::now(),
        );
        let version = args.produce_version;
        let frame = ProduceFrame::new(topic, version, Acks::from(args.acks).code(), &batch.bytes);
        Self {
            kind: ProduceKind {
                frame: Arc::new(frame),
                answer: Arc::new(ProduceAnswer::new(topic, version)),
                is_answered: args.acks != AcksArg::None,
            },
            batch_bytes: batch.bytes.len() as u64,
            batch_records: batch.record_count.into(),
            connections: connections.connections,
            in_flight: connections.in_flight,
        }
    }

    /// Produces until the goal is reached; `rate` is in records per second.
    pub(super) fn run(
        &self,
        target: &Target,
        rate: Option<u64>,
        goal: Goal,
        (warmup, broker): (Duration, Option<Process>),
        stop: Stop,
    ) -> Result<(Producers, Meter), BenchError> {
        let start = Instant::now();
        let volume = Volume {
            batch_bytes: self.batch_bytes,
            batch_records: self.batch_records,
            pace: rate.map(|rate| Pace::new(start, rate, self.batch_records)),
            goal,
        };
        let lanes = lanes::spread(&target.partitions, self.connections, 1, false);
        let mut producers = Producers::connect(lanes, &self.kind, self.in_flight, volume)?;
        let mut meter = Meter::new(start + warmup, broker);
        let mut control = Control::new(stop, goal, "producing");
        load::produce(&mut producers, None, &mut meter, &mut control)?;
        if !self.kind.is_answered {
            producers.await_taken()?;
            meter.ended = Instant::now();
        }
        Ok((producers, meter))
    }
}

pub(crate) async fn run(args: ProduceArgs, context: &Context) -> Result<(), CliError> {
    let target = Target::prepare(&context.client, &args.topic, clock::now()).await?;
    let outcome = measure(&args, &target, context).await;
    conclude(outcome, &target, args.topic.keep, context).await
}

async fn measure(
    args: &ProduceArgs,
    target: &Target,
    context: &Context,
) -> Result<Report, CliError> {
    target.require(&context.client, ApiKey::Produce, args.batch.produce_version).await?;
    let production =
        Production::new(&target.topic, &args.batch, args.batch_bytes, &args.connections);
    let goal = args.goal.goal(Goal::Bytes(DEFAULT_BYTES));
    let (rate, pid) = (args.rate, args.watch.pid);
    let watch = (args.watch.warmup, args.watch.broker());
    let target = target.clone();
    let prime = args.prime.then(|| target.partitions.len() as u64 * production.batch_bytes);
    let report = in_thread(move |stop| {
        if let Some(bytes) = prime {
            production.run(
                &target,
                None,
                Goal::Bytes(bytes),
                (Duration::ZERO, None),
                Stop::clone(&stop),
            )?;
        }
        let (producers, meter) = production.run(&target, rate, goal, watch, stop)?;
        let topic = &target.topic.name;
        let latency_of = production.kind.is_answered.then_some("acknowledgement");
        let mut report = Report::new("produce", topic, pid, latency_of, meter)?;
        report.delays = rate.map(|_| producers.delays);
        Ok(report)
    });
    Ok(report.await?)
}
