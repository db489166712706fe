//! The core as a whole: whole shards over a disk in memory that fails, tears and forgets on request.
#![allow(
    clippy::disallowed_types,
    clippy::wildcard_enum_match_arm,
    reason = "what proptest and closures share is counted; an assertion looks at one case of many"
)]

mod bounded_recovery;
mod compaction;
mod damaged_indexes;
mod effects;
mod followers;
mod full_disk;
mod groups;
mod journal;
mod log;
mod producers;
mod purity;
mod removals;
mod replicas;
mod support;
mod unreadable;
mod waiting_fetch;
