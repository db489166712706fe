//! Clients that are too many, too slow or too silent.

use std::{
    io::{Read, Write},
    thread,
    time::{Duration, Instant},
};

use ottla_core::wire::{
    Request,
    messages::{api_versions::ApiVersionsRequest, metadata::MetadataRequest},
};

use crate::support::{Broker, Folder, batch, fetch_request, frame, wait_until};

#[test]
fn too_many_connections() {
    for setting in ["max.connections=3", "max.connections.per.ip=3"] {
        let folder = Folder::new();
        let broker = Broker::start(folder.path(), &[setting]);
        let mut kept: Vec<_> = (0..3).map(|_| broker.client()).collect();
        for client in &mut kept {
            assert_eq!(client.call(0, ApiVersionsRequest::default()).error_code, 0);
        }
        broker.client().wait_for_close();
        broker.err.wait_for("connection refused: there are too many");
        for client in &mut kept {
            assert_eq!(client.call(0, ApiVersionsRequest::default()).error_code, 0);
        }
        // One goes, and another one may come.
        drop(kept.pop());
        wait_until("there is a place again", || {
            let mut client = broker.client();
            let request = Request::from(ApiVersionsRequest::default());
            let _ = client.0.write_all(&frame(0, &request));
            client.receive().is_ok()
        });
    }
}

#[test]
fn a_client_that_sends_a_byte_at_a_time() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &["connections.max.idle.ms=1000"]);
    let mut slow = broker.client();
    let request = Request::from(MetadataRequest { topics: None, ..Default::default() });
    for byte in frame(9, &request) {
        slow.send(&[byte]);
        thread::sleep(Duration::from_millis(30));
        broker.check_alive();
    }
    let response = slow.response::<MetadataRequest>(9);
    assert_eq!(response.brokers.len(), 1);
}

#[test]
fn silent_clients_are_closed_at_rest_and_half_way() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &["connections.max.idle.ms=500"]);
    let mut silent = broker.client();
    let mut half_way = broker.client();
    half_way.send(&[0, 0, 0, 100, 0]);
    silent.wait_for_close();
    half_way.wait_for_close();
    broker.err.wait_for("a request stood still half-way");
    broker.check_alive();
}

/// A client that asks for much and reads nothing: the broker stops taking its requests, keeps its memory, serves the others,
/// and closes the connection in the end.
#[test]
fn a_client_that_never_reads() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &["connections.max.idle.ms=2000"]);
    let mut good = broker.client();
    assert_eq!(good.create("t", &[]).0, 0);
    let value = vec![7; 900_000];
    for offset in 0..4 {
        assert_eq!(good.produce("t", batch(&value)), (0, offset));
    }
    let before = broker.memory_peak_bytes();
    let mut deaf: Vec<_> = (0..8).map(|_| broker.client()).collect();
    let request = frame(11, &Request::from(fetch_request("t", 0)));
    for client in &mut deaf {
        client.0.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        for _ in 0..5_000 {
            if client.0.write_all(&request).is_err() {
                break;
            }
        }
    }
    for _ in 0..20 {
        assert_eq!(good.fetch("t", 3).0, 0);
    }
    let grown = broker.memory_peak_bytes() - before;
    assert!(grown < 64 << 20, "{grown}");
    broker.err.wait_for("the client does not take its responses");
    broker.check_alive();
}

/// Who takes responses slowly gets them all, however long that takes; who stops is closed.
#[test]
fn a_client_that_reads_slowly() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &["connections.max.idle.ms=1500"]);
    let mut good = broker.client();
    assert_eq!(good.create("t", &[]).0, 0);
    assert_eq!(good.produce("t", batch(&vec![7; 900_000])), (0, 0));
    drop(good);
    let mut slow = broker.client();
    let request = frame(11, &Request::from(fetch_request("t", 0)));
    for _ in 0..40 {
        slow.send(&request);
    }
    let since = Instant::now();
    let mut part = vec![0; 300_000];
    let mut read = 0;
    while since.elapsed() < Duration::from_secs(7) {
        slow.0.read_exact(&mut part).unwrap();
        read += part.len();
        thread::sleep(Duration::from_millis(100));
    }
    assert!(!broker.err.text().contains("does not take its responses"), "{read} bytes");
    broker.err.wait_for("the client does not take its responses");
    broker.check_alive();
}

/// Large requests that are announced and never sent take no memory.
#[test]
fn announced_lengths_take_no_memory() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    broker.check_alive();
    let before = broker.memory_peak_bytes();
    let mut clients: Vec<_> = (0..50).map(|_| broker.client()).collect();
    for client in &mut clients {
        client.send(&[5, 0, 0, 0, 0, 0, 0, 9]);
    }
    broker.check_alive();
    let grown = broker.memory_peak_bytes() - before;
    assert!(grown < 32 << 20, "{grown}");
}
