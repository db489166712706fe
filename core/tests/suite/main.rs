//! The core as a whole: whole shards over a disk in memory that fails, tears and forgets on request.

mod compaction;
mod groups;
mod log;
mod producers;
mod purity;
mod support;
