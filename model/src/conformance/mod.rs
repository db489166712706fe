//! Whether what the whole broker did is what a model may do.
//!
//! The simulator writes down where each partition of a run stands after each input, which appends were answered, and how each process
//! ended ([`Event`]). [`accept`] turns that into actions of the [replication model](crate::replication) with one replica, step by
//! step: each action must be one that the model offers in the state that it has come to, and what that leads to must be what was
//! seen. The first event for which that is not so is a [`Refusal`]. What no action stands for is counted by its kind
//! ([`Accepted::gaps`]), never left out in silence.
//!
//! - `course`: how far a model has come along a run.
//! - `window`: a partition's run, as far as the model follows it.
//! - `offsets`: the same of an offset that a group has committed, by the [group model](crate::group).

mod course;
mod offsets;
#[cfg(test)]
mod tests;
mod window;

use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
};

pub use offsets::Register;

use serde::{Deserialize, Serialize};

use offsets::Offsets;
use window::{Given, Window};

/// Where a partition's log stands: offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// `flush.messages` is 1: nothing is acknowledged before it is on disk.
    pub is_durable: bool,
    /// Where it begins.
    pub start: i64,
    /// Where what was appended ends.
    pub end: i64,
    /// Where what was written ends.
    pub written: i64,
    /// Where what is on disk ends.
    pub durable: i64,
    /// The high watermark.
    pub safe: i64,
}

impl Position {
    /// Whether nothing is under way.
    const fn is_quiet(&self) -> bool {
        self.written == self.end && self.durable == self.end && self.safe == self.end
    }
}

/// What was seen of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A process begins; the one before, if there was one, was killed or ended, or the power failed.
    Began {
        /// The power failed since the last one began.
        power_failed: bool,
    },
    /// A partition's log stands somewhere else than before.
    Stands {
        /// Which partition.
        partition: String,
        /// Where.
        at: Position,
    },
    /// A partition's log is not open any more.
    Closed {
        /// Which partition.
        partition: String,
    },
    /// A partition is no more.
    Deleted {
        /// Which partition.
        partition: String,
    },
    /// An append was acknowledged.
    Answered {
        /// Which partition.
        partition: String,
        /// The offset of its first record.
        offset: i64,
    },
    /// A group's offset of a partition stands somewhere else than before, as a coordinator that serves has it.
    Offset {
        /// Of which group, for which partition.
        register: String,
        /// Where.
        at: Register,
    },
    /// Its coordinator does not serve any more.
    Unserved {
        /// Of which group, for which partition.
        register: String,
    },
    /// A commit was acknowledged.
    Committed {
        /// Of which group, for which partition.
        register: String,
        /// The offset.
        offset: i64,
    },
    /// What else the broker was told, and how often.
    Else {
        /// What.
        kind: String,
        /// How often.
        count: u64,
    },
}

/// What the model did not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The number of the event, from 0.
    pub number: usize,
    /// The event.
    pub event: Event,
    /// Why.
    pub why: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, event, why } = self;
        write!(f, "event {number} is not accepted: {event:?}\n    {why}")
    }
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// How often each action was taken.
    pub actions: BTreeMap<String, u64>,
    /// How many answers were found to be given when the model gives them.
    pub answers: u64,
    /// What no action stands for, or what could not be followed, and how often.
    pub gaps: BTreeMap<String, u64>,
}

impl Accepted {
    /// Adds what came of another.
    pub fn add(&mut self, other: &Self) {
        for (action, count) in &other.actions {
            *self.actions.entry(action.clone()).or_default() += count;
        }
        for (gap, count) in &other.gaps {
            *self.gaps.entry(gap.clone()).or_default() += count;
        }
        self.answers += other.answers;
    }

    fn gap(&mut self, kind: &str) {
        *self.gaps.entry(kind.to_owned()).or_default() += 1;
    }
}

/// A partition.
#[derive(Debug, Default)]
struct Partition {
    at: Option<Position>,
    window: Option<Window>,
    /// How its last process ended, until its log is open again: whether the power failed.
    ended: Option<bool>,
    is_closed: bool,
}

/// Takes the events of a run, one after the other. `is_damaged`: what was durable may be lost, for the disk was told to lose it.
pub fn accept(events: &[Event], is_damaged: bool) -> Result<Accepted, Box<Refusal>> {
    let mut accepted = Accepted::default();
    let mut partitions: BTreeMap<&str, Partition> = BTreeMap::new();
    let mut registers: BTreeMap<&str, Offsets> = BTreeMap::new();
    for (number, event) in events.iter().enumerate() {
        let taken = match event {
            Event::Began { power_failed } => {
                for partition in partitions.values_mut().filter(|partition| partition.at.is_some())
                {
                    partition.ended = Some(*power_failed || partition.ended == Some(true));
                }
                registers.values_mut().for_each(Offsets::begin);
                Ok(())
            }
            Event::Stands { partition, at } => {
                let partition = partitions.entry(partition).or_default();
                partition.stands(*at, is_damaged, &mut accepted)
            }
            Event::Closed { partition } => {
                if let Some(partition) = partitions.get_mut(partition.as_str()) {
                    partition.is_closed = true;
                }
                Ok(())
            }
            Event::Deleted { partition } => {
                partitions.remove(partition.as_str());
                accepted.gap("a partition that is deleted");
                Ok(())
            }
            Event::Answered { partition, offset } => {
                let partition = partitions.entry(partition).or_default();
                partition.answered(*offset, &mut accepted)
            }
            Event::Offset { register, at } => {
                let register = registers.entry(register).or_default();
                register.stands(at, is_damaged, &mut accepted)
            }
            Event::Unserved { register } => {
                let register = registers.entry(register).or_default();
                register.lose_sight("a coordinator that loads anew after an error", &mut accepted);
                Ok(())
            }
            Event::Committed { register, offset } => {
                let register = registers.entry(register).or_default();
                register.answered(*offset, &mut accepted)
            }
            Event::Else { kind, count } => {
                *accepted.gaps.entry(format!("told: {kind}")).or_default() += count;
                Ok(())
            }
        };
        taken.map_err(|why| Refusal { number, event: event.clone(), why })?;
    }
    Ok(accepted)
}

/// What an action is called.
fn name_of(action: &impl Debug) -> String {
    let text = format!("{action:?}");
    text.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

impl Partition {
    fn stands(
        &mut self,
        at: Position,
        is_damaged: bool,
        accepted: &mut Accepted,
    ) -> Result<(), String> {
        let before = self.at.replace(at);
        let ended = self.ended.take();
        let was_closed = std::mem::take(&mut self.is_closed);
        let goes_back = before.is_some_and(|before| at.end < before.end) && ended.is_none();
        if was_closed || goes_back {
            // Its disk has failed it: the model's disks do not fail.
            self.lose_sight("a log that is opened anew after an error", accepted);
        }
        if let (Some(before), Some(power_failed)) = (before, ended) {
            self.recovers(before, at, power_failed, is_damaged, accepted)?;
        }
        if before.is_some_and(|before| before.is_durable != at.is_durable) {
            self.lose_sight("flush.messages that is changed", accepted);
        }
        if before.is_some_and(|before| before.start != at.start) {
            accepted.gap("a start that moves");
        }
        let Some(window) = &mut self.window else {
            match at.is_quiet() {
                true => self.window = Some(Window::begin(at)),
                false => accepted.gap("a step of a partition that is not followed"),
            }
            return Ok(());
        };
        match window.advance(at, accepted)? {
            Given::Followed if at.is_quiet() && window.is_half_full() => {
                self.window = Some(Window::begin(at));
            }
            Given::Followed => {}
            Given::Up(why) => self.lose_sight(why, accepted),
        }
        Ok(())
    }

    /// The next process has opened its log.
    fn recovers(
        &mut self,
        before: Position,
        at: Position,
        power_failed: bool,
        is_damaged: bool,
        accepted: &mut Accepted,
    ) -> Result<(), String> {
        if is_damaged {
            self.lose_sight("a restart where what was durable may be damaged", accepted);
        }
        let Some(window) = &mut self.window else {
            accepted.gap("a restart of a partition that is not followed");
            return Ok(());
        };
        match window.recover(before, at, power_failed, accepted)? {
            Given::Followed => {}
            Given::Up(why) => self.lose_sight(why, accepted),
        }
        Ok(())
    }

    fn answered(&self, offset: i64, accepted: &mut Accepted) -> Result<(), String> {
        let Some(window) = &self.window else {
            accepted.gap("an answer of a partition that is not followed");
            return Ok(());
        };
        window.answered(offset)?;
        accepted.answers += 1;
        Ok(())
    }

    fn lose_sight(&mut self, why: &str, accepted: &mut Accepted) {
        if self.window.take().is_some() {
            accepted.gap(why);
        }
    }
}
