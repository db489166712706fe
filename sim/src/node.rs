//! Who takes part: machines, and the processes that run on them one after the other.

use std::{fmt, net::Ipv4Addr};

/// A machine: brokers come first, clients after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub u8);

impl NodeIndex {
    /// Its address.
    pub const fn ip(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, self.0 + 1)
    }

    /// Its number, to index with.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Whose address it is.
    pub const fn of_ip(ip: Ipv4Addr) -> Option<Self> {
        match ip.octets() {
            [10, 0, 0, number @ 1..=255] => Some(Self(number - 1)),
            _ => None,
        }
    }
}

impl fmt::Display for NodeIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// A process of a machine: the number grows with each start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u32);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i{}", self.0)
    }
}
