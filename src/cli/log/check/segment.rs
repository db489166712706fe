//! Checking a segment with its indexes.

use std::{io, path::Path};

use ottla_core::{
    log::segment::{INDEX, LOG, TIME_INDEX},
    records::{BatchHeader, batch::BatchError},
    types::Offset,
};

use super::{
    LOST, NOTHING, Partition, REINDEX,
    index::{OffsetIndexCheck, Problem, TimeIndexCheck},
    records,
};
use crate::cli::log::{
    batches::{Bad, Batches},
    files,
    report::Severity,
};

/// A segment that is being checked.
struct Segment {
    base: Offset,
    name: String,
    is_last: bool,
    offset_index: Option<OffsetIndexCheck>,
    time_index: Option<TimeIndexCheck>,
    offset_problems: Vec<Problem>,
    time_problems: Vec<Problem>,
    /// Not all of its batches could be looked at: what the indexes say of the others is not known.
    has_hole: bool,
}

/// A file that may be missing.
fn if_there<T>(opened: io::Result<T>) -> io::Result<Option<T>> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Partition<'_> {
    fn file(&self, base: Offset, extension: &str) -> std::path::PathBuf {
        self.directory.path.join(files::name(base, extension))
    }

    pub(super) fn check_segment(&mut self, base: Offset, is_last: bool) -> io::Result<()> {
        let name = files::name(base, LOG);
        // A broker that is at work may have deleted it meanwhile.
        let Some(mut batches) = if_there(Batches::open(&self.file(base, LOG)))? else {
            self.next = None;
            return Ok(());
        };
        if self.is_cut {
            let what = format!("{} bytes lie behind the end of the log", batches.end());
            self.tell(Severity::Note, &name, None, what, NOTHING);
            return Ok(());
        }
        self.enter(base, &name);
        let mut segment = Segment {
            base,
            name,
            is_last,
            offset_index: self.open_index(base, INDEX, OffsetIndexCheck::open)?,
            time_index: self.open_index(base, TIME_INDEX, TimeIndexCheck::open)?,
            offset_problems: Vec::new(),
            time_problems: Vec::new(),
            has_hole: false,
        };
        self.tally.segments += 1;
        let mut from = 0;
        while !self.is_cut
            && let Some(found) = batches.next()?
        {
            match found.batch {
                Ok(header) => self.take_batch(&mut segment, found.position, header, &batches)?,
                Err(bad) => self.take_bad(&mut segment, found.position, bad, &mut batches)?,
            }
            self.report.advance(found.position - from);
            from = found.position;
        }
        self.report.advance(batches.end() - from);
        self.tally.bytes += batches.end();
        self.end_segment(segment)
    }

    /// The name of the segment must be the offset that comes next.
    fn enter(&mut self, base: Offset, name: &str) {
        if let Some(next) = self.next
            && (base < next || base > next && !self.may_have_gap(next))
        {
            let what = format!("the segment begins at offset {base}, but {next} comes next");
            self.tell(Severity::Damage, name, None, what, LOST);
        }
        self.next = Some(base);
    }

    fn may_have_gap(&self, at: Offset) -> bool {
        at < self.known.cleaned_to
    }

    fn open_index<T>(
        &mut self,
        base: Offset,
        extension: &str,
        open: fn(&Path, Offset) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let opened = if_there(open(&self.file(base, extension), base))?;
        if opened.is_none() {
            let name = files::name(base, extension);
            self.tell(Severity::Note, &name, None, "the index is missing".to_owned(), NOTHING);
        }
        Ok(opened)
    }

    /// Whether recovery reads what stands at a place, and cuts the log off where it is not in order.
    fn is_beyond_recovery_point(&self, base: Offset, position: u64) -> bool {
        match self.place {
            Some(place) => {
                (base, position) >= (place.position.segment, u64::from(place.position.byte))
            }
            None => self.next.is_some_and(|next| next >= self.known.recovery_point),
        }
    }

    fn take_batch(
        &mut self,
        segment: &mut Segment,
        position: u64,
        header: BatchHeader,
        batches: &Batches,
    ) -> io::Result<()> {
        if let Some(what) = self.misplaced(segment.base, &header) {
            if self.is_beyond_recovery_point(segment.base, position) {
                self.cut(segment, position, batches.end());
                return Ok(());
            }
            self.tell(Severity::Damage, &segment.name, Some(position), what, LOST);
            // Either this batch is damaged, or others are missing: what follows will show where the log goes on.
            self.next = None;
            segment.has_hole = true;
            return Ok(());
        }
        if let Some(what) = self.wrong_epoch(&header) {
            let fix =
                "copy the partition from a backup: a follower would cut it off at the wrong place";
            self.tell(Severity::Damage, &segment.name, Some(position), what, fix);
        } else {
            self.last_epoch = header.leader_epoch;
        }
        let is_compacted = self.may_have_gap(header.base_offset);
        if let Some(what) =
            batches.bytes().and_then(|batch| records::problem(&header, batch, is_compacted))
        {
            let fix = "have consumers go on behind it: the producer sent it like that";
            self.tell(Severity::Damage, &segment.name, Some(position), what, fix);
        }
        self.next = Some(header.next_offset());
        self.tally.batches += 1;
        self.tally.records += u64::from(header.record_count.unsigned_abs());
        if let Some(index) = &mut segment.offset_index {
            index.take(position, &header, &mut segment.offset_problems)?;
        }
        if let Some(index) = &mut segment.time_index
            && !segment.has_hole
        {
            index.take(&header, &mut segment.time_problems)?;
        }
        Ok(())
    }

    /// What is wrong with where a batch stands. The checksum does not cover that.
    fn misplaced(&self, base: Offset, header: &BatchHeader) -> Option<String> {
        let offset = header.base_offset;
        if offset < base {
            return Some(format!("the batch's offset {offset} lies before the segment's"));
        }
        if header.last_offset() - base > i64::from(i32::MAX) {
            return Some(format!("the batch's offset {offset} lies too far behind the segment's"));
        }
        let next = self.next?;
        if offset < next {
            Some(format!("the batch's offset is {offset}, but {next} comes next"))
        } else if offset > next && !self.may_have_gap(next) {
            Some(format!("the batch's offset is {offset}: {next} to {} are missing", offset + -1))
        } else {
            None
        }
    }

    /// What is wrong with a batch's leader epoch. The checksum does not cover that.
    fn wrong_epoch(&self, header: &BatchHeader) -> Option<String> {
        let (epoch, last) = (header.leader_epoch, self.last_epoch);
        if epoch < last {
            return Some(format!("the batch's leader epoch is {epoch}, but {last} was before it"));
        }
        let known = self.epochs.epoch_of(header.base_offset)?;
        (header.base_offset < self.epochs_to && known != epoch)
            .then(|| format!("the batch's leader epoch is {epoch}, but should be {known}"))
    }

    fn take_bad(
        &mut self,
        segment: &mut Segment,
        position: u64,
        bad: Bad,
        batches: &mut Batches,
    ) -> io::Result<()> {
        if self.is_beyond_recovery_point(segment.base, position) {
            self.cut(segment, position, batches.end());
            return Ok(());
        }
        segment.has_hole = true;
        let Bad { error, header } = bad;
        let behind = match header {
            // The header may be what is damaged, but its length leads to the file's end or to another batch.
            Some(header) if error != BatchError::Incomplete => {
                Some(position + header.size_bytes as u64)
            }
            Some(_) | None => match &mut segment.offset_index {
                Some(index) => index.next_behind(position)?,
                None => None,
            },
        };
        let rest = behind.unwrap_or(batches.end()) - position;
        let what = format!("{error}; {rest} bytes are lost");
        self.tell(Severity::Damage, &segment.name, Some(position), what, LOST);
        self.next = None;
        batches.seek(behind.unwrap_or(batches.end()))
    }

    /// The log ends here, once the broker has been started.
    fn cut(&mut self, segment: &Segment, position: u64, end: u64) {
        let what = format!(
            "torn tail: {} bytes beyond the recovery point, offset {}, are no intact batches",
            end - position,
            self.known.recovery_point
        );
        let fix = "nothing: the next start cuts them off, as they were never known to be on disk";
        self.tell(Severity::Note, &segment.name, Some(position), what, fix);
        self.is_cut = true;
    }

    fn end_segment(&mut self, segment: Segment) -> io::Result<()> {
        let Segment { base, is_last, offset_index, time_index, has_hole, .. } = segment;
        let (mut offset_problems, mut time_problems) =
            (segment.offset_problems, segment.time_problems);
        let is_whole = !has_hole && !self.is_cut;
        if let Some(index) = offset_index.filter(|_| is_whole) {
            index.end(&mut offset_problems)?;
        }
        if let Some(index) = time_index.filter(|_| is_whole) {
            index.end(!is_last, &mut time_problems)?;
        }
        let (offset_entries, time_entries) = match self.place {
            // Recovery keeps so many, and makes the others anew.
            Some(place) if place.position.segment == base && place.position.byte > 0 => {
                (u64::from(place.offset_entries), u64::from(place.time_entries))
            }
            Some(place) if place.position.segment > base => (u64::MAX, u64::MAX),
            Some(_) | None => (0, 0),
        };
        self.tell_problems(base, INDEX, &offset_problems, offset_entries);
        self.tell_problems(base, TIME_INDEX, &time_problems, time_entries);
        Ok(())
    }

    fn tell_problems(&mut self, base: Offset, extension: &str, problems: &[Problem], kept: u64) {
        let name = files::name(base, extension);
        for Problem { position, entry, what } in problems {
            let (severity, fix) =
                if *entry < kept { (Severity::Damage, REINDEX) } else { (Severity::Note, NOTHING) };
            self.tell(severity, &name, Some(*position), what.clone(), fix);
        }
    }
}
