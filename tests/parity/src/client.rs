//! A connection to a broker.

use std::{
    fmt::{self, Debug},
    io::{self, Read, Write},
    marker::PhantomData,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use bytes::{BufMut, Bytes};
use ottla_core::wire::{
    DecodeError, Reader, RequestHeader, Wire, Writer, api::RequestMessage, decode_response_header,
    encode_response_header,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// No answer of Kafka's is near this; a larger length is a broken frame.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// What the client calls itself, unless a case says otherwise.
pub(crate) const CLIENT_ID: &str = "parity";

/// A request that can be shown, as can its answer.
pub(crate) trait Ask: RequestMessage<Response: Debug> + Debug + Default {}

impl<R: RequestMessage<Response: Debug> + Debug + Default> Ask for R {}

/// Why a case came to no end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection could not be made or used.
    Io(io::Error),
    /// The broker closed the connection instead of answering.
    Closed,
    /// The broker did not answer in time.
    TimedOut,
    /// The answer is not what the codec reads and writes.
    Codec(String),
    /// The answer was not what the case needs to go on.
    Unexpected(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "connection: {error}"),
            Self::Closed => f.write_str("the broker closed the connection"),
            Self::TimedOut => f.write_str("the broker did not answer"),
            Self::Codec(what) => write!(f, "codec: {what}"),
            Self::Unexpected(what) => f.write_str(what),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let is_one_of = |kinds: &[io::ErrorKind]| kinds.contains(&error.kind());
        if is_one_of(&[io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut]) {
            Self::TimedOut
        } else if is_one_of(&[
            io::ErrorKind::UnexpectedEof,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::ConnectionAborted,
            io::ErrorKind::BrokenPipe,
        ]) {
            Self::Closed
        } else {
            Self::Io(error)
        }
    }
}

/// What follows a request.
#[derive(Debug)]
pub(crate) enum Outcome<T> {
    /// An answer.
    Answer(T),
    /// The end of the connection.
    Closed,
    /// Nothing for as long as was waited; the connection stays.
    Silence,
}

impl<T> Outcome<T> {
    fn of(result: Result<T, Failure>) -> Result<Self, Failure> {
        match result {
            Ok(answer) => Ok(Self::Answer(answer)),
            Err(Failure::Closed) => Ok(Self::Closed),
            Err(Failure::TimedOut) => Ok(Self::Silence),
            Err(failure) => Err(failure),
        }
    }
}

/// A request that was sent and not yet answered.
#[derive(Debug)]
pub(crate) struct Sent<R> {
    version: i16,
    correlation_id: i32,
    request: PhantomData<R>,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    client_id: Option<String>,
    next_correlation_id: i32,
}

impl Client {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(Self { stream, client_id: Some(CLIENT_ID.to_owned()), next_correlation_id: 1 })
    }

    /// Names the client otherwise from now on.
    pub(crate) fn set_client_id(&mut self, client_id: Option<&str>) {
        self.client_id = client_id.map(str::to_owned);
    }

    /// Sends a request.
    pub(crate) fn send<R: Ask>(&mut self, version: i16, request: &R) -> Result<Sent<R>, Failure> {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        let header = RequestHeader {
            key: R::KEY,
            version,
            correlation_id,
            client_id: self.client_id.clone(),
        };
        let mut body = Writer::new();
        header.encode(&mut body);
        request.encode(&mut body, R::KEY.version(version));
        self.send_bytes(&frame(body.as_slice()))?;
        Ok(Sent { version, correlation_id, request: PhantomData })
    }

    /// Waits for the answer to a request.
    pub(crate) fn receive<R: Ask>(&mut self, sent: &Sent<R>) -> Result<R::Response, Failure> {
        decode::<R>(self.receive_frame()?, sent.version, sent.correlation_id)
    }

    /// Waits this long for the answer to a request, and for the end of the connection.
    pub(crate) fn outcome<R: Ask>(
        &mut self,
        sent: &Sent<R>,
        patience: Duration,
    ) -> Result<Outcome<R::Response>, Failure> {
        self.with_patience(patience, |client| Outcome::of(client.receive(sent)))
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// As [`Self::outcome`], of a request that was put together byte by byte.
    pub(crate) fn raw_outcome<R: Ask>(
        &mut self,
        version: i16,
        patience: Duration,
    ) -> Result<Outcome<R::Response>, Failure> {
        self.with_patience(patience, |client| {
            let frame = client.receive_frame();
            Outcome::of(frame.and_then(|frame| decode::<R>(frame, version, RAW_CORRELATION_ID)))
        })
    }

    fn with_patience<T>(
        &mut self,
        patience: Duration,
        wait: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.stream.set_read_timeout(Some(patience))?;
        let result = wait(self);
        self.stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        result
    }

    fn receive_frame(&mut self) -> Result<Bytes, Failure> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = i32::from_be_bytes(length);
        let length = usize::try_from(length)
            .ok()
            .filter(|&length| length <= FRAME_BYTES_MAX)
            .ok_or_else(|| Failure::Codec(format!("a frame of {length} bytes")))?;
        let mut frame = vec![0; length];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }
}

/// The correlation id of requests that cases put together byte by byte.
const RAW_CORRELATION_ID: i32 = 77;

/// A request put together byte by byte: of any key and version, with any body.
pub(crate) fn raw_request(key: i16, version: i16, flexible: bool, body: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    request.put_i16(key);
    request.put_i16(version);
    request.put_i32(RAW_CORRELATION_ID);
    request.put_i16(i16::try_from(CLIENT_ID.len()).expect("a short name"));
    request.put_slice(CLIENT_ID.as_bytes());
    if flexible {
        request.put_u8(0);
    }
    request.put_slice(body);
    request
}

/// A frame with this content.
pub(crate) fn frame(content: &[u8]) -> Bytes {
    let length = i32::try_from(content.len()).expect("a request is smaller than 2 GiB");
    [&length.to_be_bytes(), content].concat().into()
}

/// Reads an answer to its last byte. Written again it must be the same bytes, or the codec lost something.
fn decode<R: Ask>(frame: Bytes, version: i16, correlation_id: i32) -> Result<R::Response, Failure> {
    let codec = |error: DecodeError| {
        Failure::Codec(format!("{} v{version} answer: {error}", R::KEY.name()))
    };
    let mut reader = Reader::new(frame.clone());
    let answered = decode_response_header(&mut reader, R::KEY, version).map_err(codec)?;
    if answered != correlation_id {
        return Err(Failure::Codec(format!("answer {answered} to request {correlation_id}")));
    }
    let response = R::Response::decode(&mut reader, R::KEY.version(version)).map_err(codec)?;
    reader.finish().map_err(codec)?;
    let mut written = Writer::new();
    encode_response_header(&mut written, R::KEY, version, correlation_id);
    response.encode(&mut written, R::KEY.version(version));
    let written = written.freeze();
    if written != frame {
        let at = written.iter().zip(&frame).take_while(|(a, b)| a == b).count();
        let name = R::KEY.name();
        return Err(Failure::Codec(format!(
            "{name} v{version} answer, written again, differs from byte {at} on: {frame:?}, {written:?}"
        )));
    }
    Ok(response)
}
