//! Is everything there that was acknowledged or shown?

use std::collections::BTreeMap;

use super::{
    anomaly::{Anomalies, Kind},
    index::{Index, NONE, Outcome},
};
use crate::history::{Answer, Note, Partition, What};

/// Who reads a partition to its end, and from which event on.
#[derive(Debug, Default)]
struct Readings {
    /// For each partition and process, the event from which on what it reads counts.
    since: BTreeMap<(Partition, u32), u64>,
    /// For each partition, the last of these events: what was acknowledged before it must be there.
    last: BTreeMap<Partition, u64>,
}

impl Readings {
    fn new(index: &Index<'_>) -> Self {
        let mut readings = Self::default();
        for event in &index.history.events {
            if let What::Note(Note::Complete { partition, since, .. }) = &event.what {
                readings.since.insert((*partition, event.process), *since);
                let last = readings.last.entry(*partition).or_default();
                *last = (*last).max(*since);
            }
        }
        readings
    }
}

pub(super) fn check(index: &mut Index<'_>, anomalies: &mut Anomalies) {
    let readings = Readings::new(index);
    mark_what_is_there(index, &readings);
    let latest = index.latest();
    for (number, sent) in (0_u32..).zip(&index.values) {
        let batches = index.batches_of(number, sent).iter();
        let batches = batches.map(|batch| &index.batches[*batch as usize]);
        // That a record of a batch was read shows that the batch was appended: the others must be there, too.
        let must_be_there = batches.clone().find(|batch| {
            batch.acknowledged || batch.operation.outcome == Outcome::Ok && batch.send.acks != 0
        });
        let of_same = batches
            .clone()
            .find(|batch| batch.offset.is_some() && batch.operation.outcome != Outcome::Fail);
        let Some(batch) = must_be_there.filter(|batch| batch.acknowledged).or(of_same) else {
            continue;
        };
        let partition = batch.send.partition;
        let told = if batch.acknowledged {
            batch.operation.completion
        } else {
            first_read(index, batch.send).unwrap_or(NONE)
        };
        if sent.at_end || told == NONE || index.may_be_gone(partition, number, &latest) {
            continue;
        }
        let looked = readings.last.get(&partition).is_some_and(|since| u64::from(told) < *since);
        let kind = match (looked, batch.acknowledged, sent.read == NONE) {
            (true, true, _) => Kind::LostWrite,
            // Half of a batch is gone: the batch was shown.
            (true, false, _) => Kind::DirtyRead,
            (false, true, true) => Kind::Unseen,
            (false, ..) => continue,
        };
        let witnesses = [batch.operation.invoke, batch.operation.completion, told, sent.read];
        let witnesses = witnesses.into_iter().filter(|event| *event != NONE);
        anomalies.add(kind, witnesses.map(|event| event as usize), || {
            let known = |offset| format!("at {offset}");
            let offset = Some(sent.offset).filter(|offset| *offset >= 0);
            let offset = offset.map_or_else(|| "at an unknown offset".into(), known);
            format!("{}: {} {offset}", index.name(partition), sent.value)
        });
    }
}

/// The first event that read a record of a batch.
fn first_read(index: &Index<'_>, send: &crate::history::Send) -> Option<u32> {
    let numbers = send.values.iter().filter_map(|value| index.number(*value));
    numbers.map(|number| index.values[number as usize].read).min().filter(|read| *read != NONE)
}

fn mark_what_is_there(index: &mut Index<'_>, readings: &Readings) {
    if readings.since.is_empty() {
        return;
    }
    let mut values = std::mem::take(&mut index.values);
    for (place, event) in index.history.events.iter().enumerate() {
        let What::Ok(Answer::Polled(polled)) = &event.what else { continue };
        let Some(operation) = index.operation(place) else { continue };
        for read in &polled.reads {
            let since = readings.since.get(&(read.partition, event.process));
            if since.is_none_or(|since| u64::from(operation.invoke) < *since) {
                continue;
            }
            for (_, value) in &read.records {
                if let Some(number) = index.number(*value) {
                    values[number as usize].at_end = true;
                }
            }
        }
    }
    index.values = values;
}
