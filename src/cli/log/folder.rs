//! A data folder as a whole: its partitions, and what its checkpoints say of them.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use bytes::Bytes;
use ottla_core::{
    disk::FileRef,
    journal,
    log::checkpoint_file::{
        self, CLEANER_OFFSETS, HIGH_WATERMARKS, Offsets, RECOVERY_POINTS, START_OFFSETS,
    },
    metadata::log::{LogEntry, LogSnapshot, Vote, unframe},
    types::Offset,
    wire::Wire,
};

use super::{
    files::{self, PartitionDirectory},
    report::{Finding, Report, Severity},
};

const META: &str = "meta.properties";
const LOCK: &str = ".lock";
const METADATA: &str = "metadata";

/// What is known of all partitions.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) partitions: Vec<PartitionDirectory>,
    recovery_points: Offsets,
    start_offsets: Offsets,
    cleaner_offsets: Offsets,
}

/// What the checkpoints say of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Known {
    /// What lies below was on disk.
    pub(super) recovery_point: Offset,
    /// Where the log begins, if records were deleted.
    pub(super) start_offset: Offset,
    /// What lies below may have been compacted.
    pub(super) cleaned_to: Offset,
}

impl Folder {
    /// Lists the partitions, and reads the files that lie beside them.
    pub(super) fn read(path: &Path, report: &mut Report) -> io::Result<Self> {
        let names = files::list(path)?;
        let partitions = names.iter().filter_map(|name| PartitionDirectory::of(path, name));
        let mut folder = Self { partitions: partitions.collect(), ..Self::default() };
        folder.recovery_points = read_checkpoint(path, RECOVERY_POINTS, report)?;
        folder.start_offsets = read_checkpoint(path, START_OFFSETS, report)?;
        folder.cleaner_offsets = read_checkpoint(path, CLEANER_OFFSETS, report)?;
        read_checkpoint(path, HIGH_WATERMARKS, report)?;
        check_metadata(path, report)?;
        check_journal(path, report)?;
        Ok(folder)
    }

    /// What is known of a partition.
    pub(super) fn known(&self, of: &PartitionDirectory) -> Known {
        let offset = |offsets: &Offsets| {
            offsets.get(&of.topic).and_then(|known| known.get(&of.partition)).copied()
        };
        Known {
            recovery_point: offset(&self.recovery_points).unwrap_or_default(),
            start_offset: offset(&self.start_offsets).unwrap_or_default(),
            cleaned_to: offset(&self.cleaner_offsets).unwrap_or_default(),
        }
    }

    /// The partitions whose recovery point says that they have had records, but that have no directory.
    pub(super) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (topic, partitions) in &self.recovery_points {
            for (partition, offset) in partitions {
                let is_there = self
                    .partitions
                    .iter()
                    .any(|known| known.topic == *topic && known.partition == *partition);
                if *offset > Offset::ZERO && !is_there {
                    missing.push(format!("{topic}-{partition}"));
                }
            }
        }
        missing
    }
}

/// Whether this is a broker's data folder.
pub(super) fn is_one(path: &Path) -> bool {
    path.join(META).is_file()
        || files::list(path).is_ok_and(|names| {
            names.iter().any(|name| PartitionDirectory::of(path, name).is_some())
        })
}

/// The process that holds the folder's lock, if there is one and the operating system tells.
pub(super) fn user_of(path: &Path) -> Option<u32> {
    let inode = fs::metadata(path.join(LOCK)).ok()?.ino();
    // To try the lock would be to take it, and a broker that starts at that moment would refuse.
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let &[_, "FLOCK", _, _, process, file, ..] = &fields[..] else { return None };
        let number: u64 = file.rsplit(':').next()?.parse().ok()?;
        (number == inode).then(|| process.parse().ok()).flatten()
    })
}

fn read_checkpoint(path: &Path, file: FileRef, report: &mut Report) -> io::Result<Offsets> {
    let name = file.name.to_string();
    let Some(bytes) = files::read_if_there(&path.join(&name))? else { return Ok(Offsets::new()) };
    let offsets = checkpoint_file::decode_strictly(&bytes);
    Ok(offsets.unwrap_or_else(|invalid| {
        report.add(Finding {
            severity: Severity::Damage,
            file: name,
            position: None,
            what: format!("line {} of the checkpoint is not as it was written", invalid.line),
            fix: "stop the broker and delete the file: the next start reads every log from its beginning instead, and records that were deleted from a segment's middle come back",
        });
        checkpoint_file::decode(&bytes)
    }))
}

/// Tells what the journal has: it is there only where a broker was not stopped in order, and what a log lacks of it the next
/// start appends.
fn check_journal(path: &Path, report: &mut Report) -> io::Result<()> {
    for file in journal::FILES {
        let name = file.name.to_string();
        let Some(bytes) = files::read_if_there(&path.join(&name))? else { continue };
        let records = journal::record::read_all(&Bytes::from(bytes)).len();
        report.add(Finding {
            severity: Severity::Note,
            file: name,
            position: None,
            what: format!(
                "the journal has {records} rounds of records, which may be in no segment yet"
            ),
            fix: "nothing: the next start takes what the logs lack; until then, keep the file",
        });
    }
    Ok(())
}

/// Checks the metadata log: topics and their settings.
fn check_metadata(path: &Path, report: &mut Report) -> io::Result<()> {
    let folder = path.join(METADATA);
    if !folder.is_dir() {
        return Ok(());
    }
    check_frame::<Vote>(&folder, "vote", report)?;
    check_frame::<LogSnapshot>(&folder, "snapshot", report)?;
    let is_log = |name: &String| name.ends_with(".log");
    let logs: Vec<String> = files::list(&folder)?.into_iter().filter(is_log).collect();
    let mut next = None;
    for (at, name) in logs.iter().enumerate() {
        let is_last = at + 1 == logs.len();
        check_entries(&folder.join(name), name, is_last, &mut next, report)?;
    }
    Ok(())
}

const RESTORE_METADATA: &str =
    "restore the folder metadata from a backup: it knows the topics and their settings";

fn check_frame<T: Wire>(folder: &Path, name: &str, report: &mut Report) -> io::Result<()> {
    let Some(bytes) = files::read_if_there(&folder.join(name))? else { return Ok(()) };
    let mut bytes = Bytes::from(bytes);
    if unframe::<T>(&mut bytes).is_none() || !bytes.is_empty() {
        report.add(Finding {
            severity: Severity::Damage,
            file: format!("{METADATA}/{name}"),
            position: Some(0),
            what: "the file is not as it was written: the broker will not start".to_owned(),
            fix: RESTORE_METADATA,
        });
    }
    Ok(())
}

fn check_entries(
    path: &Path,
    name: &str,
    is_last: bool,
    next: &mut Option<i64>,
    report: &mut Report,
) -> io::Result<()> {
    let Some(bytes) = files::read_if_there(path)? else { return Ok(()) };
    let length = bytes.len();
    let mut rest = Bytes::from(bytes);
    let file = format!("{METADATA}/{name}");
    while !rest.is_empty() {
        let position = Some((length - rest.len()) as u64);
        let file = file.clone();
        let Some(entry) = unframe::<LogEntry>(&mut rest) else {
            let torn = is_last && !is_followed(&rest);
            let (severity, what, fix) = if torn {
                let what = format!(
                    "{} bytes at the end are no whole entry: their write was cut short",
                    rest.len()
                );
                (Severity::Note, what, "nothing: the next start cuts them off")
            } else {
                let what = "an entry is not as it was written".to_owned();
                (Severity::Damage, what, RESTORE_METADATA)
            };
            report.add(Finding { severity, file, position, what, fix });
            *next = None;
            return Ok(());
        };
        if let Some(expected) = *next
            && expected != entry.index
        {
            let what = format!("entry {} stands where {expected} should", entry.index);
            let severity = Severity::Damage;
            report.add(Finding { severity, file, position, what, fix: RESTORE_METADATA });
        }
        *next = Some(entry.index.saturating_add(1));
    }
    Ok(())
}

/// How far behind a bad entry another one is looked for.
const SEARCHED_BYTES: usize = 64 << 10;

/// Whether an intact entry stands behind the one that `bytes` begin with: then that one was not cut short, but damaged.
fn is_followed(bytes: &Bytes) -> bool {
    (1..bytes.len().min(SEARCHED_BYTES)).any(|at| {
        // The length and the checksum are followed by the version, which is zero.
        bytes.get(at + 8..at + 10) == Some(&[0, 0])
            && unframe::<LogEntry>(&mut bytes.slice(at..)).is_some()
    })
}
