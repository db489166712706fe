//! The embedded protocol of consumer groups, which the broker passes on unread.

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use crate::wire::message::message;

message! {
    /// What a consumer puts into the group protocol: its subscription.
    ConsumerProtocolSubscription {
        /// The topics that the member wants to consume.
        [0..] topics: Vec<String>,
        /// User data that will be passed back to the consumer.
        [0..] user_data: Option<Bytes>,
        /// The partitions that the member owns.
        [1..] owned_partitions: Vec<TopicPartition>,
        /// The generation id of the member.
        [2..] generation_id: i32 = -1,
        /// The rack id of the member.
        [3..] rack_id: Option<String>,
    }

    /// The partitions that the member owns.
    TopicPartition {
        /// The topic name.
        [1..] topic: String,
        /// The partition ids.
        [1..] partitions: Vec<i32>,
    }

    /// What a consumer puts into the group protocol: its assignment.
    ConsumerProtocolAssignment {
        /// The list of topics and partitions assigned to this consumer.
        [0..] assigned_partitions: Vec<AssignedPartitions>,
        /// User data.
        [0..] user_data: Option<Bytes>,
    }

    /// The list of topics and partitions assigned to this consumer.
    AssignedPartitions {
        /// The topic name.
        [0..] topic: String,
        /// The list of partitions assigned to this consumer.
        [0..] partitions: Vec<i32>,
    }
}
