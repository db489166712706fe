//! What a shard tells of itself, for metrics.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{types::Offset, wire::ApiKey};

/// What a shard knows at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inspection {
    /// Its partitions.
    pub partitions: Vec<PartitionFigures>,
    /// Its groups.
    pub groups: Vec<GroupFigures>,
    /// How many connections it has.
    pub connections: usize,
    /// How many requests wait for something.
    pub waiting_requests: usize,
    /// Whether records are refused for want of space.
    pub writes_refused: bool,
    /// How many responses of each API told of an error, be it that of one of many things that were asked for.
    pub request_errors: BTreeMap<ApiKey, u64>,
}

/// A partition's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionFigures {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub start_offset: Offset,
    /// The offset after the last that is shown to consumers.
    pub high_watermark: Offset,
    /// The offset after the last.
    pub end_offset: Offset,
    /// How large the log is.
    pub size_bytes: u64,
    /// How many segments it has.
    pub segments: usize,
    /// Whether the disk failed.
    pub is_failed: bool,
    /// What went in and out.
    pub traffic: Traffic,
}

/// What went in and out of a partition since the broker started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Records appended.
    pub records_in: u64,
    /// Bytes appended.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

/// A group's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFigures {
    /// The group.
    pub group: String,
    /// Its state, by Kafka's name.
    pub state: &'static str,
    /// How many members it has.
    pub members: usize,
    /// What it has committed.
    pub offsets: Vec<(String, i32, Offset)>,
}
