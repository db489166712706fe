//! `ottla bench`: a loader for this broker or any other, so that both are measured by the same thing.
//!
//! What is measured is the broker, so the loader does as little as it can: one thread, requests that are built once,
//! answers that are read no further than they must. Setting up goes through the client of the other commands; the load
//! itself is a thread of its own without any runtime.
#![expect(
    clippy::disallowed_methods,
    reason = "a loader measures real time, from a thread that shares nothing with the broker"
)]

mod args;
mod compare;
mod consume;
mod control;
mod error;
mod fetch_connection;
mod fetch_stream;
mod frames;
mod lanes;
mod latency;
mod load;
mod meter;
mod outbox;
mod pace;
mod process;
mod produce;
mod produce_connection;
mod producers;
mod report;
mod socket;
mod tail;
mod target;

use std::{sync::atomic::Ordering, thread};

use clap::Subcommand;
use tokio::sync::oneshot;

pub(super) use error::BenchError;

use super::{CliError, Context};
use control::Stop;
use report::Report;
use target::Target;

#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Write as fast as the broker takes it, or at a fixed rate
    Produce(produce::ProduceArgs),
    /// Read data that is still in the broker's memory, as fast as the broker gives it
    Consume(consume::ConsumeArgs),
    /// Write at a fixed rate, and see how long each record takes to be acknowledged and to reach a consumer
    Latency(latency::LatencyArgs),
    /// Start this broker and others, measure them in turns, and tell how they compare
    Compare(compare::CompareArgs),
}

pub(super) async fn run(command: BenchCommand, context: &Context) -> Result<(), CliError> {
    match command {
        BenchCommand::Produce(args) => produce::run(args, context).await,
        BenchCommand::Consume(args) => consume::run(args, context).await,
        BenchCommand::Latency(args) => latency::run(args, context).await,
        BenchCommand::Compare(args) => compare::run(args, context).await,
    }
}

/// Runs the load in a thread of its own; an interrupt ends it early, and what was measured until then still counts.
async fn in_thread<T: Send + 'static>(
    load: impl FnOnce(Stop) -> Result<T, BenchError> + Send + 'static,
) -> Result<T, BenchError> {
    let stop = Stop::default();
    let (sender, mut outcome) = oneshot::channel();
    let thread_stop = Stop::clone(&stop);
    thread::spawn(move || {
        socket::wake_on_time();
        // Who waits does so until the end.
        let _ = sender.send(load(thread_stop));
    });
    let outcome = tokio::select! {
        biased;
        outcome = &mut outcome => outcome,
        _ = tokio::signal::ctrl_c() => {
            stop.store(true, Ordering::Relaxed);
            outcome.await
        }
    };
    outcome.unwrap_or(Err(BenchError::Ended))
}

/// Prints what was measured, and deletes the topic in any case.
async fn conclude(
    outcome: Result<Report, CliError>,
    target: &Target,
    keep: bool,
    context: &Context,
) -> Result<(), CliError> {
    let cleaned_up = target.clean_up(&context.client, keep).await;
    let report = outcome?;
    context.print(|| report.json(), || report.text())?;
    cleaned_up
}
