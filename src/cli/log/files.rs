//! What the files of a data folder are, by their names.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use ottla_core::{
    log::{open::parse_name, segment, snapshot},
    types::{Offset, PartitionIndex},
};

/// A file of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Batches.
    Segment(Offset),
    /// Offset to byte.
    OffsetIndex(Offset),
    /// Timestamp to offset.
    TimeIndex(Offset),
    /// What the batches below imply.
    Snapshot(Offset),
    /// Which leader epoch began where.
    Epochs,
}

/// The name of the file that says which leader epoch began where.
pub(super) const EPOCHS: &str = "leader-epoch-checkpoint";

impl Kind {
    /// The kind of the file with this name, if it is one that can be read here.
    pub(super) fn of(name: &str) -> Option<Self> {
        if name == EPOCHS {
            return Some(Self::Epochs);
        }
        let (offset, extension) = parse_name(name)?;
        match extension {
            segment::LOG => Some(Self::Segment(offset)),
            segment::INDEX => Some(Self::OffsetIndex(offset)),
            segment::TIME_INDEX => Some(Self::TimeIndex(offset)),
            snapshot::SNAPSHOT => Some(Self::Snapshot(offset)),
            _ => None,
        }
    }
}

/// The name of a segment's file.
pub(super) fn name(offset: Offset, extension: &str) -> String {
    format!("{:020}.{extension}", offset.0)
}

/// The names in a directory, in order.
pub(super) fn list(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// A file, if it is there.
pub(super) fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A partition's directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PartitionDirectory {
    pub(super) topic: String,
    pub(super) partition: PartitionIndex,
    /// Its name in the data folder.
    pub(super) name: String,
    pub(super) path: PathBuf,
}

impl PartitionDirectory {
    /// The partition whose directory has this name, if it is one.
    pub(super) fn of(folder: &Path, name: &str) -> Option<Self> {
        let (topic, index) = name.rsplit_once('-')?;
        let is_plain = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
        let partition = PartitionIndex(index.parse().ok().filter(|_| is_plain)?);
        let path = folder.join(name);
        let is_one = !topic.is_empty() && path.is_dir();
        is_one.then(|| Self { topic: topic.to_owned(), partition, name: name.to_owned(), path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_name() {
        assert_eq!(Kind::of("00000000000000000042.log"), Some(Kind::Segment(Offset(42))));
        assert_eq!(Kind::of(&name(Offset(7), "timeindex")), Some(Kind::TimeIndex(Offset(7))));
        assert_eq!(Kind::of(EPOCHS), Some(Kind::Epochs));
        for other in ["42.log", "00000000000000000042.log.cleaned", "partition.metadata", ""] {
            assert_eq!(Kind::of(other), None, "{other}");
        }
    }
}
