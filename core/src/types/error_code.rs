//! Kafka's error codes: those that a broker of this kind answers with, or that its own client may meet.

use core::fmt;

macro_rules! error_codes {
    ($($code:literal $variant:ident $name:literal $message:literal;)*) => {
        /// The outcome of an operation, as it stands on the wire.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ErrorCode {
            $(#[doc = $message] $variant = $code,)*
        }

        impl ErrorCode {
            /// The code's number on the wire.
            pub const fn code(self) -> i16 {
                self as i16
            }

            /// The error with this number, if it is known here.
            pub const fn from_code(code: i16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Kafka's name of the error.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Kafka's own words for the error, which a response carries where no better ones are known.
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$variant => $message,)*
                }
            }
        }
    };
}

error_codes! {
    -1 UnknownServerError "UNKNOWN_SERVER_ERROR" "The server experienced an unexpected error when processing the request.";
    0 None "NONE" "No error.";
    1 OffsetOutOfRange "OFFSET_OUT_OF_RANGE" "The requested offset is not within the range of offsets maintained by the server.";
    2 CorruptMessage "CORRUPT_MESSAGE" "This message has failed its CRC checksum, exceeds the valid size, has a null key for a compacted topic, or is otherwise corrupt.";
    3 UnknownTopicOrPartition "UNKNOWN_TOPIC_OR_PARTITION" "This server does not host this topic-partition.";
    4 InvalidFetchSize "INVALID_FETCH_SIZE" "The requested fetch size is invalid.";
    5 LeaderNotAvailable "LEADER_NOT_AVAILABLE" "There is no leader for this topic-partition as we are in the middle of a leadership election.";
    6 NotLeaderOrFollower "NOT_LEADER_OR_FOLLOWER" "For requests intended only for the leader, this error indicates that the broker is not the current leader. For requests intended for any replica, this error indicates that the broker is not a replica of the topic partition.";
    7 RequestTimedOut "REQUEST_TIMED_OUT" "The request timed out.";
    8 BrokerNotAvailable "BROKER_NOT_AVAILABLE" "The broker is not available.";
    9 ReplicaNotAvailable "REPLICA_NOT_AVAILABLE" "The replica is not available for the requested topic-partition. Produce/Fetch requests and other requests intended only for the leader or follower return NOT_LEADER_OR_FOLLOWER if the broker is not a replica of the topic-partition.";
    10 MessageTooLarge "MESSAGE_TOO_LARGE" "The request included a message larger than the max message size the server will accept.";
    12 OffsetMetadataTooLarge "OFFSET_METADATA_TOO_LARGE" "The metadata field of the offset request was too large.";
    14 CoordinatorLoadInProgress "COORDINATOR_LOAD_IN_PROGRESS" "The coordinator is loading and hence can't process requests.";
    15 CoordinatorNotAvailable "COORDINATOR_NOT_AVAILABLE" "The coordinator is not available.";
    16 NotCoordinator "NOT_COORDINATOR" "This is not the correct coordinator.";
    17 InvalidTopic "INVALID_TOPIC_EXCEPTION" "The request attempted to perform an operation on an invalid topic.";
    18 RecordListTooLarge "RECORD_LIST_TOO_LARGE" "The request included message batch larger than the configured segment size on the server.";
    19 NotEnoughReplicas "NOT_ENOUGH_REPLICAS" "Messages are rejected since there are fewer in-sync replicas than required.";
    20 NotEnoughReplicasAfterAppend "NOT_ENOUGH_REPLICAS_AFTER_APPEND" "Messages are written to the log, but to fewer in-sync replicas than required.";
    21 InvalidRequiredAcks "INVALID_REQUIRED_ACKS" "Produce request specified an invalid value for required acks.";
    22 IllegalGeneration "ILLEGAL_GENERATION" "Specified group generation id is not valid.";
    23 InconsistentGroupProtocol "INCONSISTENT_GROUP_PROTOCOL" "The group member's supported protocols are incompatible with those of existing members or first group member tried to join with empty protocol type or empty protocol list.";
    24 InvalidGroupId "INVALID_GROUP_ID" "The configured groupId is invalid.";
    25 UnknownMemberId "UNKNOWN_MEMBER_ID" "The coordinator is not aware of this member.";
    26 InvalidSessionTimeout "INVALID_SESSION_TIMEOUT" "The session timeout is not within the range allowed by the broker (as configured by group.min.session.timeout.ms and group.max.session.timeout.ms).";
    27 RebalanceInProgress "REBALANCE_IN_PROGRESS" "The group is rebalancing, so a rejoin is needed.";
    28 InvalidCommitOffsetSize "INVALID_COMMIT_OFFSET_SIZE" "The committing offset data size is not valid.";
    29 TopicAuthorizationFailed "TOPIC_AUTHORIZATION_FAILED" "Topic authorization failed.";
    30 GroupAuthorizationFailed "GROUP_AUTHORIZATION_FAILED" "Group authorization failed.";
    31 ClusterAuthorizationFailed "CLUSTER_AUTHORIZATION_FAILED" "Cluster authorization failed.";
    32 InvalidTimestamp "INVALID_TIMESTAMP" "The timestamp of the message is out of acceptable range.";
    35 UnsupportedVersion "UNSUPPORTED_VERSION" "The version of API is not supported.";
    36 TopicAlreadyExists "TOPIC_ALREADY_EXISTS" "Topic with this name already exists.";
    37 InvalidPartitions "INVALID_PARTITIONS" "Number of partitions is below 1.";
    38 InvalidReplicationFactor "INVALID_REPLICATION_FACTOR" "Replication factor is below 1 or larger than the number of available brokers.";
    39 InvalidReplicaAssignment "INVALID_REPLICA_ASSIGNMENT" "Replica assignment is invalid.";
    40 InvalidConfig "INVALID_CONFIG" "Configuration is invalid.";
    41 NotController "NOT_CONTROLLER" "This is not the correct controller for this cluster.";
    42 InvalidRequest "INVALID_REQUEST" "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.";
    43 UnsupportedForMessageFormat "UNSUPPORTED_FOR_MESSAGE_FORMAT" "The message format version on the broker does not support the request.";
    44 PolicyViolation "POLICY_VIOLATION" "Request parameters do not satisfy the configured policy.";
    45 OutOfOrderSequenceNumber "OUT_OF_ORDER_SEQUENCE_NUMBER" "The broker received an out of order sequence number.";
    46 DuplicateSequenceNumber "DUPLICATE_SEQUENCE_NUMBER" "The broker received a duplicate sequence number.";
    47 InvalidProducerEpoch "INVALID_PRODUCER_EPOCH" "Producer attempted to produce with an old epoch.";
    48 InvalidTxnState "INVALID_TXN_STATE" "The producer attempted a transactional operation in an invalid state.";
    49 InvalidProducerIdMapping "INVALID_PRODUCER_ID_MAPPING" "The producer attempted to use a producer id which is not currently assigned to its transactional id.";
    50 InvalidTransactionTimeout "INVALID_TRANSACTION_TIMEOUT" "The transaction timeout is larger than the maximum value allowed by the broker (as configured by transaction.max.timeout.ms).";
    51 ConcurrentTransactions "CONCURRENT_TRANSACTIONS" "The producer attempted to update a transaction while another concurrent operation on the same transaction was ongoing.";
    53 TransactionalIdAuthorizationFailed "TRANSACTIONAL_ID_AUTHORIZATION_FAILED" "Transactional Id authorization failed.";
    56 KafkaStorageError "KAFKA_STORAGE_ERROR" "Disk error when trying to access log file on the disk.";
    57 LogDirNotFound "LOG_DIR_NOT_FOUND" "The user-specified log directory is not found in the broker config.";
    58 SaslAuthenticationFailed "SASL_AUTHENTICATION_FAILED" "SASL Authentication failed.";
    59 UnknownProducerId "UNKNOWN_PRODUCER_ID" "This exception is raised by the broker if it could not locate the producer metadata associated with the producerId in question. This could happen if, for instance, the producer's records were deleted because their retention time had elapsed. Once the last records of the producerId are removed, the producer's metadata is removed from the broker, and future appends by the producer will return this exception.";
    60 ReassignmentInProgress "REASSIGNMENT_IN_PROGRESS" "A partition reassignment is in progress.";
    68 NonEmptyGroup "NON_EMPTY_GROUP" "The group is not empty.";
    69 GroupIdNotFound "GROUP_ID_NOT_FOUND" "The group id does not exist.";
    70 FetchSessionIdNotFound "FETCH_SESSION_ID_NOT_FOUND" "The fetch session ID was not found.";
    71 InvalidFetchSessionEpoch "INVALID_FETCH_SESSION_EPOCH" "The fetch session epoch is invalid.";
    73 TopicDeletionDisabled "TOPIC_DELETION_DISABLED" "Topic deletion is disabled.";
    74 FencedLeaderEpoch "FENCED_LEADER_EPOCH" "The leader epoch in the request is older than the epoch on the broker.";
    75 UnknownLeaderEpoch "UNKNOWN_LEADER_EPOCH" "The leader epoch in the request is newer than the epoch on the broker.";
    76 UnsupportedCompressionType "UNSUPPORTED_COMPRESSION_TYPE" "The requesting client does not support the compression type of given partition.";
    77 StaleBrokerEpoch "STALE_BROKER_EPOCH" "Broker epoch has changed.";
    78 OffsetNotAvailable "OFFSET_NOT_AVAILABLE" "The leader high watermark has not caught up from a recent leader election so the offsets cannot be guaranteed to be monotonically increasing.";
    79 MemberIdRequired "MEMBER_ID_REQUIRED" "The group member needs to have a valid member id before actually entering a consumer group.";
    80 PreferredLeaderNotAvailable "PREFERRED_LEADER_NOT_AVAILABLE" "The preferred leader was not available.";
    81 GroupMaxSizeReached "GROUP_MAX_SIZE_REACHED" "The consumer group has reached its max size.";
    82 FencedInstanceId "FENCED_INSTANCE_ID" "The broker rejected this static consumer since another consumer with the same group.instance.id has registered with a different member.id.";
    83 EligibleLeadersNotAvailable "ELIGIBLE_LEADERS_NOT_AVAILABLE" "Eligible topic partition leaders are not available.";
    84 ElectionNotNeeded "ELECTION_NOT_NEEDED" "Leader election not needed for topic partition.";
    85 NoReassignmentInProgress "NO_REASSIGNMENT_IN_PROGRESS" "No partition reassignment is in progress.";
    86 GroupSubscribedToTopic "GROUP_SUBSCRIBED_TO_TOPIC" "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it.";
    87 InvalidRecord "INVALID_RECORD" "This record has failed the validation on broker and hence will be rejected.";
    88 UnstableOffsetCommit "UNSTABLE_OFFSET_COMMIT" "There are unstable offsets that need to be cleared.";
    89 ThrottlingQuotaExceeded "THROTTLING_QUOTA_EXCEEDED" "The throttling quota has been exceeded.";
    90 ProducerFenced "PRODUCER_FENCED" "There is a newer producer with the same transactionalId which fences the current one.";
    91 ResourceNotFound "RESOURCE_NOT_FOUND" "A request illegally referred to a resource that does not exist.";
    92 DuplicateResource "DUPLICATE_RESOURCE" "A request illegally referred to the same resource twice.";
    95 InvalidUpdateVersion "INVALID_UPDATE_VERSION" "The given update version was invalid.";
    100 UnknownTopicId "UNKNOWN_TOPIC_ID" "This server does not host this topic ID.";
    101 DuplicateBrokerRegistration "DUPLICATE_BROKER_REGISTRATION" "This broker ID is already in use.";
    102 BrokerIdNotRegistered "BROKER_ID_NOT_REGISTERED" "The given broker ID was not registered.";
    103 InconsistentTopicId "INCONSISTENT_TOPIC_ID" "The log's topic ID did not match the topic ID in the request";
    104 InconsistentClusterId "INCONSISTENT_CLUSTER_ID" "The clusterId in the request does not match that found on the server";
    105 TransactionalIdNotFound "TRANSACTIONAL_ID_NOT_FOUND" "The transactionalId could not be found";
    106 FetchSessionTopicIdError "FETCH_SESSION_TOPIC_ID_ERROR" "The fetch session encountered inconsistent topic ID usage";
    107 IneligibleReplica "INELIGIBLE_REPLICA" "The new ISR contains at least one ineligible replica.";
    108 NewLeaderElected "NEW_LEADER_ELECTED" "The AlterPartition request successfully updated the partition state but the leader has changed.";
    110 FencedMemberEpoch "FENCED_MEMBER_EPOCH" "The member epoch is fenced by the group coordinator. The member must abandon all its partitions and rejoin.";
    113 StaleMemberEpoch "STALE_MEMBER_EPOCH" "The member epoch is stale. The member must retry after receiving its updated member epoch via the ConsumerGroupHeartbeat API.";
    114 MismatchedEndpointType "MISMATCHED_ENDPOINT_TYPE" "The request was sent to an endpoint of the wrong type.";
    115 UnsupportedEndpointType "UNSUPPORTED_ENDPOINT_TYPE" "This endpoint type is not supported yet.";
    120 TransactionAbortable "TRANSACTION_ABORTABLE" "The server encountered an error with the transaction. The client can abort the transaction to continue using this transactional ID.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for ErrorCode {}
