//! Does each consumer read everything, once, and in order?

use std::collections::BTreeMap;

use super::{
    allowed::Latest,
    anomaly::{Anomalies, Kind},
    index::Index,
    log::{Log, Slot},
};
use crate::history::{Answer, Note, Partition, Read, What};

pub(super) fn check(index: &Index<'_>, logs: &[Log], anomalies: &mut Anomalies) {
    let mut checker = Checker { index, logs, anomalies, latest: index.latest() };
    let mut next: BTreeMap<(u32, Partition), (i64, usize)> = BTreeMap::new();
    for (place, event) in index.history.events.iter().enumerate() {
        match &event.what {
            What::Note(Note::Seek { partition, offset }) => {
                match offset {
                    Some(offset) => next.insert((event.process, *partition), (*offset, place)),
                    None => next.remove(&(event.process, *partition)),
                };
            }
            What::Note(Note::Crash) => {
                let first = (event.process, Partition(0));
                let last = (event.process, Partition(u32::MAX));
                let own: Vec<_> = next.range(first..=last).map(|(key, _)| *key).collect();
                for key in own {
                    next.remove(&key);
                }
            }
            What::Ok(Answer::Polled(polled)) => {
                for read in &polled.reads {
                    let key = (event.process, read.partition);
                    let position = read.position.map(|position| (position, place));
                    if let Some(from) = next.get(&key).copied().or(position) {
                        next.insert(key, checker.read(read, Some(from), place));
                    } else if !read.records.is_empty() {
                        next.insert(key, checker.read(read, None, place));
                    }
                }
            }
            What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Note(_) => {}
        }
    }
}

struct Checker<'a, 'h> {
    index: &'a Index<'h>,
    logs: &'a [Log],
    anomalies: &'a mut Anomalies,
    latest: Latest,
}

impl Checker<'_, '_> {
    /// Where the consumer goes on after this, and which event says so.
    fn read(&mut self, read: &Read, from: Option<(i64, usize)>, place: usize) -> (i64, usize) {
        let mut records = read.records.iter().map(|(offset, _)| *offset).peekable();
        let first = records.peek().copied().unwrap_or_default();
        let (mut next, mut told) = from.unwrap_or((first, place));
        let mut within = false;
        for offset in records {
            if offset < next {
                let kind = if within { Kind::IntNonmonotonicPoll } else { Kind::NonmonotonicPoll };
                self.anomalies.add(kind, [told, place], || {
                    let name = self.index.name(read.partition);
                    format!("{name}: {offset} was read where {next} was to come")
                });
            } else {
                if offset > next {
                    self.pass_over(read, (next, offset), within, [told, place]);
                }
                (next, told) = (offset.saturating_add(1), place);
            }
            within = true;
        }
        (next, told)
    }

    fn pass_over(&mut self, read: &Read, range: (i64, i64), within: bool, witnesses: [usize; 2]) {
        let allowed = self.index.allowed[read.partition.0 as usize];
        let log = &self.logs[read.partition.0 as usize];
        let may_be_gone =
            |slot: &Slot| self.index.slot_may_be_gone(read.partition, slot, &self.latest);
        // One that comes later in the same answer is not left out: it is not in order, which is said elsewhere.
        let comes_later =
            |slot: &Slot| read.records.iter().any(|(offset, _)| *offset == slot.offset);
        let bad = |slot: &Slot| read.bad.iter().any(|bad| bad.offset == slot.offset);
        let mut missing = log
            .read_between(range.0, range.1)
            .filter(|slot| !may_be_gone(slot) && !comes_later(slot) && !bad(slot));
        let Some(first) = missing.next().filter(|_| !allowed.forgets) else { return };
        let more = missing.count();
        let kind = if within { Kind::IntPollSkip } else { Kind::PollSkip };
        self.anomalies.add(kind, witnesses.into_iter().chain([first.event as usize]), || {
            let name = self.index.name(read.partition);
            format!(
                "{name}: {} was read where {} was to come; {} was passed over, and {more} more",
                range.1, range.0, first.offset
            )
        });
    }
}
