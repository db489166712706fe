//! A client's connection to a broker: requests go out in order, and their answers come back in order.

use std::{collections::VecDeque, fmt, net::SocketAddr, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use ottla::world::{Outgoing, Reader as _, Writer as _};
use ottla_core::wire::{
    ApiKey, Reader, RequestHeader, Wire, Writer, api::RequestMessage, decode_response_header,
};

use super::recorder::Recorder;
use crate::{
    net::{NetReader, NetWriter, NodeNet},
    timers::Timers,
};

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// It cannot have arrived.
    pub never_sent: bool,
    /// Why.
    pub reason: String,
}

impl Unanswered {
    fn after_sending(reason: impl Into<String>) -> Self {
        Self { never_sent: false, reason: reason.into() }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// A request that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub correlation_id: i32,
    key: ApiKey,
    version: i16,
}

impl Default for Waiting {
    /// One that is never answered.
    fn default() -> Self {
        Self { correlation_id: 0, key: ApiKey::Produce, version: 0 }
    }
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    reader: NetReader,
    writer: NetWriter,
    timers: Timers,
    recorder: Recorder,
    client_id: String,
    buffer: BytesMut,
    correlation_id: i32,
    waiting: VecDeque<Waiting>,
}

/// Within `limit`, or not at all.
pub async fn within<T>(
    timers: &Timers,
    limit: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        value = future => Some(value),
        () = timers.sleep(limit) => None,
    }
}

impl Connection {
    /// Connects.
    pub async fn open(
        net: &NodeNet,
        address: SocketAddr,
        timers: &Timers,
        recorder: &Recorder,
        client_id: &str,
        limit: Duration,
    ) -> Result<Self, Unanswered> {
        let never = |reason| Unanswered { never_sent: true, reason };
        match within(timers, limit, net.connect(address)).await {
            None => Err(never("connecting took too long".into())),
            Some(Err(error)) => Err(never(format!("no connection: {error}"))),
            Some(Ok((reader, writer))) => Ok(Self {
                reader,
                writer,
                timers: timers.clone(),
                recorder: recorder.clone(),
                client_id: client_id.to_owned(),
                buffer: BytesMut::new(),
                correlation_id: 0,
                waiting: VecDeque::new(),
            }),
        }
    }

    /// Sends a request. Produce without acknowledgement is not answered, and so not waited for.
    pub async fn send<R: RequestMessage>(
        &mut self,
        request: &R,
        version: i16,
        is_answered: bool,
    ) -> Result<Waiting, Unanswered> {
        self.correlation_id += 1;
        let correlation_id = self.correlation_id;
        let mut frame = Writer::new();
        frame.put_i32(0);
        let client_id = Some(self.client_id.clone());
        RequestHeader { key: R::KEY, version, correlation_id, client_id }.encode(&mut frame);
        request.encode(&mut frame, R::KEY.version(version));
        let length = i32::try_from(frame.len() - 4).unwrap_or(i32::MAX);
        let mut frame = frame.into_buffer();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        let waiting = Waiting { correlation_id, key: R::KEY, version };
        if is_answered {
            self.waiting.push_back(waiting);
        }
        let written = self.writer.write(vec![Outgoing::Bytes(frame.freeze())]).await;
        written.map_err(|error| Unanswered::after_sending(format!("writing: {error}")))?;
        Ok(waiting)
    }

    /// The next answer: to which request, and what. May be cancelled.
    pub async fn receive(&mut self) -> Result<(Waiting, Bytes), Unanswered> {
        loop {
            if let Some(frame) = self.take_frame() {
                let correlation_id = (&frame[..4]).get_i32();
                let Some(first) = self.waiting.pop_front() else {
                    let detail = format!("{correlation_id} was answered, and nothing was asked");
                    return Err(self.out_of_order(detail));
                };
                if first.correlation_id != correlation_id {
                    let first = first.correlation_id;
                    let detail = format!("{correlation_id} was answered before {first}");
                    return Err(self.out_of_order(detail));
                }
                return Ok((first, frame));
            }
            match self.reader.read(&mut self.buffer).await {
                Ok(0) => return Err(Unanswered::after_sending("the connection ended")),
                Ok(_) => {}
                Err(error) => return Err(Unanswered::after_sending(format!("reading: {error}"))),
            }
        }
    }

    fn out_of_order(&self, detail: String) -> Unanswered {
        self.recorder.violation("answers come in the order of the requests", detail.clone());
        Unanswered::after_sending(detail)
    }

    fn take_frame(&mut self) -> Option<Bytes> {
        self.buffer.reserve(4 << 10);
        let head: [u8; 4] = self.buffer.get(..4)?.try_into().ok()?;
        let length = usize::try_from(i32::from_be_bytes(head)).ok()?;
        if self.buffer.len() < 4 + length {
            return None;
        }
        self.buffer.advance(4);
        Some(self.buffer.split_to(length).freeze())
    }

    /// Reads the answer to a request.
    pub fn decode<R: RequestMessage>(
        &self,
        waiting: Waiting,
        frame: Bytes,
    ) -> Result<R::Response, Unanswered> {
        let mut reader = Reader::new(frame);
        let answer = decode_response_header(&mut reader, waiting.key, waiting.version)
            .and_then(|_| R::Response::decode(&mut reader, waiting.key.version(waiting.version)))
            .and_then(|answer| reader.finish().map(|()| answer));
        answer.map_err(|error| {
            let detail = format!("{} {}: {error}", waiting.key.name(), waiting.version);
            self.recorder.violation("answers can be read", detail.clone());
            Unanswered::after_sending(detail)
        })
    }

    /// Asks, and waits for the answer. Nothing else may be under way.
    pub async fn call<R: RequestMessage>(
        &mut self,
        request: &R,
        version: i16,
        limit: Duration,
    ) -> Result<R::Response, Unanswered> {
        let timers = self.timers.clone();
        let exchange = async {
            let waiting = self.send(request, version, true).await?;
            let (answered, frame) = self.receive().await?;
            debug_assert_eq!(answered, waiting);
            self.decode::<R>(answered, frame)
        };
        let answer = within(&timers, limit, exchange).await;
        answer.unwrap_or_else(|| Err(Unanswered::after_sending("no answer in time")))
    }
}
