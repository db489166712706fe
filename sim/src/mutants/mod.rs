//! `cargo sim mutants`: which mutants are caught, and how soon.
//!
//! A [mutant](ottla_core::mutants) is a broker that lacks one of its rules. Each is let loose in the worlds of one seed after the
//! other until something is found that the whole broker, in the world of that very seed, does not do.

mod hunt;
mod table;

use std::{
    collections::BTreeSet,
    io,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use ottla_core::mutants::Mutant;

use self::{
    hunt::{Hunt, Order, Whole},
    table::Known,
};

/// How it is called.
#[derive(Debug, Clone, Args)]
pub struct MutantsArgs {
    /// Only these mutants
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = parse)]
    only: Vec<Mutant>,
    /// The seed to begin with
    #[arg(long, value_name = "SEED", default_value = "0")]
    start: u64,
    /// Give a mutant up after so many seeds, whatever its own budget is
    #[arg(long, value_name = "SEEDS")]
    budget: Option<u64>,
    /// Catch each so many times, for a better average
    #[arg(long, value_name = "COUNT", default_value = "1")]
    catches: u64,
    /// How many at once
    #[arg(long, default_value = "2", value_parser = clap::value_parser!(u8).range(1..))]
    jobs: u8,
    /// Begin with the seeds that are known to catch a mutant
    #[arg(long)]
    ci: bool,
    /// Write down what was found, as the table that the next run goes by
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

fn parse(text: &str) -> Result<Mutant, String> {
    Mutant::from_id(text).ok_or_else(|| format!("there is no mutant {text}"))
}

/// Runs it.
pub fn run(args: MutantsArgs) -> ExitCode {
    match go(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("a run cannot be started: {error}");
            ExitCode::from(2)
        }
    }
}

fn go(args: &MutantsArgs) -> io::Result<bool> {
    let table = table::read();
    let is_meant = |known: &&Known| match &args.only[..] {
        [] => known.budget.is_some(),
        only => only.contains(&known.mutant),
    };
    let orders: Vec<Order> =
        table.iter().filter(is_meant).map(|known| order(known, args)).collect();
    let whole = Whole::default();
    let hunts = hunt_all(&orders, &whole, args.jobs)?;
    for hunt in &hunts {
        println!("{hunt}");
    }
    let caught: Vec<&Hunt> = hunts.iter().filter(|hunt| hunt.is_caught()).collect();
    let seeds: u64 = caught.iter().map(|hunt| hunt.seeds).sum();
    let catches: u64 = caught.iter().map(|hunt| hunt.caught.len() as u64).sum();
    println!(
        "\n{} of {} caught, after {}.{} seeds on the average",
        caught.len(),
        hunts.len(),
        seeds / catches.max(1),
        seeds * 10 / catches.max(1) % 10
    );
    let failed = run_whole(&hunts, &whole, args)?;
    if let Some(path) = &args.record {
        std::fs::write(path, table::write(&table, &hunts))?;
    }
    Ok(caught.len() == hunts.len() && !failed)
}

fn order(known: &Known, args: &MutantsArgs) -> Order {
    let first = if args.ci { known.seeds.clone() } else { Vec::new() };
    let budget = args.budget.or(known.budget).unwrap_or(table::BUDGET_MIN);
    let catches = if args.ci { 1 } else { args.catches };
    Order { mutant: known.mutant, first, start: args.start, budget, catches }
}

/// Hunts all, several at once, and returns what came of it in the order of the table.
fn hunt_all(orders: &[Order], whole: &Whole, jobs: u8) -> io::Result<Vec<Hunt>> {
    let progress = ProgressBar::new(orders.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} {elapsed}") {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_secs(1));
    let next = AtomicUsize::new(0);
    let hunts = Mutex::new(Vec::new());
    let work = || -> io::Result<()> {
        while let Some(order) = orders.get(next.fetch_add(1, Ordering::Relaxed)) {
            progress.set_message(order.mutant.id());
            let hunt = order.carry_out(whole)?;
            hunts.lock().unwrap_or_else(PoisonError::into_inner).push(hunt);
            progress.inc(1);
        }
        Ok(())
    };
    at_once(jobs, &work)?;
    progress.finish_and_clear();
    let mut hunts = hunts.into_inner().unwrap_or_else(PoisonError::into_inner);
    hunts.sort_by_key(|hunt| orders.iter().position(|order| order.mutant == hunt.mutant));
    Ok(hunts)
}

#[expect(clippy::disallowed_methods, reason = "it is outside of any world")]
fn at_once(jobs: u8, work: &(dyn Fn() -> io::Result<()> + Sync)) -> io::Result<()> {
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(())
    })
}

/// Runs the whole broker in all the worlds that mutants were in; with known seeds only in those in which one was caught. Whether
/// anything was found, which must not be.
fn run_whole(hunts: &[Hunt], whole: &Whole, args: &MutantsArgs) -> io::Result<bool> {
    let seeds: BTreeSet<u64> = if args.ci {
        hunts.iter().flat_map(|hunt| hunt.caught.iter().map(|catch| catch.seed)).collect()
    } else {
        hunts.iter().flat_map(|hunt| args.start..args.start + hunt.seeds).collect()
    };
    let queue = Mutex::new(seeds.iter().copied().collect::<Vec<_>>());
    let work = || -> io::Result<()> {
        loop {
            let seed = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(seed) = seed else { return Ok(()) };
            whole.is_good(seed)?;
        }
    };
    at_once(args.jobs, &work)?;
    let failed = whole.failed();
    println!("{} seeds without a mutant: {} failed", seeds.len(), failed.len());
    for seed in &failed {
        println!("replay     cargo sim run --seed {seed}");
    }
    Ok(!failed.is_empty())
}
