//! Do records lie in the order in which they were sent?

use std::collections::{BTreeMap, BTreeSet};

use super::{
    anomaly::{Anomalies, Kind},
    index::{Index, Outcome, narrow},
    log::Log,
};
use crate::history::{Answer, Call, What};

pub(super) fn check(index: &Index<'_>, logs: &[Log], anomalies: &mut Anomalies) {
    check_sequences(index, anomalies);
    check_predecessors(index, anomalies);
    check_epochs(index, anomalies);
    check_batches(index, logs, anomalies);
    check_realtime(index, anomalies);
}

/// An idempotent producer's batches lie in the order of their sequences.
fn check_sequences(index: &Index<'_>, anomalies: &mut Anomalies) {
    let mut of_producer: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for batch in &index.batches {
        if let (Some(producer), Some(offset)) = (batch.send.producer, batch.offset)
            && !index.allowed[batch.send.partition.0 as usize].forgets
        {
            let key = (producer.id, producer.epoch, batch.send.partition);
            let event = batch.operation.invoke as usize;
            of_producer.entry(key).or_default().push((producer.sequence, offset, event));
        }
    }
    for ((id, epoch, partition), mut batches) in of_producer {
        batches.sort_unstable();
        for pair in batches.windows(2) {
            let [(first, before, one), (second, after, other)] = *pair else { continue };
            // The same sequence again is the same batch again.
            if second > first && after <= before {
                anomalies.add(Kind::NonmonotonicSend, [one, other], || {
                    let name = index.name(partition);
                    format!(
                        "{name}: producer {id} of epoch {epoch} sent {first} before {second}, \
                         and they lie at {before} and {after}"
                    )
                });
            }
        }
    }
}

/// An idempotent producer's batch is accepted only behind the one before it.
fn check_predecessors(index: &Index<'_>, anomalies: &mut Anomalies) {
    // What may have come before: all that was not refused, and what was under way as well.
    let mut ends = BTreeSet::new();
    for batch in &index.batches {
        if let Some(producer) = batch.send.producer
            && batch.operation.outcome != Outcome::Fail
        {
            let count = i64::from(narrow(batch.send.values.len()));
            let end = (i64::from(producer.sequence) + count) & i64::from(i32::MAX);
            ends.insert((producer.id, producer.epoch, batch.send.partition, end));
        }
    }
    for batch in &index.batches {
        let Some(producer) = batch.send.producer.filter(|producer| producer.sequence != 0) else {
            continue;
        };
        let sequence = i64::from(producer.sequence);
        let key = (producer.id, producer.epoch, batch.send.partition, sequence);
        let forgets = index.allowed[batch.send.partition.0 as usize].forgets;
        if batch.operation.outcome == Outcome::Ok && !forgets && !ends.contains(&key) {
            let witnesses = [batch.operation.invoke as usize, batch.operation.completion as usize];
            anomalies.add(Kind::SequenceGap, witnesses, || {
                let name = index.name(batch.send.partition);
                let (id, epoch) = (producer.id, producer.epoch);
                format!("{name}: {sequence} of producer {id} of epoch {epoch} was accepted")
            });
        }
    }
}

/// Once a batch of a new epoch is acknowledged, none of an old one is accepted.
fn check_epochs(index: &Index<'_>, anomalies: &mut Anomalies) {
    let mut newest: BTreeMap<_, Vec<(usize, i16)>> = BTreeMap::new();
    for (place, event) in index.history.events.iter().enumerate() {
        let What::Ok(Answer::Sent { .. }) = &event.what else { continue };
        let Some(batch) = index.batch(place) else { continue };
        let Some(producer) = batch.send.producer else { continue };
        if index.allowed[batch.send.partition.0 as usize].forgets {
            continue;
        }
        let known = newest.entry((producer.id, batch.send.partition)).or_default();
        let asked = batch.operation.invoke as usize;
        let before = known.partition_point(|(told, _)| *told < asked);
        if let Some((told, epoch)) = before.checked_sub(1).map(|last| known[last])
            && epoch > producer.epoch
        {
            anomalies.add(Kind::ZombieSend, [told, asked, place], || {
                let name = index.name(batch.send.partition);
                let (id, old) = (producer.id, producer.epoch);
                format!("{name}: producer {id} of epoch {old}, when {epoch} was known")
            });
        }
        if known.last().is_none_or(|(_, epoch)| *epoch < producer.epoch) {
            known.push((place, producer.epoch));
        }
    }
}

/// The records of a batch lie one behind the other.
fn check_batches(index: &Index<'_>, logs: &[Log], anomalies: &mut Anomalies) {
    for batch in &index.batches {
        let partition = batch.send.partition;
        let Some(base) = batch.offset else { continue };
        if index.allowed[partition.0 as usize].forgets || batch.send.values.len() == 1 {
            continue;
        }
        for (place, value) in (0_i64..).zip(&batch.send.values) {
            let Some(number) = index.number(*value) else { continue };
            let sent = &index.values[number as usize];
            let expected = base.saturating_add(place);
            // What several batches hold, or what lies where an acknowledgement contradicts it, is judged elsewhere.
            let log = &logs[partition.0 as usize];
            let taken = log.between(expected, expected + 1).iter().any(|slot| slot.read);
            if sent.again || sent.offset < 0 || sent.offset == expected || taken {
                continue;
            }
            let witnesses = [batch.operation.invoke as usize, sent.read as usize];
            anomalies.add(Kind::IntNonmonotonicSend, witnesses, || {
                let name = index.name(partition);
                format!("{name}: {value} lies at {}, and its batch at {base}", sent.offset)
            });
        }
    }
}

/// What was sent after something was acknowledged lies behind it.
fn check_realtime(index: &Index<'_>, anomalies: &mut Anomalies) {
    // For each partition the highest offset that is acknowledged, and the event that says so.
    let mut acknowledged = vec![(-1_i64, 0_usize); index.partitions.len()];
    for (place, event) in index.history.events.iter().enumerate() {
        let Some(batch) = index.batch(place) else { continue };
        let partition = batch.send.partition;
        let highest = &mut acknowledged[partition.0 as usize];
        let Some(offset) = batch.offset.filter(|_| !index.allowed[partition.0 as usize].forgets)
        else {
            continue;
        };
        if let What::Invoke(Call::Send(_)) = &event.what {
            let again = batch.send.values.iter().any(|value| {
                index.number(*value).is_some_and(|number| index.values[number as usize].again)
            });
            if offset <= highest.0 && !again {
                anomalies.add(Kind::RealtimeOrder, [highest.1, place], || {
                    let name = index.name(partition);
                    let before = highest.0;
                    format!("{name}: sent after {before} was acknowledged, it lies at {offset}")
                });
            }
        }
        if let What::Ok(Answer::Sent { offset: Some(told), .. }) = &event.what {
            let last = told.saturating_add(i64::from(narrow(batch.send.values.len())) - 1);
            if last > highest.0 {
                *highest = (last, place);
            }
        }
    }
}
