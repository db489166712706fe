//! From a frame to a request, and from a response to a frame.

use alloc::string::String;

use bytes::Bytes;

use super::{Shard, Step};
use crate::{
    machine::{CloseReason, ConnectionId, Effect},
    session::{Asked, RequestId},
    wire::{
        ApiKey, Frame, Reader, Request, RequestHeader, Response, Writer, encode_response_header,
    },
};

/// A request that has begun.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    /// Names it.
    pub(crate) id: RequestId,
    /// Its version.
    pub(crate) version: i16,
    /// What the client calls itself.
    pub(crate) client_id: Option<String>,
}

impl Shard {
    pub(super) fn take_frame(
        &mut self,
        connection: ConnectionId,
        frame: Bytes,
        step: &mut Step<'_>,
    ) {
        // A connection that is being ended may still have frames on their way here.
        if let Some(session) = self.sessions.get_mut(&connection) {
            session.hold(frame);
            self.begin_requests(connection, step);
        }
    }

    /// Begins the requests of a connection whose turn has come.
    pub(super) fn begin_requests(&mut self, connection: ConnectionId, step: &mut Step<'_>) {
        while let Some(session) = self.sessions.get_mut(&connection)
            && let Some(frame) = session.next_frame()
        {
            if let Err(reason) = self.begin_request(connection, frame, step) {
                self.close(connection, reason, step);
            }
        }
    }

    fn begin_request(
        &mut self,
        connection: ConnectionId,
        frame: Bytes,
        step: &mut Step<'_>,
    ) -> Result<(), CloseReason> {
        let mut reader = Reader::new(frame);
        let header = RequestHeader::decode(&mut reader).map_err(CloseReason::Header)?;
        let RequestHeader { key, version, correlation_id, client_id } = header;
        let Some(session) = self.sessions.get_mut(&connection) else { return Ok(()) };
        if !key.serves(version) {
            if key != ApiKey::ApiVersions {
                return Err(CloseReason::UnsupportedVersion { key, version });
            }
            // A client asks in the newest version that it knows, and must be able to read that this is too new (KIP-511).
            let asked = Asked { key, version: 0, correlation_id };
            let id = RequestId { connection, number: session.begin(asked) };
            let response = crate::api::unsupported_api_versions();
            self.answer(id, response, step);
            return Ok(());
        }
        let request = Request::decode(key, version, reader)
            .map_err(|error| CloseReason::Malformed { key, version, error })?;
        let number = session.begin(Asked { key, version, correlation_id });
        let id = RequestId { connection, number };
        self.dispatch(&Incoming { id, version, client_id }, request, step);
        Ok(())
    }

    /// Ends a connection.
    pub(crate) fn close(
        &mut self,
        connection: ConnectionId,
        reason: CloseReason,
        step: &mut Step<'_>,
    ) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        if !session.is_closing() {
            session.close();
            step.effects.push(Effect::Close { connection, reason });
        }
    }

    pub(super) fn disconnected(&mut self, connection: ConnectionId, step: &mut Step<'_>) {
        if self.sessions.remove(&connection).is_none() {
            return;
        }
        // Nobody waits for these any more.
        let first = RequestId { connection, number: 0 };
        let last = RequestId { connection, number: u64::MAX };
        let pending: alloc::vec::Vec<_> =
            self.pending.range(first..=last).map(|(id, _)| *id).collect();
        for id in pending {
            self.forget(id, step);
        }
    }

    /// Where the client of a request is.
    pub(crate) fn host_of(&self, id: RequestId) -> &str {
        self.sessions.get(&id.connection).map_or("", |session| session.host())
    }

    /// Answers a request.
    pub(crate) fn answer(
        &mut self,
        id: RequestId,
        response: impl Into<Response>,
        step: &mut Step<'_>,
    ) {
        let Some(session) = self.sessions.get_mut(&id.connection) else { return };
        let Some(asked) = session.asked(id.number) else { return };
        let mut response = response.into();
        if let Response::JoinGroup(joined) = &mut response {
            joined.fit(asked.version);
        }
        if response.has_error() {
            *self.request_errors.entry(asked.key).or_default() += 1;
        }
        let frame = encode(&mut self.buffer, asked, &response);
        session.answer(id, Some(frame), step.effects);
        self.unblocked.push(id.connection);
    }

    /// A request that wants no answer is done.
    pub(crate) fn answer_nothing(&mut self, id: RequestId, step: &mut Step<'_>) {
        let Some(session) = self.sessions.get_mut(&id.connection) else { return };
        if session.asked(id.number).is_some() {
            session.answer(id, None, step.effects);
            self.unblocked.push(id.connection);
        }
    }
}

/// How much room the buffer gets that responses are encoded into.
const BUFFER_BYTES: usize = 64 << 10;

fn encode(buffer: &mut bytes::BytesMut, asked: Asked, response: &Response) -> Frame {
    let Asked { key, version, correlation_id } = asked;
    if buffer.capacity() < BUFFER_BYTES / 16 {
        buffer.reserve(BUFFER_BYTES);
    }
    let mut writer = Writer::with_buffer(core::mem::take(buffer));
    writer.begin_frame();
    encode_response_header(&mut writer, key, version, correlation_id);
    response.encode(&mut writer, version);
    writer.finish_frame(buffer)
}
