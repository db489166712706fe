//! Disks that are full or broken.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::support::{Broker, Client, Folder, batch, skip, wait_until};

const KAFKA_STORAGE_ERROR: i16 = 56;
const REQUEST_TIMED_OUT: i16 = 7;

/// Below the reserve, records are refused; everything else goes on.
#[test]
fn nearly_full() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = broker.client();
    assert_eq!(client.create("t", &[]).0, 0);
    assert_eq!(client.produce("t", batch(b"value")), (0, 0));
    assert_eq!(broker.stop().code(), Some(0));
    let broker = Broker::start(folder.path(), &["ottla.disk.reserve.bytes=9000000000000000000"]);
    broker.err.wait_for("records are refused until there is space");
    let mut client = broker.client();
    assert_eq!(client.produce("t", batch(b"value")).0, KAFKA_STORAGE_ERROR);
    assert!(!client.fetch("t", 0).1.is_empty());
    broker.check_alive();
}

/// A file system of its own, gone when the test ends.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = unmount(self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn full_and_with_space_again() {
    let folder = Folder::new();
    let options = c"size=48m";
    if let Err(error) = mount("tmpfs", folder.path(), "tmpfs", MountFlags::empty(), options) {
        return skip("full_and_with_space_again", &format!("a tmpfs cannot be mounted: {error}"));
    }
    let _mounted = Mounted(folder.path());
    let data = folder.path().join("data");
    let broker = Broker::start(&data, &["ottla.disk.reserve.bytes=8000000"]);
    let mut client = broker.client();
    assert_eq!(client.create("t", &[]).0, 0);
    let value = vec![7; 100_000];
    let mut written = 0;
    assert_eq!(client.produce("t", batch(&value)), (0, written));
    written += 1;
    // Something else takes the space.
    let ballast = folder.path().join("ballast");
    fs::write(&ballast, vec![1; 42 << 20]).unwrap();
    broker.err.wait_for("records are refused until there is space");
    assert_eq!(client.produce("t", batch(&value)).0, KAFKA_STORAGE_ERROR);
    assert!(!client.fetch("t", 0).1.is_empty());
    fs::remove_file(&ballast).unwrap();
    broker.err.wait_for("there is space again");
    assert_eq!(client.produce("t", batch(&value)), (0, written));
    written += 1;
    // Full to the last byte within the second between two looks: the write itself fails. What it left behind is cut off, and
    // writing goes on when there is space.
    let mut filler = fs::File::create(&ballast).unwrap();
    while filler.write_all(&[1; 4_096]).is_ok() {}
    // A file that is open keeps its space.
    drop(filler);
    for _ in 0..3 {
        assert_eq!(client.produce("t", batch(&value)).0, KAFKA_STORAGE_ERROR);
        check_readable(&mut client, written);
    }
    fs::remove_file(&ballast).unwrap();
    wait_until("records are taken again", || {
        let (error, offset) = client.produce("t", batch(&value));
        assert!(error == 0 && offset == written || error == KAFKA_STORAGE_ERROR, "{error}");
        check_readable(&mut client, written);
        error == 0
    });
    check_readable(&mut client, written + 1);
    broker.check_alive();
    assert_eq!(broker.stop().code(), Some(0));
}

/// All records up to `end`, and no more, can be read.
fn check_readable(client: &mut Client, end: i64) {
    for offset in 0..end {
        let (error, bytes) = client.fetch("t", offset);
        assert_eq!(error, 0, "offset {offset}");
        assert!(!bytes.is_empty(), "offset {offset}");
    }
}

/// Nothing is kept in reserve, so that every write comes upon the end of the disk, those to the metadata log as well.
#[test]
fn full_without_a_reserve() {
    let folder = Folder::new();
    let options = c"size=24m";
    if let Err(error) = mount("tmpfs", folder.path(), "tmpfs", MountFlags::empty(), options) {
        return skip("full_without_a_reserve", &format!("a tmpfs cannot be mounted: {error}"));
    }
    let _mounted = Mounted(folder.path());
    let data = folder.path().join("data");
    let broker = Broker::start(&data, &["ottla.disk.reserve.bytes=0"]);
    let mut client = broker.client();
    assert_eq!(client.create("t", &[]).0, 0);
    let value = vec![7; 1_000];
    for offset in 0..3 {
        assert_eq!(client.produce("t", batch(&value)), (0, offset));
    }
    let ballast = folder.path().join("ballast");
    let mut filler = fs::File::create(&ballast).unwrap();
    while filler.write_all(&[1; 4_096]).is_ok() {}
    drop(filler);
    // What is left of the last page may hold some more.
    let mut end = 3;
    wait_until("the disk is full", || {
        let (error, offset) = client.produce("t", batch(&value));
        assert!(error == 0 && offset == end || error == KAFKA_STORAGE_ERROR, "{error}");
        end += i64::from(error == 0);
        check_readable(&mut client, end);
        error != 0
    });
    // There is a look at the free space each second, and each finds some.
    for _ in 0..30 {
        assert_eq!(client.produce("t", batch(&value)).0, KAFKA_STORAGE_ERROR);
        check_readable(&mut client, end);
        thread::sleep(Duration::from_millis(100));
    }
    let mut topics = 0;
    wait_until("the metadata log is full", || {
        topics += 1;
        let (error, _) = client.create(&format!("topic-{topics}"), &[]);
        assert!(matches!(error, 0 | REQUEST_TIMED_OUT), "{error}");
        error != 0
    });
    check_readable(&mut client, end);
    fs::remove_file(&ballast).unwrap();
    wait_until("topics can be made again", || client.create("later", &[]).0 == 0);
    wait_until("records are taken again", || client.produce("t", batch(&value)) == (0, end));
    assert_eq!(broker.stop().code(), Some(0));
    let broker = Broker::start(&data, &["ottla.disk.reserve.bytes=0"]);
    let mut client = broker.client();
    check_readable(&mut client, end + 1);
    assert_eq!(client.produce("later", batch(&value)), (0, 0));
}

/// Has every fdatasync of a process fail until it is dropped.
struct FailedSyncs(Child);

impl FailedSyncs {
    fn of(process: u32) -> Result<Self, String> {
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &process.to_string(), "-e", "trace=fdatasync"]);
        command.args(["-e", "inject=fdatasync:error=EIO", "-o", "/dev/null"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("there is no strace: {error}"))?;
        // It is there once every thread has a tracer.
        for _ in 0..200 {
            if let Some(status) = child.try_wait().unwrap() {
                return Err(format!("strace may not look into the broker: {status}"));
            }
            if is_traced(process) {
                return Ok(Self(child));
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        Err("strace does not get to its work".to_owned())
    }
}

fn is_traced(process: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads.map_while(Result::ok).all(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    })
}

impl Drop for FailedSyncs {
    fn drop(&mut self) {
        // It lets go of the broker when it is told to end.
        let id = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

/// What a failed sync leaves on the disk is not known: the partition is not served any more until the broker was started
/// again and has looked, and a later sync that succeeds does not count.
#[test]
fn a_failed_sync_is_final() {
    let folder = Folder::new();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = broker.client();
    assert_eq!(client.create("broken", &[]).0, 0);
    assert_eq!(client.create("whole", &[]).0, 0);
    assert_eq!(client.produce("broken", batch(b"value")), (0, 0));
    assert_eq!(client.produce("whole", batch(b"value")), (0, 0));
    let failing = match FailedSyncs::of(broker.id()) {
        Ok(failing) => failing,
        Err(reason) => return skip("a_failed_sync_is_final", &reason),
    };
    assert_eq!(client.produce("broken", batch(b"lost")).0, KAFKA_STORAGE_ERROR);
    broker.err.wait_for("the disk failed");
    drop(failing);
    for _ in 0..3 {
        assert_eq!(client.produce("broken", batch(b"value")).0, KAFKA_STORAGE_ERROR);
    }
    assert_eq!(client.fetch("broken", 0).0, KAFKA_STORAGE_ERROR);
    // The others go on.
    assert_eq!(client.produce("whole", batch(b"value")), (0, 1));
    broker.check_alive();
    let _ = broker.stop();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = broker.client();
    let (error, bytes) = client.fetch("broken", 0);
    assert!(error == 0 && !bytes.is_empty(), "{error}");
    assert_eq!(client.produce("broken", batch(b"value")).0, 0);
    assert_eq!(client.produce("whole", batch(b"value")), (0, 2));
}
