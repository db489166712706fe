//! A partition: its log, its high watermark, and those who wait for either.
//!
//! - [`produce`](Partition::produce) judges a producer's batch and appends it; the answer comes as an
//!   [`Event::Appended`] once it may be given.
//! - [`locate`](Partition::locate), [`prepare`](Partition::prepare) and [`find_time`](Partition::find_time) read.

mod compact;
mod follow;
mod journal;
pub mod judge;
mod produce;
mod read;
mod removal;
mod replication;

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    format,
    string::String,
    vec::Vec,
};

pub use compact::CompactionEnd;
pub use produce::{AppendResult, AppendTarget, Appended, ProduceError};
pub use read::{Asker, ReadError};

use crate::{
    disk::{Disk, DiskResult, IoError, IoId},
    inspect::Traffic,
    job::JobResult,
    log::{
        Log, LogConfig, LogPosition, SyncSet, WriteEnd,
        open::{Known, OpenStep, Opening, Recovered},
    },
    machine::Now,
    mutants::{Mutant, planted},
    notice::Notice,
    replica::{Proposal, Replica, View},
    types::{BrokerEpoch, BrokerId, Offset, PartitionIndex, TopicId, TopicPartition},
};

/// A partition.
#[derive(Debug)]
pub struct Partition {
    id: TopicPartition,
    topic_name: String,
    state: State,
    config: LogConfig,
    directory: crate::disk::DirectoryId,
    replica: Replica,
    /// What the metadata have come to while the log could not be asked.
    unseen: Option<View>,
    /// Everything before this may be shown to consumers. It never goes back while the log is open.
    high_watermark: LogPosition,
    /// Others have been asked to write the recovery point down, so that the log can be cut off.
    is_point_asked: bool,
    /// Where the batches end that were appended and are not safe.
    ends: VecDeque<LogPosition>,
    /// Appends that were not answered.
    appends: produce::PendingAppends,
    /// Batches that were not judged, in the order in which they came.
    unjudged: VecDeque<produce::Unjudged>,
    /// Reads that are under way, by operation.
    searches: BTreeMap<u64, (Layout, read::Search)>,
    removals: removal::Removals,
    journaled: journal::Journaled,
    traffic: Traffic,
    /// What to open the log with after it failed.
    known: Known,
    /// Counts what changes where records are: positions in the log that were found before mean nothing after.
    layout: Layout,
}

/// Names an arrangement of records in files: see [`Partition::layout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layout(u64);

/// Where the disk had no space for what the log wanted to write, the log is *frozen*: what it holds can be read, nothing is
/// appended, and it is opened anew as soon as there is space.
#[derive(Debug)]
enum State {
    Opening { opening: Box<Opening>, frozen: Option<Box<Log>> },
    Open(Box<Log>),
    Failed { error: IoError, frozen: Option<Box<Log>> },
}

/// What has happened to a partition that others must know.
#[derive(Debug)]
pub enum Event {
    /// An append can be answered.
    Appended {
        /// Who waits for the answer.
        target: AppendTarget,
        /// The answer.
        result: AppendResult,
    },
    /// The high watermark or the records have moved: whoever waits for more has to look again.
    Moved,
    /// Where an offset is.
    Located {
        /// Who asked.
        asker: Asker,
        /// The answer.
        result: Result<LogPosition, ReadError>,
    },
    /// What may be served.
    Prepared {
        /// Who asked.
        asker: Asker,
        /// The answer.
        result: Result<crate::disk::FileRange, ReadError>,
    },
    /// The record of a time.
    TimeFound {
        /// Who asked.
        asker: Asker,
        /// The answer.
        result: Result<Option<crate::log::timestamps::TimedRecord>, ReadError>,
    },
    /// The controller is to be asked for other in-sync replicas.
    Alter(Proposal),
    /// Files of deleted segments are still there for a while: where the log begins has to be written down.
    StartToRemember,
    /// The log is to be cut off, and before that the recovery point has to be written down that it has then.
    PointToWrite,
    /// The log is open.
    Opened(Recovered),
    /// The directory is that of another topic.
    Foreign(TopicId),
    /// The disk failed; the partition cannot be served.
    Failed(IoError),
}

/// What a partition needs to go on: the time, the disk, and somewhere to tell what has happened.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time.
    pub now: Now,
    /// The disk, as this partition sees it.
    pub disk: Disk<'a>,
    /// What has happened.
    pub events: &'a mut Vec<Event>,
}

/// What a partition is made of.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Which partition.
    pub id: TopicPartition,
    /// The topic's name.
    pub topic_name: String,
    /// Where its files go.
    pub directory: crate::disk::DirectoryId,
    /// Its settings.
    pub config: LogConfig,
    /// This broker.
    pub broker: BrokerId,
    /// Its incarnation.
    pub broker_epoch: BrokerEpoch,
    /// What the metadata say of the partition.
    pub view: View,
}

/// The name of a partition's directory.
pub fn directory_name(topic: &str, partition: PartitionIndex) -> String {
    format!("{topic}-{partition}")
}

impl Partition {
    /// A partition that has never been written to.
    pub fn new(definition: Definition, events: &mut Vec<Event>) -> Self {
        let mut partition = Self::unopened(definition);
        partition.begin_replica(events);
        partition
    }

    fn unopened(definition: Definition) -> Self {
        let Definition { id, topic_name, directory, config, broker, broker_epoch, view } =
            definition;
        let log = Log::new(directory, id.topic, config);
        Self {
            id,
            topic_name,
            replica: Replica::new(broker, broker_epoch),
            unseen: Some(view),
            high_watermark: log.acknowledgeable(),
            state: State::Open(log.into()),
            config,
            directory,
            is_point_asked: false,
            ends: VecDeque::new(),
            appends: produce::PendingAppends::default(),
            unjudged: VecDeque::new(),
            searches: BTreeMap::new(),
            removals: removal::Removals::default(),
            journaled: journal::Journaled::default(),
            traffic: Traffic::default(),
            known: Known::default(),
            layout: Layout::default(),
        }
    }

    /// A partition whose directory exists: it is opened first.
    pub fn open(definition: Definition, known: Known, disk: &mut Disk<'_>) -> Self {
        let mut partition = Self::unopened(definition);
        partition.reopen(known, disk);
        partition
    }

    /// Opens the log anew, as after a crash.
    pub fn reopen(&mut self, known: Known, disk: &mut Disk<'_>) {
        self.known = known;
        self.layout_changed();
        let opening = Opening::begin(self.directory, self.id.topic, self.config, known, disk);
        let frozen = match &mut self.state {
            State::Failed { frozen, .. } => frozen.take(),
            State::Opening { .. } | State::Open(_) => None,
        };
        self.state = State::Opening { opening: opening.into(), frozen };
    }

    /// Which partition.
    pub const fn id(&self) -> TopicPartition {
        self.id
    }

    /// The topic's name.
    pub fn topic_name(&self) -> &str {
        &self.topic_name
    }

    /// Where its files are.
    pub const fn directory(&self) -> crate::disk::DirectoryId {
        self.directory
    }

    /// The name of its directory.
    pub fn name(&self) -> String {
        directory_name(&self.topic_name, self.id.partition)
    }

    /// The log, if it can be read: it is open or frozen.
    pub fn log(&self) -> Option<&Log> {
        match &self.state {
            State::Open(log) => Some(log),
            State::Opening { frozen, .. } | State::Failed { frozen, .. } => frozen.as_deref(),
        }
    }

    /// The log, if it can be read.
    pub fn log_mut(&mut self) -> Option<&mut Log> {
        match &mut self.state {
            State::Open(log) => Some(log),
            State::Opening { frozen, .. } | State::Failed { frozen, .. } => frozen.as_deref_mut(),
        }
    }

    /// The log, if it can be read and written.
    pub fn open_log(&self) -> Option<&Log> {
        match &self.state {
            State::Open(log) => Some(log),
            State::Opening { .. } | State::Failed { .. } => None,
        }
    }

    /// The log, if it can be read and written.
    pub fn open_log_mut(&mut self) -> Option<&mut Log> {
        match &mut self.state {
            State::Open(log) => Some(log),
            State::Opening { .. } | State::Failed { .. } => None,
        }
    }

    /// Why it takes no records, if so.
    pub const fn failure(&self) -> Option<IoError> {
        match self.state {
            State::Failed { error, .. } => Some(error),
            State::Opening { .. } | State::Open(_) => None,
        }
    }

    /// Whether its log is being opened.
    pub const fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening { .. })
    }

    /// Whether the disk had no space for it, and it may be opened anew: nothing of it is being removed, and it is no leader whose
    /// followers may have records of this epoch that it has lost.
    pub fn waits_for_space(&self) -> bool {
        matches!(self.state, State::Failed { error: IoError::NoSpace, .. })
            && !self.removals.is_under_way()
            && (self.replica.leader().is_none() || self.is_sole_replica())
    }

    /// Everything before this is shown to whoever reads now.
    pub fn readable(&self) -> LogPosition {
        match self.log() {
            Some(log) if planted(Mutant::AboveHighWatermark) => log.written(),
            Some(_) | None => self.high_watermark,
        }
    }

    /// The arrangement of records in files. A position is good as long as this is what it was when the position was found.
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// Segments were deleted or replaced.
    pub(super) fn layout_changed(&mut self) {
        self.layout.0 += u64::from(!planted(Mutant::LayoutNotCounted));
    }

    /// What went in and out.
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Takes note of bytes that were sent.
    pub const fn note_sent(&mut self, bytes: u64) {
        self.traffic.bytes_out += bytes;
    }

    /// Its settings.
    pub const fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Changes its settings.
    pub fn set_config(&mut self, config: LogConfig, context: &mut Context<'_>) {
        self.config = config;
        if let State::Open(log) = &mut self.state {
            log.set_config(config);
        }
        self.advance(context);
    }

    /// Takes the end of an operation.
    pub fn operation_ended(&mut self, io: IoId, result: DiskResult, context: &mut Context<'_>) {
        if self.removal_ended(io.number, &result, context) {
            return self.go_on_cutting(context);
        }
        if let Some((layout, search)) = self.searches.remove(&io.number) {
            if layout == self.layout {
                self.go_on_searching(search, result, context);
            } else {
                self.search_anew(search, context);
            }
            return;
        }
        match &mut self.state {
            State::Opening { opening, .. } => {
                let step = opening.step(io, result, &mut context.disk);
                self.take_open_step(step, context);
            }
            State::Open(log) => {
                match log.operation_ended(io, &result, &mut context.disk) {
                    WriteEnd::Nothing => {}
                    WriteEnd::Written => self.advance(context),
                    WriteEnd::Failed(error) => self.fail(error, context),
                }
                self.go_on_removing(&mut context.disk);
                self.go_on_cutting(context);
            }
            State::Failed { .. } => {}
        }
    }

    /// Takes the end of a computation.
    pub fn computed(&mut self, io: IoId, result: JobResult, context: &mut Context<'_>) {
        match result {
            JobResult::Judged(judged) => self.judged(io, judged, context),
            JobResult::TimeFound(found) => self.batch_searched(io, found, context),
            JobResult::KeysIndexed(_) | JobResult::Filtered(_) => {}
        }
    }

    fn take_open_step(&mut self, step: OpenStep, context: &mut Context<'_>) {
        match step {
            OpenStep::Waiting => {}
            OpenStep::Open(mut log, recovered) => {
                log.set_config(self.config);
                if recovered != Recovered::default() {
                    context.disk.notice(Notice::LogRecovered {
                        partition: self.name(),
                        recovered,
                        end_offset: log.end_offset(),
                    });
                }
                self.replay(&mut log, context);
                // Records may have been deleted while it was opened.
                log.raise_start(self.known.start_offset.unwrap_or_default().min(log.end_offset()));
                self.known.cut = None;
                self.state = State::Open(log);
                self.forget_removals(context);
                self.layout_changed();
                self.begin_replica(context.events);
                context.events.push(Event::Opened(recovered));
                self.go_on_cutting(context);
            }
            OpenStep::Foreign(owner) => context.events.push(Event::Foreign(owner)),
            OpenStep::Failed(error) => self.fail(error, context),
        }
    }

    /// The disk failed an operation. What is not acknowledged is refused. If there was no space, what is acknowledged can be
    /// read on; otherwise the partition is not served any more.
    pub fn fail(&mut self, error: IoError, context: &mut Context<'_>) {
        self.take_failure(error, error == IoError::NoSpace, context);
    }

    fn take_failure(&mut self, error: IoError, is_readable: bool, context: &mut Context<'_>) {
        if matches!(self.state, State::Failed { .. }) {
            return;
        }
        let partition = self.name();
        context.disk.notice(match error {
            IoError::NoSpace => Notice::DiskFull { partition },
            IoError::NotFound | IoError::Os(_) => Notice::StorageFailed { partition, error },
        });
        self.known = Known { clean: false, synced: false, ..self.known() };
        self.mind_journal(is_readable);
        self.state =
            match core::mem::replace(&mut self.state, State::Failed { error, frozen: None }) {
                State::Open(mut log) if is_readable => {
                    log.freeze();
                    log.begin_epoch(self.replica.leader_epoch());
                    State::Failed { error, frozen: Some(log) }
                }
                State::Opening { frozen, .. } if is_readable => State::Failed { error, frozen },
                State::Open(_) | State::Opening { .. } | State::Failed { .. } => {
                    State::Failed { error, frozen: None }
                }
            };
        self.remember_start(context);
        self.refuse_pending(&produce::storage_error(error), context);
        if self.log().is_none() {
            for (_, search) in core::mem::take(&mut self.searches).into_values() {
                context.events.push(search.failed());
            }
        }
        context.events.push(Event::Failed(error));
    }

    /// Whether a sync should begin.
    pub fn wants_sync(&self, now: Now) -> bool {
        self.open_log().is_some_and(|log| log.wants_sync(now.instant))
    }

    /// Adds to `set` what has to be synced.
    pub fn begin_sync(&mut self, set: &mut SyncSet) {
        if let Some(log) = self.open_log_mut() {
            log.begin_sync(set);
        }
    }

    /// The sync has ended. After one that has failed, whatever the reason, the operating system may have dropped what it could
    /// not write: to sync again would acknowledge what is lost.
    pub fn sync_ended(&mut self, failure: Option<IoError>, context: &mut Context<'_>) {
        let failure = failure.filter(|_| !planted(Mutant::FailedSyncBelieved));
        match (&mut self.state, failure) {
            (State::Open(_), Some(error)) => self.take_failure(error, false, context),
            (State::Open(log), None) => {
                log.synced();
                self.advance(context);
                self.go_on_cutting(context);
            }
            (State::Opening { .. } | State::Failed { .. }, Some(_)) => self.mind_journal(false),
            (State::Opening { .. } | State::Failed { .. }, None) => {}
        }
    }

    /// A sync of everything has failed. Only where all lies below the recovery point was there nothing for it to do: indexes and
    /// snapshots are made durable by no other sync.
    pub fn sync_of_everything_failed(&mut self, error: IoError, context: &mut Context<'_>) {
        if self.open_log().is_some_and(Log::wants_checkpoint) {
            self.take_failure(error, false, context);
        } else if self.open_log().is_none() {
            self.mind_journal(false);
        }
    }

    /// Everything before `to` was made durable by a sync of everything.
    pub fn synced_to(&mut self, to: LogPosition, context: &mut Context<'_>) {
        if let State::Open(log) = &mut self.state {
            log.synced_to(to);
            self.advance(context);
        }
    }

    /// The partition is deleted: whoever waits for it is told that it is not there.
    pub fn abandon(&mut self, context: &mut Context<'_>) {
        self.refuse_pending(&crate::types::ErrorCode::UnknownTopicOrPartition.into(), context);
        for (_, search) in core::mem::take(&mut self.searches).into_values() {
            context.events.push(search.failed());
        }
    }

    /// What its log was opened with last.
    pub const fn opened_with(&self) -> Known {
        self.known
    }

    /// What it takes to open the log anew, after a crash or a failure.
    pub fn known(&self) -> Known {
        match &self.state {
            State::Open(log) if log.segments().is_empty() && log.end_offset() == Offset::ZERO => {
                Known::default()
            }
            State::Open(log) => Known {
                clean: false,
                synced: false,
                recovery_point: Some(log.point_to_recover_from()),
                start_offset: Some(log.start_offset()),
                cleaned_to: Some(log.cleaned_to()),
                cut: None,
            },
            State::Opening { .. } | State::Failed { .. } => self.known,
        }
    }

    /// Deletes segments that are too old or too many, and returns the new start of the log if there were any.
    pub fn delete_expired(&mut self, context: &mut Context<'_>) -> Option<Offset> {
        if self.is_opening() {
            // The files are being looked at.
            return None;
        }
        self.retry_removing(&mut context.disk);
        let limit = self.high_watermark.offset;
        let log = self.log_mut()?;
        let (count, reason) = log.expired(context.now.timestamp, limit)?;
        let removals = log.delete_segments(count, context.now, &mut context.disk);
        let start_offset = log.start_offset();
        self.note_start(start_offset);
        self.layout_changed();
        context.events.push(Event::Moved);
        self.remove(removals);
        self.go_on_removing(&mut context.disk);
        let partition = self.name();
        context.disk.notice(Notice::SegmentsDeleted { partition, count, reason, start_offset });
        Some(start_offset)
    }

    /// Deletes the records below `offset`; their files go when whole segments are free.
    pub fn raise_start(&mut self, offset: Offset) {
        // It is written down, also if the log has failed since the deletion was asked for.
        self.note_start(offset);
        if let Some(log) = self.log_mut() {
            log.raise_start(offset);
        }
    }

    /// Should the log be opened anew, it is to begin at `offset`.
    fn note_start(&mut self, offset: Offset) {
        self.known.start_offset = self.known.start_offset.max(Some(offset));
    }

    /// Asserts the invariants.
    pub fn check(&self) {
        let Some(log) = self.log() else { return };
        log.check();
        assert!(
            self.high_watermark.offset <= log.written().offset,
            "nothing is shown that was not written"
        );
        self.check_replica();
        if self.config.is_durable() && log.config().is_durable() && self.open_log().is_some() {
            assert!(!self.has_unanswered(), "what is safe has been acknowledged");
        }
    }
}
