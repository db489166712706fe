//! The ends of connections, as processes have them.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes, BytesMut};
use ottla::world::{self, FileHandle, Outgoing};

use super::{
    SimNet,
    connection::{ConnectionNumber, Side},
    pipe::Readable,
    state::Written,
};
use crate::disk::SimFile;

/// One half of an end. The process has it until it is dropped; what a dead process drops makes no difference.
#[derive(Debug)]
pub(super) struct Half {
    pub(super) net: SimNet,
    pub(super) number: ConnectionNumber,
    pub(super) side: Side,
}

impl Drop for Half {
    fn drop(&mut self) {
        self.net.state().drop_half(self.number, self.side);
    }
}

/// The end of a connection that is read.
#[derive(Debug)]
pub struct NetReader(pub(super) Half);

/// The end of a connection that is written.
#[derive(Debug)]
pub struct NetWriter(pub(super) Half);

impl NetReader {
    fn poll_read(
        &self,
        buffer: &mut BytesMut,
        sleep: &mut Option<crate::timers::Sleep>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let Half { net, number, side } = &self.0;
        loop {
            if buffer.capacity() == buffer.len() {
                buffer.reserve(64);
            }
            let room = buffer.capacity() - buffer.len();
            let readable = net.state().read(*number, *side, room, context.waker());
            let at = match readable {
                Readable::Bytes { bytes, .. } => {
                    buffer.put_slice(&bytes);
                    return Poll::Ready(Ok(bytes.len()));
                }
                Readable::End => return Poll::Ready(Ok(0)),
                Readable::Reset => {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                Readable::Nothing => {
                    *sleep = None;
                    return Poll::Pending;
                }
                Readable::At(at) => at,
            };
            let sleep = sleep.insert(net.environment().timers.sleep_until(at));
            if Pin::new(sleep).poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl world::Reader for NetReader {
    async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        let mut sleep = None;
        poll_fn(|context| self.poll_read(buffer, &mut sleep, context)).await
    }
}

impl NetWriter {
    /// Writes all of it, once there is room.
    async fn write_all(&self, mut bytes: Bytes) -> io::Result<()> {
        let Half { net, number, side } = &self.0;
        while !bytes.is_empty() {
            poll_fn(|context| {
                let written = net.state().write(*number, *side, &mut bytes, context.waker());
                match written {
                    Ok(Written::Some) => Poll::Ready(Ok(())),
                    Ok(Written::NoRoom) => Poll::Pending,
                    Err(error) => Poll::Ready(Err(error)),
                }
            })
            .await?;
        }
        Ok(())
    }

    /// Where this end is.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.0.net.state().address(self.0.number, self.0.side)
    }
}

/// How much of a file is read at once to be sent.
const CHUNK_BYTES: usize = 64 << 10;

impl world::Writer for NetWriter {
    type Handle = SimFile;

    async fn write(&mut self, pieces: Vec<Outgoing<SimFile>>) -> io::Result<()> {
        // What is small leaves together, as from a socket's buffer.
        let mut together = BytesMut::new();
        for piece in pieces {
            match piece {
                Outgoing::Bytes(bytes) => together.extend_from_slice(&bytes),
                Outgoing::File { handle, mut position, mut length } => {
                    while length > 0 {
                        let wanted = usize::try_from(length).unwrap_or(CHUNK_BYTES);
                        let read = handle.read(position, wanted.min(CHUNK_BYTES)).await?;
                        if read.is_empty() {
                            return Err(io::ErrorKind::UnexpectedEof.into());
                        }
                        position += read.len() as u64;
                        length -= read.len() as u64;
                        together.extend_from_slice(&read);
                    }
                }
            }
            if together.len() >= CHUNK_BYTES {
                self.write_all(together.split().freeze()).await?;
            }
        }
        self.write_all(together.freeze()).await
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        self.0.net.state().shut_down(self.0.number, self.0.side);
        Ok(())
    }
}
