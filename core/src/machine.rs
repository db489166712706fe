//! What all machines share: time as an argument, effects as values.

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use crate::{
    disk::{DiskOp, IoId},
    job::Job,
    metadata::{Command, ProposalId},
    notice::Notice,
    types::{Instant, Timestamp},
    wire::Frame,
};

/// The time of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time: what waits, waits by it.
    pub instant: Instant,
    /// Wall-clock time: what is stamped or kept for a while, goes by it.
    pub timestamp: Timestamp,
}

/// A client's connection. The number is never given to another connection, not even after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What the shell is to do. Effects are carried out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Operate on a file; the result comes back as [`Input::Disk`](Effect).
    Disk {
        /// Names the operation in its result.
        io: IoId,
        /// What to do.
        op: DiskOp,
    },
    /// Run a pure computation wherever it does not hold up the shard.
    Compute {
        /// Names the computation in its result.
        io: IoId,
        /// What to compute.
        job: Job,
    },
    /// Send a response. One [`Effect::Send`] or [`Effect::Done`] answers each frame of a connection, in order.
    Send {
        /// To whom.
        connection: ConnectionId,
        /// What, its length included.
        frame: Frame,
    },
    /// A frame was dealt with that has no response.
    Done {
        /// Whose frame.
        connection: ConnectionId,
    },
    /// End a connection once what was sent has left.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why, for the log.
        reason: CloseReason,
    },
    /// Have the metadata quorum decide.
    Propose {
        /// Names the proposal in its outcome.
        proposal: ProposalId,
        /// What is proposed, as one entry of the metadata log.
        commands: Vec<Command>,
    },
    /// All partitions are open: connections may come.
    Ready,
    /// The answer to [`Input::Inspect`](Effect).
    Inspected(crate::inspect::Inspection),
    /// Everything is on disk, after [`Input::Shutdown`](Effect).
    Stopped,
    /// Something worth a line in the log.
    Notice(Notice),
}

/// Why the broker ends a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// The header of a request cannot be read.
    Header(crate::wire::HeaderError),
    /// The version of a request is not served.
    UnsupportedVersion {
        /// The API.
        key: crate::wire::ApiKey,
        /// The version that was asked for.
        version: i16,
    },
    /// The body of a request cannot be read.
    Malformed {
        /// The API.
        key: crate::wire::ApiKey,
        /// The version.
        version: i16,
        /// What is wrong with it.
        error: crate::wire::DecodeError,
    },
    /// A Produce that wants no answer failed, and this is how its sender is told.
    UnacknowledgedProduceFailed {
        /// What went wrong, for the log.
        detail: String,
    },
}

/// The effects of a step, in order.
#[derive(Debug, Default)]
pub struct Effects {
    effects: Vec<Effect>,
}

impl Effects {
    /// None yet.
    pub const fn new() -> Self {
        Self { effects: Vec::new() }
    }

    /// Adds an effect.
    pub fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Takes them all, and keeps the memory for the next.
    pub fn drain(&mut self) -> alloc::vec::Drain<'_, Effect> {
        self.effects.drain(..)
    }

    /// What has been collected.
    pub fn as_slice(&self) -> &[Effect] {
        &self.effects
    }
}

/// Pseudo-random numbers from a seed (SplitMix64, <https://doi.org/10.1145/2714064.2660195>). Not for secrets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A stream for one purpose.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next 128 bits.
    pub fn next_u128(&mut self) -> u128 {
        u128::from(self.next_u64()) << 64 | u128::from(self.next_u64())
    }
}

/// Bytes of our own making, as opposed to a slice of a peer's frame, which would keep the whole frame in memory.
pub(crate) fn owned(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
