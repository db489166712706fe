//! Putting a compacted segment in the place of those it was made of.

use alloc::{collections::VecDeque, vec::Vec};

use super::{
    CLEANED_INDEX, CLEANED_LOG, CLEANED_TIME_INDEX, Compaction, CompactionStep, Stage, plan::Source,
};
use crate::{
    disk::{Disk, DiskOp, FileName, FileRef},
    log::{
        Log, Segment,
        index::Index,
        segment::{INDEX, LOG, TIME_INDEX},
    },
    mutants::{Mutant, planted},
};

impl Log {
    /// An empty segment, under names of its own, that is to hold what is kept of a group.
    pub(super) fn copy_for(&self, group: &[Source]) -> Option<Segment> {
        let (first, last) = (group.first()?, group.last()?);
        let mut copy = Segment::new(
            self.directory,
            first.base_offset,
            self.segment(last.base_offset)?.last_append,
        );
        copy.first_timestamp = self.segment(first.base_offset)?.first_timestamp;
        let file = |extension| FileRef {
            directory: self.directory,
            name: FileName::segment(first.base_offset, extension),
        };
        copy.file = file(CLEANED_LOG);
        copy.offset_index = Index::empty(file(CLEANED_INDEX));
        copy.time_index = Index::empty(file(CLEANED_TIME_INDEX));
        Some(copy)
    }

    /// A file of the log has another name from now on.
    fn file_renamed(&mut self, from: FileRef, name: FileName) {
        let to = FileRef { name, ..from };
        for segment in &mut self.segments {
            if segment.file == from {
                segment.file = to;
            }
            segment.offset_index.renamed(from, to);
            segment.time_index.renamed(from, to);
        }
    }
}

impl Compaction {
    /// The copy is durable. From now on it is what is read; its files take their names step by step.
    pub(super) fn begin_replacing(
        &mut self,
        group: &[Source],
        copy: Segment,
        log: &mut Log,
        disk: &mut Disk<'_>,
    ) -> CompactionStep {
        if !log.holds(group) {
            return CompactionStep::Abandoned;
        }
        let Some(first) = group.first().and_then(|first| log.segment_index(first.base_offset))
        else {
            return CompactionStep::Abandoned;
        };
        self.report.bytes_before +=
            group.iter().map(|source| u64::from(source.size_bytes)).sum::<u64>();
        self.report.bytes_after += u64::from(copy.size_bytes);
        let old: Vec<Segment> = log.segments.splice(first..first + group.len(), [copy]).collect();
        if !planted(Mutant::StalePlaceAfterCompaction) {
            log.served_to = [None; super::super::SERVED_REMEMBERED];
        }
        log.is_replacing = true;
        let operations = Self::replacement(&old);
        self.go_on_replacing(operations, log, disk);
        CompactionStep::Replaced
    }

    /// The steps by which the copy takes the place of the old segments, each to begin when the one before has ended. A log
    /// that is opened after any of them holds all that is to be kept, and no key's last record comes back that was left out:
    ///
    /// 1. The first segment loses its indexes. A segment without indexes gets new ones when it is opened.
    /// 2. The copy takes the name of the first segment, in one step. Those behind it that it covers are removed when the first
    ///    gets its indexes; those that it does not reach hold nothing that contradicts it.
    /// 3. The others go, the older ones first: were a tombstone gone before what it deletes, that would be back.
    /// 4. The copy's indexes take their names.
    fn replacement(old: &[Segment]) -> VecDeque<DiskOp> {
        let Some((first, others)) = old.split_first() else { return VecDeque::new() };
        let sync =
            || DiskOp::Sync { files: Vec::new(), directories: [first.file.directory].into() };
        let rename = |from, to| DiskOp::Rename {
            file: FileRef { name: FileName::segment(first.base_offset, from), ..first.file },
            name: FileName::segment(first.base_offset, to),
        };
        let [_, index, time_index] = first.files();
        let mut operations =
            VecDeque::from([DiskOp::Remove(index), DiskOp::Remove(time_index), sync()]);
        if planted(Mutant::OldIndexesStay) {
            operations.clear();
        }
        operations.extend([rename(CLEANED_LOG, LOG), sync()]);
        for other in others {
            operations.extend(other.files().map(DiskOp::Remove));
            operations.push_back(sync());
        }
        operations.extend([rename(CLEANED_INDEX, INDEX), rename(CLEANED_TIME_INDEX, TIME_INDEX)]);
        operations.push_back(sync());
        operations
    }

    pub(super) fn go_on_replacing(
        &mut self,
        mut operations: VecDeque<DiskOp>,
        log: &mut Log,
        disk: &mut Disk<'_>,
    ) -> CompactionStep {
        let Some(operation) = operations.pop_front() else {
            log.is_replacing = false;
            return self.copy_next_group(log, disk);
        };
        if let DiskOp::Rename { file, name } = operation {
            log.file_renamed(file, name);
        }
        self.waiting.insert(disk.submit(operation.clone()).number);
        self.stage = Stage::Replacing { current: operation, next: operations };
        CompactionStep::Waiting
    }

    /// A file that could not be renamed has the name that it had.
    pub(super) fn replacing_failed(&self, log: &mut Log) {
        if let Stage::Replacing { current: DiskOp::Rename { file, name }, .. } = &self.stage {
            log.file_renamed(FileRef { name: *name, ..*file }, file.name);
        }
    }
}
