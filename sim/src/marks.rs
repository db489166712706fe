//! Coverage marks: what must happen sometimes. A batch of runs says which never did.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! marks {
    ($($(#[doc = $what:literal])+ $name:ident $text:literal,)*) => {
        /// What must happen sometimes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mark {
            $($(#[doc = $what])+ $name,)*
        }

        impl Mark {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

marks! {
    /// A broker came back from a crash.
    RestartedAfterCrash "restarted after a crash",
    /// A broker crashed while it was recovering.
    CrashedInRecovery "crashed in recovery",
    /// A broker stopped in order.
    StoppedInOrder "stopped in order",
    /// Bytes came from a client that was gone.
    LatePacket "bytes of a process that was gone",
    /// A writer had to wait for its reader.
    BackPressure "back-pressure",
    /// A connection attempt met a partition.
    ConnectInPartition "connected into a partition",
    /// A process died in the middle of a write.
    DiedInWrite "died in the middle of a write",
    /// A process died while a sync was under way.
    DiedInSync "died in the middle of a sync",
    /// A truncation that was not synced was undone by a power loss.
    TruncationUndone "a power loss undid a truncation",
    /// A power loss left garbage.
    SectorsGarbled "a power loss left garbage",
    /// A power loss took names.
    NamesLost "a power loss took names",
    /// A power loss took pages that a failed sync had left behind as clean.
    ForsakenPagesLost "a power loss took what a failed sync left",
    /// A power loss took nothing.
    NothingLost "a power loss took nothing",
    /// A write found no room.
    NoSpace "a write found no room",
    /// A segment was closed and another begun.
    SegmentRolled "a segment rolled",
    /// A round went by the journal.
    JournalRecord "a round went by the journal",
    /// A start found a journal.
    JournalFound "a start found a journal",
    /// An offset index got an entry.
    IndexEntry "an offset index got an entry",
    /// A segment was deleted.
    SegmentDeleted "a segment was deleted",
    /// A compacted segment took the place of others.
    SegmentCompacted "a compacted segment took the place of others",
    /// The recovery points moved.
    RecoveryPointMoved "the recovery points moved",
    /// A log's start was written down.
    StartOffsetWritten "a log's start was written down",
    /// The cleaner's place was written down.
    CleanerOffsetWritten "the cleaner's place was written down",
    /// A log was cut off.
    LogCut "a log was cut off",
    /// A directory was set aside to be deleted.
    DirectoryDeleted "the directory of a deleted partition was set aside",
    /// A directory was made that had been there before.
    DirectoryMadeAgain "a directory of the same name was made again",
    /// A snapshot of a log's producers was written.
    ProducerSnapshot "a snapshot of producers was written",
    /// A snapshot of the metadata was written.
    MetadataSnapshot "a snapshot of the metadata was written",
    /// A process died while a file was getting its name.
    DiedInRename "died at a rename",
    /// A process died while compacted segments were taking their place.
    DiedInCompaction "died while compacted segments took their place",
    /// A process died while the recovery points were written.
    DiedInCheckpoint "died while the recovery points were written",
    /// A process died while files were deleted.
    DiedInDeletion "died while files were deleted",
    /// A clock stepped back.
    ClockStepBack "a clock stepped back",
}

/// A process runs one world, and so counts for it. What is counted is never read by the world.
static HITS: [AtomicU64; Mark::ALL.len()] = [const { AtomicU64::new(0) }; Mark::ALL.len()];

/// It happened.
pub fn sometimes(mark: Mark) {
    HITS[mark as usize].fetch_add(1, Ordering::Relaxed);
}

/// It happened, if it did.
#[macro_export]
macro_rules! sometimes {
    ($mark:ident) => {
        $crate::marks::sometimes($crate::marks::Mark::$mark)
    };
    ($mark:ident, $condition:expr) => {
        if $condition {
            $crate::marks::sometimes($crate::marks::Mark::$mark);
        }
    };
}

/// How often each was hit.
pub fn hits() -> Vec<(Mark, u64)> {
    let hits = Mark::ALL.iter().map(|mark| (*mark, HITS[*mark as usize].load(Ordering::Relaxed)));
    hits.collect()
}
