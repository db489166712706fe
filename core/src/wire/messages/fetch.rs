//! Fetch (API key 1), after Apache Kafka 4.3.1's schemas.

use alloc::{string::String, vec::Vec};

use crate::{
    types::Uuid,
    wire::{codec::RecordData, message::message},
};

message! {
    /// The request, API key 1.
    FetchRequest {
        /// The broker ID of the follower, of -1 if this request is from a consumer.
        [0..=14] replica_id: i32 = -1,
        /// The maximum time in milliseconds to wait for the response.
        [0..] max_wait_ms: i32,
        /// The minimum bytes to accumulate in the response.
        [0..] min_bytes: i32,
        /// The maximum bytes to fetch.  See KIP-74 for cases where this limit may not be honored.
        [3..] max_bytes: i32 = i32::MAX,
        /// This setting controls the visibility of transactional records. Using READ_UNCOMMITTED
        /// (isolation_level = 0) makes all records visible. With READ_COMMITTED (isolation_level =
        /// 1), non-transactional and COMMITTED transactional records are visible. To be more
        /// concrete, READ_COMMITTED returns all data from offsets smaller than the current LSO
        /// (last stable offset), and enables the inclusion of the list of aborted transactions in
        /// the result, which allows consumers to discard ABORTED transactional records.
        [4..] isolation_level: i8,
        /// The fetch session ID.
        [7..] session_id: i32,
        /// The fetch session epoch, which is used for ordering requests in a session.
        [7..] session_epoch: i32 = -1,
        /// The topics to fetch.
        [0..] topics: Vec<FetchTopic>,
        /// In an incremental fetch request, the partitions to remove.
        [7..] forgotten_topics_data: Vec<ForgottenTopic>,
        /// Rack ID of the consumer making this request.
        [11..] rack_id: String,
        tagged {
            /// The clusterId if known. This is used to validate metadata fetches prior to broker
            /// registration.
            [0, 12..] cluster_id: Option<String>,
            /// The state of the replica in the follower.
            [1, 15..] replica_state: ReplicaState,
        }
    }

    /// The state of the replica in the follower.
    ReplicaState {
        /// The replica ID of the follower, or -1 if this request is from a consumer.
        [15..] replica_id: i32 = -1,
        /// The epoch of this follower, or -1 if not available.
        [15..] replica_epoch: i64 = -1,
    }

    /// The topics to fetch.
    FetchTopic {
        /// The name of the topic to fetch.
        [0..=12] topic: String,
        /// The unique topic ID.
        [13..] topic_id: Uuid,
        /// The partitions to fetch.
        [0..] partitions: Vec<FetchPartition>,
    }

    /// The partitions to fetch.
    FetchPartition {
        /// The partition index.
        [0..] partition: i32,
        /// The current leader epoch of the partition.
        [9..] current_leader_epoch: i32 = -1,
        /// The message offset.
        [0..] fetch_offset: i64,
        /// The epoch of the last fetched record or -1 if there is none.
        [12..] last_fetched_epoch: i32 = -1,
        /// The earliest available offset of the follower replica.  The field is only used when the
        /// request is sent by the follower.
        [5..] log_start_offset: i64 = -1,
        /// The maximum bytes to fetch from this partition.  See KIP-74 for cases where this limit
        /// may not be honored.
        [0..] partition_max_bytes: i32,
        tagged {
            /// The directory id of the follower fetching.
            [0, 17..] replica_directory_id: Uuid,
            /// The high-watermark known by the replica. -1 if the high-watermark is not known and
            /// 9223372036854775807 if the feature is not supported.
            [1, 18..] high_watermark: i64 = 9_223_372_036_854_775_807,
        }
    }

    /// In an incremental fetch request, the partitions to remove.
    ForgottenTopic {
        /// The topic name.
        [7..=12] topic: String,
        /// The unique topic ID.
        [13..] topic_id: Uuid,
        /// The partitions indexes to forget.
        [7..] partitions: Vec<i32>,
    }

    /// The response, API key 1.
    FetchResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [1..] throttle_time_ms: i32,
        /// The top level response error code.
        [7..] error_code: i16,
        /// The fetch session ID, or 0 if this is not part of a fetch session.
        [7..] session_id: i32,
        /// The response topics.
        [0..] responses: Vec<FetchableTopicResponse>,
        tagged {
            /// Endpoints for all current-leaders enumerated in PartitionData, with errors
            /// NOT_LEADER_OR_FOLLOWER & FENCED_LEADER_EPOCH.
            [0, 16..] node_endpoints: Vec<NodeEndpoint>,
        }
    }

    /// The response topics.
    FetchableTopicResponse {
        /// The topic name.
        [0..=12] topic: String,
        /// The unique topic ID.
        [13..] topic_id: Uuid,
        /// The topic partitions.
        [0..] partitions: Vec<PartitionData>,
    }

    /// The topic partitions.
    PartitionData {
        /// The partition index.
        [0..] partition_index: i32,
        /// The error code, or 0 if there was no fetch error.
        [0..] error_code: i16,
        /// The current high water mark.
        [0..] high_watermark: i64,
        /// The last stable offset (or LSO) of the partition. This is the last offset such that the
        /// state of all transactional records prior to this offset have been decided (ABORTED or
        /// COMMITTED).
        [4..] last_stable_offset: i64 = -1,
        /// The current log start offset.
        [5..] log_start_offset: i64 = -1,
        /// The aborted transactions.
        [4..] aborted_transactions: Option<Vec<AbortedTransaction>>,
        /// The preferred read replica for the consumer to use on its next fetch request.
        [11..] preferred_read_replica: i32 = -1,
        /// The record data.
        [0..] records: Option<RecordData>,
        tagged {
            /// In case divergence is detected based on the `LastFetchedEpoch` and `FetchOffset` in
            /// the request, this field indicates the largest epoch and its end offset such that
            /// subsequent records are known to diverge.
            [0, 12..] diverging_epoch: EpochEndOffset,
            /// The current leader of the partition.
            [1, 12..] current_leader: LeaderIdAndEpoch,
            /// In the case of fetching an offset less than the LogStartOffset, this is the end
            /// offset and epoch that should be used in the FetchSnapshot request.
            [2, 12..] snapshot_id: SnapshotId,
        }
    }

    /// In case divergence is detected based on the `LastFetchedEpoch` and `FetchOffset` in the
    /// request, this field indicates the largest epoch and its end offset such that subsequent
    /// records are known to diverge.
    EpochEndOffset {
        /// The largest epoch.
        [12..] epoch: i32 = -1,
        /// The end offset of the epoch.
        [12..] end_offset: i64 = -1,
    }

    /// The current leader of the partition.
    LeaderIdAndEpoch {
        /// The ID of the current leader or -1 if the leader is unknown.
        [12..] leader_id: i32 = -1,
        /// The latest known leader epoch.
        [12..] leader_epoch: i32 = -1,
    }

    /// In the case of fetching an offset less than the LogStartOffset, this is the end offset and
    /// epoch that should be used in the FetchSnapshot request.
    SnapshotId {
        /// The end offset of the epoch.
        [0..] end_offset: i64 = -1,
        /// The largest epoch.
        [0..] epoch: i32 = -1,
    }

    /// The aborted transactions.
    AbortedTransaction {
        /// The producer id associated with the aborted transaction.
        [4..] producer_id: i64,
        /// The first offset in the aborted transaction.
        [4..] first_offset: i64,
    }

    /// Endpoints for all current-leaders enumerated in PartitionData, with errors
    /// NOT_LEADER_OR_FOLLOWER & FENCED_LEADER_EPOCH.
    NodeEndpoint {
        /// The ID of the associated node.
        [16..] node_id: i32,
        /// The node's hostname.
        [16..] host: String,
        /// The node's port.
        [16..] port: i32,
        /// The rack of the node, or null if it has not been assigned to a rack.
        [16..] rack: Option<String>,
    }
}
