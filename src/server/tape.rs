//! What shards are told and what they say, for the simulator: it tells fresh shards the same.

use std::{fmt, sync::Arc};

use ottla_core::{
    machine::{Effect, Effects, Now},
    shard::{Input, Shard, ShardConfig, Timer},
    types::Instant,
};

/// What a shard said to an input: what is to be done, and when it wants to be called, and why.
pub type Said = (Vec<Effect>, Option<(Instant, Timer)>);

/// Takes down the lives of shards.
pub trait Tape: fmt::Debug + Send + Sync {
    /// A shard was made. Returns what names it.
    fn begin(&self, now: Now, config: ShardConfig, said: Said) -> u64;

    /// A shard was told something.
    fn step(&self, shard: u64, now: Now, input: Input, said: Said);
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
        self.0.as_ref().map(|_| input.clone())
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

fn said(shard: &Shard, effects: &Effects) -> Said {
    (effects.as_slice().to_vec(), shard.poll_timeout())
}
