//! A partition's run, as far as the model follows it.
//!
//! The model has few records, so it begins anew where nothing is under way: with an empty log that stands for all that is durable, so
//! that nothing below its beginning may ever be lost. A record of the model is what one input of the broker appended.

use ottla_core::{replica::Acks, types::Offset};

use super::{Accepted, Position, course::Course};
use crate::replication::{
    Replication,
    action::Action,
    settings::{Bounds, Budget, Grain, Settings},
};

/// How many records a model has: each of a producer of its own.
const RECORDS: &[u8] = &[1; 16];

/// As often as it takes.
const ENOUGH: u8 = u8::MAX;

/// What came of a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// The model has followed.
    Followed,
    /// It cannot, and that is nobody's fault.
    Up(&'static str),
}

#[derive(Debug)]
pub(super) struct Window {
    course: Course<Replication>,
    /// The offset that the model's first stands for.
    base: i64,
    /// Where the model's records end.
    ends: Vec<i64>,
    /// Where appends end that were not written when they were last seen.
    appended: Vec<i64>,
}

impl Window {
    /// Nothing is under way.
    pub(super) fn begin(at: Position) -> Self {
        let settings = Settings {
            replicas: 1,
            min_insync: 1,
            acks: Acks::All,
            is_unacknowledged: false,
            is_durable: at.is_durable,
            may_lose: false,
        };
        let budget =
            Budget { produces: ENOUGH, kills: ENOUGH, power_losses: ENOUGH, ..Budget::default() };
        let bounds = Bounds {
            producers: RECORDS,
            budget,
            leader_epoch_max: i32::MAX,
            assigned: 1,
            grain: Grain { async_sync: true, partial_sync: true, ..Grain::COARSE },
        };
        let model = Replication { settings, bounds };
        Self { course: Course::begin(model), base: at.end, ends: Vec::new(), appended: Vec::new() }
    }

    pub(super) const fn is_half_full(&self) -> bool {
        self.ends.len() * 2 >= RECORDS.len()
    }

    /// The offset that one of the model's stands for.
    fn offset(&self, own: Offset) -> i64 {
        let place = usize::try_from(own.0).expect("offsets are not negative");
        place.checked_sub(1).map_or(self.base, |place| self.ends[place])
    }

    /// The model's offset that stands for one.
    fn own(&self, offset: i64) -> Option<Offset> {
        if offset == self.base {
            return Some(Offset::ZERO);
        }
        let place = self.ends.binary_search(&offset).ok()?;
        Some(Offset(i64::try_from(place + 1).expect("there are few")))
    }

    fn end(&self) -> i64 {
        self.ends.last().copied().unwrap_or(self.base)
    }

    fn durable(&self) -> i64 {
        self.offset(self.course.state.node(0).log.durable())
    }

    /// Appends what is known to lie before `to`.
    fn append(&mut self, to: i64, accepted: &mut Accepted) -> Result<Given, String> {
        while let Some(&end) = self.appended.first().filter(|&&end| end <= to) {
            if self.ends.len() == RECORDS.len() {
                return Ok(Given::Up("more records under way than the model has"));
            }
            self.appended.remove(0);
            let record = u8::try_from(self.ends.len()).expect("there are few");
            self.ends.push(end);
            self.course.take(Action::Produce { to: 0, record }, accepted)?;
        }
        Ok(Given::Followed)
    }

    /// The log has come to stand somewhere else.
    pub(super) fn advance(
        &mut self,
        at: Position,
        accepted: &mut Accepted,
    ) -> Result<Given, String> {
        for end in [at.written, at.end] {
            let place = self.appended.partition_point(|&known| known < end);
            if end > self.end() && self.appended.get(place) != Some(&end) {
                self.appended.insert(place, end);
            }
        }
        if let Given::Up(why) = self.append(at.written, accepted)? {
            return Ok(Given::Up(why));
        }
        if at.durable > self.durable() {
            let Some(to) = self.own(at.durable) else {
                return Ok(Given::Up("a sync of a part of what one input appended"));
            };
            let is_all = at.durable == self.end();
            self.course
                .take(if is_all { Action::Sync(0) } else { Action::SyncTo(0, to) }, accepted)?;
        }
        let safe = self.offset(self.course.state.node(0).replica.high_watermark());
        let figures = [
            ("the end of what was written", self.end(), at.written),
            ("the end of what is durable", self.durable(), at.durable),
            ("the high watermark", safe, at.safe),
        ];
        match figures.into_iter().find(|(_, own, seen)| own != seen) {
            Some((what, own, seen)) => {
                Err(format!("{what} is {own} by the model, and {seen} in the run"))
            }
            None => Ok(Given::Followed),
        }
    }

    /// A process has ended, and the next has opened the log.
    pub(super) fn recover(
        &mut self,
        before: Position,
        at: Position,
        power_failed: bool,
        accepted: &mut Accepted,
    ) -> Result<Given, String> {
        if at.end > before.end {
            return Err(format!("only {} was appended", before.end));
        }
        if at.written < at.end && at.end >= self.durable() {
            // What the journal has is not in the log's files yet: the model has no journal.
            return Ok(Given::Up("a restart that replays the journal"));
        }
        // What was being written may have reached the disk.
        if let Given::Up(why) = self.append(at.end, accepted)? {
            return Ok(Given::Up(why));
        }
        let kept = match self.own(at.end) {
            Some(kept) => kept,
            None if at.end < self.durable() => {
                return Err(format!("{} was durable", self.durable()));
            }
            None => return Ok(Given::Up("a crash within what one input appended")),
        };
        let end = if !power_failed && at.end == self.end() {
            Action::Kill(0)
        } else if power_failed {
            Action::PowerLoss(0, kept)
        } else {
            return Err(format!("{} was written, and no power failed", self.end()));
        };
        self.course.take(end, accepted)?;
        self.course.take(Action::Start(0), accepted)?;
        self.appended.clear();
        let place = usize::try_from(kept.0).expect("offsets are not negative");
        let is_lossy = place < self.ends.len();
        self.ends.truncate(place);
        let given = self.advance(at, accepted)?;
        if is_lossy {
            // Records that are lost are sent no more: those after them are others.
            *self = Self::begin(at);
        }
        Ok(given)
    }

    /// An append was acknowledged.
    pub(super) fn answered(&self, offset: i64) -> Result<(), String> {
        // A producer that asks again is told of what is safe, even if nobody was told before.
        let safe = self.offset(self.course.state.node(0).replica.high_watermark());
        if offset < safe {
            return Ok(());
        }
        Err(format!(
            "the model acknowledges nothing before {safe}, and {offset} was\n{:?}",
            self.course.state
        ))
    }
}
