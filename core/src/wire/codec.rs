//! Kafka's primitive types, read and written.
//!
//! Reading is bounded: a count or a length that the peer sends never allocates more than the bytes that came with it
//! can fill. Reading copies strings, and slices [`Bytes`] out of the frame without a copy.

use alloc::{string::String, vec::Vec};
use core::{fmt, ops::RangeBounds};

use bytes::{Buf, Bytes};

use super::frame::Writer;
use crate::{disk::FileRange, types::Uuid};

/// Why bytes are not the message that they claim to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The message ends before its last field.
    Truncated,
    /// A length or count is negative, which is null, where null is not allowed.
    NullNotAllowed,
    /// A length or count is larger than what is left of the message.
    LengthTooLarge,
    /// A variable-length integer does not end within its type's width.
    VarintTooLong,
    /// A tagged field appears twice or out of order.
    TagOrder,
    /// Bytes are left over after the last field.
    TrailingBytes,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the message ends before its last field",
            Self::NullNotAllowed => "null stands where a value is required",
            Self::LengthTooLarge => "a length is larger than the message",
            Self::VarintTooLong => "a variable-length integer is too long",
            Self::TagOrder => "tagged fields are not in ascending order",
            Self::TrailingBytes => "bytes are left over after the last field",
        })
    }
}

impl core::error::Error for DecodeError {}

/// The version of one message: its number, and whether it uses the flexible encoding of KIP-482.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// The API version that the request header names.
    pub number: i16,
    /// Compact lengths and tagged fields.
    pub flexible: bool,
}

impl Version {
    /// Whether the version lies in `versions`.
    #[inline]
    pub fn within(self, versions: impl RangeBounds<i16>) -> bool {
        versions.contains(&self.number)
    }
}

/// A cursor over a frame.
#[derive(Debug, Clone)]
pub struct Reader {
    bytes: Bytes,
}

impl Reader {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// What is left, without consuming it.
    pub fn rest(&self) -> &Bytes {
        &self.bytes
    }

    /// Fails unless everything was read.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }

    /// The next `count` bytes, sliced out of the frame.
    pub fn take(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        if count > self.bytes.len() {
            return Err(DecodeError::Truncated);
        }
        Ok(self.bytes.split_to(count))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some(value) = self.bytes.first_chunk::<N>().copied() else {
            return Err(DecodeError::Truncated);
        };
        self.bytes.advance(N);
        Ok(value)
    }

    /// An unsigned LEB128 integer of at most 32 bits.
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.fixed::<1>()?;
            if shift == 28 && byte > 0x0f {
                return Err(DecodeError::VarintTooLong);
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::VarintTooLong)
    }

    /// A length or count, `None` for null: compact (plus one, as an unsigned varint) or 32 bits wide. As in Kafka, null is
    /// any negative number.
    fn length(&mut self, version: Version) -> Result<Option<usize>, DecodeError> {
        let length = if version.flexible {
            i64::from(self.unsigned_varint()?) - 1
        } else {
            i64::from(i32::from_be_bytes(self.fixed()?))
        };
        self.checked_length(length)
    }

    /// As [`Self::length`], but 16 bits wide when not compact.
    fn string_length(&mut self, version: Version) -> Result<Option<usize>, DecodeError> {
        if version.flexible {
            return self.length(version);
        }
        let length = i64::from(i16::from_be_bytes(self.fixed()?));
        self.checked_length(length)
    }

    fn checked_length(&self, length: i64) -> Result<Option<usize>, DecodeError> {
        match usize::try_from(length) {
            Ok(length) if length <= self.remaining() => Ok(Some(length)),
            Ok(_) => Err(DecodeError::LengthTooLarge),
            Err(_) => Ok(None),
        }
    }

    /// Reads the tagged fields of KIP-482: `known` is called with each tag and a reader over its value, and says whether
    /// it knew the tag. An unknown tag is skipped.
    pub fn tagged_fields(
        &mut self,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        let count = self.unsigned_varint()?;
        let mut last = None;
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            if last.is_some_and(|last| last >= tag) {
                return Err(DecodeError::TagOrder);
            }
            last = Some(tag);
            let size = self.unsigned_varint()? as usize;
            let mut value = Self::new(self.take(size)?);
            if known(tag, &mut value)? {
                value.finish()?;
            }
        }
        Ok(())
    }
}

/// Writes an unsigned LEB128 integer.
pub fn put_unsigned_varint(writer: &mut Writer, mut value: u32) {
    while value >= 0x80 {
        writer.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    writer.put_u8((value & 0x7f) as u8);
}

/// How many bytes [`put_unsigned_varint`] writes.
pub fn unsigned_varint_size(value: u32) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        0x1000_0000.. => 5,
    }
}

/// Writes a length or count (`None` is null) of a byte string or an array.
pub fn put_length(writer: &mut Writer, version: Version, length: Option<usize>) {
    let length = length.map(message_length);
    if version.flexible {
        put_unsigned_varint(writer, length.map_or(0, |length| length.cast_unsigned() + 1));
    } else {
        writer.put_i32(length.unwrap_or(-1));
    }
}

fn put_string_length(writer: &mut Writer, version: Version, length: Option<usize>) {
    if version.flexible {
        put_length(writer, version, length);
    } else {
        let length = length.map_or(-1, |length| i16::try_from(length).unwrap_or(i16::MAX));
        writer.put_i16(length);
    }
}

/// A length that the protocol can carry. Messages are built by us, far below 2 GiB.
fn message_length(length: usize) -> i32 {
    i32::try_from(length).expect("a message is smaller than 2 GiB")
}

/// Writes a tagged field: tag, size, value.
pub fn put_tagged_field<T: Wire>(writer: &mut Writer, version: Version, tag: u32, value: &T) {
    let mut encoded = Writer::new();
    value.encode(&mut encoded, version);
    put_unsigned_varint(writer, tag);
    put_unsigned_varint(writer, message_length(encoded.len()).cast_unsigned());
    writer.put_slice(encoded.as_slice());
}

/// A value with a place on the wire.
pub trait Wire: Sized {
    /// Reads the value.
    fn decode(reader: &mut Reader, version: Version) -> Result<Self, DecodeError>;
    /// Appends the value.
    fn encode(&self, writer: &mut Writer, version: Version);
    /// Whether there is an error code in it that tells of an error.
    #[inline]
    fn has_error(&self) -> bool {
        false
    }
    /// Whether it tells of an error if it is an error code.
    #[inline]
    fn is_error(&self) -> bool {
        false
    }
}

/// A value that has an encoding of null, so that `Option` of it has a place on the wire.
pub trait Nullable: Sized {
    /// Reads the value or null.
    fn decode_nullable(reader: &mut Reader, version: Version) -> Result<Option<Self>, DecodeError>;
    /// Appends the value or null.
    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, version: Version);
    /// Whether there is an error code in the value that tells of an error.
    #[inline]
    fn holds_error(&self) -> bool {
        false
    }
}

impl<T: Nullable> Wire for Option<T> {
    #[inline]
    fn decode(reader: &mut Reader, version: Version) -> Result<Self, DecodeError> {
        T::decode_nullable(reader, version)
    }
    #[inline]
    fn encode(&self, writer: &mut Writer, version: Version) {
        T::encode_nullable(self.as_ref(), writer, version);
    }
    #[inline]
    fn has_error(&self) -> bool {
        self.as_ref().is_some_and(T::holds_error)
    }
}

macro_rules! fixed_width {
    ($($type:ty, $put:ident;)*) => {$(
        impl Wire for $type {
            #[inline]
            fn decode(reader: &mut Reader, _: Version) -> Result<Self, DecodeError> {
                Ok(Self::from_be_bytes(reader.fixed()?))
            }
            #[inline]
            fn encode(&self, writer: &mut Writer, _: Version) {
                writer.$put(*self);
            }
            #[inline]
            fn is_error(&self) -> bool {
                *self != 0
            }
        }
    )*};
}
fixed_width! { i8, put_i8; i16, put_i16; u16, put_u16; i32, put_i32; u32, put_u32; i64, put_i64; }

impl Wire for bool {
    fn decode(reader: &mut Reader, _: Version) -> Result<Self, DecodeError> {
        Ok(reader.fixed::<1>()? != [0])
    }
    fn encode(&self, writer: &mut Writer, _: Version) {
        writer.put_u8(u8::from(*self));
    }
}

impl Wire for Uuid {
    fn decode(reader: &mut Reader, _: Version) -> Result<Self, DecodeError> {
        Ok(Self::from_bytes(reader.fixed()?))
    }
    fn encode(&self, writer: &mut Writer, _: Version) {
        writer.put_slice(&self.to_bytes());
    }
}

/// Null is not allowed unless the field is an `Option`.
macro_rules! never_null {
    ($type:ty $(, $generic:ident)?) => {
        impl$(<$generic: Wire>)? Wire for $type {
            #[inline]
            fn decode(reader: &mut Reader, version: Version) -> Result<Self, DecodeError> {
                Self::decode_nullable(reader, version)?.ok_or(DecodeError::NullNotAllowed)
            }
            #[inline]
            fn encode(&self, writer: &mut Writer, version: Version) {
                Self::encode_nullable(Some(self), writer, version);
            }
            #[inline]
            fn has_error(&self) -> bool {
                self.holds_error()
            }
        }
    };
}
never_null!(String);
never_null!(Bytes);
never_null!(Vec<T>, T);

impl Nullable for String {
    fn decode_nullable(reader: &mut Reader, version: Version) -> Result<Option<Self>, DecodeError> {
        let Some(length) = reader.string_length(version)? else { return Ok(None) };
        // What is not UTF-8 is read as U+FFFD, as Java does it.
        let text = Self::from_utf8_lossy(&reader.bytes[..length]).into_owned();
        reader.bytes.advance(length);
        Ok(Some(text))
    }
    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, version: Version) {
        // Without the flexible encoding a string is at most 32,767 bytes long: cut at a character, never mid-way.
        let text = value.map(|text| {
            if version.flexible { text } else { &text[..text.floor_char_boundary(32_767)] }
        });
        put_string_length(writer, version, text.map(str::len));
        writer.put_slice(text.unwrap_or_default().as_bytes());
    }
}

impl Nullable for Bytes {
    fn decode_nullable(reader: &mut Reader, version: Version) -> Result<Option<Self>, DecodeError> {
        reader.length(version)?.map(|length| reader.take(length)).transpose()
    }
    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, version: Version) {
        put_length(writer, version, value.map(Self::len));
        writer.put_slice(value.map_or(&[], |bytes| bytes));
    }
}

/// The records of a partition in a response: bytes, or the range of a file that holds them, which the shell sends without
/// their passing through here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RecordData {
    /// The batches themselves.
    Bytes(Bytes),
    /// Where the batches are.
    Range(FileRange),
}

impl RecordData {
    /// How many bytes the batches have.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Range(range) => usize::try_from(range.length).expect("a response fits memory"),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for RecordData {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl Nullable for RecordData {
    fn decode_nullable(reader: &mut Reader, version: Version) -> Result<Option<Self>, DecodeError> {
        Ok(Bytes::decode_nullable(reader, version)?.map(Self::Bytes))
    }
    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, version: Version) {
        put_length(writer, version, value.map(Self::len));
        match value {
            None => {}
            Some(Self::Bytes(bytes)) => writer.put_slice(bytes),
            Some(Self::Range(range)) => writer.put_range(*range),
        }
    }
}

/// How many elements to make room for at once. A count is the peer's word, and an element in memory can be thirty times
/// as large as on the wire; a longer array grows as its elements arrive.
const ELEMENTS_AT_ONCE: usize = 64;

impl<T: Wire> Nullable for Vec<T> {
    fn decode_nullable(reader: &mut Reader, version: Version) -> Result<Option<Self>, DecodeError> {
        // An element takes a byte at least, so a count is a length as well.
        let Some(count) = reader.length(version)? else { return Ok(None) };
        let mut elements = Self::with_capacity(count.min(ELEMENTS_AT_ONCE));
        for _ in 0..count {
            elements.push(T::decode(reader, version)?);
        }
        Ok(Some(elements))
    }
    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, version: Version) {
        put_length(writer, version, value.map(Self::len));
        for element in value.into_iter().flatten() {
            element.encode(writer, version);
        }
    }
    fn holds_error(&self) -> bool {
        self.iter().any(Wire::has_error)
    }
}
