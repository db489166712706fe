//! The checker: from a history to the promises that were broken. It does no I/O, and takes time in proportion to the history.
//!
//! Real time is the order of the events: one clock recorded them all, and what was answered before something else was asked
//! came before it. What nobody can know is taken to be as it should be.

mod allowed;
mod anomaly;
mod bounds;
mod commits;
mod groups;
mod index;
mod log;
mod loss;
mod polls;
pub mod replicas;
mod sends;
#[cfg(test)]
mod tests;

pub use anomaly::{Anomalies, Anomaly, Kind};

use serde::Serialize;

use self::index::{Index, Outcome};
use crate::history::{Answer, History, Unusable, What};

/// What the checker found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The promises that were broken.
    pub anomalies: Anomalies,
    /// How much there was to judge.
    pub figures: Figures,
}

/// How much there was to judge: where it is nothing, no anomaly says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Figures {
    /// Operations.
    pub operations: u64,
    /// That happened.
    pub ok: u64,
    /// That did not.
    pub fail: u64,
    /// Of which nobody knows.
    pub info: u64,
    /// Records that were sent.
    pub records_sent: u64,
    /// Records that were acknowledged.
    pub records_acknowledged: u64,
    /// Records that were read, each as often as it was.
    pub records_read: u64,
}

/// Judges a history.
pub fn check(history: &History) -> Result<Report, Unusable> {
    let mut index = Index::new(history)?;
    let mut anomalies = Anomalies::default();
    let logs = log::build(&mut index, &mut anomalies);
    loss::check(&mut index, &mut anomalies);
    polls::check(&index, &logs, &mut anomalies);
    sends::check(&index, &logs, &mut anomalies);
    bounds::check(&index, &mut anomalies);
    groups::check(&index, &logs, &mut anomalies);
    Ok(Report { figures: figures(&index), anomalies })
}

fn figures(index: &Index<'_>) -> Figures {
    let mut figures = Figures::default();
    for operation in &index.operations {
        figures.operations += 1;
        match operation.outcome {
            Outcome::Ok => figures.ok += 1,
            Outcome::Fail => figures.fail += 1,
            Outcome::Info => figures.info += 1,
        }
    }
    figures.records_sent = index.values.len() as u64;
    let acknowledged = index.batches.iter().filter(|batch| batch.acknowledged);
    figures.records_acknowledged = acknowledged.map(|batch| batch.send.values.len() as u64).sum();
    for event in &index.history.events {
        if let What::Ok(Answer::Polled(polled)) = &event.what {
            let records = polled.reads.iter().map(|read| read.records.len() as u64);
            figures.records_read += records.sum::<u64>();
        }
    }
    figures
}
