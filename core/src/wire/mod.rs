//! Kafka's wire protocol: bytes in, values out, and back.
//!
//! A [`frame`] holds a [`header`](RequestHeader) and a message; [`ApiKey`] says which message and in which versions; the
//! [`messages`] themselves are lists of fields.

pub mod api;
pub mod codec;
pub mod frame;
#[cfg(test)]
pub(crate) mod goldens;
mod header;
pub(crate) mod message;
pub mod messages;

pub use api::{ApiKey, Request, Response};
pub use codec::{DecodeError, Nullable, Reader, RecordData, Version, Wire};
pub use frame::{Frame, Piece, Writer};
pub use header::{HeaderError, RequestHeader, decode_response_header, encode_response_header};
