//! Frames: a 32-bit length, then as many bytes.

use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::ApiKey;
use crate::disk::FileRange;

/// A growing message, which may have ranges of files in it.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: BytesMut,
    /// Where a range belongs within the buffer, in ascending order.
    ranges: Vec<(usize, FileRange)>,
}

macro_rules! put {
    ($($name:ident: $type:ty;)*) => {$(
        /// Appends the number, most significant byte first.
        #[inline]
        pub fn $name(&mut self, value: $type) {
            self.buffer.$name(value);
        }
    )*};
}

impl Writer {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends to what is in `buffer` already.
    pub fn with_buffer(buffer: BytesMut) -> Self {
        Self { buffer, ranges: Vec::new() }
    }

    put! { put_u8: u8; put_i8: i8; put_i16: i16; put_u16: u16; put_i32: i32; put_u32: u32; put_i64: i64; }

    /// Appends bytes.
    #[inline]
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.buffer.put_slice(bytes);
    }

    /// Appends what a file holds.
    pub fn put_range(&mut self, range: FileRange) {
        if range.length > 0 {
            self.ranges.push((self.buffer.len(), range));
        }
    }

    /// What has been written, without the ranges.
    pub fn as_slice(&self) -> &[u8] {
        &self.buffer
    }

    /// How much has been written, the ranges included.
    pub fn len(&self) -> usize {
        let ranges: u64 = self.ranges.iter().map(|(_, range)| range.length).sum();
        self.buffer.len() + usize::try_from(ranges).expect("a message fits memory")
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.ranges.is_empty()
    }

    /// The message, which must have no ranges.
    pub fn freeze(self) -> Bytes {
        self.into_buffer().freeze()
    }

    /// What has been written, to be written to on; it must have no ranges.
    pub fn into_buffer(self) -> BytesMut {
        assert!(self.ranges.is_empty(), "a message of bytes alone");
        self.buffer
    }

    /// Begins a frame: leaves room for its length.
    pub fn begin_frame(&mut self) {
        self.put_u32(0);
    }

    /// Ends a frame that is all this writer holds: sets its length, and gives up its parts. `buffer` gets what capacity is
    /// left.
    pub fn finish_frame(mut self, buffer: &mut BytesMut) -> Frame {
        let length = u32::try_from(self.len() - LENGTH_BYTES).expect("a response fits 2 GiB");
        self.buffer[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
        let mut frame = Frame { first: Bytes::new(), rest: Vec::new() };
        let mut cut = 0;
        for (at, range) in self.ranges {
            frame.push(Piece::Bytes(self.buffer.split_to(at - cut).freeze()));
            frame.push(Piece::Range(range));
            cut = at;
        }
        let last = self.buffer.split().freeze();
        if !last.is_empty() {
            frame.push(Piece::Bytes(last));
        }
        *buffer = self.buffer;
        frame
    }
}

/// A part of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes.
    Bytes(Bytes),
    /// What a file holds.
    Range(FileRange),
}

/// A message ready to be sent, its length in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    first: Bytes,
    rest: Vec<Piece>,
}

impl Frame {
    fn push(&mut self, piece: Piece) {
        match piece {
            Piece::Bytes(bytes) if self.first.is_empty() => self.first = bytes,
            piece @ (Piece::Bytes(_) | Piece::Range(_)) => self.rest.push(piece),
        }
    }

    /// The bytes that it begins with: most often all of it.
    pub const fn first(&self) -> &Bytes {
        &self.first
    }

    /// What follows the first bytes.
    pub fn rest(&self) -> &[Piece] {
        &self.rest
    }
}

/// How large a frame may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimits {
    /// `socket.request.max.bytes`: of a Produce.
    pub produce_bytes_max: usize,
    /// Of any other request. Decoded, such a request takes up to thirty times its length in memory, and none that a
    /// client means seriously comes near.
    pub other_bytes_max: usize,
}

/// A length that ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// Too short for a request header, or negative.
    TooShort {
        /// The length that leads the frame.
        bytes: i32,
    },
    /// More than is allowed.
    TooLong {
        /// The length that leads the frame.
        bytes: usize,
        /// What is allowed.
        bytes_max: usize,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { bytes } => {
                write!(f, "a request of {bytes} bytes is too short to have a header")
            }
            Self::TooLong { bytes, bytes_max } => {
                write!(f, "a request of {bytes} bytes is longer than the allowed {bytes_max}")
            }
        }
    }
}

impl core::error::Error for FrameError {}

/// The least that a request header takes: key, version, correlation id, null as client id.
const HEADER_BYTES_MIN: i32 = 10;
const LENGTH_BYTES: usize = 4;

/// The least and the most to read from a socket at once. An idle connection keeps the least.
const READ_BYTES_MIN: usize = 4 << 10;
const READ_BYTES_MAX: usize = 256 << 10;

/// Cuts a connection's bytes into frames, without a copy where a frame arrives in one piece.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: BytesMut,
    limits: FrameLimits,
    /// How much to read next: doubled while reads fill it, halved while they do not.
    read_bytes: usize,
}

impl FrameDecoder {
    /// A decoder at the start of a connection.
    pub fn new(limits: FrameLimits) -> Self {
        Self { buffer: BytesMut::new(), limits, read_bytes: READ_BYTES_MIN }
    }

    /// Where to read to: has room for what is wanted next. Memory grows with the bytes that arrive, not with the length
    /// that a peer announces.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        let missing = self
            .frame_length()
            .map_or(0, |length| (LENGTH_BYTES + length).saturating_sub(self.buffer.len()));
        let least = if missing > 0 {
            missing.min(READ_BYTES_MAX.max(self.buffer.len()))
        } else {
            READ_BYTES_MIN
        };
        if self.buffer.capacity() - self.buffer.len() < least {
            self.buffer.reserve(least.max(self.read_bytes));
        }
        &mut self.buffer
    }

    /// Tells how much the last read brought, so that the next can be larger or smaller.
    pub fn note_read(&mut self, bytes: usize) {
        if bytes >= self.read_bytes {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
        } else if bytes < self.read_bytes / 4 {
            self.read_bytes = (self.read_bytes / 2).max(READ_BYTES_MIN);
        }
        if self.buffer.is_empty() && self.read_bytes == READ_BYTES_MIN {
            self.buffer = BytesMut::new();
        }
    }

    /// Whether part of a frame has arrived, but not all of it.
    pub fn is_mid_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// How much has arrived that no frame has taken.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// How long the frame is that is arriving, once its length has come.
    pub fn announced_bytes(&self) -> Option<usize> {
        self.frame_length()
    }

    /// The length that leads the buffer, if it is there and plausible.
    fn frame_length(&self) -> Option<usize> {
        let length = i32::from_be_bytes(*self.buffer.first_chunk()?);
        usize::try_from(length).ok()
    }

    /// The next frame without its length, or `None` when it has not arrived.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(head) = self.buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = i32::from_be_bytes(*head);
        if length < HEADER_BYTES_MIN {
            return Err(FrameError::TooShort { bytes: length });
        }
        let bytes = length.cast_unsigned() as usize;
        let FrameLimits { produce_bytes_max, other_bytes_max } = self.limits;
        if bytes > produce_bytes_max {
            return Err(FrameError::TooLong { bytes, bytes_max: produce_bytes_max });
        }
        let Some(key) = self.buffer[LENGTH_BYTES..].first_chunk() else { return Ok(None) };
        let bytes_max = if i16::from_be_bytes(*key) == ApiKey::Produce.code() {
            produce_bytes_max
        } else {
            other_bytes_max.min(produce_bytes_max)
        };
        if bytes > bytes_max {
            return Err(FrameError::TooLong { bytes, bytes_max });
        }
        if self.buffer.len() < LENGTH_BYTES + bytes {
            return Ok(None);
        }
        self.buffer.advance(LENGTH_BYTES);
        Ok(Some(self.buffer.split_to(bytes).freeze()))
    }
}
