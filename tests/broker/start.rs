//! Starting, stopping, and what an operator is told.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::{Output, Stdio},
};

use rustix::process::Signal;

use crate::support::{Broker, Folder, batch, ottla, wait_until};

fn run(arguments: &[&str], data: &Folder) -> (Option<i32>, String) {
    let mut command = ottla();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path()).args(arguments);
    let Output { status, stderr, .. } = command.stdin(Stdio::null()).output().unwrap();
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn a_second_broker_on_the_same_folder_refuses() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    let (code, words) = run(&["--set", "ottla.http.listener="], &folder);
    assert_eq!(code, Some(1));
    assert!(words.contains("is in use by another broker"), "{words}");
    assert!(words.contains("--data"), "{words}");
    broker.check_alive();
}

#[test]
fn what_is_wrong_with_settings_is_said() {
    let folder = Folder::new();
    for (setting, said) in [
        ("num.partition=3", "there is no setting num.partition; the nearest is num.partitions"),
        ("num.partitions=many", "num.partitions"),
        ("log.dirs=/a,/b", "more than one folder"),
    ] {
        let (code, words) = run(&["--set", setting], &folder);
        assert_eq!(code, Some(2), "{words}");
        assert!(words.contains(said), "{words}");
    }
    let (code, words) = run(&["--set", "ottla.http.listener=", "--listen", "nowhere"], &folder);
    assert_eq!(code, Some(2), "{words}");
    fs::write(folder.path().join("something"), "else").unwrap();
    let (code, words) = run(&["--set", "ottla.http.listener="], &folder);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("is not empty and was not made by ottla"), "{words}");
}

#[test]
fn port_zero_takes_a_free_one_and_prints_it() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    assert_ne!(broker.address.port(), 0);
    assert!(broker.out.text().contains(&folder.path().display().to_string()));
    assert!(broker.out.text().contains("flush.messages=1"));
}

#[test]
fn a_clean_stop_and_a_restart() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = broker.client();
    assert_eq!(client.create("t", &[]).0, 0);
    for offset in 0..100 {
        assert_eq!(client.produce("t", batch(b"value")), (0, offset));
    }
    assert_eq!(broker.stop().code(), Some(0));
    let marker = folder.path().join(".kafka_cleanshutdown");
    assert!(marker.exists());
    let broker = Broker::start(folder.path(), &[]);
    assert!(!marker.exists());
    assert!(!broker.err.text().contains("log recovered"), "{}", broker.err.text());
    let mut client = broker.client();
    assert_eq!(client.produce("t", batch(b"value")), (0, 100));
    assert!(!client.fetch("t", 0).1.is_empty());
}

#[test]
fn a_restart_after_a_kill() {
    let folder = Folder::new();
    let settings = ["log.segment.bytes=1048576", "log.index.interval.bytes=4096"];
    let broker = Broker::start(folder.path(), &settings);
    let mut client = broker.client();
    assert_eq!(client.create("t", &[]).0, 0);
    let value = vec![7; 30_000];
    for offset in 0..80 {
        assert_eq!(client.produce("t", batch(&value)), (0, offset));
    }
    broker.kill();
    assert!(!folder.path().join(".kafka_cleanshutdown").exists());
    // A write that was cut short.
    let last = "t-0/00000000000000000068.log";
    let segments: Vec<String> = fs::read_dir(folder.path().join("t-0"))
        .unwrap()
        .map(|entry| format!("t-0/{}", entry.unwrap().file_name().to_string_lossy()))
        .filter(|name| name.ends_with(".log"))
        .collect();
    assert!(segments.len() > 1, "{segments:?}");
    let last = segments.iter().max().map_or(last, String::as_str);
    let mut file = fs::OpenOptions::new().append(true).open(folder.path().join(last)).unwrap();
    file.write_all(&batch(b"torn")[..40]).unwrap();
    let verified = ottla().args(["log", "verify", "--data"]).arg(folder.path()).output().unwrap();
    let words = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert_eq!(verified.status.code(), Some(0), "{words}");
    assert!(words.contains("torn tail: 40 bytes"), "{words}");
    let broker = Broker::start(folder.path(), &settings);
    broker.err.wait_for("truncated_bytes=40");
    let mut client = broker.client();
    assert_eq!(client.produce("t", batch(&value)), (0, 80));
    for offset in 0..81 {
        let (error, bytes) = client.fetch("t", offset);
        assert!(error == 0 && !bytes.is_empty(), "offset {offset}: {error}");
    }
    assert_eq!(broker.stop().code(), Some(0));
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = Folder::new();
    let mut broker = Broker::start(folder.path(), &[]);
    broker.signal(Signal::TERM);
    broker.signal(Signal::TERM);
    let status = broker.wait();
    // The first one may have been enough by then.
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    assert_eq!(Broker::start(folder.path(), &[]).stop().code(), Some(0));
}

fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    (status, text)
}

#[test]
fn metrics_and_health() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &["ottla.http.listener=127.0.0.1:0"]);
    let line = broker.out.wait_for("metrics");
    let address = line.split("http://").nth(1).unwrap().trim_end_matches("/metrics").to_owned();
    let mut client = broker.client();
    assert_eq!(client.create("watched", &[]).0, 0);
    assert_eq!(client.produce("watched", batch(b"value")), (0, 0));
    let (status, text) = get(&address, "/metrics");
    assert_eq!(status, 200);
    assert!(text.contains("topic=\"watched\""), "{text}");
    assert!(!text.contains("ottla_request_errors_total{"), "{text}");
    assert_eq!(client.produce("nowhere", batch(b"value")).0, 3);
    assert_eq!(client.create("watched", &[]).0, 36);
    let (_, text) = get(&address, "/metrics");
    for api in ["Produce", "CreateTopics"] {
        let line = format!("ottla_request_errors_total{{api=\"{api}\"}} 1");
        assert!(text.contains(&line), "{line} is not in {text}");
        assert!(text.contains(&format!("ottla_request_seconds_count{{api=\"{api}\"}}")), "{api}");
    }
    for metric in
        ["ottla_sync_seconds_count", "ottla_topic_records_in_total", "ottla_partition_size_bytes"]
    {
        assert!(text.contains(metric), "{metric}");
    }
    assert_eq!(get(&address, "/health/live").0, 200);
    assert_eq!(get(&address, "/health/ready").0, 200);
    assert_eq!(get(&address, "/nowhere").0, 404);
    // Nonsense ends that connection, and no more.
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(&[0xff; 9_000]).unwrap();
    wait_until("health is still told", || get(&address, "/health/live").0 == 200);
    broker.check_alive();
}
