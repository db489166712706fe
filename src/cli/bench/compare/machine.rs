//! On what it was measured.

use std::{fs, path::Path, thread};

use rustix::system::uname;
use serde_json::{Value, json};

use crate::{
    cli::{bench::meter::three_digits, timestamp},
    client::clock,
};

/// On what it was measured, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    date: String,
    processor: String,
    cores: usize,
    pub(super) memory_bytes: u64,
    kernel: String,
    file_system: String,
}

impl Machine {
    /// This one, with the file system that `folder` is on.
    pub(super) fn look(folder: &Path) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let unknown = || "unknown".to_owned();
        Self {
            date: timestamp::format(clock::now()),
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            cores: thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: memory_bytes(&read("/proc/meminfo")).unwrap_or(0),
            kernel: uname().release().to_string_lossy().into_owned(),
            file_system: file_system(&read("/proc/mounts"), folder).unwrap_or_else(unknown),
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "date": self.date,
            "processor": self.processor,
            "cores": self.cores,
            "memory_bytes": self.memory_bytes,
            "kernel": self.kernel,
            "file_system": self.file_system,
        })
    }

    pub(super) fn text(&self) -> String {
        let Self { date, processor, cores, kernel, file_system, .. } = self;
        let memory = three_digits(self.memory_bytes as f64 / 1e9);
        format!("{date}: {processor}, {cores} cores, {memory} GB, Linux {kernel}, {file_system}")
    }
}

/// The first value of `name: value` in a file of /proc.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let kilobytes = field(meminfo, "MemTotal")?;
    Some(kilobytes.strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// The kind of the file system that is mounted nearest above `folder`; of two at one place the last hides the first.
fn file_system(mounts: &str, folder: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (place, kind) = (Path::new(words.next()?), words.next()?);
        folder.starts_with(place).then(|| (place.components().count(), kind))
    });
    mounts.max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_proc() {
        assert_eq!(memory_bytes("MemFree: 1 kB\nMemTotal:       2 kB\n"), Some(2048));
        assert_eq!(
            field("a\t: 1\nmodel name\t: X y\nmodel name\t: Z\n", "model name"),
            Some("X y".into())
        );
        let mounts = "a / ext4 rw 0 0\nb /data xfs rw 0 0\nc /database tmpfs rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/data/x")), Some("xfs".into()));
        assert_eq!(file_system(mounts, Path::new("/home")), Some("ext4".into()));
        assert_eq!(file_system("", Path::new("/home")), None);
    }
}
