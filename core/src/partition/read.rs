//! Reading a partition: where an offset is, what may be served, which record is of a time.

use super::{Context, Event, Partition, State};
use crate::{
    disk::{DiskResult, IoId},
    log::{
        LogPosition,
        locate::{Locate, LocateStep},
        prepare::{Prepare, PrepareStep, Wanted},
        timestamps::{Damaged, TimeSearch, TimeStep, TimeTarget, TimedRecord},
    },
    notice::Notice,
    session::RequestId,
    types::Offset,
};

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// A request, for one of its partitions.
    Request {
        /// The request.
        request: RequestId,
        /// Which of its partitions.
        index: usize,
    },
    /// A coordinator that reads its state.
    Coordinator(u32),
}

/// Why something cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadError {
    /// The records are damaged.
    Damaged,
    /// The records are gone: the place has to be found anew.
    Moved,
    /// The disk failed.
    Storage,
}

/// A read that is under way.
#[derive(Debug)]
pub(super) enum Search {
    Locate { asker: Asker, offset: Offset, search: Locate },
    Prepare { asker: Asker, prepare: Prepare },
    Time { asker: Asker, target: TimeTarget, search: TimeSearch },
}

impl Search {
    /// The segment that is being read.
    const fn segment(&self) -> Offset {
        match self {
            Self::Locate { search, .. } => search.segment(),
            Self::Prepare { prepare, .. } => prepare.segment(),
            Self::Time { search, .. } => search.segment(),
        }
    }

    /// What to tell who asked when the disk has failed.
    pub(super) const fn failed(self) -> Event {
        let error = ReadError::Storage;
        match self {
            Self::Locate { asker, .. } => Event::Located { asker, result: Err(error) },
            Self::Prepare { asker, .. } => Event::Prepared { asker, result: Err(error) },
            Self::Time { asker, .. } => Event::TimeFound { asker, result: Err(error) },
        }
    }
}

impl Partition {
    /// Finds the batch that holds `offset`. The answer comes as an event.
    pub fn locate(&mut self, asker: Asker, offset: Offset, context: &mut Context<'_>) {
        let Some(log) = self.log() else {
            context.events.push(Event::Located { asker, result: Err(ReadError::Storage) });
            return;
        };
        let (search, step) = log.locate(offset, &mut context.disk);
        self.take_locate_step(asker, offset, search, step, context);
    }

    fn take_locate_step(
        &mut self,
        asker: Asker,
        offset: Offset,
        search: Option<Locate>,
        step: LocateStep,
        context: &mut Context<'_>,
    ) {
        let result = match (step, search) {
            (LocateStep::Reading(io), Some(search)) => {
                self.note_search(io.number, Search::Locate { asker, offset, search });
                return;
            }
            (LocateStep::Found(position), _) => Ok(position),
            (LocateStep::Moved, _) => return self.locate(asker, offset, context),
            (LocateStep::Damaged | LocateStep::Reading(_), search) => {
                self.report_damage(search.map(|search| (search.segment(), None)), context);
                Err(ReadError::Damaged)
            }
        };
        context.events.push(Event::Located { asker, result });
    }

    /// Makes sure that what is wanted is intact. The answer comes as an event.
    pub fn prepare(&mut self, asker: Asker, wanted: Wanted, context: &mut Context<'_>) {
        let Some(log) = self.log() else {
            context.events.push(Event::Prepared { asker, result: Err(ReadError::Storage) });
            return;
        };
        let (prepare, step) = log.prepare(wanted, &mut context.disk);
        self.take_prepare_step(asker, prepare, step, context);
    }

    fn take_prepare_step(
        &mut self,
        asker: Asker,
        prepare: Option<Prepare>,
        step: PrepareStep,
        context: &mut Context<'_>,
    ) {
        let result = match (step, prepare) {
            (PrepareStep::Reading(io), Some(prepare)) => {
                self.note_search(io.number, Search::Prepare { asker, prepare });
                return;
            }
            (PrepareStep::Ready(range), _) => Ok(range),
            (PrepareStep::Damaged { segment, byte, .. }, _) => {
                self.report_damage(Some((segment, Some(byte))), context);
                Err(ReadError::Damaged)
            }
            (PrepareStep::Moved | PrepareStep::Reading(_), _) => Err(ReadError::Moved),
        };
        context.events.push(Event::Prepared { asker, result });
    }

    /// Finds a record by time. The answer comes as an event.
    pub fn find_time(&mut self, asker: Asker, target: TimeTarget, context: &mut Context<'_>) {
        let Some(log) = self.log() else {
            context.events.push(Event::TimeFound { asker, result: Err(ReadError::Storage) });
            return;
        };
        let (search, step) = log.find_time(target, &mut context.disk);
        self.take_time_step(asker, target, search, step, context);
    }

    fn take_time_step(
        &mut self,
        asker: Asker,
        target: TimeTarget,
        search: Option<TimeSearch>,
        step: TimeStep,
        context: &mut Context<'_>,
    ) {
        let result = match (step, search) {
            (TimeStep::Reading(io), Some(search)) => {
                self.note_search(io.number, Search::Time { asker, target, search });
                return;
            }
            (TimeStep::Found(record), _) => Ok(record),
            (TimeStep::Moved, _) => return self.find_time(asker, target, context),
            (TimeStep::Damaged | TimeStep::Reading(_), search) => {
                self.report_damage(search.map(|search| (search.segment(), None)), context);
                Err(ReadError::Damaged)
            }
        };
        context.events.push(Event::TimeFound { asker, result });
    }

    pub(super) fn go_on_searching(
        &mut self,
        search: Search,
        result: DiskResult,
        context: &mut Context<'_>,
    ) {
        let (State::Open(log)
        | State::Opening { frozen: Some(log), .. }
        | State::Failed { frozen: Some(log), .. }) = &mut self.state
        else {
            context.events.push(search.failed());
            return;
        };
        let bytes = match result.into_bytes() {
            Ok(bytes) => bytes,
            Err(error) => {
                if error == crate::disk::IoError::NotFound {
                    // The log counts on the file, so somebody else has removed it.
                    self.report_damage(Some((search.segment(), None)), context);
                }
                context.events.push(search.failed());
                return;
            }
        };
        match search {
            Search::Locate { asker, offset, mut search } => {
                let step = search.step(log, &bytes, &mut context.disk);
                self.take_locate_step(asker, offset, Some(search), step, context);
            }
            Search::Prepare { asker, mut prepare } => {
                let step = prepare.step(log, &bytes, &mut context.disk);
                self.take_prepare_step(asker, Some(prepare), step, context);
            }
            Search::Time { asker, target, mut search } => {
                let step = search.step(log, &bytes, &mut context.disk);
                self.take_time_step(asker, target, Some(search), step, context);
            }
        }
    }

    /// A batch was looked into beside the shard.
    pub(super) fn batch_searched(
        &mut self,
        io: IoId,
        found: Result<Option<TimedRecord>, Damaged>,
        context: &mut Context<'_>,
    ) {
        let Some((layout, search)) = self.searches.remove(&io.number) else { return };
        if layout != self.layout {
            return self.search_anew(search, context);
        }
        let (Search::Time { asker, target, mut search }, Some(log)) = (search, self.log()) else {
            return;
        };
        let step = search.searched(log, found, &mut context.disk);
        self.take_time_step(asker, target, Some(search), step, context);
    }

    /// Records have moved since the search began.
    pub(super) fn search_anew(&mut self, search: Search, context: &mut Context<'_>) {
        match search {
            Search::Locate { asker, offset, .. } => self.locate(asker, offset, context),
            Search::Prepare { asker, .. } => {
                context.events.push(Event::Prepared { asker, result: Err(ReadError::Moved) });
            }
            Search::Time { asker, target, .. } => self.find_time(asker, target, context),
        }
    }

    fn note_search(&mut self, number: u64, search: Search) {
        self.searches.insert(number, (self.layout, search));
    }

    fn report_damage(&self, place: Option<(Offset, Option<u32>)>, context: &mut Context<'_>) {
        let (segment, byte) = place.unwrap_or_default();
        context.disk.notice(Notice::BatchDamaged { partition: self.name(), segment, byte });
    }

    /// Where the next reader of `range` will go on.
    pub fn note_served(&mut self, to: LogPosition) {
        if let Some(log) = self.log_mut() {
            log.note_served(to);
        }
    }
}
