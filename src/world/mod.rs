//! The seams between the shell and the world: network, disk, clock. The broker uses the [real ones](real); the simulator brings
//! its own.

#[cfg(not(madsim))]
pub mod real;

use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use ottla_core::{
    disk::{DiskOp, DiskResult, FileRef, IoId, WriteData},
    machine::Now,
};
use tokio::sync::oneshot;

/// Everything that a broker knows of the world.
pub trait World: Clone + Send + Sync + 'static {
    /// Its network.
    type Net: Net<Handle = <Self::Disk as Disk>::Handle>;
    /// Its disk.
    type Disk: Disk;
    /// Its clock.
    type Clock: Clock;

    /// The network.
    fn net(&self) -> &Self::Net;
    /// The disk.
    fn disk(&self) -> &Self::Disk;
    /// The clock.
    fn clock(&self) -> &Self::Clock;
    /// Randomness enters here, once.
    fn seed(&self) -> u64;
    /// Where it is taken down what shards are told and say.
    #[cfg(madsim)]
    fn tape(&self) -> Option<Arc<dyn crate::server::Tape>>;
}

/// Time.
pub trait Clock: Clone + Send + Sync + 'static {
    /// What time it is.
    fn now(&self) -> Now;
    /// Waits.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// A network.
pub trait Net: Clone + Send + Sync + 'static {
    /// Where connections come in.
    type Listener: Listener<Handle = Self::Handle>;
    /// A file that can be sent.
    type Handle: FileHandle;

    /// Listens.
    fn bind(&self, address: &str) -> impl Future<Output = io::Result<Self::Listener>> + Send;
}

/// Where connections come in.
pub trait Listener: Send + 'static {
    /// The half of a connection that is read.
    type Reader: Reader;
    /// The half that is written.
    type Writer: Writer<Handle = Self::Handle>;
    /// A file that can be sent.
    type Handle: FileHandle;

    /// Where it listens.
    fn local_address(&self) -> io::Result<SocketAddr>;

    /// The next connection.
    fn accept(
        &mut self,
    ) -> impl Future<Output = io::Result<(Self::Reader, Self::Writer, SocketAddr)>> + Send;
}

/// The half of a connection that is read.
pub trait Reader: Send + 'static {
    /// Reads into the spare room of `buffer`; 0 at the end of the connection.
    fn read(&mut self, buffer: &mut BytesMut) -> impl Future<Output = io::Result<usize>> + Send;
}

/// The half of a connection that is written.
pub trait Writer: Send + 'static {
    /// A file that can be sent.
    type Handle: FileHandle;

    /// Writes all of it, in order.
    fn write(
        &mut self,
        pieces: Vec<Outgoing<Self::Handle>>,
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// Counts the bytes that were written, while they are. Where it stands still, a write is as good as stuck until it ends.
    fn progress(&self) -> Arc<AtomicU64> {
        Arc::default()
    }

    /// Ends the connection, after what was written.
    fn shutdown(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

/// A part of what is sent.
#[derive(Debug, Clone)]
pub enum Outgoing<H> {
    /// Bytes.
    Bytes(Bytes),
    /// A range of a file.
    File {
        /// The file.
        handle: H,
        /// Where the range begins.
        position: u64,
        /// How long it is.
        length: u64,
    },
}

impl<H> Outgoing<H> {
    /// How many bytes it is.
    pub const fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }

    /// Whether it is nothing.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An open file: it can be read even when its name is gone.
pub trait FileHandle: Clone + Send + Sync + 'static {
    /// Reads; fewer bytes come back only at the end of the file.
    fn read(&self, position: u64, length: usize) -> impl Future<Output = io::Result<Bytes>> + Send;
}

/// A disk.
pub trait Disk: Clone + Send + Sync + 'static {
    /// An open file.
    type Handle: FileHandle;

    /// Begins an operation. Those on one file begin in the order in which they are submitted.
    fn submit(&self, io: IoId, op: DiskOp, done: Done);

    /// Begins writes that follow each other in one file, from `position` on; each ends by itself.
    fn submit_writes(
        &self,
        file: FileRef,
        mut position: u64,
        writes: Vec<(IoId, WriteData)>,
        done: &Done,
    ) {
        for (io, data) in writes {
            let length = data.len() as u64;
            self.submit(io, DiskOp::Write { file, position, data }, done.clone());
            position += length;
        }
    }

    /// Opens a file to be sent.
    fn open(&self, file: FileRef) -> io::Result<Self::Handle>;

    /// Free and total bytes.
    fn space(&self) -> io::Result<(u64, u64)>;
}

/// Where the end of an operation is told.
#[derive(Clone)]
pub enum Done {
    /// To a shard.
    Shard(Arc<dyn Fn(IoId, DiskResult) + Send + Sync>),
    /// To who waits for this one.
    Waiter(Arc<Mutex<Option<oneshot::Sender<DiskResult>>>>),
}

impl Done {
    /// Tells it. Whoever has gone needs not to be told.
    pub fn tell(&self, io: IoId, result: DiskResult) {
        match self {
            Self::Shard(tell) => tell(io, result),
            Self::Waiter(waiter) => {
                let waiter = waiter.lock().map(|mut waiter| waiter.take());
                if let Ok(Some(waiter)) = waiter {
                    let _ = waiter.send(result);
                }
            }
        }
    }
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shard(_) => "Shard",
            Self::Waiter(_) => "Waiter",
        })
    }
}

/// Carries out an operation, and waits for its end.
pub async fn perform<D: Disk>(disk: &D, op: DiskOp) -> DiskResult {
    let (sender, receiver) = oneshot::channel();
    let done = Done::Waiter(Arc::new(Mutex::new(Some(sender))));
    let io = IoId { owner: ottla_core::disk::Owner::Metadata, number: 0 };
    disk.submit(io, op, done);
    receiver.await.unwrap_or(DiskResult::Failed(ottla_core::disk::IoError::Os(EIO)))
}

/// The operating system's number for an operation that failed for want of anybody to carry it out.
const EIO: i32 = 5;
