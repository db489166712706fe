//! Writes that were asked for and have not begun.

use std::vec;

use ottla_core::disk::{FileRef, IoId, WriteData};

/// Writes that were asked for and have not begun. Those that follow each other in one file go to the disk together, also if
/// they are of several events: a little costs about as much to write as some more.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// In the order of the first of each file.
    files: Vec<Gathered>,
    bytes: u64,
}

/// Writes that follow each other in one file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gathered {
    pub(super) file: FileRef,
    pub(super) position: u64,
    pub(super) data: Vec<(IoId, WriteData)>,
    end: u64,
}

/// How much is gathered at most: beyond that nothing is gained, and what has just been looked at is still in the processor's
/// cache.
const BYTES_MAX: u64 = 64 << 10;
const FILES_MAX: usize = 16;

impl Writes {
    /// Whether what is gathered must begin before a write to this place is added: no file has two places, and there is an end
    /// to how many files there are.
    pub(super) fn must_begin_before(&self, file: FileRef, position: u64) -> bool {
        match self.of(file) {
            Some(index) => self.files[index].end != position,
            None => self.files.len() >= FILES_MAX,
        }
    }

    /// Adds a write.
    pub(super) fn push(&mut self, io: IoId, file: FileRef, position: u64, data: WriteData) {
        let length = data.len() as u64;
        let index = self.of(file).unwrap_or_else(|| {
            self.files.push(Gathered { file, position, data: Vec::new(), end: position });
            self.files.len() - 1
        });
        let gathered = &mut self.files[index];
        gathered.end += length;
        gathered.data.push((io, data));
        self.bytes += length;
    }

    /// Whether enough is gathered.
    pub(super) const fn are_enough(&self) -> bool {
        self.bytes >= BYTES_MAX
    }

    /// Takes them all.
    pub(super) fn drain(&mut self) -> vec::Drain<'_, Gathered> {
        self.bytes = 0;
        self.files.drain(..)
    }

    fn of(&self, file: FileRef) -> Option<usize> {
        self.files.iter().position(|gathered| gathered.file == file)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ottla_core::{
        disk::{DirectoryId, FileName, Owner},
        types::Offset,
    };

    use super::*;

    const fn io(number: u64) -> IoId {
        IoId { owner: Owner::Shard, number }
    }

    fn file(offset: i64) -> FileRef {
        FileRef { directory: DirectoryId(7), name: FileName::segment(Offset(offset), "log") }
    }

    fn bytes(length: usize) -> WriteData {
        WriteData::Bytes(Bytes::from(vec![0; length]))
    }

    fn drained(writes: &mut Writes) -> Vec<(FileRef, u64, Vec<u64>)> {
        let numbers = |gathered: Gathered| gathered.data.iter().map(|(io, _)| io.number).collect();
        writes.drain().map(|it| (it.file, it.position, numbers(it))).collect()
    }

    #[test]
    fn what_follows_goes_together_whatever_lies_between() {
        let mut writes = Writes::default();
        for (number, offset, position) in [(1, 0, 100), (2, 5, 0), (3, 0, 110), (4, 5, 10)] {
            assert!(!writes.must_begin_before(file(offset), position));
            writes.push(io(number), file(offset), position, bytes(10));
        }
        // Behind a gap, and over what is there.
        assert!(writes.must_begin_before(file(0), 121));
        assert!(writes.must_begin_before(file(0), 100));
        assert!(!writes.are_enough());
        let expected = vec![(file(0), 100, vec![1, 3]), (file(5), 0, vec![2, 4])];
        assert_eq!(drained(&mut writes), expected);
        assert_eq!(drained(&mut writes), Vec::new());
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut writes = Writes::default();
        let files_max = i64::try_from(FILES_MAX).expect("there are few");
        for offset in 0..files_max {
            assert!(!writes.must_begin_before(file(offset), 0));
            writes.push(io(1), file(offset), 0, bytes(1));
        }
        assert!(writes.must_begin_before(file(files_max), 0));
        assert!(!writes.must_begin_before(file(0), 1));
        writes.push(io(2), file(0), 1, bytes(64 << 10));
        assert!(writes.are_enough());
        writes.drain();
        assert!(!writes.are_enough());
    }
}
