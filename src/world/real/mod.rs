//! The real world: Linux by way of tokio.

mod clock;
mod disk;
mod net;
mod page_cache;

pub use clock::RealClock;
pub use disk::RealDisk;
pub use net::{RealNet, SocketBuffers};

use super::World;

/// The real world.
#[derive(Debug, Clone)]
pub struct RealWorld {
    net: RealNet,
    disk: RealDisk,
    clock: RealClock,
}

impl RealWorld {
    /// The world as seen from a data folder.
    pub fn new(disk: RealDisk, clock: RealClock, buffers: SocketBuffers) -> Self {
        Self { net: RealNet::new(buffers, disk.clone()), disk, clock }
    }
}

impl World for RealWorld {
    type Net = RealNet;
    type Disk = RealDisk;
    type Clock = RealClock;

    fn net(&self) -> &RealNet {
        &self.net
    }

    fn disk(&self) -> &RealDisk {
        &self.disk
    }

    fn clock(&self) -> &RealClock {
        &self.clock
    }

    #[expect(clippy::disallowed_methods, reason = "randomness enters here")]
    fn seed(&self) -> u64 {
        // The operating system's randomness: ids must differ from those of any other broker.
        std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id())
    }
}
