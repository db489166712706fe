//! Kafka's checkpoint files: an offset for each of many partitions, as text.

use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};
use core::fmt::Write as _;

use bytes::Bytes;

use super::epochs::{EpochStart, Epochs};
use crate::{
    disk::{DirectoryId, DiskOp, FileName, FileRef, WriteData},
    mutants::{Mutant, planted},
    types::{LeaderEpoch, Offset, PartitionIndex},
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

/// A checkpoint that is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidLine {
    /// Which line, from 1; that after the last if lines are missing.
    pub line: usize,
}

/// The lines after the first two, which say the version and how many there are.
fn lines(bytes: &[u8]) -> Result<Vec<&str>, InvalidLine> {
    let text = core::str::from_utf8(bytes).map_err(|error| InvalidLine {
        line: 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count(),
    })?;
    let mut lines = text.lines();
    if lines.next() != Some("0") {
        return Err(InvalidLine { line: 1 });
    }
    let count: Option<usize> = lines.next().and_then(|count| count.parse().ok());
    let count = count.ok_or(InvalidLine { line: 2 })?;
    let lines: Vec<&str> = lines.collect();
    if lines.len() == count && text.ends_with('\n') {
        Ok(lines)
    } else {
        Err(InvalidLine { line: 3 + lines.len().min(count) })
    }
}

/// Reads offsets, and fails where [`decode`] looks the other way.
pub fn decode_strictly(bytes: &[u8]) -> Result<Offsets, InvalidLine> {
    let mut offsets = Offsets::new();
    for (line, text) in (3..).zip(lines(bytes)?) {
        let invalid = InvalidLine { line };
        let mut fields = text.split(' ');
        let (Some(topic), Some(partition), Some(offset), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(invalid);
        };
        let partition = partition.parse::<u16>().map_err(|_| invalid)?;
        let offset = offset.parse().map_err(|_| invalid)?;
        let partitions = offsets.entry(topic.into()).or_default();
        if offset < 0
            || partitions.insert(PartitionIndex(partition.into()), Offset(offset)).is_some()
        {
            return Err(invalid);
        }
    }
    Ok(offsets)
}

/// Reads the file of a log's epochs.
pub fn decode_epochs(bytes: &[u8]) -> Result<Epochs, InvalidLine> {
    let mut entries: Vec<EpochStart> = Vec::new();
    for (line, text) in (3..).zip(lines(bytes)?) {
        let invalid = InvalidLine { line };
        let (epoch, start) = text.split_once(' ').ok_or(invalid)?;
        let epoch = LeaderEpoch(epoch.parse().map_err(|_| invalid)?);
        let start_offset = Offset(start.parse().map_err(|_| invalid)?);
        let ascends = |last: &EpochStart| last.epoch < epoch && last.start_offset < start_offset;
        if start_offset < Offset::ZERO || epoch.0 < 0 || !entries.last().is_none_or(ascends) {
            return Err(invalid);
        }
        entries.push(EpochStart { epoch, start_offset });
    }
    Ok(Epochs::new(entries))
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
    let mut steps = VecDeque::from([
        DiskOp::Create(aside),
        DiskOp::Write { file: aside, position: 0, data: WriteData::Bytes(content) },
        DiskOp::Sync { files: [aside].into(), directories: Vec::new() },
        DiskOp::Rename { file: aside, name: file.name },
        DiskOp::Sync { files: Vec::new(), directories: [file.directory].into() },
    ]);
    if planted(Mutant::ReplacedWithoutSync) {
        steps.retain(|step| !matches!(step, DiskOp::Sync { .. }));
    }
    steps
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

    #[test]
    fn a_changed_byte_is_found() {
        assert!(decode_strictly(b"0\n2\na 3 70\nb 0 5\n").is_ok());
        for (text, line) in [
            ("", 1),
            ("1\n0\n", 1),
            ("0\nx\n", 2),
            ("0\n2\na 3 70\n", 4),
            ("0\n1\na 3 70\nb 0 5\n", 4),
            ("0\n1\na 3 70", 4),
            ("0\n1\na 3 -70\n", 3),
            ("0\n1\na 3\n", 3),
            ("0\n2\na 3 1\na 3 2\n", 4),
        ] {
            assert_eq!(decode_strictly(text.as_bytes()), Err(InvalidLine { line }), "{text:?}");
        }
    }

    #[test]
    fn epochs_there_and_back() {
        let mut epochs = Epochs::default();
        epochs.assign(LeaderEpoch(0), Offset(0));
        epochs.assign(LeaderEpoch(4), Offset(90));
        assert_eq!(decode_epochs(&encode_epochs(&epochs)), Ok(epochs));
        assert_eq!(decode_epochs(b"0\n2\n4 9\n3 10\n"), Err(InvalidLine { line: 4 }));
        assert_eq!(decode_epochs(b"0\n1\n4 9 1\n"), Err(InvalidLine { line: 3 }));
    }
}
