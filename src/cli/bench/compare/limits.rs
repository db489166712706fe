//! What the disk, the processor and the loopback interface give without any broker.

use std::{
    fs::{self, File},
    hint::black_box,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    thread,
    time::Instant,
};

use serde_json::{Value, json};

use super::{CompareError, interrupt::Interrupt};
use crate::cli::bench::{meter::Latencies, process::Process};

const SMALL_BYTES: usize = 64 << 10;
const LARGE_BYTES: usize = 1 << 20;
/// How much of the volume of a run is enough for the disk.
const DISK_DIVISOR: u64 = 4;
/// How many pieces of work go between two looks at whether to end.
const PIECES: usize = 64;

/// Measures all of them, in a folder on the disk that the brokers use, with `bytes` at most each.
pub(super) fn measure(
    folder: &Path,
    bytes: u64,
    interrupt: &Interrupt,
) -> Result<Value, CompareError> {
    Ok(json!({
        "fdatasync_64_kib": appends(folder, SMALL_BYTES, bytes / DISK_DIVISOR, interrupt)?,
        "fdatasync_1_mib": appends(folder, LARGE_BYTES, bytes / DISK_DIVISOR, interrupt)?,
        "crc32c_gb_per_second": checksums(bytes, interrupt)?,
        "loopback": loopback(bytes, interrupt)?,
    }))
}

/// Appends to a new file, and syncs each piece.
fn appends(
    folder: &Path,
    piece_bytes: usize,
    bytes: u64,
    interrupt: &Interrupt,
) -> Result<Value, CompareError> {
    let path = folder.join("appends");
    let write = || -> Result<Value, CompareError> {
        let failed = || CompareError::io(path.display());
        let mut file = File::create(&path).map_err(failed())?;
        let piece = vec![0x5a; piece_bytes];
        let mut latencies = Latencies::new();
        let begin = Instant::now();
        let mut written = 0;
        while written < bytes.max(1) {
            interrupt.check()?;
            let since = Instant::now();
            file.write_all(&piece).map_err(failed())?;
            file.sync_data().map_err(failed())?;
            latencies.add(since.elapsed());
            written += piece_bytes as u64;
        }
        let rate = written as f64 / 1e6 / begin.elapsed().as_secs_f64();
        Ok(json!({ "mb_per_second": rate, "latency_ms": latencies.json() }))
    };
    let outcome = write();
    // It goes with the folder if it does not go now.
    let _ = fs::remove_file(&path);
    outcome
}

/// Sums of 64 KiB in the processor's cache, in GB/s.
fn checksums(bytes: u64, interrupt: &Interrupt) -> Result<f64, CompareError> {
    let piece = vec![0x5a; SMALL_BYTES];
    let begin = Instant::now();
    let mut summed = 0;
    while summed < bytes.max(1) {
        interrupt.check()?;
        for _ in 0..PIECES {
            black_box(crc32c::crc32c(black_box(&piece)));
        }
        summed += (PIECES * SMALL_BYTES) as u64;
    }
    Ok(summed as f64 / 1e9 / begin.elapsed().as_secs_f64())
}

/// Sends 64 KiB at a time over one connection to another thread that reads and forgets them.
fn loopback(bytes: u64, interrupt: &Interrupt) -> Result<Value, CompareError> {
    let failed = || CompareError::io("the loopback interface");
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed())?;
    let address = listener.local_addr().map_err(failed())?;
    let mut sender = TcpStream::connect(address).map_err(failed())?;
    let (mut receiver, _) = listener.accept().map_err(failed())?;
    let piece = vec![0x5a; SMALL_BYTES];
    let before = Process::Loader.usage()?;
    let begin = Instant::now();
    let copied = thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut buffer = vec![0; 2 * SMALL_BYTES];
            let mut copied = 0;
            loop {
                match receiver.read(&mut buffer) {
                    Ok(0) => return Ok(copied),
                    Ok(count) => copied += count as u64,
                    Err(error) => return Err(error),
                }
            }
        });
        let mut sent = 0;
        let mut send = || -> Result<(), CompareError> {
            while sent < bytes.max(1) {
                interrupt.check()?;
                sender.write_all(&piece).map_err(failed())?;
                sent += SMALL_BYTES as u64;
            }
            Ok(())
        };
        let outcome = send();
        // The end of the stream ends the reader.
        drop(sender);
        let copied = reading.join().unwrap_or(Ok(0)).map_err(failed());
        outcome.and(copied)
    })?;
    let elapsed = begin.elapsed().as_secs_f64();
    let cpu = Process::Loader.usage()?.cpu.saturating_sub(before.cpu).as_secs_f64();
    let gigabytes = copied as f64 / 1e9;
    Ok(json!({ "gb_per_second": gigabytes / elapsed, "cpu_seconds_per_gb": cpu / gigabytes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::compare::{
        case::{Case, Metric},
        scratch::Scratch,
    };

    #[test]
    fn every_limit_has_a_figure() {
        let scratch = Scratch::create(&std::env::temp_dir()).expect("a folder");
        let report = measure(scratch.path(), 1 << 20, &Interrupt::default()).expect("measured");
        let has_figure = |metric: &Metric| metric.value(&report).is_some_and(|value| value >= 0.0);
        let missing: Vec<_> =
            Case::Limits.metrics().iter().filter(|metric| !has_figure(metric)).collect();
        assert_eq!(missing, Vec::<&Metric>::new());
        assert_eq!(fs::read_dir(scratch.path()).expect("it is there").count(), 0);
    }
}
