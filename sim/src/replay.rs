//! The lives of shards, told to fresh shards: the same inputs must have the same effects, to the last byte.

#[cfg(test)]
mod tests;
mod watch;

use std::{
    fmt::Debug,
    hash::{DefaultHasher, Hash, Hasher},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use ottla_core::{
    disk::DiskResult,
    job::JobResult,
    machine::{Effect, Effects, Now},
    shard::{Input, Shard, ShardConfig, Timer},
    types::Instant,
};
use ottla_model::conformance::Event;

use self::watch::Watch;

/// What a shard said to an input, as text: what is to be done, and when it wants to be called, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    effects: Vec<String>,
    timeout: Option<(Instant, Timer)>,
}

impl Said {
    /// What was said.
    pub fn new(effects: &[Effect], timeout: Option<(Instant, Timer)>) -> Self {
        Self { effects: effects.iter().map(told_apart).collect(), timeout }
    }
}

/// A copy of an input that shares no memory with what connections have received: see [`ottla::server::Tape`].
pub fn copied(input: &Input) -> Input {
    let mut copy = input.clone();
    if let Input::Frame { frame, .. } = &mut copy {
        *frame = Bytes::copy_from_slice(frame);
    } else if let Input::Computed { result: JobResult::Judged(Ok(batch)), .. } = &mut copy {
        *batch = batch.copied();
    }
    copy
}

/// The life of a shard.
#[derive(Debug, Clone)]
pub struct Life {
    now: Now,
    config: ShardConfig,
    born: Said,
    steps: Vec<(Now, Input, Said)>,
    /// The power failed after it had begun, and before the next did.
    power_failed: bool,
}

/// Where a fresh shard does otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// At which input, from 1; 0 stands for when it was made.
    pub step: usize,
    /// What it was told.
    pub told: String,
    /// The first thing that the one said and the other did not.
    pub said: [String; 2],
}

impl Life {
    /// A shard begins.
    pub const fn begin(now: Now, config: ShardConfig, born: Said) -> Self {
        Self { now, config, born, steps: Vec::new(), power_failed: false }
    }

    /// It was told something.
    pub fn push(&mut self, now: Now, input: Input, said: Said) {
        self.steps.push((now, input, said));
    }

    /// Tells a fresh shard the same, before somebody's eyes if there is somebody. Returns how many inputs it was told.
    fn replay(&self, mut watch: Option<&mut Watch>) -> Result<usize, Box<Difference>> {
        let mut effects = Effects::new();
        let mut shard = Shard::new(self.config.clone(), self.now, &mut effects);
        compare(0, &self.now, &self.born, said_by(&shard, &mut effects))?;
        for (step, (now, input, said)) in (1..).zip(&self.steps) {
            shard.handle(*now, input.clone(), &mut effects);
            if let Some(watch) = &mut watch {
                watch.look(&shard, input, effects.as_slice());
            }
            compare(step, input, said, said_by(&shard, &mut effects))?;
        }
        Ok(self.steps.len())
    }
}

fn said_by(shard: &Shard, effects: &mut Effects) -> Said {
    let said = Said::new(effects.as_slice(), shard.poll_timeout());
    effects.drain().for_each(drop);
    said
}

fn compare(
    step: usize,
    told: &impl Debug,
    first: &Said,
    second: Said,
) -> Result<(), Box<Difference>> {
    if *first == second {
        return Ok(());
    }
    let both = first.effects.iter().zip(&second.effects);
    let place = both.take_while(|(one, other)| one == other).count();
    let said = [first, &second].map(|Said { effects, timeout }| match effects.get(place) {
        Some(effect) => format!("effect {place}: {effect}"),
        None => format!("{place} effects, and to be called at {timeout:?}"),
    });
    Err(Difference { step, told: shortened(told), said }.into())
}

/// What somebody can read of a value.
fn shortened(value: &impl Debug) -> String {
    let mut text = format!("{value:?}");
    if text.len() > TEXT_MAX {
        text.truncate(text.floor_char_boundary(TEXT_MAX));
        text.push('…');
    }
    text
}

/// Like that, and what is left out tells values apart all the same.
fn told_apart(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    let end = text.floor_char_boundary(TEXT_MAX);
    if end == text.len() {
        return text;
    }
    let mut rest = DefaultHasher::new();
    text[end..].hash(&mut rest);
    format!("{}… {:016x}", &text[..end], rest.finish())
}

const TEXT_MAX: usize = 500;

/// The lives of all shards of a run, as long as there is memory for them.
#[derive(Debug)]
pub struct Recording(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    lives: Vec<Life>,
    bytes_left: usize,
    left_out: u64,
    is_watched: bool,
}

/// What came of telling all lives again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replayed {
    /// How many inputs were told again.
    pub inputs: u64,
    /// How many were not, for want of memory.
    pub left_out: u64,
    /// Which shard did otherwise first, and where.
    pub difference: Option<(usize, Box<Difference>)>,
    /// What was seen of it, if it was to be watched.
    pub events: Vec<Event>,
}

impl Recording {
    /// An empty one, which takes about so many bytes.
    pub const fn new(bytes_max: usize) -> Self {
        Self(Mutex::new(Kept {
            lives: Vec::new(),
            bytes_left: bytes_max,
            left_out: 0,
            is_watched: false,
        }))
    }

    /// What is told again is watched, for the model to judge it.
    pub fn is_to_be_watched(&self) {
        self.kept().is_watched = true;
    }

    /// The power has failed the broker's machine.
    pub fn power_failed(&self) {
        if let Some(life) = self.kept().lives.last_mut() {
            life.power_failed = true;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A shard is made. Returns what names it.
    pub fn begin(&self, life: Life) -> usize {
        let mut kept = self.kept();
        kept.lives.push(life);
        kept.lives.len() - 1
    }

    /// A shard was told something. Once there is no memory left nothing more is kept: what a shard does depends on all before.
    pub fn push(&self, shard: usize, now: Now, input: Input, said: Said) {
        let mut kept = self.kept();
        match kept.bytes_left.checked_sub(bytes_of(&input, &said)) {
            Some(left) => {
                kept.bytes_left = left;
                kept.lives[shard].push(now, input, said);
            }
            None => {
                kept.bytes_left = 0;
                kept.left_out += 1;
            }
        }
    }

    /// Tells all lives to fresh shards.
    pub fn replay(&self) -> Replayed {
        let mut kept = self.kept();
        let mut replayed = Replayed { left_out: kept.left_out, ..Replayed::default() };
        let mut watch = kept.is_watched.then(Watch::default);
        let mut power_failed = false;
        for (shard, life) in mem::take(&mut kept.lives).into_iter().enumerate() {
            if let Some(watch) = &mut watch {
                watch.begin(power_failed);
            }
            power_failed = life.power_failed;
            match life.replay(watch.as_mut()) {
                Ok(inputs) => replayed.inputs += inputs as u64,
                Err(difference) => {
                    replayed.difference = Some((shard, difference));
                    break;
                }
            }
        }
        replayed.events = watch.map(Watch::end).unwrap_or_default();
        replayed
    }
}

/// About how much memory an input takes with what was said to it.
fn bytes_of(input: &Input, said: &Said) -> usize {
    let frame = if let Input::Frame { frame, .. } = input { frame.len() } else { 0 };
    let read = if let Input::Disk { result: DiskResult::Bytes(bytes), .. } = input {
        bytes.len()
    } else {
        0
    };
    let texts: usize = said.effects.iter().map(|text| size_of::<String>() + text.len()).sum();
    frame + read + texts + size_of::<(Now, Input, Said)>()
}

#[cfg(madsim)]
impl ottla::server::Tape for Recording {
    fn begin(&self, now: Now, config: ShardConfig, said: ottla::server::Said<'_>) -> u64 {
        Self::begin(self, Life::begin(now, config, Said::new(said.0, said.1))) as u64
    }

    fn copy(&self, input: &Input) -> Input {
        copied(input)
    }

    fn step(&self, shard: u64, now: Now, input: Input, said: ottla::server::Said<'_>) {
        let said = Said::new(said.0, said.1);
        self.push(usize::try_from(shard).expect("it is an index"), now, input, said);
    }
}
