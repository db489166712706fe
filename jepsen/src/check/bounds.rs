//! Do a partition's bounds and its leader's epoch move as they must?

use super::{
    anomaly::{Anomalies, Kind},
    index::{Index, narrow},
};
use crate::history::{Answer, Call, Partition, Probed, What};

pub(super) fn check(index: &Index<'_>, anomalies: &mut Anomalies) {
    let known = index.partitions.iter().map(|_| Known::default()).collect();
    let mut checker = Checker { index, anomalies, known };
    for (place, event) in index.history.events.iter().enumerate() {
        match &event.what {
            What::Invoke(Call::DeleteRecords { partition, offset }) => {
                let asked = &mut checker.known[partition.0 as usize].asked_to_delete;
                *asked = (*asked).max(if *offset < 0 { i64::MAX } else { *offset });
            }
            What::Ok(Answer::Polled(polled)) => {
                for read in &polled.reads {
                    checker.check_read(place, read);
                    checker.take(place, read.partition, read.probed);
                }
            }
            What::Ok(Answer::Probed(probed)) => {
                if let Some(Call::Probe { partition }) = index.call(place) {
                    checker.take(place, *partition, *probed);
                }
            }
            What::Ok(Answer::LogStart(start)) => {
                if let Some(Call::DeleteRecords { partition, .. }) = index.call(place) {
                    let probed = Probed { log_start: Some(*start), ..Probed::default() };
                    checker.take(place, *partition, probed);
                }
            }
            What::Ok(Answer::Sent { offset: Some(base), .. }) => {
                let Some(batch) = index.batch(place).filter(|batch| batch.send.acks == -1) else {
                    continue;
                };
                let last = base.saturating_add(i64::from(narrow(batch.send.values.len())) - 1);
                checker.known[batch.send.partition.0 as usize].acknowledged.raise(last, place);
            }
            What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Note(_) => {}
        }
    }
}

/// A number that only grows: what it was told to be, and by which event, each time that it grew.
#[derive(Debug, Default)]
struct Growing(Vec<(usize, i64)>);

impl Growing {
    fn raise(&mut self, value: i64, event: usize) {
        if self.0.last().is_none_or(|(_, highest)| *highest < value) {
            self.0.push((event, value));
        }
    }

    /// What it was known to be before an event.
    fn before(&self, event: usize) -> Option<(usize, i64)> {
        let later = self.0.partition_point(|(told, _)| *told < event);
        later.checked_sub(1).map(|last| self.0[last])
    }
}

/// What is known of a partition.
#[derive(Debug, Default)]
struct Known {
    high_watermark: Growing,
    leader_epoch: Growing,
    log_start: Growing,
    /// The last offset that was acknowledged by all.
    acknowledged: Growing,
    asked_to_delete: i64,
}

struct Checker<'a, 'h> {
    index: &'a Index<'h>,
    anomalies: &'a mut Anomalies,
    known: Vec<Known>,
}

impl Checker<'_, '_> {
    /// An answer tells of a partition. It is compared with what was known when the question was asked: only that is certain to
    /// be older.
    fn take(&mut self, place: usize, partition: Partition, probed: Probed) {
        let asked = self.index.operation(place).map_or(place, |op| op.invoke as usize);
        let Probed { log_start, high_watermark, leader_epoch, .. } = probed;
        let known = &self.known[partition.0 as usize];
        if !self.index.allowed[partition.0 as usize].forgets {
            let above = high_watermark.map(|high_watermark| high_watermark - 1);
            // A process that is killed while it removes old segments, which may take long, finds those that were left: they are
            // shown again, and then go. DeleteRecords writes the start down first.
            let retains = self.index.allowed[partition.0 as usize].deletes;
            let log_start = log_start.filter(|_| !retains);
            let comparisons = [
                (Kind::HighWatermarkWentBack, &known.high_watermark, high_watermark),
                (Kind::LogStartWentBack, &known.log_start, log_start),
                (Kind::LeaderEpochWentBack, &known.leader_epoch, leader_epoch.map(i64::from)),
                (Kind::HighWatermarkBehindAck, &known.acknowledged, above),
            ];
            for (kind, growing, now) in comparisons {
                if let (Some((event, before)), Some(now)) = (growing.before(asked), now)
                    && now < before
                {
                    self.anomalies.add(kind, [event, place], || {
                        let name = self.index.name(partition);
                        format!("{name}: {before} was told before, then {now}")
                    });
                }
            }
            self.check_bounds(place, partition, probed);
        }
        let known = &mut self.known[partition.0 as usize];
        if let Some(offset) = high_watermark {
            known.high_watermark.raise(offset, place);
        }
        if let Some(offset) = log_start {
            known.log_start.raise(offset, place);
        }
        if let Some(epoch) = leader_epoch {
            known.leader_epoch.raise(i64::from(epoch), place);
        }
    }

    fn check_bounds(&mut self, place: usize, partition: Partition, probed: Probed) {
        let Probed { log_start, high_watermark, log_end, .. } = probed;
        let bounds = [log_start, high_watermark, log_end];
        let name = || self.index.name(partition);
        if !bounds.iter().flatten().is_sorted() {
            let text = || format!("{}: {probed:?}", name());
            self.anomalies.add(Kind::BoundsOutOfOrder, [place], text);
        }
        let asked = self.known[partition.0 as usize].asked_to_delete;
        if let Some(start) = log_start
            && start > asked
            && !self.index.allowed[partition.0 as usize].deletes
        {
            let text = || format!("{}: it begins at {start}, and {asked} was asked for", name());
            self.anomalies.add(Kind::DeletedTooMuch, [place], text);
        }
    }

    fn check_read(&mut self, place: usize, read: &crate::history::Read) {
        let offsets = || read.records.iter().map(|(offset, _)| *offset);
        let name = || self.index.name(read.partition);
        if let (Some(high_watermark), Some(last)) = (read.probed.high_watermark, offsets().max())
            && last >= high_watermark
        {
            let text = || format!("{}: {last} was read below {high_watermark}", name());
            self.anomalies.add(Kind::ReadAboveHighWatermark, [place], text);
        }
        if let (Some(start), Some(first)) = (read.probed.log_start, offsets().min())
            && first < start
        {
            let text = || format!("{}: {first} was read, and the log begins at {start}", name());
            self.anomalies.add(Kind::DeletedRead, [place], text);
        }
    }
}
