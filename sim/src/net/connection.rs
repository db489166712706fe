//! A connection: two ends and a pipe to each.

use std::net::SocketAddr;

use super::pipe::Pipe;
use crate::node::{Incarnation, NodeIndex};

/// A connection by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ConnectionNumber(pub(super) u64);

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Who connected.
    Caller,
    /// Who listened.
    Called,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Called,
            Self::Called => Self::Caller,
        }
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Caller => 0,
            Self::Called => 1,
        }
    }
}

/// What has become of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// A process has it.
    Open,
    /// The process has closed it, or has ended: the machine knows that it is closed.
    Closed,
    /// The machine lost power, and knows nothing of it.
    Gone,
}

/// An end.
#[derive(Debug)]
pub(super) struct End {
    pub(super) node: NodeIndex,
    pub(super) incarnation: Incarnation,
    pub(super) address: SocketAddr,
    pub(super) life: Life,
    /// How many of its two halves the process still has.
    pub(super) halves: u8,
    pub(super) has_shut_down: bool,
    /// What comes to it.
    pub(super) inbound: Pipe,
    /// How many bytes it reads at once.
    pub(super) read_limit: usize,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) ends: [End; 2],
    /// Nothing that is sent arrives any more, and nobody is told.
    pub(super) is_dead: bool,
}

impl Connection {
    pub(super) const fn end(&mut self, side: Side) -> &mut End {
        &mut self.ends[side.index()]
    }

    /// The pipe that leads away from an end.
    pub(super) const fn outbound(&mut self, side: Side) -> &mut Pipe {
        &mut self.ends[side.other().index()].inbound
    }

    /// Whether nobody has either end any more.
    pub(super) fn is_over(&self) -> bool {
        self.ends.iter().all(|end| end.life != Life::Open)
    }
}
