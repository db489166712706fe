//! Kafka's checkpoint files: an offset for each of many partitions, as text.

use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};
use core::fmt::Write as _;

use bytes::Bytes;

use super::epochs::Epochs;
use crate::{
    disk::{DirectoryId, DiskOp, FileName, FileRef, WriteData},
    types::{Offset, PartitionIndex},
};

/// Where recovery begins.
pub const RECOVERY_POINTS: FileRef = data_file("recovery-point-offset-checkpoint");
/// Where logs begin of which records were deleted.
pub const START_OFFSETS: FileRef = data_file("log-start-offset-checkpoint");
/// How far compaction has come.
pub const CLEANER_OFFSETS: FileRef = data_file("cleaner-offset-checkpoint");
/// The high watermarks, for Kafka's sake.
pub const HIGH_WATERMARKS: FileRef = data_file("replication-offset-checkpoint");
/// The name of the file with a log's epochs, for Kafka's sake.
pub const EPOCHS: FileName = FileName::Fixed("leader-epoch-checkpoint");

const fn data_file(name: &'static str) -> FileRef {
    FileRef { directory: DirectoryId::DATA, name: FileName::Fixed(name) }
}

/// Offsets by topic and partition.
pub type Offsets = BTreeMap<String, BTreeMap<PartitionIndex, Offset>>;

/// The offsets as a file.
pub fn encode(offsets: &Offsets) -> Bytes {
    let count: usize = offsets.values().map(BTreeMap::len).sum();
    let mut text = String::new();
    let mut write = || -> core::fmt::Result {
        writeln!(text, "0\n{count}")?;
        for (topic, partitions) in offsets {
            for (partition, offset) in partitions {
                writeln!(text, "{topic} {partition} {offset}")?;
            }
        }
        Ok(())
    };
    write().expect("a string takes everything");
    text.into()
}

/// Reads offsets. A line that cannot be read is left out: without a checkpoint, recovery reads more.
pub fn decode(bytes: &[u8]) -> Offsets {
    let text = core::str::from_utf8(bytes).unwrap_or_default();
    let mut offsets = Offsets::new();
    for line in text.lines().skip(2) {
        let fields: Vec<_> = line.split(' ').collect();
        let &[topic, partition, offset] = &fields[..] else { continue };
        let (Ok(partition), Ok(offset)) = (partition.parse(), offset.parse()) else { continue };
        offsets.entry(topic.into()).or_default().insert(PartitionIndex(partition), Offset(offset));
    }
    offsets
}

/// The epochs as a file.
pub fn encode_epochs(epochs: &Epochs) -> Bytes {
    let mut text = alloc::format!("0\n{}\n", epochs.entries().len());
    for entry in epochs.entries() {
        text.push_str(&alloc::format!("{} {}\n", entry.epoch, entry.start_offset));
    }
    text.into()
}

/// The steps that put `content` in the place of a file of the data folder, each to begin when the one before has ended: what
/// is there is either the old or the new whole.
pub fn replace(file: FileRef, aside: &'static str, content: Bytes) -> VecDeque<DiskOp> {
    let aside = FileRef { directory: file.directory, name: FileName::Fixed(aside) };
    VecDeque::from([
        DiskOp::Create(aside),
        DiskOp::Write { file: aside, position: 0, data: WriteData::Bytes(content) },
        DiskOp::Sync { files: [aside].into(), directories: Vec::new() },
        DiskOp::Rename { file: aside, name: file.name },
        DiskOp::Sync { files: Vec::new(), directories: [file.directory].into() },
    ])
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn as_kafka_writes_it() {
        let mut offsets = Offsets::new();
        offsets.entry("a".to_string()).or_default().insert(PartitionIndex(3), Offset(70));
        offsets.entry("b".to_string()).or_default().insert(PartitionIndex(0), Offset(5));
        let bytes = encode(&offsets);
        assert_eq!(bytes, "0\n2\na 3 70\nb 0 5\n");
        assert_eq!(decode(&bytes), offsets);
        assert_eq!(decode(b"0\n9\na x 1\nb 0"), Offsets::new());
        assert_eq!(decode(&[0xff; 20]), Offsets::new());
    }
}
