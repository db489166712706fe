//! The core as a whole: whole shards over a disk in memory that fails, tears and forgets on request.

mod log;
mod support;
