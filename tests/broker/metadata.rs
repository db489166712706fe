//! The metadata log, torn and damaged.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use crate::support::{Broker, Folder, batch, ottla};

/// A data folder with a few topics.
fn folder_with_topics() -> Folder {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = broker.client();
    for topic in ["first", "second", "third"] {
        assert_eq!(client.create(topic, &[]).0, 0);
    }
    assert_eq!(broker.stop().code(), Some(0));
    folder
}

fn log_file(folder: &Folder) -> PathBuf {
    let files = fs::read_dir(folder.path().join("metadata")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|it| it == "log")).max().unwrap()
}

fn flip(path: &Path, position: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[position] ^= 4;
    fs::write(path, bytes).unwrap();
}

/// What is said of a broker that does not start.
fn refusal(folder: &Folder) -> String {
    let mut command = ottla();
    command.args(["serve", "--listen", "127.0.0.1:0", "--set", "ottla.http.listener=", "--data"]);
    let Output { status, stderr, .. } =
        command.arg(folder.path()).stdin(Stdio::null()).output().unwrap();
    let words = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(1), "{words}");
    words
}

/// Where the entries of a log file begin.
fn entries(path: &Path) -> Vec<usize> {
    let bytes = fs::read(path).unwrap();
    let mut starts = vec![0];
    loop {
        let start = starts[starts.len() - 1];
        let length = u32::from_be_bytes(*bytes[start..].first_chunk().unwrap());
        let next = start + 8 + usize::try_from(length).unwrap();
        if next == bytes.len() {
            return starts;
        }
        starts.push(next);
    }
}

/// What was acknowledged is not forgotten silently: not the middle of the log, and not its last entry.
#[test]
fn damage_below_what_was_synced_is_told() {
    let folder = folder_with_topics();
    let path = log_file(&folder);
    let whole = fs::read(&path).unwrap();
    let starts = entries(&path);
    for entry in [0, starts.len() / 2, starts.len() - 1] {
        flip(&path, starts[entry] + 12);
        let words = refusal(&folder);
        let name = path.file_name().unwrap().to_str().unwrap();
        let place = format!("byte {} of metadata/{name}", starts[entry]);
        assert!(words.contains(&place), "{words}");
        assert!(words.contains("truncate -s"), "{words}");
        assert_eq!(fs::read(&path).unwrap().len(), whole.len(), "it is left as it is");
        fs::write(&path, &whole).unwrap();
    }
    let _started = Broker::start(folder.path(), &[]);
}

/// What damages one copy of the mark as well leaves the other.
#[test]
fn damage_to_half_of_the_mark_as_well_is_told() {
    let folder = folder_with_topics();
    let path = log_file(&folder);
    let mark = folder.path().join("metadata/synced");
    let last = *entries(&path).last().unwrap();
    flip(&path, last + 12);
    for copy in [0, 4096] {
        flip(&mark, copy + 12);
        assert!(refusal(&folder).contains(&format!("byte {last} of metadata/")));
        flip(&mark, copy + 12);
    }
}

/// The way out that the refusal names.
#[test]
fn a_damaged_log_can_be_cut_off_by_hand() {
    let folder = folder_with_topics();
    let path = log_file(&folder);
    let starts = entries(&path);
    // The last entry made the third topic.
    let last = starts[starts.len() - 1];
    flip(&path, last + 12);
    refusal(&folder);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(u64::try_from(last).unwrap()).unwrap();
    fs::remove_file(folder.path().join("metadata/synced")).unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = broker.client();
    assert_eq!(client.produce("second", batch(b"value")), (0, 0));
    assert_eq!(client.produce("third", batch(b"value")).0, 3);
    assert_eq!(client.create("third", &[]).0, 0);
    broker.kill();
    let broker = Broker::start(folder.path(), &[]);
    assert_eq!(broker.client().produce("third", batch(b"value")), (0, 0));
}

/// An entry that was being written when the process ended was acknowledged to nobody.
#[test]
fn a_torn_end_is_cut_off() {
    let folder = folder_with_topics();
    let path = log_file(&folder);
    let whole = fs::read(&path).unwrap();
    let starts = entries(&path);
    let last = &whole[starts[starts.len() - 1]..];
    for cut in [1, 7, 8, 20, last.len() - 1] {
        let mut torn = File::options().append(true).open(&path).unwrap();
        torn.write_all(&last[..cut]).unwrap();
        drop(torn);
        let broker = Broker::start(folder.path(), &[]);
        let mut client = broker.client();
        for topic in ["first", "second", "third"] {
            assert_eq!(client.produce(topic, batch(b"value")).0, 0, "{topic}");
        }
        broker.kill();
    }
}

/// A mark that a power failure has left behind, or torn, refuses nothing that is there.
#[test]
fn a_stale_mark_says_less_than_is_true() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    let mark = folder.path().join("metadata/synced");
    let mut stale = Vec::new();
    File::open(&mark).unwrap().read_to_end(&mut stale).unwrap();
    assert_eq!(broker.client().create("first", &[]).0, 0);
    broker.kill();
    fs::write(&mark, &stale).unwrap();
    let broker = Broker::start(folder.path(), &[]);
    assert_eq!(broker.client().produce("first", batch(b"value")), (0, 0));
    broker.kill();
    fs::write(&mark, &stale[..stale.len() / 2]).unwrap();
    let broker = Broker::start(folder.path(), &[]);
    assert_eq!(broker.client().produce("first", batch(b"value")), (0, 1));
}
