//! Which snapshots a log has on disk, and what becomes of those that recovery does not need any more.
//!
//! To make a file and to remove one costs a file system far more than to write a little, and there may be ten thousand logs. So
//! one file that is not needed any more stays, and the next snapshot is written over it, under its new name.

use alloc::vec::Vec;

use crate::types::Offset;

/// The snapshots that a log has on disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshots {
    files: Vec<File>,
}

/// The file of a snapshot.
#[derive(Debug, Clone, Copy)]
struct File {
    offset: Offset,
    /// How long it is at most, if nothing is under way with it: recovery would have begun there once.
    length_max: Option<usize>,
}

/// A file that another snapshot may be written over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spare {
    pub(super) offset: Offset,
    /// How long it is at most.
    pub(super) length_max: usize,
}

impl Snapshots {
    /// What was found at a start.
    pub(super) fn found(offsets: &[Offset], recovery_point: Offset) -> Self {
        let file =
            |&offset| File { offset, length_max: (offset <= recovery_point).then_some(usize::MAX) };
        Self { files: offsets.iter().map(file).collect() }
    }

    /// The newest one at or below `limit`.
    pub(super) fn newest_to(&self, limit: Offset) -> Option<Offset> {
        self.files.iter().map(|file| file.offset).filter(|&offset| offset <= limit).max()
    }

    /// One is about to be written. Gives a file to write it over, if there is one besides that which recovery begins with.
    pub(super) fn begin(&mut self, offset: Offset, recovery_point: Offset) -> Option<Spare> {
        let needed = self.newest_to(recovery_point);
        let spare = self.files.iter().position(|file| {
            Some(file.offset) != needed && file.offset != offset && file.length_max.is_some()
        });
        let spare = spare.map(|at| self.files.swap_remove(at));
        self.files.retain(|file| file.offset != offset);
        self.files.push(File { offset, length_max: None });
        spare
            .and_then(|File { offset, length_max }| Some(Spare { offset, length_max: length_max? }))
    }

    /// Recovery begins at this one from now on, which is at most so long. Returns those whose files go.
    pub(super) fn serves(&mut self, offset: Offset, length_max: usize) -> Vec<Offset> {
        self.files.retain(|file| file.offset != offset);
        let mut others = core::mem::take(&mut self.files);
        if let Some(at) = others.iter().position(|file| file.length_max.is_some()) {
            self.files.push(others.swap_remove(at));
        }
        self.files.push(File { offset, length_max: Some(length_max) });
        others.iter().map(|file| file.offset).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(snapshots: &mut Snapshots, offset: i64, point: i64) -> Option<i64> {
        let spare = snapshots.begin(Offset(offset), Offset(point));
        spare.map(|spare| spare.offset.0)
    }

    #[test]
    fn two_files_are_enough() {
        let mut snapshots = Snapshots::default();
        assert_eq!(written(&mut snapshots, 10, 0), None);
        assert!(snapshots.serves(Offset(10), 100).is_empty());
        assert_eq!(written(&mut snapshots, 20, 10), None);
        assert!(snapshots.serves(Offset(20), 120).is_empty());
        let spare = snapshots.begin(Offset(30), Offset(20));
        assert_eq!(spare, Some(Spare { offset: Offset(10), length_max: 100 }));
        assert!(snapshots.serves(Offset(30), 100).is_empty());
        assert_eq!(written(&mut snapshots, 40, 30), Some(20));
    }

    #[test]
    fn what_recovery_begins_with_is_never_written_over() {
        let mut snapshots = Snapshots::found(&[Offset(10), Offset(20), Offset(30)], Offset(20));
        // Whether 30 was written whole, nobody knows.
        assert_eq!(snapshots.newest_to(Offset(20)), Some(Offset(20)));
        assert_eq!(written(&mut snapshots, 40, 20), Some(10));
        // It came to nothing, and is tried again: the file may still be written to.
        assert_eq!(written(&mut snapshots, 50, 20), None);
        let mut gone = snapshots.serves(Offset(50), 100);
        gone.sort_unstable();
        assert_eq!(gone, [Offset(30), Offset(40)]);
        assert_eq!(written(&mut snapshots, 60, 50), Some(20));
    }

    #[test]
    fn one_that_was_found_above_the_end_goes() {
        let mut snapshots = Snapshots::found(&[Offset(10), Offset(90)], Offset(10));
        assert_eq!(written(&mut snapshots, 30, 10), None);
        assert_eq!(snapshots.serves(Offset(30), 100), [Offset(90)]);
        assert_eq!(snapshots.newest_to(Offset(i64::MAX)), Some(Offset(30)));
    }
}
