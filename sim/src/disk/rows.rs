//! Operations as rows of the trace.

use ottla_core::disk::{DirectoryId, DiskOp, DiskResult, FileName, FileRef, IoError};

/// An operation in a few words.
pub(super) fn describe(op: &DiskOp) -> String {
    match op {
        DiskOp::Use { directory, name } => format!("use {name:?} as d{}", directory.0),
        DiskOp::CreateDirectory(directory) => format!("mkdir d{}", directory.0),
        DiskOp::RenameDirectory { directory, name } => format!("rename d{} {name:?}", directory.0),
        DiskOp::RemoveDirectory(directory) => format!("rmdir d{}", directory.0),
        DiskOp::List(directory) => format!("list d{}", directory.0),
        DiskOp::Create(created) => format!("create {}", show(created)),
        DiskOp::Write { file: written, position, data } => {
            format!("write {} at {position} bytes {}", show(written), data.len())
        }
        DiskOp::Read { file: read, position, length } => {
            format!("read {} at {position} bytes {length}", show(read))
        }
        DiskOp::Sync { files, directories } => {
            let files = files.iter().map(show);
            let directories = directories.iter().map(|directory| format!("d{}", directory.0));
            format!("sync {}", files.chain(directories).collect::<Vec<_>>().join(" "))
        }
        DiskOp::SyncAll => "sync everything".to_owned(),
        DiskOp::Truncate { file: cut, length } => format!("truncate {} to {length}", show(cut)),
        DiskOp::Rename { file: renamed, name } => format!("rename {} {name}", show(renamed)),
        DiskOp::Remove(removed) => format!("remove {}", show(removed)),
        DiskOp::DropCache(dropped) => format!("drop cache {}", show(dropped)),
    }
}

fn show(file: &FileRef) -> String {
    format!("d{}/{}", file.directory.0, file.name)
}

/// What tells an operation from others.
pub(super) fn fingerprint(op: &DiskOp) -> u64 {
    let mix = |numbers: &[u64]| {
        numbers.iter().fold(0, |hash: u64, number| {
            (hash ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        })
    };
    let directory = |directory: &DirectoryId| u64::from(directory.0);
    let file = |file: &FileRef| {
        let name = match file.name {
            FileName::Fixed(name) => mix(&name.bytes().map(u64::from).collect::<Vec<_>>()),
            FileName::Numbered(number, extension) => number << 8 | extension.len() as u64,
        };
        mix(&[directory(&file.directory), name])
    };
    match op {
        DiskOp::Use { directory: known, .. } => mix(&[1, directory(known)]),
        DiskOp::CreateDirectory(known) => mix(&[2, directory(known)]),
        DiskOp::RenameDirectory { directory: known, .. } => mix(&[3, directory(known)]),
        DiskOp::RemoveDirectory(known) => mix(&[4, directory(known)]),
        DiskOp::List(known) => mix(&[5, directory(known)]),
        DiskOp::Create(created) => mix(&[6, file(created)]),
        DiskOp::Write { file: written, position, data } => {
            mix(&[7, file(written), *position, data.len() as u64])
        }
        DiskOp::Read { file: read, position, length } => {
            mix(&[8, file(read), *position, u64::from(*length)])
        }
        DiskOp::Sync { files, directories } => {
            let files = files.iter().map(file);
            mix(&[9]
                .into_iter()
                .chain(files)
                .chain(directories.iter().map(directory))
                .collect::<Vec<_>>())
        }
        DiskOp::SyncAll => mix(&[10]),
        DiskOp::Truncate { file: cut, length } => mix(&[11, file(cut), *length]),
        DiskOp::Rename { file: renamed, name } => {
            mix(&[12, file(renamed), file(&FileRef { name: *name, ..*renamed })])
        }
        DiskOp::Remove(removed) => mix(&[13, file(removed)]),
        DiskOp::DropCache(dropped) => mix(&[14, file(dropped)]),
    }
}

/// What tells a result from others.
pub(super) fn digest(result: &DiskResult) -> u64 {
    match result {
        DiskResult::Done => 0,
        DiskResult::Bytes(bytes) => bytes.len() as u64 + 1,
        DiskResult::Entries(entries) => entries.len() as u64 + 1,
        DiskResult::Failed(IoError::NotFound) => u64::MAX,
        DiskResult::Failed(IoError::NoSpace) => u64::MAX - 1,
        DiskResult::Failed(IoError::Os(code)) => u64::MAX - 2 - u64::from(code.unsigned_abs()),
    }
}

/// A result in a few words.
pub(super) fn summary(result: &DiskResult) -> String {
    match result {
        DiskResult::Done => "done".to_owned(),
        DiskResult::Bytes(bytes) => format!("{} bytes", bytes.len()),
        DiskResult::Entries(entries) => {
            let entries = entries.iter().map(|entry| format!("{} {}", entry.name, entry.length));
            entries.collect::<Vec<_>>().join(", ")
        }
        DiskResult::Failed(error) => format!("failed: {error}"),
    }
}
