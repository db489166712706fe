//! A client's connection: which requests may begin, and in which order their responses leave.

pub mod fetch_sessions;

use alloc::{collections::VecDeque, string::String};

use bytes::Bytes;

use crate::{
    machine::{ConnectionId, Effect, Effects},
    mutants::{Mutant, planted},
    wire::{ApiKey, Frame},
};

/// A request of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// The connection.
    pub connection: ConnectionId,
    /// Counts its requests.
    pub number: u64,
}

/// A connection.
///
/// Responses leave in the order of the requests. Requests begin one after the other, each when the one before has been
/// answered, as Kafka does it; only Produce requests that follow each other do so at once, for a client may have several in
/// flight, and all of them can share one sync.
#[derive(Debug)]
pub struct Session {
    host: String,
    next_number: u64,
    in_flight: VecDeque<InFlight>,
    held: VecDeque<Bytes>,
    is_closing: bool,
}

/// A request that has begun, until its response has left.
#[derive(Debug)]
struct InFlight {
    number: u64,
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    reply: Reply,
}

#[derive(Debug)]
enum Reply {
    Waiting,
    Frame(Frame),
    Nothing,
}

/// How a request was asked, which its response needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The API.
    pub key: ApiKey,
    /// Its version.
    pub version: i16,
    /// The client's number for it.
    pub correlation_id: i32,
}

impl Session {
    /// A new connection from a client at `host`.
    pub const fn new(host: String) -> Self {
        Self {
            host,
            next_number: 0,
            in_flight: VecDeque::new(),
            held: VecDeque::new(),
            is_closing: false,
        }
    }

    /// Where the client is.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Takes a frame, to begin when its turn comes.
    pub fn hold(&mut self, frame: Bytes) {
        self.held.push_back(frame);
    }

    /// The next frame whose turn has come.
    pub fn next_frame(&mut self) -> Option<Bytes> {
        let next = self.held.front()?;
        if self.is_closing {
            return None;
        }
        let is_produce = next
            .first_chunk()
            .is_some_and(|key| i16::from_be_bytes(*key) == ApiKey::Produce.code());
        let may_begin = self.in_flight.is_empty()
            || is_produce && self.in_flight.back().is_some_and(|last| last.key == ApiKey::Produce);
        if may_begin { self.held.pop_front() } else { None }
    }

    /// Begins a request.
    pub fn begin(&mut self, asked: Asked) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        let Asked { key, version, correlation_id } = asked;
        let reply = Reply::Waiting;
        self.in_flight.push_back(InFlight { number, key, version, correlation_id, reply });
        number
    }

    /// How a request was asked that has not been answered.
    pub fn asked(&self, number: u64) -> Option<Asked> {
        self.waiting(number).map(|index| {
            let InFlight { key, version, correlation_id, .. } = self.in_flight[index];
            Asked { key, version, correlation_id }
        })
    }

    fn waiting(&self, number: u64) -> Option<usize> {
        let first = self.in_flight.front()?.number;
        let index = usize::try_from(number.checked_sub(first)?).ok()?;
        let request = self.in_flight.get(index)?;
        matches!(request.reply, Reply::Waiting).then_some(index)
    }

    /// Answers a request; without a frame if the client wants none. What is first in line leaves.
    pub fn answer(&mut self, request: RequestId, frame: Option<Frame>, effects: &mut Effects) {
        let index = self.waiting(request.number).expect("a request is answered once");
        let index = if planted(Mutant::AnswersOutOfOrder) { 0 } else { index };
        self.in_flight[index].reply = frame.map_or(Reply::Nothing, Reply::Frame);
        let connection = request.connection;
        while let Some(first) =
            self.in_flight.pop_front_if(|first| !matches!(first.reply, Reply::Waiting))
        {
            effects.push(match first.reply {
                Reply::Frame(frame) => Effect::Send { connection, frame },
                Reply::Nothing | Reply::Waiting => Effect::Done { connection },
            });
        }
    }

    /// No request begins any more.
    pub fn close(&mut self) {
        self.is_closing = true;
        self.held.clear();
    }

    /// Whether the connection is being ended.
    pub const fn is_closing(&self) -> bool {
        self.is_closing
    }
}
