//! What shards are told and what they say, for the simulator: it tells fresh shards the same.

use std::{fmt, sync::Arc};

use ottla_core::{
    machine::{Effect, Effects, Now},
    shard::{Input, Shard, ShardConfig, Timer},
    types::Instant,
};

/// What a shard said to an input: what is to be done, and when it wants to be called, and why.
pub type Said<'a> = (&'a [Effect], Option<(Instant, Timer)>);

/// Takes down the lives of shards.
///
/// It must not hold on to bytes that a connection received, but copy them: whether these are still in use decides where the next
/// are read to, and so how many at once.
pub trait Tape: fmt::Debug + Send + Sync {
    /// A shard was made. Returns what names it.
    fn begin(&self, now: Now, config: ShardConfig, said: Said<'_>) -> u64;

    /// What there is to be kept of an input, which a shard is about to take.
    fn copy(&self, input: &Input) -> Input;

    /// A shard was told something.
    fn step(&self, shard: u64, now: Now, input: Input, said: Said<'_>);
}

/// A shard's place on the tape, if there is one.
#[derive(Debug)]
pub(super) struct Taped(Option<(Arc<dyn Tape>, u64)>);

impl Taped {
    /// A shard was made.
    pub(super) fn begin(
        tape: Option<Arc<dyn Tape>>,
        now: Now,
        config: &ShardConfig,
        (shard, effects): (&Shard, &Effects),
    ) -> Self {
        Self(tape.map(|tape| {
            let number = tape.begin(now, config.clone(), said(shard, effects));
            (tape, number)
        }))
    }

    /// What there is to be taken down of an input, before the shard takes it.
    pub(super) fn copy(&self, input: &Input) -> Option<Input> {
        self.0.as_ref().map(|(tape, _)| tape.copy(input))
    }

    /// The shard has taken the input.
    pub(super) fn take_down(
        &self,
        now: Now,
        input: Option<Input>,
        (shard, effects): (&Shard, &Effects),
    ) {
        if let (Some((tape, number)), Some(input)) = (&self.0, input) {
            tape.step(*number, now, input, said(shard, effects));
        }
    }
}

fn said<'a>(shard: &Shard, effects: &'a Effects) -> Said<'a> {
    (effects.as_slice(), shard.poll_timeout())
}
