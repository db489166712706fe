//! The records of `__consumer_offsets`, after Apache Kafka 4.3.1's schemas, so that its tools read them.

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use crate::{types::Uuid, wire::message::message};

message! {
    /// A record of `__consumer_offsets`: OffsetCommitKey.
    OffsetCommitKey {
        /// The consumer group id.
        [0..=0] group: String,
        /// The topic name.
        [0..=0] topic: String,
        /// The topic partition index.
        [0..=0] partition: i32,
    }

    /// A record of `__consumer_offsets`: OffsetCommitValue.
    OffsetCommitValue {
        /// The offset that the consumer wants to store (for this partition).
        [0..] offset: i64,
        /// The leader epoch of the last consumed record.
        [3..] leader_epoch: i32 = -1,
        /// Any metadata the client wants to keep.
        [0..] metadata: String,
        /// The time at which the commit was added to the log.
        [0..] commit_timestamp: i64,
        /// The time at which the offset will expire.
        [1..=1] expire_timestamp: i64 = -1,
        tagged {
            /// The topic id of the committed offset.
            [0, 4..] topic_id: Uuid,
        }
    }

    /// A record of `__consumer_offsets`: GroupMetadataKey.
    GroupMetadataKey {
        /// The group id.
        [0..=0] group: String,
    }

    /// A record of `__consumer_offsets`: GroupMetadataValue.
    GroupMetadataValue {
        /// The protocol type.
        [0..] protocol_type: String,
        /// The generation id.
        [0..] generation: i32,
        /// The protocol name.
        [0..] protocol: Option<String>,
        /// The leader id.
        [0..] leader: Option<String>,
        /// The timestamp of the last state change.
        [2..] current_state_timestamp: i64 = -1,
        /// The group members.
        [0..] members: Vec<MemberMetadata>,
    }

    /// An element of GroupMetadataValue.
    MemberMetadata {
        /// The member id.
        [0..] member_id: String,
        /// The group instance id.
        [3..] group_instance_id: Option<String>,
        /// The client id.
        [0..] client_id: String,
        /// The client host.
        [0..] client_host: String,
        /// The rebalance timeout.
        [1..] rebalance_timeout: i32 = -1,
        /// The session timeout.
        [0..] session_timeout: i32,
        /// The subscription.
        [0..] subscription: Bytes,
        /// The assignment.
        [0..] assignment: Bytes,
    }
}
