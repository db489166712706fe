//! AlterPartition (API key 56), after Apache Kafka 4.3.1's schemas: what a leader asks the controller.

use alloc::vec::Vec;

use crate::{types::Uuid, wire::message::message};

message! {
    /// The request, API key 56.
    AlterPartitionRequest {
        /// The ID of the requesting broker.
        [0..] broker_id: i32,
        /// The epoch of the requesting broker.
        [0..] broker_epoch: i64 = -1,
        /// The topics to alter ISRs for.
        [0..] topics: Vec<TopicData>,
    }

    /// The topics to alter ISRs for.
    TopicData {
        /// The ID of the topic to alter ISRs for.
        [2..] topic_id: Uuid,
        /// The partitions to alter ISRs for.
        [0..] partitions: Vec<PartitionData>,
    }

    /// The partitions to alter ISRs for.
    PartitionData {
        /// The partition index.
        [0..] partition_index: i32,
        /// The leader epoch of this partition.
        [0..] leader_epoch: i32,
        /// The ISR for this partition. Deprecated since version 3.
        [0..=2] new_isr: Vec<i32>,
        /// The ISR for this partition.
        [3..] new_isr_with_epochs: Vec<BrokerState>,
        /// 1 if the partition is recovering from an unclean leader election; 0 otherwise.
        [1..] leader_recovery_state: i8,
        /// The expected epoch of the partition which is being updated.
        [0..] partition_epoch: i32,
    }

    /// The ISR for this partition.
    BrokerState {
        /// The ID of the broker.
        [3..] broker_id: i32,
        /// The epoch of the broker. It will be -1 if the epoch check is not supported.
        [3..] broker_epoch: i64 = -1,
    }

    /// The response, API key 56.
    AlterPartitionResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [0..] throttle_time_ms: i32,
        /// The top level response error code.
        [0..] error_code: i16,
        /// The responses for each topic.
        [0..] topics: Vec<TopicResult>,
    }

    /// The responses for each topic.
    TopicResult {
        /// The ID of the topic.
        [2..] topic_id: Uuid,
        /// The responses for each partition.
        [0..] partitions: Vec<PartitionResult>,
    }

    /// The responses for each partition.
    PartitionResult {
        /// The partition index.
        [0..] partition_index: i32,
        /// The partition level error code.
        [0..] error_code: i16,
        /// The broker ID of the leader.
        [0..] leader_id: i32,
        /// The leader epoch.
        [0..] leader_epoch: i32,
        /// The in-sync replica IDs.
        [0..] isr: Vec<i32>,
        /// 1 if the partition is recovering from an unclean leader election; 0 otherwise.
        [1..] leader_recovery_state: i8,
        /// The current epoch for the partition for KRaft controllers.
        [0..] partition_epoch: i32,
    }
}
