//! A fixed rate: when each request should be sent, whether or not the broker keeps up.

use std::time::{Duration, Instant};

/// Requests at equal intervals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    start: Instant,
    records_per_second: u64,
    records_per_request: u64,
}

impl Pace {
    pub(super) fn new(start: Instant, records_per_second: u64, records_per_request: u64) -> Self {
        Self { start, records_per_second, records_per_request }
    }

    /// When the request with this number, from 0, should be sent.
    pub(super) fn intended(&self, request: u64) -> Instant {
        let nanoseconds =
            u128::from(request) * u128::from(self.records_per_request) * 1_000_000_000
                / u128::from(self.records_per_second.max(1));
        self.start + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// Where in the schedule the records of the partitions stand: requests go to the partitions in turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turns {
    pub(super) pace: Pace,
    pub(super) partitions: u64,
}

impl Turns {
    /// When the record should have been sent that is the `record`th, from 0, of the `place`th partition.
    pub(super) fn intended(&self, place: u64, record: u64) -> Instant {
        let request = record / self.pace.records_per_request * self.partitions + place;
        self.pace.intended(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_at_equal_intervals_and_go_to_the_partitions_in_turn() {
        let start = Instant::now();
        let pace = Pace::new(start, 1000, 2);
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!([0, 1, 1_000_000].map(|n| pace.intended(n)), [0, 2, 2_000_000].map(at));
        let turns = Turns { pace, partitions: 3 };
        assert_eq!(turns.intended(0, 0), at(0));
        assert_eq!(turns.intended(0, 1), at(0));
        assert_eq!(turns.intended(2, 0), at(4));
        assert_eq!(turns.intended(1, 2), at(8));
    }
}
