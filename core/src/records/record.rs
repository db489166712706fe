//! The records within a batch, uncompressed.

use alloc::vec::Vec;

use super::varint;

/// One record, borrowed from its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The record as it stands in the batch, its length included.
    pub bytes: &'a [u8],
    /// Its offset less the batch's base offset.
    pub offset_delta: i32,
    /// Its timestamp less the batch's base timestamp.
    pub timestamp_delta: i64,
    /// The key, if there is one.
    pub key: Option<&'a [u8]>,
    /// The value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    headers: &'a [u8],
    header_count: i32,
    attributes: u8,
    /// What follows the timestamp.
    after_timestamp: &'a [u8],
}

impl<'a> Record<'a> {
    /// Appends the record to `buffer`, with another timestamp.
    pub fn put_with_timestamp(&self, timestamp_delta: i64, buffer: &mut Vec<u8>) {
        let mut front = Vec::with_capacity(11);
        front.push(self.attributes);
        varint::put(&mut front, timestamp_delta);
        let length = front.len() + self.after_timestamp.len();
        varint::put(buffer, i64::try_from(length).expect("a length fits 63 bits"));
        buffer.extend_from_slice(&front);
        buffer.extend_from_slice(self.after_timestamp);
    }

    /// The record's headers, in order.
    pub const fn headers(&self) -> Headers<'a> {
        Headers { rest: self.headers, left: self.header_count }
    }

    fn parse(rest: &mut &'a [u8]) -> Option<Self> {
        let whole = *rest;
        let length = usize::try_from(varint::take_i32(rest)?).ok()?;
        let (mut body, after) = rest.split_at_checked(length)?;
        *rest = after;
        let bytes = &whole[..whole.len() - after.len()];
        let (&attributes, behind) = body.split_first()?;
        body = behind;
        let timestamp_delta = varint::take(&mut body)?;
        let after_timestamp = body;
        let offset_delta = varint::take_i32(&mut body)?;
        let key = nullable_bytes(&mut body)?;
        let value = nullable_bytes(&mut body)?;
        let header_count = varint::take_i32(&mut body)?;
        if header_count < 0 {
            return None;
        }
        let headers = body;
        for _ in 0..header_count {
            parse_header(&mut body)?;
        }
        body.is_empty().then_some(Self {
            bytes,
            attributes,
            after_timestamp,
            offset_delta,
            timestamp_delta,
            key,
            value,
            headers,
            header_count,
        })
    }
}

fn nullable_bytes<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = varint::take_i32(rest)?;
    if length < 0 {
        return Some(None);
    }
    let (bytes, after) = rest.split_at_checked(length.cast_unsigned() as usize)?;
    *rest = after;
    Some(Some(bytes))
}

fn parse_header<'a>(rest: &mut &'a [u8]) -> Option<Header<'a>> {
    let key = core::str::from_utf8(nullable_bytes(rest)??).ok()?;
    Some(Header { key, value: nullable_bytes(rest)? })
}

/// A record's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name, which need not be unique.
    pub key: &'a str,
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// The headers of a record.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    rest: &'a [u8],
    left: i32,
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        // The record was parsed as a whole before its headers were given out.
        parse_header(&mut self.rest)
    }
}

/// A malformed record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidRecord;

/// The records of a batch's uncompressed body, to the last byte: the iterator ends with an error where bytes are malformed.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
    failed: bool,
}

impl<'a> Records<'a> {
    /// Over `body`: what follows the batch's header, uncompressed.
    pub const fn new(body: &'a [u8]) -> Self {
        Self { rest: body, failed: false }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, InvalidRecord>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.failed {
            return None;
        }
        let record = Record::parse(&mut self.rest).ok_or(InvalidRecord);
        self.failed = record.is_err();
        Some(record)
    }
}
