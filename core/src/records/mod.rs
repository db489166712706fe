//! Record batches, format version 2, as they lie on the wire and on disk
//! (<https://kafka.apache.org/documentation/#messageformat>).

pub mod batch;
mod build;
pub mod compression;
mod record;
mod varint;

pub use batch::{BATCH_HEADER_BYTES, BatchError, BatchHeader};
pub use build::BatchBuilder;
pub use compression::Compression;
pub use record::{Header, Headers, Record, Records};
