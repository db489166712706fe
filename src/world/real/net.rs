//! TCP.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::{Buf, Bytes, BytesMut};
use rustix::{io::Errno, net::sockopt};
use tokio::{
    io::Interest,
    net::{TcpListener, TcpStream},
};

use super::{
    RealDisk,
    disk::{RealHandle, SocketPlace},
    page_cache::PageCache,
};
use crate::world::{Listener, Net, Outgoing, Reader, Writer};

/// How much the kernel keeps for each connection, in bytes; none for as much as the operating system likes.
///
/// What waits in a small buffer is still in the processor's cache when it is moved on: with buffers that grow to megabytes, as
/// Linux has them by itself, a consumer over loopback costs the broker twice the processor time.
#[derive(Debug, Clone, Copy, Default)]
pub struct SocketBuffers {
    /// What was sent and not acknowledged: `socket.send.buffer.bytes`.
    pub send: Option<usize>,
    /// What came in and was not read: `socket.receive.buffer.bytes`.
    pub receive: Option<usize>,
}

/// TCP.
#[derive(Debug, Clone)]
pub struct RealNet {
    buffers: SocketBuffers,
    /// It shares descriptors with the connections.
    disk: RealDisk,
    cache: PageCache,
}

impl RealNet {
    /// A network whose connections have such buffers.
    pub fn new(buffers: SocketBuffers, disk: RealDisk) -> Self {
        Self { buffers, disk, cache: PageCache::new() }
    }
}

impl Net for RealNet {
    type Listener = RealListener;
    type Handle = RealHandle;

    async fn bind(&self, address: &str) -> io::Result<RealListener> {
        let listener = TcpListener::bind(address).await?;
        // Connections have them from the socket that they came in by, before the first byte.
        if let Some(bytes) = self.buffers.send {
            sockopt::set_socket_send_buffer_size(&listener, bytes)?;
        }
        if let Some(bytes) = self.buffers.receive {
            sockopt::set_socket_recv_buffer_size(&listener, bytes)?;
        }
        Ok(RealListener { listener, disk: self.disk.clone(), cache: self.cache.clone() })
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct RealListener {
    listener: TcpListener,
    disk: RealDisk,
    cache: PageCache,
}

impl Listener for RealListener {
    type Reader = RealReader;
    type Writer = RealWriter;
    type Handle = RealHandle;

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(RealReader, RealWriter, SocketAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        let place = self.disk.take_socket_place().ok_or(Errno::MFILE)?;
        // Responses are written whole; to wait for more would only delay them.
        stream.set_nodelay(true)?;
        let socket = Arc::new(Socket { stream, _place: place });
        let writer = RealWriter {
            socket: Arc::clone(&socket),
            progress: Arc::default(),
            cache: self.cache.clone(),
        };
        Ok((RealReader(socket), writer, peer))
    }
}

/// A connection. It gives its place back once it is closed.
#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    _place: SocketPlace,
}

/// The half of a socket that is read.
#[derive(Debug)]
pub struct RealReader(Arc<Socket>);

impl Reader for RealReader {
    async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        loop {
            match self.0.stream.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.0.stream.readable().await?;
                }
                result => return result,
            }
        }
    }
}

/// The half of a socket that is written.
#[derive(Debug)]
pub struct RealWriter {
    socket: Arc<Socket>,
    progress: Arc<AtomicU64>,
    cache: PageCache,
}

/// How many pieces one system call takes.
const SLICES_MAX: usize = 64;

impl Writer for RealWriter {
    type Handle = RealHandle;

    async fn write(&mut self, pieces: Vec<Outgoing<RealHandle>>) -> io::Result<()> {
        let mut pieces = VecDeque::from(pieces);
        // Up to where the file that comes first is in the page cache.
        let mut cached_to = 0;
        loop {
            // What is empty has been written.
            while matches!(pieces.front(), Some(Outgoing::Bytes(bytes)) if bytes.is_empty()) {
                pieces.pop_front();
            }
            let result = match pieces.front_mut() {
                None => return Ok(()),
                Some(Outgoing::Bytes(_)) => self.try_write_bytes(&mut pieces),
                Some(Outgoing::File { handle, position, length }) => {
                    if cached_to <= *position {
                        cached_to = self.cache.fill(handle.file(), *position, *length).await;
                    }
                    let cached = cached_to - *position;
                    let result = self.try_send_file(handle, *position, cached.min(*length));
                    if let Ok(sent) = result {
                        self.progress.fetch_add(sent, Ordering::Relaxed);
                        *position += sent;
                        *length -= sent;
                        if *length == 0 {
                            pieces.pop_front();
                            cached_to = 0;
                        }
                    }
                    result.map(drop)
                }
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket.stream.writable().await?;
                }
                result => result?,
            }
        }
    }

    fn progress(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.progress)
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        rustix::net::shutdown(&self.socket.stream, rustix::net::Shutdown::Write)?;
        Ok(())
    }
}

fn as_slice(piece: &Outgoing<RealHandle>) -> Option<IoSlice<'_>> {
    match piece {
        Outgoing::Bytes(bytes) => Some(IoSlice::new(bytes)),
        Outgoing::File { .. } => None,
    }
}

impl RealWriter {
    fn try_write_bytes(&self, pieces: &mut VecDeque<Outgoing<RealHandle>>) -> io::Result<()> {
        let slices: Vec<IoSlice<'_>> = pieces.iter().map_while(as_slice).take(SLICES_MAX).collect();
        let mut written = self.socket.stream.try_write_vectored(&slices)?;
        self.progress.fetch_add(written as u64, Ordering::Relaxed);
        while let Some(Outgoing::Bytes(front)) = pieces.front_mut() {
            let part = written.min(front.len());
            Bytes::advance(front, part);
            written -= part;
            if !front.is_empty() {
                break;
            }
            pieces.pop_front();
        }
        Ok(())
    }

    /// The bytes go from the page cache to the socket without a detour.
    fn try_send_file(&self, handle: &RealHandle, position: u64, length: u64) -> io::Result<u64> {
        self.socket.stream.try_io(Interest::WRITABLE, || {
            let mut offset = position;
            let count = usize::try_from(length).unwrap_or(usize::MAX);
            let (socket, file) = (&self.socket.stream, &**handle.file());
            match rustix::fs::sendfile(socket, file, Some(&mut offset), count) {
                Ok(0) => Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the segment ends before the range that was to be sent",
                )),
                Ok(sent) => Ok(sent as u64),
                Err(Errno::AGAIN) => Err(io::ErrorKind::WouldBlock.into()),
                Err(error) => Err(error.into()),
            }
        })
    }
}
