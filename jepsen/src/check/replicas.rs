//! Are the replicas of a partition alike below the high watermark? That is asked of their files.

use super::anomaly::{Anomalies, Kind};

/// What precedes a batch's own count of its bytes: base offset and the count.
const OVERHEAD_BYTES: usize = 12;
/// The length of a batch's header, format version 2.
const HEADER_BYTES: usize = 61;
const LAST_OFFSET_DELTA_AT: usize = 23;

/// The batches of one replica of a partition, as they lie in its segments, one behind the other.
#[derive(Debug, Clone)]
pub struct Replica<'a> {
    /// Whose it is.
    pub broker: i32,
    /// Where its log begins.
    pub log_start: i64,
    /// The contents of its segments, ascending.
    pub segments: Vec<&'a [u8]>,
}

impl<'a> Replica<'a> {
    fn batches(&self) -> impl Iterator<Item = Batch<'a>> {
        self.segments.iter().flat_map(|segment| Batches { rest: segment })
    }
}

/// A batch within a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Batch<'a> {
    base: i64,
    last: i64,
    bytes: &'a [u8],
}

struct Batches<'a> {
    rest: &'a [u8],
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

impl<'a> Iterator for Batches<'a> {
    type Item = Batch<'a>;

    /// Ends at the first that is not whole: after a crash a segment may end so.
    fn next(&mut self) -> Option<Batch<'a>> {
        let base = i64::from_be_bytes(number(self.rest, 0)?);
        let size = usize::try_from(i32::from_be_bytes(number(self.rest, 8)?)).ok()?;
        let end = OVERHEAD_BYTES.checked_add(size).filter(|end| *end >= HEADER_BYTES)?;
        let bytes = self.rest.get(..end)?;
        let delta = i32::from_be_bytes(number(bytes, LAST_OFFSET_DELTA_AT)?);
        self.rest = &self.rest[end..];
        Some(Batch { base, last: base + i64::from(delta), bytes })
    }
}

/// Compares the replicas of one partition with the first of them, from where all begin to the high watermark, byte by byte. Not
/// for compacted partitions: each replica compacts when it likes.
pub fn compare(
    partition: &str,
    replicas: &[Replica<'_>],
    high_watermark: i64,
    anomalies: &mut Anomalies,
) {
    let start = replicas.iter().map(|replica| replica.log_start).max().unwrap_or(0);
    // A batch that lies across a bound counts.
    let counts = |batch: &Batch<'_>| batch.last >= start && batch.base < high_watermark;
    let Some((first, others)) = replicas.split_first() else { return };
    let expected: Vec<_> = first.batches().filter(counts).collect();
    for other in others {
        let actual: Vec<_> = other.batches().filter(counts).collect();
        let length = expected.len().max(actual.len());
        let differs = (0..length).find(|at| expected.get(*at) != actual.get(*at));
        if let Some(at) = differs {
            anomalies.add(Kind::ReplicasDiffer, [], || {
                let told = |batch: Option<&Batch<'_>>| {
                    batch.map_or_else(
                        || "nothing".into(),
                        |batch| format!("{} to {}", batch.base, batch.last),
                    )
                };
                format!(
                    "{partition}: broker {} has {}, and broker {} has {}, and they differ",
                    first.broker,
                    told(expected.get(at)),
                    other.broker,
                    told(actual.get(at))
                )
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(base: i64, count: i32, fill: u8) -> Vec<u8> {
        let mut bytes = vec![fill; HEADER_BYTES + 10];
        let size = i32::try_from(bytes.len() - OVERHEAD_BYTES).expect("it is small");
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        bytes[8..12].copy_from_slice(&size.to_be_bytes());
        bytes[23..27].copy_from_slice(&(count - 1).to_be_bytes());
        bytes
    }

    fn differs(first: &[u8], second: &[u8], start: i64, high_watermark: i64) -> bool {
        let mut anomalies = Anomalies::default();
        let replica =
            |broker, bytes, log_start| Replica { broker, log_start, segments: vec![bytes] };
        let replicas = [replica(1, first, start), replica(2, second, 0)];
        compare("a-0", &replicas, high_watermark, &mut anomalies);
        !anomalies.is_empty()
    }

    #[test]
    fn only_what_lies_below_the_high_watermark_must_be_alike() {
        let first = [batch(0, 2, 1), batch(2, 1, 2)].concat();
        let second = [batch(0, 2, 1), batch(2, 1, 3)].concat();
        assert!(!differs(&first, &first, 0, 3));
        assert!(differs(&first, &second, 0, 3));
        assert!(!differs(&first, &second, 0, 2));
        assert!(differs(&first, &batch(0, 2, 1), 0, 3));
        // The second has what the first has deleted.
        assert!(!differs(&batch(2, 1, 2), &first, 2, 3));
        // A torn end is no batch.
        assert!(!differs(&first, &[&first[..], &first[..70]].concat(), 0, 9));
    }
}
