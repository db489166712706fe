//! Whether the entries of an index lead where they say.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use ottla_core::{
    log::index::{Entry, OffsetEntry, TimeEntry},
    records::BatchHeader,
    types::{Offset, Timestamp},
};

/// The entries of an index, one after the other.
#[derive(Debug)]
struct Entries<E> {
    file: BufReader<File>,
    /// How many there are, and how many bytes stand behind the last.
    count: u64,
    trailing: u64,
    /// How many were taken.
    taken: u64,
    peeked: Option<E>,
}

impl<E: Entry> Entries<E> {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let (count, trailing) = (length / u64::from(E::BYTES), length % u64::from(E::BYTES));
        Ok(Self { file: BufReader::new(file), count, trailing, taken: 0, peeked: None })
    }

    /// The next entry, which stays the next.
    fn peek(&mut self) -> io::Result<Option<E>> {
        if self.peeked.is_none() && self.taken < self.count {
            let mut bytes = Vec::with_capacity(E::BYTES as usize);
            self.file.by_ref().take(u64::from(E::BYTES)).read_to_end(&mut bytes)?;
            // Apache Kafka makes room for entries of a segment that it still appends to.
            if self.taken > 0 && bytes.iter().all(|byte| *byte == 0) {
                self.count = self.taken;
                self.trailing = 0;
            } else {
                self.peeked = E::read(&bytes);
            }
        }
        Ok(self.peeked)
    }

    fn take(&mut self) {
        self.peeked = None;
        self.taken += 1;
    }

    /// Where the next entry begins.
    fn position(&self) -> u64 {
        self.taken * u64::from(E::BYTES)
    }
}

/// Something that is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) position: u64,
    /// Counts the entries.
    pub(super) entry: u64,
    pub(super) what: String,
}

/// Takes the batches of a segment, and finds the entries that do not fit them.
#[derive(Debug)]
pub(super) struct OffsetIndexCheck {
    entries: Entries<OffsetEntry>,
    base: Offset,
    last: Option<OffsetEntry>,
    /// An entry whose offset is that of a later batch, as earlier versions of Apache Kafka write them.
    awaited: Option<(Offset, Problem)>,
}

impl OffsetIndexCheck {
    pub(super) fn open(path: &Path, base: Offset) -> io::Result<Self> {
        Ok(Self { entries: Entries::open(path)?, base, last: None, awaited: None })
    }

    fn problem(&self, what: String) -> Problem {
        Problem { position: self.entries.position(), entry: self.entries.taken, what }
    }

    /// The byte of the first entry that leads behind `position`.
    pub(super) fn next_behind(&mut self, position: u64) -> io::Result<Option<u64>> {
        while let Some(entry) = self.entries.peek()? {
            if u64::from(entry.byte) > position {
                return Ok(Some(entry.byte.into()));
            }
            self.entries.take();
        }
        Ok(None)
    }

    /// Takes the batch at `position`.
    pub(super) fn take(
        &mut self,
        position: u64,
        header: &BatchHeader,
        problems: &mut Vec<Problem>,
    ) -> io::Result<()> {
        if let Some((offset, problem)) = self.awaited.take()
            && offset != header.last_offset()
        {
            if offset > header.last_offset() {
                self.awaited = Some((offset, problem));
            } else {
                problems.push(problem);
            }
        }
        while let Some(entry) = self.entries.peek()?
            && u64::from(entry.byte) <= position
        {
            let offset = self.base + i64::from(entry.offset_delta);
            let ascends = self.last.is_none_or(|last| {
                last.offset_delta < entry.offset_delta && last.byte < entry.byte
            });
            if !ascends {
                problems.push(self.problem("an entry does not follow the one before".to_owned()));
            } else if u64::from(entry.byte) < position {
                let what = format!("an entry leads to byte {}, where no batch begins", entry.byte);
                problems.push(self.problem(what));
            } else if offset != header.last_offset() {
                let what = format!(
                    "an entry says that offset {offset} is at byte {position}, where the batch of {} to {} is",
                    header.base_offset,
                    header.last_offset()
                );
                let problem = self.problem(what);
                if offset > header.last_offset() {
                    self.awaited = Some((offset, problem));
                } else {
                    problems.push(problem);
                }
            }
            self.last = Some(entry);
            self.entries.take();
        }
        Ok(())
    }

    /// No more batches.
    pub(super) fn end(mut self, problems: &mut Vec<Problem>) -> io::Result<()> {
        problems.extend(self.awaited.take().map(|(_, problem)| problem));
        if self.entries.peek()?.is_some() {
            problems.push(self.problem("an entry leads behind the last batch".to_owned()));
        } else if self.entries.trailing > 0 {
            problems.push(self.problem("the last entry is cut off".to_owned()));
        }
        Ok(())
    }
}

/// Takes the batches of a segment, and finds the entries that do not fit them.
#[derive(Debug)]
pub(super) struct TimeIndexCheck {
    entries: Entries<TimeEntry>,
    base: Offset,
    last: Option<TimeEntry>,
    max: Timestamp,
}

impl TimeIndexCheck {
    pub(super) fn open(path: &Path, base: Offset) -> io::Result<Self> {
        Ok(Self { entries: Entries::open(path)?, base, last: None, max: Timestamp::NONE })
    }

    fn problem(&self, what: String) -> Problem {
        Problem { position: self.entries.position(), entry: self.entries.taken, what }
    }

    /// Takes the next batch.
    pub(super) fn take(
        &mut self,
        header: &BatchHeader,
        problems: &mut Vec<Problem>,
    ) -> io::Result<()> {
        self.max = self.max.max(header.max_timestamp);
        while let Some(entry) = self.entries.peek()?
            && self.base + i64::from(entry.offset_delta) <= header.last_offset()
        {
            let offset = self.base + i64::from(entry.offset_delta);
            let ascends = self.last.is_none_or(|last| {
                last.timestamp < entry.timestamp && last.offset_delta < entry.offset_delta
            });
            if !ascends {
                problems.push(self.problem("an entry does not follow the one before".to_owned()));
            } else if offset < header.base_offset {
                let what = format!("an entry names offset {offset}, which no batch has");
                problems.push(self.problem(what));
            } else if entry.timestamp != self.max {
                let what = format!(
                    "an entry says that the greatest timestamp up to offset {offset} is {}, but that is {}",
                    entry.timestamp, self.max
                );
                problems.push(self.problem(what));
            }
            self.last = Some(entry);
            self.entries.take();
        }
        Ok(())
    }

    /// No more batches. A segment that is not appended to any more has its greatest timestamp as the last entry.
    pub(super) fn end(mut self, is_closed: bool, problems: &mut Vec<Problem>) -> io::Result<()> {
        if self.entries.peek()?.is_some() {
            problems.push(self.problem("an entry leads behind the last batch".to_owned()));
        } else if self.entries.trailing > 0 {
            problems.push(self.problem("the last entry is cut off".to_owned()));
        } else if is_closed
            && self.max >= Timestamp(0)
            && self.last.is_none_or(|last| last.timestamp < self.max)
        {
            let what = format!("the greatest timestamp, {}, has no entry", self.max);
            problems.push(self.problem(what));
        }
        Ok(())
    }
}
