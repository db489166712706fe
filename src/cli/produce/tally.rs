//! What became of the lines.

use std::fmt;

use tokio::sync::mpsc;

use crate::{
    cli::error::fix_server,
    client::producer::{Delivery, ProduceError},
};

/// Different failures that are told; of further ones only the number is.
const FAILURES_MAX: usize = 20;

/// Lines that failed for the same reason.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The lines, as ranges of adjacent ones.
    lines: Vec<(u64, u64)>,
    count: u64,
    /// None stands for all further reasons.
    error: Option<ProduceError>,
}

/// The lines that are told of one failure.
const RANGES_MAX: usize = 10;

impl Failure {
    fn add(&mut self, line: u64) {
        self.count += 1;
        match self.lines.last_mut() {
            Some((_, last)) if *last + 1 == line => *last = line,
            _ => self.lines.push((line, line)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = self.lines.iter().take(RANGES_MAX).map(|(first, last)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        });
        let ranges: Vec<_> = ranges.collect();
        let more = if self.lines.len() > RANGES_MAX { ", …" } else { "" };
        let word = if self.count == 1 { "line" } else { "lines" };
        write!(f, "{} failed ({word} {}{more}): ", self.count, ranges.join(", "))?;
        match &self.error {
            Some(error) => error.fmt(f)?,
            None => f.write_str("for further reasons")?,
        }
        match &self.error {
            Some(ProduceError::Refused { error, .. }) => {
                fix_server(error).map_or(Ok(()), |fix| write!(f, "; {fix}"))
            }
            _ => Ok(()),
        }
    }
}

/// How many lines were acknowledged, and what became of the others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) acknowledged: u64,
    pub(super) failures: Vec<Failure>,
}

impl Tally {
    /// How many lines failed.
    pub(super) fn failed(&self) -> u64 {
        self.failures.iter().map(|failure| failure.count).sum()
    }

    fn fail(&mut self, line: u64, error: ProduceError) {
        let error = Some(error);
        let known = self.failures.iter().position(|failure| failure.error == error);
        let index = known.unwrap_or_else(|| {
            if self.failures.len() <= FAILURES_MAX {
                let error = error.filter(|_| self.failures.len() < FAILURES_MAX);
                self.failures.push(Failure { lines: vec![], count: 0, error });
            }
            self.failures.len() - 1
        });
        self.failures[index].add(line);
    }
}

/// Waits for each line to be settled, in their order.
pub(super) async fn collect(mut deliveries: mpsc::Receiver<(u64, Delivery)>) -> Tally {
    let mut tally = Tally::default();
    while let Some((line, delivery)) = deliveries.recv().await {
        match delivery.outcome().await {
            Ok(_) => tally.acknowledged += 1,
            Err(error) => tally.fail(line, error),
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_fail_for_one_reason_are_told_together() {
        let mut tally = Tally::default();
        for line in [1, 2, 3, 7] {
            tally.fail(line, ProduceError::Ended);
        }
        tally.fail(4, ProduceError::NoPartitions("t".into()));
        let told: Vec<_> = tally.failures.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "4 failed (lines 1-3, 7): the producer ended before it was sent",
                "1 failed (line 4): topic t has no partitions"
            ]
        );
        assert_eq!(tally.failed(), 5);
    }

    #[test]
    fn no_failure_is_left_out_of_the_count() {
        let mut tally = Tally::default();
        for line in 0..100 {
            tally.fail(line, ProduceError::NoPartitions(line.to_string()));
        }
        assert_eq!(tally.failed(), 100);
        assert_eq!(tally.failures.len(), FAILURES_MAX + 1);
    }
}
