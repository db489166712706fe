//! Sockets that do not block, and waiting for several of them.

use std::{
    io::{self, IoSlice, Read, Write},
    net::TcpStream,
    num::NonZeroU64,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    thread::set_current_timer_slack,
};

use super::BenchError;
use crate::client::Address;

/// A connection to a broker.
#[derive(Debug)]
pub(super) struct Socket(TcpStream);

/// What a socket is waited for, and then what it is ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Readiness {
    pub(super) read: bool,
    pub(super) write: bool,
}

impl Socket {
    pub(super) fn connect(address: &Address) -> Result<Self, BenchError> {
        let connect = || {
            let stream = TcpStream::connect((address.host.as_str(), address.port))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(Self(stream))
        };
        connect().map_err(|error: io::Error| BenchError::Connect {
            address: address.clone(),
            kind: error.kind(),
        })
    }

    /// Reads what is there. None when nothing is.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, BenchError> {
        match self.0.read(buffer) {
            Ok(0) => Err(BenchError::Closed),
            outcome => unblocked(outcome),
        }
    }

    /// Writes what there is room for. None when there is no room.
    pub(super) fn write(&mut self, slices: &[IoSlice<'_>]) -> Result<Option<usize>, BenchError> {
        unblocked(self.0.write_vectored(slices))
    }

    /// Sends a question and waits for the beginning of its answer.
    pub(super) fn exchange(
        &mut self,
        question: &[u8],
        answer: &mut [u8],
        limit: Duration,
    ) -> Result<(), BenchError> {
        self.0.set_nonblocking(false)?;
        self.0.set_read_timeout(Some(limit))?;
        self.0.set_write_timeout(Some(limit))?;
        self.0.write_all(question)?;
        match self.read(answer)? {
            Some(_) => Ok(()),
            None => Err(BenchError::Stalled(limit)),
        }
    }
}

fn unblocked(outcome: io::Result<usize>) -> Result<Option<usize>, BenchError> {
    match outcome {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Has this thread woken at the time that it asks for, and not a little later together with others. Where the system does
/// not know that, latencies are a little longer.
pub(super) fn wake_on_time() {
    let _ = set_current_timer_slack(NonZeroU64::new(1));
}

/// Waits until a socket is ready for what it is waited for, at most for `limit`. The answers stand in the places of the
/// questions.
pub(super) fn wait<'a>(
    sockets: impl Iterator<Item = (&'a Socket, Readiness)>,
    limit: Duration,
    ready: &mut Vec<Readiness>,
) -> Result<(), BenchError> {
    let mut fds: Vec<_> = sockets
        .map(|(socket, wanted)| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, wanted.read);
            flags.set(PollFlags::OUT, wanted.write);
            PollFd::new(&socket.0, flags)
        })
        .collect();
    let limit = Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    };
    match poll(&mut fds, Some(&limit)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(io::Error::from(error).into()),
    }
    // An error shows itself to who reads.
    let failed = PollFlags::ERR | PollFlags::HUP;
    ready.clear();
    ready.extend(fds.iter().map(|fd| Readiness {
        read: fd.revents().intersects(PollFlags::IN | failed),
        write: fd.revents().contains(PollFlags::OUT),
    }));
    Ok(())
}
