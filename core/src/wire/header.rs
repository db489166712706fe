//! What leads each request and response.

use alloc::string::String;

use super::{ApiKey, DecodeError, Nullable, Reader, Version, Wire, Writer};

/// What leads each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    /// What is asked.
    pub key: ApiKey,
    /// In which version.
    pub version: i16,
    /// The client's number for the request, which the response carries back.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<String>,
}

/// A header that cannot be answered: the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderError {
    /// No API has this key.
    UnknownKey(i16),
    /// The header itself is malformed.
    Malformed(DecodeError),
}

/// Strings in headers are never compact, not even in flexible versions.
const PLAIN: Version = Version { number: 0, flexible: false };

impl RequestHeader {
    /// Reads the header; the body is what `reader` is left with. The version may be one that is not supported.
    pub fn decode(reader: &mut Reader) -> Result<Self, HeaderError> {
        let malformed = HeaderError::Malformed;
        let key = i16::decode(reader, PLAIN).map_err(malformed)?;
        let key = ApiKey::from_code(key).ok_or(HeaderError::UnknownKey(key))?;
        let version = i16::decode(reader, PLAIN).map_err(malformed)?;
        let correlation_id = i32::decode(reader, PLAIN).map_err(malformed)?;
        let client_id = String::decode_nullable(reader, PLAIN).map_err(malformed)?;
        if key.version(version).flexible {
            reader.tagged_fields(|_, _| Ok(false)).map_err(malformed)?;
        }
        Ok(Self { key, version, correlation_id, client_id })
    }

    /// Appends the header.
    pub fn encode(&self, writer: &mut Writer) {
        writer.put_i16(self.key.code());
        writer.put_i16(self.version);
        writer.put_i32(self.correlation_id);
        self.client_id.encode(writer, PLAIN);
        if self.key.version(self.version).flexible {
            writer.put_u8(0);
        }
    }
}

/// Appends the header of a response. That of ApiVersions is never flexible, so that a client can read it before it knows
/// what the broker speaks.
pub fn encode_response_header(writer: &mut Writer, key: ApiKey, version: i16, correlation_id: i32) {
    writer.put_i32(correlation_id);
    if key != ApiKey::ApiVersions && key.version(version).flexible {
        writer.put_u8(0);
    }
}

/// Reads the header of a response, and returns its correlation id.
pub fn decode_response_header(
    reader: &mut Reader,
    key: ApiKey,
    version: i16,
) -> Result<i32, DecodeError> {
    let correlation_id = i32::decode(reader, PLAIN)?;
    if key != ApiKey::ApiVersions && key.version(version).flexible {
        reader.tagged_fields(|_, _| Ok(false))?;
    }
    Ok(correlation_id)
}
