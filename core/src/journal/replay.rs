//! What a start finds in the journal.

use alloc::{collections::BTreeMap, vec::Vec};

use bytes::Bytes;

use super::record::{self, Record};
use crate::{
    records::BatchHeader,
    types::{Offset, TopicPartition},
};

/// A batch that the journal has of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its header.
    pub header: BatchHeader,
    /// All of it.
    pub batch: Bytes,
}

/// The batches of each log, in the order of their offsets, out of the journal's files. Each file ends for us where a record is
/// not intact; what the other one holds counts all the same, since a log takes only what it can go on with.
pub fn read(files: &[Bytes]) -> BTreeMap<TopicPartition, Vec<Found>> {
    let mut runs: Vec<Vec<Record>> = files.iter().map(record::read_all).collect();
    runs.sort_by_key(|run| run.first().map(|record| record.sequence));
    let mut logs: BTreeMap<TopicPartition, Vec<Found>> = BTreeMap::new();
    for (id, batches) in runs.into_iter().flatten().flat_map(|record| record.entries) {
        let log = logs.entry(id).or_default();
        for found in split(&batches) {
            // What was written later at the same offset is what the log was in the end.
            let from = found.header.base_offset;
            while log.pop_if(|earlier| earlier.header.next_offset() > from).is_some() {}
            log.push(found);
        }
    }
    logs
}

/// The batches that lie one after the other in `bytes`.
fn split(bytes: &Bytes) -> Vec<Found> {
    let mut batches = Vec::new();
    let mut rest = bytes.clone();
    while let Ok(header) = BatchHeader::parse(&rest)
        && header.size_bytes <= rest.len()
        && header.base_offset >= Offset::ZERO
    {
        let batch = rest.split_to(header.size_bytes);
        batches.push(Found { header, batch });
    }
    batches
}
