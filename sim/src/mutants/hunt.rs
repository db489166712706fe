//! Hunting one mutant.

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use ottla_core::mutants::Mutant;

use crate::{
    cli::{Child, Ended, RunOptions},
    run::Verdict,
};

/// How the whole broker does, seed by seed.
#[derive(Debug, Default)]
pub(super) struct Whole(Mutex<BTreeMap<u64, bool>>);

impl Whole {
    /// Whether nothing is found in the world of this seed.
    pub(super) fn is_good(&self, seed: u64) -> io::Result<bool> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&seed).copied();
        if let Some(good) = known {
            return Ok(good);
        }
        let ended = Child::start(seed, &RunOptions::default(), &[])?.wait()?;
        let good = !is_found(ended.verdict);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, good);
        Ok(good)
    }

    /// The seeds in whose worlds something was found.
    pub(super) fn failed(&self) -> Vec<u64> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter(|(_, good)| !**good).map(|(seed, _)| *seed).collect()
    }
}

const fn is_found(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Violation | Verdict::Stall | Verdict::Panic => true,
        // Of a run that is not the same twice nothing can be said.
        Verdict::Good | Verdict::Invalid | Verdict::NonDeterminism => false,
    }
}

/// What to hunt, and where.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) mutant: Mutant,
    /// Seeds to begin with.
    pub(super) first: Vec<u64>,
    /// Where to go on from.
    pub(super) start: u64,
    /// After how many seeds to give up, for each time that it is to be caught.
    pub(super) budget: u64,
    /// How many times to catch it.
    pub(super) catches: u64,
}

/// What came of a hunt.
#[derive(Debug, Clone)]
pub(super) struct Hunt {
    pub(super) mutant: Mutant,
    /// How many seeds it took.
    pub(super) seeds: u64,
    pub(super) caught: Vec<Catch>,
    is_done: bool,
    took: Duration,
}

/// A mutant was caught.
#[derive(Debug, Clone)]
pub(super) struct Catch {
    pub(super) seed: u64,
    verdict: Verdict,
    property: String,
}

impl Order {
    #[expect(clippy::disallowed_methods, reason = "it is outside of any world")]
    pub(super) fn carry_out(&self, whole: &Whole) -> io::Result<Hunt> {
        let began = Instant::now();
        let options = RunOptions { mutant: Some(self.mutant), ..RunOptions::default() };
        let mut hunt = Hunt {
            mutant: self.mutant,
            seeds: 0,
            caught: Vec::new(),
            is_done: false,
            took: Duration::ZERO,
        };
        let mut since_last = 0;
        for seed in self.first.iter().copied().chain(self.start..) {
            hunt.is_done = hunt.caught.len() as u64 >= self.catches;
            if hunt.is_done || since_last >= self.budget {
                break;
            }
            hunt.seeds += 1;
            since_last += 1;
            let ended = Child::start(seed, &options, &[])?.wait()?;
            if is_found(ended.verdict) && whole.is_good(seed)? {
                hunt.caught.push(Catch::new(ended));
                since_last = 0;
            }
        }
        hunt.took = began.elapsed();
        Ok(hunt)
    }
}

impl Catch {
    fn new(ended: Ended) -> Self {
        let findings = ended.report.map(|report| report.findings).unwrap_or_default();
        let property = findings.into_iter().next().map(|finding| finding.property);
        let property = property.unwrap_or_else(|| "the run comes to an end".into());
        Self { seed: ended.seed, verdict: ended.verdict, property }
    }
}

impl Hunt {
    /// Whether it was caught as often as it was to be.
    pub(super) const fn is_caught(&self) -> bool {
        self.is_done
    }

    /// How many seeds it takes to catch it once, rounded up.
    pub(super) fn seeds_to_catch(&self) -> u64 {
        self.seeds.div_ceil((self.caught.len() as u64).max(1))
    }
}

impl fmt::Display for Hunt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, what) = (self.mutant.id(), self.mutant.description());
        let seconds = self.took.as_secs_f64();
        write!(f, "{id:<4} {:>5} seeds {seconds:>7.1} s  ", self.seeds_to_catch())?;
        match &self.caught[..] {
            [Catch { seed, verdict, property }, ..] => {
                write!(f, "{:<9} {property} (seed {seed})", verdict.name())?;
            }
            [] => f.write_str("NOT CAUGHT")?,
        }
        write!(f, "\n                            {what}")
    }
}
