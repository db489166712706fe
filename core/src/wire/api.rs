//! Which requests are understood, and in which versions.

use core::ops::RangeInclusive;

use super::{DecodeError, Reader, Version, Wire, Writer, messages};

macro_rules! apis {
    ($($variant:ident = $key:literal, $advertised:expr, $versions:expr, flexible $flexible:literal,
       $module:ident :: $request:ident / $response:ident;)*) => {
        /// The kind of a request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $(#[doc = concat!("[`messages::", stringify!($module), "`]")] $variant = $key,)*
        }

        impl ApiKey {
            /// All that are understood, in ascending order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The kind with this number, if it is understood.
            pub const fn from_code(key: i16) -> Option<Self> {
                match key {
                    $($key => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Kafka's name of the API.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                }
            }

            /// The versions that are served.
            pub const fn versions(self) -> RangeInclusive<i16> {
                match self {
                    $(Self::$variant => $versions,)*
                }
            }

            /// The versions that ApiVersions names. They begin earlier than those served where clients insist.
            pub const fn advertised_versions(self) -> RangeInclusive<i16> {
                match self {
                    $(Self::$variant => $advertised,)*
                }
            }

            const fn flexible_from(self) -> i16 {
                match self {
                    $(Self::$variant => $flexible,)*
                }
            }
        }

        /// The body of a request.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is the request of its API")]
        pub enum Request {
            $($variant(messages::$module::$request),)*
        }

        impl Request {
            /// Which API the request is of.
            pub const fn key(&self) -> ApiKey {
                match self {
                    $(Self::$variant(_) => ApiKey::$variant,)*
                }
            }

            /// Reads a request. What comes after its last field is ignored, as Kafka does: librdkafka's Metadata for all topics
            /// has three bytes there, for it writes the null that stands for all in four bytes instead of one.
            pub fn decode(
                key: ApiKey,
                version: i16,
                mut reader: Reader,
            ) -> Result<Self, DecodeError> {
                let version = key.version(version);
                let request = match key {
                    $(ApiKey::$variant => Self::$variant(Wire::decode(&mut reader, version)?),)*
                };
                Ok(request)
            }

            /// Appends the request.
            pub fn encode(&self, writer: &mut Writer, version: i16) {
                let version = self.key().version(version);
                match self {
                    $(Self::$variant(request) => request.encode(writer, version),)*
                }
            }
        }

        /// The body of a response.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "each is the response of its API")]
        pub enum Response {
            $($variant(messages::$module::$response),)*
        }

        impl Response {
            /// Which API the response is of.
            pub const fn key(&self) -> ApiKey {
                match self {
                    $(Self::$variant(_) => ApiKey::$variant,)*
                }
            }

            /// Reads a response to its last byte.
            pub fn decode(
                key: ApiKey,
                version: i16,
                mut reader: Reader,
            ) -> Result<Self, DecodeError> {
                let version = key.version(version);
                let response = match key {
                    $(ApiKey::$variant => Self::$variant(Wire::decode(&mut reader, version)?),)*
                };
                reader.finish()?;
                Ok(response)
            }

            /// Whether it tells of an error, be it that of one of many things that were asked for.
            pub fn has_error(&self) -> bool {
                match self {
                    $(Self::$variant(response) => response.has_error(),)*
                }
            }

            /// Appends the response.
            pub fn encode(&self, writer: &mut Writer, version: i16) {
                let version = self.key().version(version);
                match self {
                    $(Self::$variant(response) => response.encode(writer, version),)*
                }
            }
        }

        $(
            impl From<messages::$module::$request> for Request {
                fn from(request: messages::$module::$request) -> Self {
                    Self::$variant(request)
                }
            }
            impl From<messages::$module::$response> for Response {
                fn from(response: messages::$module::$response) -> Self {
                    Self::$variant(response)
                }
            }
            impl RequestMessage for messages::$module::$request {
                const KEY: ApiKey = ApiKey::$variant;
                type Response = messages::$module::$response;
            }
        )*
    };
}

/// A request, and what answers it.
pub trait RequestMessage: Wire {
    /// Its API.
    const KEY: ApiKey;
    /// Its answer.
    type Response: Wire;
}

// librdkafka takes a Produce that is not advertised from version 0 for one that knows no message format 2 (KAFKA-18659).
apis! {
    Produce = 0, 0..=13, 3..=13, flexible 9, produce::ProduceRequest / ProduceResponse;
    Fetch = 1, 4..=18, 4..=18, flexible 12, fetch::FetchRequest / FetchResponse;
    ListOffsets = 2, 1..=10, 1..=10, flexible 6,
        list_offsets::ListOffsetsRequest / ListOffsetsResponse;
    Metadata = 3, 0..=13, 0..=13, flexible 9, metadata::MetadataRequest / MetadataResponse;
    OffsetCommit = 8, 2..=10, 2..=10, flexible 8,
        offset_commit::OffsetCommitRequest / OffsetCommitResponse;
    OffsetFetch = 9, 1..=10, 1..=10, flexible 6,
        offset_fetch::OffsetFetchRequest / OffsetFetchResponse;
    FindCoordinator = 10, 0..=6, 0..=6, flexible 3,
        find_coordinator::FindCoordinatorRequest / FindCoordinatorResponse;
    JoinGroup = 11, 0..=9, 0..=9, flexible 6, join_group::JoinGroupRequest / JoinGroupResponse;
    Heartbeat = 12, 0..=4, 0..=4, flexible 4, heartbeat::HeartbeatRequest / HeartbeatResponse;
    LeaveGroup = 13, 0..=5, 0..=5, flexible 4,
        leave_group::LeaveGroupRequest / LeaveGroupResponse;
    SyncGroup = 14, 0..=5, 0..=5, flexible 4, sync_group::SyncGroupRequest / SyncGroupResponse;
    DescribeGroups = 15, 0..=6, 0..=6, flexible 5,
        describe_groups::DescribeGroupsRequest / DescribeGroupsResponse;
    ListGroups = 16, 0..=5, 0..=5, flexible 3,
        list_groups::ListGroupsRequest / ListGroupsResponse;
    ApiVersions = 18, 0..=4, 0..=4, flexible 3,
        api_versions::ApiVersionsRequest / ApiVersionsResponse;
    CreateTopics = 19, 2..=7, 2..=7, flexible 5,
        create_topics::CreateTopicsRequest / CreateTopicsResponse;
    DeleteTopics = 20, 1..=6, 1..=6, flexible 4,
        delete_topics::DeleteTopicsRequest / DeleteTopicsResponse;
    DeleteRecords = 21, 0..=2, 0..=2, flexible 2,
        delete_records::DeleteRecordsRequest / DeleteRecordsResponse;
    InitProducerId = 22, 0..=5, 0..=5, flexible 2,
        init_producer_id::InitProducerIdRequest / InitProducerIdResponse;
    OffsetForLeaderEpoch = 23, 2..=4, 2..=4, flexible 4,
        offset_for_leader_epoch::OffsetForLeaderEpochRequest / OffsetForLeaderEpochResponse;
    DescribeConfigs = 32, 1..=4, 1..=4, flexible 4,
        describe_configs::DescribeConfigsRequest / DescribeConfigsResponse;
    AlterConfigs = 33, 0..=2, 0..=2, flexible 2,
        alter_configs::AlterConfigsRequest / AlterConfigsResponse;
    DescribeLogDirs = 35, 1..=4, 1..=4, flexible 2,
        describe_log_dirs::DescribeLogDirsRequest / DescribeLogDirsResponse;
    CreatePartitions = 37, 0..=3, 0..=3, flexible 2,
        create_partitions::CreatePartitionsRequest / CreatePartitionsResponse;
    DeleteGroups = 42, 0..=2, 0..=2, flexible 2,
        delete_groups::DeleteGroupsRequest / DeleteGroupsResponse;
    IncrementalAlterConfigs = 44, 0..=1, 0..=1, flexible 1,
        incremental_alter_configs::IncrementalAlterConfigsRequest / IncrementalAlterConfigsResponse;
    OffsetDelete = 47, 0..=0, 0..=0, flexible 32767,
        offset_delete::OffsetDeleteRequest / OffsetDeleteResponse;
    DescribeCluster = 60, 0..=2, 0..=2, flexible 0,
        describe_cluster::DescribeClusterRequest / DescribeClusterResponse;
    DescribeProducers = 61, 0..=0, 0..=0, flexible 0,
        describe_producers::DescribeProducersRequest / DescribeProducersResponse;
    DescribeTopicPartitions = 75, 0..=0, 0..=0, flexible 0,
        describe_topic_partitions::DescribeTopicPartitionsRequest / DescribeTopicPartitionsResponse;
}

impl ApiKey {
    /// The API's number on the wire.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The encoding of a version.
    pub const fn version(self, number: i16) -> Version {
        Version { number, flexible: number >= self.flexible_from() }
    }

    /// Whether a version is served.
    pub const fn serves(self, version: i16) -> bool {
        let versions = self.versions();
        *versions.start() <= version && version <= *versions.end()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{ApiKey, Reader, Request};
    use crate::wire::messages::metadata::MetadataRequest;

    #[test]
    fn librdkafka_asks_for_all_topics() {
        // The body of a Metadata of version 13 from librdkafka 2.16.0.
        let sent = Bytes::from_static(&[0, 0, 0, 0, 1, 0, 0]);
        let request = Request::decode(ApiKey::Metadata, 13, Reader::new(sent));
        let all = MetadataRequest {
            topics: None,
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        assert_eq!(request, Ok(Request::Metadata(all)));
    }
}
