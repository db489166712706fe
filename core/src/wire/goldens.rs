//! The bytes of each message at each version: what changes here, changes for every client.

use alloc::{format, string::String, vec, vec::Vec};
use core::fmt::Write as _;

use bytes::Bytes;

use super::{ApiKey, Reader, RecordData, Request, Response, Version, Wire, Writer, api, messages};
use crate::types::Uuid;

/// A value in which no two fields are the same, as far as their types allow.
pub(crate) trait Sample: Sized {
    fn sample(seed: &mut u8) -> Self;
}

fn next(seed: &mut u8) -> u8 {
    *seed = seed.wrapping_add(1).max(1);
    *seed
}

macro_rules! number {
    ($($type:ty)*) => {$(
        impl Sample for $type {
            fn sample(seed: &mut u8) -> Self {
                Self::from(next(seed) & 0x7f)
            }
        }
    )*};
}
number! { i16 u16 i32 u32 i64 }

impl Sample for i8 {
    fn sample(seed: &mut u8) -> Self {
        (next(seed) & 0x7f).cast_signed()
    }
}

impl Sample for bool {
    fn sample(_: &mut u8) -> Self {
        true
    }
}

impl Sample for String {
    fn sample(seed: &mut u8) -> Self {
        format!("s{}", next(seed))
    }
}

impl Sample for Bytes {
    fn sample(seed: &mut u8) -> Self {
        Self::from(vec![next(seed); 3])
    }
}

impl Sample for RecordData {
    fn sample(seed: &mut u8) -> Self {
        Self::Bytes(Sample::sample(seed))
    }
}

impl Sample for Uuid {
    fn sample(seed: &mut u8) -> Self {
        Self::from_bytes([next(seed); 16])
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(seed: &mut u8) -> Self {
        Some(T::sample(seed))
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(seed: &mut u8) -> Self {
        vec![T::sample(seed), T::sample(seed)]
    }
}

fn bytes(message: &impl Wire, version: Version) -> Bytes {
    let mut writer = Writer::new();
    message.encode(&mut writer, version);
    writer.freeze()
}

/// Shows the bytes of a message, and makes sure that they are read as what they were written from.
fn show<T: Wire + PartialEq + core::fmt::Debug>(
    text: &mut String,
    what: &str,
    message: &T,
    version: Version,
) {
    let number = version.number;
    let written = bytes(message, version);
    let mut reader = Reader::new(written.clone());
    let read = T::decode(&mut reader, version).expect("what was written can be read");
    assert_eq!(reader.remaining(), 0, "to the last byte");
    assert_eq!(bytes(&read, version), written, "{what} {number} is the same again");
    for end in 0..written.len() {
        let cut = T::decode(&mut Reader::new(written.slice(..end)), version);
        assert!(cut.is_err(), "{what} {number} cut at {end} cannot be read");
    }
    writeln!(text, "v{number} {what}").expect("a string takes everything");
    for line in written.chunks(32) {
        for byte in line {
            write!(text, "{byte:02x}").expect("a string takes everything");
        }
        text.push('\n');
    }
}

fn show_all<Q, A>(versions: impl Iterator<Item = Version>) -> String
where
    Q: Wire + Sample + Default + PartialEq + core::fmt::Debug,
    A: Wire + Sample + Default + PartialEq + core::fmt::Debug,
{
    let mut text = String::new();
    for version in versions {
        show(&mut text, "request", &Q::sample(&mut 0), version);
        show(&mut text, "request with defaults", &Q::default(), version);
        show(&mut text, "response", &A::sample(&mut 0), version);
        show(&mut text, "response with defaults", &A::default(), version);
    }
    text
}

macro_rules! golden {
    ($($test:ident $request:ident;)*) => {$(
        #[test]
        fn $test() {
            type Asked = messages::$test::$request;
            let key = <Asked as api::RequestMessage>::KEY;
            let _: fn(Asked) -> Request = Into::into;
            let _: fn(<Asked as api::RequestMessage>::Response) -> Response = Into::into;
            let versions = key.versions().map(|version| key.version(version));
            type Told = <Asked as api::RequestMessage>::Response;
            insta::assert_snapshot!(stringify!($test), show_all::<Asked, Told>(versions));
        }
    )*

    /// All APIs are shown.
    #[test]
    fn none_is_missing() {
        let shown = [$(<messages::$test::$request as api::RequestMessage>::KEY),*];
        assert_eq!(shown.len(), ApiKey::ALL.len());
        assert!(ApiKey::ALL.iter().all(|key| shown.contains(key)));
    }};
}

golden! {
    alter_configs AlterConfigsRequest;
    api_versions ApiVersionsRequest;
    create_partitions CreatePartitionsRequest;
    create_topics CreateTopicsRequest;
    delete_groups DeleteGroupsRequest;
    delete_records DeleteRecordsRequest;
    delete_topics DeleteTopicsRequest;
    describe_cluster DescribeClusterRequest;
    describe_configs DescribeConfigsRequest;
    describe_groups DescribeGroupsRequest;
    describe_log_dirs DescribeLogDirsRequest;
    describe_producers DescribeProducersRequest;
    describe_topic_partitions DescribeTopicPartitionsRequest;
    fetch FetchRequest;
    find_coordinator FindCoordinatorRequest;
    heartbeat HeartbeatRequest;
    incremental_alter_configs IncrementalAlterConfigsRequest;
    init_producer_id InitProducerIdRequest;
    join_group JoinGroupRequest;
    leave_group LeaveGroupRequest;
    list_groups ListGroupsRequest;
    list_offsets ListOffsetsRequest;
    metadata MetadataRequest;
    offset_commit OffsetCommitRequest;
    offset_delete OffsetDeleteRequest;
    offset_fetch OffsetFetchRequest;
    offset_for_leader_epoch OffsetForLeaderEpochRequest;
    produce ProduceRequest;
    sync_group SyncGroupRequest;
}

/// What brokers and the controller say to each other; no client does.
macro_rules! golden_between_brokers {
    ($($test:ident $request:ident $response:ident $versions:expr;)*) => {$(
        #[test]
        fn $test() {
            use messages::$test::{$request, $response};
            let versions = $versions.map(|number| Version { number, flexible: true });
            insta::assert_snapshot!(stringify!($test), show_all::<$request, $response>(versions));
        }
    )*};
}

golden_between_brokers! {
    alter_partition AlterPartitionRequest AlterPartitionResponse 2..=3;
    broker_heartbeat BrokerHeartbeatRequest BrokerHeartbeatResponse 0..=2;
    broker_registration BrokerRegistrationRequest BrokerRegistrationResponse 0..=4;
}
