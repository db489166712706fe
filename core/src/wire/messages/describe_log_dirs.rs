//! DescribeLogDirs (API key 35), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::wire::message::message;

message! {
    /// The request, API key 35.
    DescribeLogDirsRequest {
        /// Each topic that we want to describe log directories for, or null for all topics.
        [0..] topics: Option<Vec<DescribableLogDirTopic>>,
    }

    /// Each topic that we want to describe log directories for, or null for all topics.
    DescribableLogDirTopic {
        /// The topic name.
        [0..] topic: String,
        /// The partition indexes.
        [0..] partitions: Vec<i32>,
    }

    /// The response, API key 35.
    DescribeLogDirsResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [0..] throttle_time_ms: i32,
        /// The error code, or 0 if there was no error.
        [3..] error_code: i16,
        /// The log directories.
        [0..] results: Vec<DescribeLogDirsResult>,
    }

    /// The log directories.
    DescribeLogDirsResult {
        /// The error code, or 0 if there was no error.
        [0..] error_code: i16,
        /// The absolute log directory path.
        [0..] log_dir: String,
        /// The topics.
        [0..] topics: Vec<DescribeLogDirsTopic>,
        /// The total size in bytes of the volume the log directory is in. This value does not
        /// include the size of data stored in remote storage.
        [4..] total_bytes: i64 = -1,
        /// The usable size in bytes of the volume the log directory is in. This value does not
        /// include the size of data stored in remote storage.
        [4..] usable_bytes: i64 = -1,
        /// True if this log directory is cordoned.
        [5..] is_cordoned: bool,
    }

    /// The topics.
    DescribeLogDirsTopic {
        /// The topic name.
        [0..] name: String,
        /// The partitions.
        [0..] partitions: Vec<DescribeLogDirsPartition>,
    }

    /// The partitions.
    DescribeLogDirsPartition {
        /// The partition index.
        [0..] partition_index: i32,
        /// The size of the log segments in this partition in bytes.
        [0..] partition_size: i64,
        /// The lag of the log's LEO w.r.t. partition's HW (if it is the current log for the
        /// partition) or current replica's LEO (if it is the future log for the partition).
        [0..] offset_lag: i64,
        /// True if this log is created by AlterReplicaLogDirsRequest and will replace the current
        /// log of the replica in the future.
        [0..] is_future_key: bool,
    }
}
