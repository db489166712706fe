//! Requests as frames, and the frames of responses.

use bytes::{Buf, Bytes, BytesMut};
use ottla_core::wire::{RequestHeader, Writer, api::RequestMessage};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::ConnectionEnd;

/// The largest response that is read. A fetch stays below it by what it asks for.
const RESPONSE_BYTES_MAX: usize = 512 << 20;
const LENGTH_BYTES: usize = 4;
const CORRELATION_ID_BYTES: usize = 4;
const READ_BYTES: usize = 64 << 10;

/// A request with its header, led by its length.
pub(super) fn encode_request<R: RequestMessage>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: &str,
) -> Bytes {
    let mut frame = Writer::new();
    frame.put_i32(0);
    let client_id = Some(client_id.to_owned());
    RequestHeader { key: R::KEY, version, correlation_id, client_id }.encode(&mut frame);
    request.encode(&mut frame, R::KEY.version(version));
    let length = i32::try_from(frame.len() - LENGTH_BYTES).expect("a request is below 2 GiB");
    let mut frame = frame.into_buffer();
    frame[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    frame.freeze()
}

/// Cuts what a broker sends into responses.
pub(super) struct ResponseReader<S> {
    stream: S,
    buffer: BytesMut,
}

impl<S: AsyncRead + Unpin> ResponseReader<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// The next response: its correlation id, and the whole of it without its length. May be cancelled without loss.
    pub(super) async fn next(&mut self) -> Result<(i32, Bytes), ConnectionEnd> {
        loop {
            if let Some(response) = self.take_response()? {
                return Ok(response);
            }
            // Memory grows with the bytes that arrive, not with the length that is announced.
            self.buffer.reserve(READ_BYTES.max(self.buffer.len()));
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => return Err(ConnectionEnd::Closed),
                Ok(_) => {}
                Err(error) => return Err(ConnectionEnd::Io(error.kind())),
            }
        }
    }

    fn take_response(&mut self) -> Result<Option<(i32, Bytes)>, ConnectionEnd> {
        let Some(head) = self.buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let announced = i32::from_be_bytes(*head);
        let length = usize::try_from(announced)
            .ok()
            .filter(|length| (CORRELATION_ID_BYTES..=RESPONSE_BYTES_MAX).contains(length))
            .ok_or(ConnectionEnd::ResponseLength(announced))?;
        if self.buffer.len() < LENGTH_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(LENGTH_BYTES);
        let response = self.buffer.split_to(length).freeze();
        let mut head = &response[..CORRELATION_ID_BYTES];
        Ok(Some((head.get_i32(), response)))
    }
}

#[cfg(test)]
mod tests {
    use ottla_core::wire::messages::heartbeat::HeartbeatRequest;

    use super::*;

    #[test]
    fn a_request_is_led_by_its_length_and_header() {
        let frame = encode_request(&HeartbeatRequest::default(), 0, 7, "me");
        assert_eq!(
            &frame[..],
            [
                0, 0, 0, 20, // length
                0, 12, 0, 0, 0, 0, 0, 7, 0, 2, b'm',
                b'e', // key, version, correlation id, client
                0, 0, 0, 0, 0, 0, 0, 0, // group, generation, member
            ]
        );
    }

    #[test]
    fn responses_are_cut_from_the_stream_and_a_wild_length_ends_it() {
        let mut reader = ResponseReader::new(tokio::io::empty());
        reader.buffer.extend_from_slice(&[0, 0, 0, 6, 0, 0, 0, 1, 9, 9, 0, 0, 0, 4, 0, 0]);
        let first = Bytes::from_static(&[0, 0, 0, 1, 9, 9]);
        assert_eq!(reader.take_response(), Ok(Some((1, first))));
        assert_eq!(reader.take_response(), Ok(None));
        reader.buffer.extend_from_slice(&[0, 2]);
        assert_eq!(reader.take_response(), Ok(Some((2, Bytes::from_static(&[0, 0, 0, 2])))));
        reader.buffer.extend_from_slice(&[0xff, 0xff, 0xff, 0xff]);
        assert_eq!(reader.take_response(), Err(ConnectionEnd::ResponseLength(-1)));
    }
}
