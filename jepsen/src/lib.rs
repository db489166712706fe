//! Histories of what clients asked and were told, and the checker that judges them.
//!
//! A [history] is a header and a list of events in the order in which they happened: an operation is invoked, and
//! later it is `ok` (it happened), `fail` (it certainly did not and will not), or `info` (nobody knows). The simulator writes
//! one, and so does a run against real processes; the same [checker](check) judges both. It knows Kafka's promises and
//! nothing of the broker, and it depends on none of its code.
//!
//! Each record has a [payload] of its own: who wrote it, as the how-manieth, to where, and a checksum. So a record
//! that turns up twice, elsewhere, damaged or not at all is noticed.

pub mod check;
pub mod history;
pub mod payload;
