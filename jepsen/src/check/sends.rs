//! Do records lie in the order in which they were sent?

use std::collections::BTreeMap;

use super::{
    anomaly::{Anomalies, Kind},
    index::{Index, narrow},
    log::Log,
};
use crate::history::{Answer, Call, What};

pub(super) fn check(index: &Index<'_>, logs: &[Log], anomalies: &mut Anomalies) {
    check_sequences(index, anomalies);
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
