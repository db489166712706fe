//! A connection that produces: several requests under way, written with as few system calls as they fit.

use std::{
    io::IoSlice,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use ottla_core::wire::{ApiKey, messages::api_versions::ApiVersionsRequest};

use super::{
    BenchError,
    frames::{ProduceAnswer, ProduceFrame, encode_frame},
    outbox::{Outbox, SLICES_MAX},
    socket::Socket,
};
use crate::client::Address;

const LENGTH_BYTES: usize = 4;
const ANSWERS_BYTES: usize = 64 << 10;
/// How long a broker may take for what the sockets between it and the loader hold.
const TAKEN_MAX: Duration = Duration::from_secs(60);

/// What is sent, and what is expected.
#[derive(Debug, Clone)]
pub(super) struct ProduceKind {
    pub(super) frame: Arc<ProduceFrame>,
    pub(super) answer: Arc<ProduceAnswer>,
    /// Without acknowledgement a request is done when it is written.
    pub(super) is_answered: bool,
}

/// A connection that produces.
#[derive(Debug)]
pub(super) struct ProduceConnection {
    pub(super) socket: Socket,
    pub(super) outbox: Outbox,
    answer: Arc<ProduceAnswer>,
    is_answered: bool,
    /// What came in, of which the first bytes are not read.
    answers: Vec<u8>,
    unread: usize,
}

impl ProduceConnection {
    /// Connects, to have at most `in_flight_max` requests under way.
    pub(super) fn connect(
        address: &Address,
        kind: &ProduceKind,
        in_flight_max: usize,
    ) -> Result<Self, BenchError> {
        Ok(Self {
            socket: Socket::connect(address)?,
            outbox: Outbox::new(Arc::clone(&kind.frame), in_flight_max),
            answer: Arc::clone(&kind.answer),
            is_answered: kind.is_answered,
            answers: vec![0; ANSWERS_BYTES],
            unread: 0,
        })
    }

    /// Writes as much as there is room for. Each request that is done is told by when it should have been sent.
    pub(super) fn write(&mut self, on_done: &mut impl FnMut(Instant)) -> Result<(), BenchError> {
        while !self.outbox.is_written() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.outbox.gather(&mut slices);
            let slices = &slices[..count];
            let offered: usize = slices.iter().map(|slice| slice.len()).sum();
            let Some(written) = self.socket.write(slices)? else { return Ok(()) };
            let whole = self.outbox.advance(written);
            if !self.is_answered {
                (0..whole).filter_map(|_| self.outbox.finish_oldest()).for_each(&mut *on_done);
            }
            if written < offered {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads the answers that are there.
    pub(super) fn read(&mut self, on_done: &mut impl FnMut(Instant)) -> Result<(), BenchError> {
        let Some(bytes) = self.socket.read(&mut self.answers[self.unread..])? else {
            return Ok(());
        };
        let end = self.unread + bytes;
        let mut from = 0;
        while let Some(answer) = next_frame(&self.answers[from..end]) {
            let awaited = self.outbox.awaited_correlation_id().ok_or(BenchError::OutOfOrder)?;
            if !answer.starts_with(&awaited.to_be_bytes()) {
                return Err(BenchError::OutOfOrder);
            }
            self.answer.check(answer)?;
            from += LENGTH_BYTES + answer.len();
            self.outbox.finish_oldest().into_iter().for_each(&mut *on_done);
        }
        self.answers.copy_within(from..end, 0);
        self.unread = end - from;
        // No answer to a request of ours is as long as that.
        if self.unread == self.answers.len() { Err(BenchError::OutOfOrder) } else { Ok(()) }
    }

    /// Waits until the broker has taken all that was written: it answers in order, and so after all that it does not
    /// answer.
    pub(super) fn await_taken(&mut self) -> Result<(), BenchError> {
        let mut question = BytesMut::new();
        let version = *ApiKey::ApiVersions.versions().start();
        encode_frame(
            &mut question,
            ApiKey::ApiVersions,
            version,
            0,
            &ApiVersionsRequest::default(),
        );
        self.socket.exchange(&question, &mut self.answers, TAKEN_MAX)
    }
}

/// The frame that leads `bytes`, without its length, if it is whole.
fn next_frame(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    rest.get(..usize::try_from(i32::from_be_bytes(*length)).ok()?)
}
