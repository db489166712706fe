//! Frames that are no requests.

use ottla_core::wire::{
    ApiKey, Request, Wire,
    messages::{
        api_versions::{ApiVersionsRequest, ApiVersionsResponse},
        metadata::MetadataRequest,
    },
};

use crate::support::{Broker, Folder, SOME_API, frame, framed};

/// The connection is closed, the reason logged, and others are served.
fn refused(broker: &Broker, bytes: &[u8], reason: &str) {
    let mut client = broker.client();
    client.send(bytes);
    client.wait_for_close();
    broker.err.wait_for(reason);
    broker.check_alive();
}

#[test]
fn frames_of_impossible_length() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &["socket.request.max.bytes=1000000"]);
    let metadata = SOME_API.code().to_be_bytes();
    for length in [-1, i32::MIN, 0, 9] {
        let bytes = [&length.to_be_bytes()[..], &metadata].concat();
        refused(&broker, &bytes, &format!("a request of {length} bytes is too short"));
    }
    for length in [1_000_001, i32::MAX, 83_334] {
        let bytes = [&length.to_be_bytes()[..], &metadata].concat();
        refused(&broker, &bytes, &format!("a request of {length} bytes is longer than"));
    }
}

/// A length that no request may have is found out as soon as the API is known, however the bytes arrive, and keeps nobody
/// else from sending a large request.
#[test]
fn an_oversize_length_alone_holds_nothing_up() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    let mut waiting = broker.client();
    waiting.send(&i32::MAX.to_be_bytes());
    let mut good = broker.client();
    assert_eq!(good.create("t", &[("max.message.bytes", "3000000")]).0, 0);
    let large = crate::support::batch(&vec![7; 2_500_000]);
    assert_eq!(good.produce("t", large), (0, 0));
    waiting.send(&[0, 3]);
    waiting.wait_for_close();
    broker.err.wait_for("is longer than");
}

#[test]
fn unknown_keys_and_versions() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    let header = |key: i16, version: i16| {
        let fields = [&key.to_be_bytes()[..], &version.to_be_bytes(), &[0, 0, 0, 7, 0xff, 0xff, 0]];
        framed(&fields.concat())
    };
    refused(&broker, &header(9_999, 0), "no API has the key 9999");
    refused(&broker, &header(-1, 0), "no API has the key -1");
    for key in ApiKey::ALL.iter().filter(|key| **key != ApiKey::ApiVersions) {
        for version in [key.versions().start() - 1, key.versions().end() + 1, i16::MIN, i16::MAX] {
            if !key.advertised_versions().contains(&version) {
                let reason = format!("{} is not served in version {version}", key.name());
                refused(&broker, &header(key.code(), version), &reason);
            }
        }
    }
    // A client asks for the versions in the newest one that it knows.
    for version in [5, i16::MAX, -1] {
        let mut client = broker.client();
        client.send(&header(ApiKey::ApiVersions.code(), version));
        let mut reader = ottla_core::wire::Reader::new(client.receive().unwrap());
        assert_eq!(i32::decode(&mut reader, ApiKey::ApiVersions.version(0)), Ok(7));
        let response = ApiVersionsResponse::decode(&mut reader, ApiKey::ApiVersions.version(0));
        let response = response.unwrap();
        reader.finish().unwrap();
        assert_eq!(response.error_code, 35);
        let known: Vec<_> = response.api_keys.iter().map(|api| api.api_key).collect();
        assert!(known.contains(&ApiKey::ApiVersions.code()));
        // It asks again on the same connection.
        let again = client.call(0, ApiVersionsRequest::default());
        assert_eq!(again.error_code, 0);
    }
}

#[test]
fn requests_that_are_cut_short_or_go_on() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    let request = Request::from(MetadataRequest { topics: Some(Vec::new()), ..Default::default() });
    let whole = frame(9, &request)[4..].to_vec();
    for length in 10..whole.len() {
        let mut client = broker.client();
        client.send(&framed(&whole[..length]));
        client.wait_for_close();
    }
    // What follows a request is not looked at, as in Kafka.
    let mut client = broker.client();
    client.send(&framed(&[&whole[..], &[0]].concat()));
    assert_eq!(client.response::<MetadataRequest>(9).brokers.len(), 1);
    // The client goes away in the middle of a frame.
    drop({
        let mut client = broker.client();
        client.send(&[0, 0, 0, 100, 0, 3, 0]);
        client
    });
    broker.check_alive();
}

#[test]
fn random_bytes() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &["socket.request.max.bytes=100000"]);
    let mut state = 0x0bad_5eed_u64;
    let mut random = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    let apis = ApiKey::ALL;
    for round in 0..600 {
        let mut client = broker.client();
        let length = 12 + usize::from(random());
        let mut bytes: Vec<u8> = (0..length).map(|_| random()).collect();
        if round % 2 == 0 {
            // A header that is in order, with anything behind it.
            let key = apis[usize::from(random()) % apis.len()];
            let count = key.versions().end() - key.versions().start() + 1;
            let version = key.versions().start() + i16::from(random()) % count;
            bytes[..2].copy_from_slice(&key.code().to_be_bytes());
            bytes[2..4].copy_from_slice(&version.to_be_bytes());
            bytes[8..10].copy_from_slice(&[0xff, 0xff]);
            bytes = framed(&bytes);
        }
        client.send(&bytes);
    }
    broker.check_alive();
    assert!(broker.memory_peak_bytes() < 200 << 20, "{}", broker.memory_peak_bytes());
    assert_eq!(broker.stop().code(), Some(0));
}
