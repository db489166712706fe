//! What is worth a line in the log: said by the machines as values, written by the shell.

use alloc::string::String;

use crate::{
    disk::IoError,
    log::{cleaner::Compacted, open::Recovered, retention::Expired},
    records::BatchError,
    types::{Offset, TopicId},
};

/// Something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// How far opening the partitions has come, from time to time.
    Opening {
        /// How many are open.
        open: usize,
        /// How many there are.
        total: usize,
    },
    /// The journal cannot be written, or not be made: many small batches take longer to become durable.
    JournalFailed {
        /// Why.
        error: IoError,
    },
    /// A file of the data folder cannot be read, so the broker cannot tell what it has: it does not start.
    StartFailed {
        /// Why.
        error: IoError,
    },
    /// A log was recovered after the broker had stopped without order.
    LogRecovered {
        /// The partition's directory.
        partition: String,
        /// What was done.
        recovered: Recovered,
        /// Where the log ends.
        end_offset: Offset,
    },
    /// A partition cannot be served any more until the broker is started again.
    StorageFailed {
        /// The partition's directory.
        partition: String,
        /// Why.
        error: IoError,
    },
    /// A write found the disk full; the partition takes none until there is space.
    DiskFull {
        /// The partition's directory.
        partition: String,
    },
    /// So little space is left that no more records are taken.
    WritesRefused {
        /// How much there is.
        free_bytes: u64,
        /// How much there must be.
        reserve_bytes: u64,
    },
    /// There is space again.
    WritesResumed {
        /// How much there is.
        free_bytes: u64,
    },
    /// A batch on disk is damaged, and is not served.
    BatchDamaged {
        /// The partition's directory.
        partition: String,
        /// The segment.
        segment: Offset,
        /// The byte where the batch begins, if that is known.
        byte: Option<u32>,
    },
    /// A directory belongs to no topic; it was set aside.
    StrayDirectory {
        /// Its name.
        directory: String,
        /// What it is called now.
        set_aside_as: String,
    },
    /// Segments were deleted.
    SegmentsDeleted {
        /// The partition's directory.
        partition: String,
        /// How many.
        count: usize,
        /// Why.
        reason: Expired,
        /// Where the log begins now.
        start_offset: Offset,
    },
    /// Files of deleted segments could not be removed. It will be tried again.
    RemovalFailed {
        /// The partition's directory.
        partition: String,
        /// Why.
        error: IoError,
    },
    /// A log was compacted.
    Compacted {
        /// The partition's directory.
        partition: String,
        /// What was done.
        compacted: Compacted,
    },
    /// A log cannot be compacted: a segment is damaged.
    CompactionDamaged {
        /// The partition's directory.
        partition: String,
        /// The segment.
        segment: Offset,
        /// What is wrong with it.
        error: BatchError,
    },
    /// The disk failed a compaction. It will be tried again; the log is as it was.
    CompactionFailed {
        /// The partition's directory.
        partition: String,
        /// Why.
        error: IoError,
    },
    /// A topic was made.
    TopicCreated {
        /// Its name.
        name: String,
        /// Its id.
        id: TopicId,
        /// How many partitions it has.
        partitions: usize,
    },
    /// A topic was deleted.
    TopicDeleted {
        /// Its name.
        name: String,
        /// Its id.
        id: TopicId,
    },
    /// A group's members are called together.
    GroupRebalancing {
        /// The group.
        group: String,
        /// The generation that ends.
        generation: i32,
        /// What began it.
        reason: String,
    },
    /// A group has an assignment.
    GroupStable {
        /// The group.
        group: String,
        /// The generation that begins.
        generation: i32,
        /// How many members it has.
        members: usize,
    },
    /// Committed offsets were forgotten.
    OffsetsExpired {
        /// The group.
        group: String,
        /// How many.
        count: usize,
    },
    /// The groups of a partition of `__consumer_offsets` were read.
    GroupsLoaded {
        /// The partition.
        partition: i32,
        /// How many groups.
        groups: usize,
        /// How many committed offsets.
        offsets: usize,
    },
}
