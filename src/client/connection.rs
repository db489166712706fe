//! One connection to one broker: requests go out in order, as many as wish to be under way, and are answered in order.
//!
//! Two tasks serve it. The writer hands each request's place in line to the reader before it writes, so that the reader
//! always knows whose the next response is. Either ends when the connection is dropped and no answer is waited for.

use std::{
    marker::PhantomData,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use ottla_core::wire::{ApiKey, DecodeError, Reader, Wire, api::RequestMessage};
use tokio::{
    io::{AsyncWriteExt, ReadHalf, WriteHalf},
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

use super::{
    Address, CallError, ClientConfig, ConnectionEnd,
    frames::{ResponseReader, encode_request},
    versions::Versions,
};

/// Requests that wait to be written; a caller beyond them waits.
const OUTGOING_MAX: usize = 64;

/// One connection to one broker.
#[derive(Debug)]
pub struct Connection {
    address: Address,
    client_id: String,
    request_timeout: Duration,
    versions: Versions,
    next_correlation_id: AtomicI32,
    outgoing: mpsc::Sender<Outgoing>,
    end: Arc<OnceLock<ConnectionEnd>>,
    /// Dropped with the connection, which the reader notices.
    _open: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Outgoing {
    correlation_id: i32,
    frame: Bytes,
    /// None where the broker does not answer.
    answer: Option<oneshot::Sender<Bytes>>,
}

#[derive(Debug)]
struct Waiting {
    correlation_id: i32,
    answer: oneshot::Sender<Bytes>,
}

/// How a call differs from the usual.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallOptions {
    /// Use no later version than this.
    pub version_max: Option<i16>,
    /// Wait this long for the answer, rather than as the client is configured.
    pub timeout: Option<Duration>,
}

impl Connection {
    /// Connects, and learns which versions the broker speaks.
    pub async fn open(address: Address, config: &ClientConfig) -> Result<Self, CallError> {
        let target = (address.host.as_str(), address.port);
        let stream = match timeout(config.connect_timeout, TcpStream::connect(target)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(CallError::Connect { address, kind: error.kind() }),
            Err(_) => {
                return Err(CallError::ConnectTimedOut { address, after: config.connect_timeout });
            }
        };
        // A request that waits for company would only be late.
        if let Err(error) = stream.set_nodelay(true) {
            return Err(CallError::Connect { address, kind: error.kind() });
        }
        let (read_half, write_half) = tokio::io::split(stream);
        let (outgoing, queue) = mpsc::channel(OUTGOING_MAX);
        let (waiting, line) = mpsc::unbounded_channel();
        let (open, closed) = oneshot::channel();
        let end = Arc::new(OnceLock::new());
        tokio::spawn(write(write_half, queue, waiting, Arc::clone(&end)));
        tokio::spawn(read(ResponseReader::new(read_half), line, closed, Arc::clone(&end)));
        let mut connection = Self {
            address,
            client_id: config.client_id.clone(),
            request_timeout: config.request_timeout,
            versions: Versions::default(),
            next_correlation_id: AtomicI32::new(0),
            outgoing,
            end,
            _open: open,
        };
        connection.versions = Versions::negotiate(&connection).await?;
        Ok(connection)
    }

    /// Whose connection it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Why the connection no longer serves, if so.
    pub fn end(&self) -> Option<ConnectionEnd> {
        self.end.get().copied()
    }

    /// The version in which the API is spoken on this connection: the highest that both sides know, and no later than
    /// `version_max`.
    pub fn version(&self, key: ApiKey, version_max: Option<i16>) -> Result<i16, CallError> {
        self.versions.common(key, version_max).map_err(|offered| CallError::Unsupported {
            address: self.address.clone(),
            key,
            offered,
        })
    }

    /// Sends a request and returns once it stands in line: requests that one task starts arrive in that order.
    pub async fn start<R: RequestMessage>(
        self: &Arc<Self>,
        request: &R,
        options: CallOptions,
    ) -> Result<Reply<R>, CallError> {
        let version = self.version(R::KEY, options.version_max)?;
        let (answer, receiver) = oneshot::channel();
        self.enqueue(request, version, Some(answer)).await?;
        let after = options.timeout.unwrap_or(self.request_timeout);
        Ok(Reply {
            connection: Arc::clone(self),
            receiver,
            version,
            deadline: Instant::now() + after,
            after,
            request: PhantomData,
        })
    }

    /// Sends a request that the broker does not answer: a Produce without acknowledgement.
    pub async fn send_unanswered<R: RequestMessage>(
        &self,
        request: &R,
        options: CallOptions,
    ) -> Result<(), CallError> {
        let version = self.version(R::KEY, options.version_max)?;
        self.enqueue(request, version, None).await
    }

    /// Sends a request and waits for the answer.
    pub async fn call<R: RequestMessage>(
        self: &Arc<Self>,
        request: &R,
        options: CallOptions,
    ) -> Result<R::Response, CallError> {
        self.start(request, options).await?.wait().await
    }

    /// Sends a request in a version that was not negotiated, and returns the answer as bytes.
    pub(super) async fn call_raw<R: RequestMessage>(
        &self,
        request: &R,
        version: i16,
    ) -> Result<Bytes, CallError> {
        let (answer, receiver) = oneshot::channel();
        self.enqueue(request, version, Some(answer)).await?;
        match timeout(self.request_timeout, receiver).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_)) => Err(self.lost()),
            Err(_) => Err(self.timed_out(R::KEY, self.request_timeout)),
        }
    }

    async fn enqueue<R: RequestMessage>(
        &self,
        request: &R,
        version: i16,
        answer: Option<oneshot::Sender<Bytes>>,
    ) -> Result<(), CallError> {
        if self.end().is_some() {
            return Err(self.lost());
        }
        let correlation_id = self.next_correlation_id.fetch_add(1, Ordering::Relaxed);
        let frame = encode_request(request, version, correlation_id, &self.client_id);
        let outgoing = Outgoing { correlation_id, frame, answer };
        self.outgoing.send(outgoing).await.map_err(|_| self.lost())
    }

    fn lost(&self) -> CallError {
        let end = self.end().unwrap_or(ConnectionEnd::Closed);
        CallError::Lost { address: self.address.clone(), end }
    }

    fn timed_out(&self, key: ApiKey, after: Duration) -> CallError {
        let _ = self.end.set(ConnectionEnd::TimedOut);
        CallError::TimedOut { address: self.address.clone(), key, after }
    }

    pub(super) fn malformed(&self, key: ApiKey, version: i16, error: DecodeError) -> CallError {
        CallError::Malformed { address: self.address.clone(), key, version, error }
    }
}

/// An answer that is on its way.
#[derive(Debug)]
pub struct Reply<R> {
    connection: Arc<Connection>,
    receiver: oneshot::Receiver<Bytes>,
    version: i16,
    deadline: Instant,
    after: Duration,
    request: PhantomData<fn() -> R>,
}

impl<R: RequestMessage> Reply<R> {
    /// Waits for the answer. May be cancelled and called again, until it has answered once.
    pub async fn wait(&mut self) -> Result<R::Response, CallError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let response = match timeout(left, &mut self.receiver).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => return Err(self.connection.lost()),
            Err(_) => return Err(self.connection.timed_out(R::KEY, self.after)),
        };
        decode::<R>(response, self.version)
            .map_err(|error| self.connection.malformed(R::KEY, self.version, error))
    }
}

fn decode<R: RequestMessage>(response: Bytes, version: i16) -> Result<R::Response, DecodeError> {
    let mut reader = Reader::new(response);
    ottla_core::wire::decode_response_header(&mut reader, R::KEY, version)?;
    let answer = R::Response::decode(&mut reader, R::KEY.version(version))?;
    reader.finish()?;
    Ok(answer)
}

async fn write(
    mut stream: WriteHalf<TcpStream>,
    mut queue: mpsc::Receiver<Outgoing>,
    waiting: mpsc::UnboundedSender<Waiting>,
    end: Arc<OnceLock<ConnectionEnd>>,
) {
    while let Some(first) = queue.recv().await {
        let mut next = Some(first);
        while let Some(Outgoing { correlation_id, frame, answer }) = next {
            if let Some(answer) = answer
                && waiting.send(Waiting { correlation_id, answer }).is_err()
            {
                return;
            }
            if let Err(error) = stream.write_all(&frame).await {
                let _ = end.set(ConnectionEnd::Io(error.kind()));
                return;
            }
            next = queue.try_recv().ok();
        }
        if let Err(error) = stream.flush().await {
            let _ = end.set(ConnectionEnd::Io(error.kind()));
            return;
        }
    }
}

async fn read(
    mut responses: ResponseReader<ReadHalf<TcpStream>>,
    mut line: mpsc::UnboundedReceiver<Waiting>,
    mut closed: oneshot::Receiver<()>,
    end: Arc<OnceLock<ConnectionEnd>>,
) {
    loop {
        let response = tokio::select! {
            biased;
            _ = &mut closed => return,
            response = responses.next() => response,
        };
        // Its place in line was taken before it was written, so it is there.
        let outcome = response.and_then(|(correlation_id, response)| match line.try_recv() {
            Ok(waiting) if waiting.correlation_id == correlation_id => Ok((waiting, response)),
            _ => Err(ConnectionEnd::UnexpectedResponse { correlation_id }),
        });
        match outcome {
            // Who asked may have given up.
            Ok((waiting, response)) => drop(waiting.answer.send(response)),
            Err(why) => {
                let _ = end.set(why);
                return;
            }
        }
    }
}
