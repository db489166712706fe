//! Checking a partition: its batches, and what its other files say of them.

mod index;
mod records;
mod segment;
mod side_files;
#[cfg(test)]
mod tests;

use std::io;

use ottla_core::{
    log::{epochs::Epochs, snapshot::Place},
    types::{LeaderEpoch, Offset},
};

use super::{
    files::{self, Kind, PartitionDirectory},
    folder::Known,
    report::{Finding, Report, Severity},
};

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) segments: u64,
    pub(super) batches: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
}

impl Tally {
    /// Adds another one.
    pub(super) const fn add(&mut self, other: &Self) {
        self.segments += other.segments;
        self.batches += other.batches;
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

/// A partition that is being checked.
struct Partition<'a> {
    directory: &'a PartitionDirectory,
    known: Known,
    /// Where the log begins.
    start_offset: Offset,
    /// Which epoch began where, as far as the files beside the batches say.
    epochs: Epochs,
    /// Below this offset they say it.
    epochs_to: Offset,
    /// Where recovery begins, if a snapshot says.
    place: Option<Place>,
    /// The offset that is expected next; none where damage left it open.
    next: Option<Offset>,
    last_epoch: LeaderEpoch,
    /// Recovery would cut the log off.
    is_cut: bool,
    tally: Tally,
    report: &'a mut Report,
}

/// Where damage cannot be undone.
const LOST: &str = "copy the partition from a backup, or have consumers go on behind it: what is here is not served";
/// Where an index can be made anew.
const REINDEX: &str = "stop the broker and delete the file: the next start makes it anew";
/// Where a start of the broker helps.
const NOTHING: &str = "nothing: the next start puts it right";

/// Checks a partition, and tells what it found.
pub(super) fn check(
    directory: &PartitionDirectory,
    known: Known,
    report: &mut Report,
) -> io::Result<Tally> {
    let kinds: Vec<Kind> =
        files::list(&directory.path)?.iter().filter_map(|name| Kind::of(name)).collect();
    let mut bases: Vec<Offset> = kinds
        .iter()
        .filter_map(|kind| if let Kind::Segment(base) = kind { Some(*base) } else { None })
        .collect();
    bases.sort_unstable();
    let mut partition = Partition {
        directory,
        known,
        start_offset: known.start_offset.max(bases.first().copied().unwrap_or_default()),
        epochs: Epochs::default(),
        epochs_to: Offset::ZERO,
        place: None,
        next: None,
        last_epoch: LeaderEpoch(i32::MIN),
        is_cut: false,
        tally: Tally::default(),
        report,
    };
    partition.read_side_files(&kinds)?;
    for (at, base) in bases.iter().enumerate() {
        let is_last = at + 1 == bases.len();
        partition.check_segment(*base, is_last)?;
    }
    partition.check_ends(&bases);
    Ok(partition.tally)
}

impl Partition<'_> {
    fn tell(
        &mut self,
        severity: Severity,
        file: &str,
        position: Option<u64>,
        what: String,
        fix: &'static str,
    ) {
        let file = format!("{}/{file}", self.directory.name);
        self.report.add(Finding { severity, file, position, what, fix });
    }

    /// What the checkpoints say of both ends of the log must be there.
    fn check_ends(&mut self, bases: &[Offset]) {
        let (Some(first), Some(end)) = (bases.first(), self.next) else { return };
        let fix = "copy the partition from a backup: records that were acknowledged are gone";
        if end < self.known.recovery_point {
            let point = self.known.recovery_point;
            let what = format!("the log ends at offset {end}, but {point} records were on disk");
            self.tell(Severity::Damage, "", None, what, fix);
        }
        if *first > self.known.start_offset && self.known.start_offset > Offset::ZERO {
            let start = self.known.start_offset;
            let what = format!("the log begins at offset {first}, but should at {start}");
            self.tell(Severity::Damage, "", None, what, fix);
        }
    }
}
