//! Fetch: find where each partition's records begin, wait until there are enough, make sure that they are intact, and name the
//! ranges of files that hold them.

mod wait;

use alloc::vec::Vec;

use crate::{
    api::{
        Pending,
        fetch_errors::{error_code, failed, refuse},
    },
    disk::FileRange,
    log::{LogPosition, prepare::Wanted},
    mutants::{Mutant, planted},
    partition::{Asker, Layout, Partition, ReadError},
    session::{
        RequestId,
        fetch_sessions::{FetchKey, FetchTerms, FetchTopic, LastTold, SessionKind, SessionRequest},
    },
    shard::{Incoming, Shard, Step, Timer},
    types::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, TopicId, TopicPartition},
    wire::{
        RecordData,
        messages::fetch::{
            EpochEndOffset, FetchRequest, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
            PartitionData,
        },
    },
};

/// A fetch that is not answered.
#[derive(Debug)]
pub(crate) struct PendingFetch {
    kind: SessionKind,
    min_bytes: u32,
    bytes_left: u32,
    /// One of the parts has records already.
    has_records: bool,
    read_committed: bool,
    /// Whether an answer can say who leads a partition (KIP-951).
    names_leader: bool,
    parts: Vec<Part>,
    /// How many of the parts are being located.
    locating: usize,
    stage: Stage,
    /// The time is over: what there is must do.
    is_due: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Finding where the records begin, and whether there are enough.
    Gathering,
    /// Making sure that the records of this part are intact; those before it have been.
    Preparing(usize),
}

/// A partition of a fetch.
#[derive(Debug)]
struct Part {
    key: FetchKey,
    terms: FetchTerms,
    told: LastTold,
    slot: Option<u32>,
    /// Where its records begin, as long as the partition's layout stays.
    position: Option<(Layout, LogPosition)>,
    outcome: Outcome,
    /// The high watermark and the log's start at the time the outcome came to be.
    seen: Seen,
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Nothing,
    Records(FileRange),
    Diverging { epoch: LeaderEpoch, end_offset: Offset },
    Failed(ErrorCode),
}

impl Part {
    /// The broker has no such partition.
    const fn is_unknown(&self) -> bool {
        match self.outcome {
            Outcome::Failed(error) => names_nothing(error),
            Outcome::Nothing | Outcome::Records(_) | Outcome::Diverging { .. } => false,
        }
    }

    /// There are records to be read, and nothing speaks against it.
    fn has_records(&self) -> bool {
        matches!(self.outcome, Outcome::Nothing)
            && Offset(self.terms.fetch_offset) < self.seen.high_watermark
    }
}

impl Outcome {
    const fn is_due_to_leader(self) -> bool {
        matches!(self, Self::Failed(ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch))
    }
}

/// Whether the error says that there is no such topic or partition.
const fn names_nothing(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId)
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    high_watermark: Offset,
    start_offset: Offset,
}

impl Shard {
    pub(super) fn fetch(&mut self, asked: &Incoming, request: FetchRequest, step: &mut Step<'_>) {
        let (min_bytes, max_wait_ms) = (request.min_bytes, request.max_wait_ms);
        let max_bytes = request.max_bytes;
        let read_committed = request.isolation_level == 1;
        let is_follower = request.replica_id >= 0 || request.replica_state.replica_id >= 0;
        if !matches!(request.isolation_level, 0 | 1) {
            let response = refuse(request, asked.version, ErrorCode::UnknownServerError);
            self.answer(asked.id, response, step);
            return;
        }
        let names_leader = asked.version >= 16;
        let session = session_request(request, asked.version);
        let (kind, list) = match self.fetch_sessions.begin(session, step.now.instant) {
            Ok(begun) => begun,
            Err(error) => {
                let error_code = error.code();
                self.answer(asked.id, FetchResponse { error_code, ..Default::default() }, step);
                return;
            }
        };
        let mut fetch = PendingFetch {
            kind,
            min_bytes: u32::try_from(min_bytes).unwrap_or_default(),
            bytes_left: u32::try_from(max_bytes)
                .unwrap_or_default()
                .min(self.settings.fetch_max_bytes),
            has_records: false,
            read_committed,
            names_leader,
            parts: Vec::with_capacity(list.len()),
            locating: 0,
            stage: Stage::Gathering,
            is_due: max_wait_ms <= 0,
        };
        for (key, terms, told) in list {
            let mut part = self.begin_part(key, terms, told);
            if part.has_records() && part.terms.bytes_max.min(max_bytes) < 0 {
                part.outcome = Outcome::Failed(ErrorCode::UnknownServerError);
            }
            if is_follower && !part.is_unknown() {
                part.outcome = Outcome::Failed(ErrorCode::NotLeaderOrFollower);
            }
            fetch.parts.push(part);
        }
        let wait =
            core::time::Duration::from_millis(u64::try_from(max_wait_ms).unwrap_or_default());
        let deadline = step.now.instant + wait;
        let id = asked.id;
        if !fetch.is_due {
            self.set_timer(Timer::Fetch(id), deadline);
        }
        self.locate_parts(id, &mut fetch, None, step);
        self.pending.insert(id, Pending::Fetch(fetch));
        self.go_on_fetching(id, step);
    }

    /// What can be said of a partition at once.
    fn begin_part(&self, key: FetchKey, terms: FetchTerms, told: LastTold) -> Part {
        let (topic, unknown) = match &key.topic {
            FetchTopic::Name(name) => {
                (self.image.topic_id(name), ErrorCode::UnknownTopicOrPartition)
            }
            FetchTopic::Id(id) => (self.image.topic(*id).map(|_| *id), ErrorCode::UnknownTopicId),
        };
        let slot = topic.and_then(|topic| {
            self.slot(TopicPartition { topic, partition: PartitionIndex(key.partition) })
        });
        let outcome = match (topic, slot.and_then(|slot| self.partition(slot))) {
            (None, _) => Outcome::Failed(unknown),
            (Some(_), None) => Outcome::Failed(ErrorCode::UnknownTopicOrPartition),
            (Some(_), Some(partition)) => judge(partition, &terms),
        };
        let seen = slot.and_then(|slot| self.seen(slot)).unwrap_or_default();
        Part { key, terms, told, slot, position: None, outcome, seen }
    }

    fn seen(&self, slot: u32) -> Option<Seen> {
        let partition = self.partition(slot)?;
        Some(Seen {
            high_watermark: partition.high_watermark().offset,
            start_offset: partition.log()?.start_offset(),
        })
    }

    /// Asks where the records begin of the parts that do not know it and could, or of those in one slot.
    fn locate_parts(
        &mut self,
        id: RequestId,
        fetch: &mut PendingFetch,
        only: Option<u32>,
        step: &mut Step<'_>,
    ) {
        for (index, part) in fetch.parts.iter_mut().enumerate() {
            if self.position(part).is_none() {
                part.position = None;
            }
            let (Some(slot), Outcome::Nothing, None) = (part.slot, part.outcome, part.position)
            else {
                continue;
            };
            if only.is_some_and(|only| only != slot) {
                continue;
            }
            let offset = Offset(part.terms.fetch_offset);
            let asker = Asker::Request { request: id, index };
            let asked = self.with_partition(slot, step, |partition, context| {
                // What lies above the high watermark is not to be read, so not to be looked for.
                let visible = offset <= partition.high_watermark().offset;
                if visible {
                    partition.locate(asker, offset, context);
                }
                visible
            });
            fetch.locating += usize::from(asked == Some(true));
        }
    }

    pub(super) fn fetch_located(
        &mut self,
        id: RequestId,
        index: usize,
        result: Result<LogPosition, ReadError>,
        step: &mut Step<'_>,
    ) {
        let Some(Pending::Fetch(fetch)) = self.pending.get_mut(&id) else { return };
        fetch.locating -= 1;
        let part = &mut fetch.parts[index];
        match result {
            Ok(position) => {
                let partitions = &self.partitions;
                let partition = part.slot.and_then(|slot| partitions.get(slot as usize)?.as_ref());
                part.position = partition.map(|partition| (partition.layout(), position));
            }
            Err(error) => part.outcome = Outcome::Failed(error_code(error)),
        }
        self.go_on_fetching(id, step);
    }

    /// Goes on with a fetch when nothing is being looked for.
    fn go_on_fetching(&mut self, id: RequestId, step: &mut Step<'_>) {
        let Some(Pending::Fetch(fetch)) = self.pending.get(&id) else { return };
        if fetch.locating > 0 {
            return;
        }
        match fetch.stage {
            Stage::Gathering if self.has_enough(fetch) => {
                self.unwatch(id);
                self.clear_timer(Timer::Fetch(id));
                self.prepare_from(id, 0, step);
            }
            Stage::Gathering => self.watch(id),
            Stage::Preparing(index) => self.prepare_from(id, index, step),
        }
    }

    /// Asks for the records of the next part that has any, from the one at `index` on.
    fn prepare_from(&mut self, id: RequestId, index: usize, step: &mut Step<'_>) {
        let Some(Pending::Fetch(fetch)) = self.pending.get_mut(&id) else { return };
        fetch.stage = Stage::Preparing(index);
        let nothing_yet = !fetch.has_records;
        let bytes_left = fetch.bytes_left;
        // The fetch may have waited long, and a log's start moves without its layout when records are deleted.
        for part in fetch.parts.iter_mut().skip(index) {
            let partition = part.slot.and_then(|slot| self.partitions.get(slot as usize)?.as_ref());
            if matches!(part.outcome, Outcome::Nothing)
                && let Some(log) = partition.and_then(|partition| partition.log())
                && Offset(part.terms.fetch_offset) < log.start_offset()
            {
                part.outcome = Outcome::Failed(ErrorCode::OffsetOutOfRange);
            }
        }
        let ready = fetch.parts.iter().enumerate().skip(index).find_map(|(index, part)| {
            let wants = matches!(part.outcome, Outcome::Nothing) && (nothing_yet || bytes_left > 0);
            let (layout, position) = part.position.filter(|_| wants)?;
            let partition = self.partitions.get(part.slot? as usize)?.as_ref()?;
            let is_visible = position.offset < partition.high_watermark().offset;
            is_visible.then_some((index, position, layout == partition.layout()))
        });
        if let Some((index, _, false)) = ready {
            return self.locate_again(id, index, step);
        }
        let Some((index, from, _)) = ready else { return self.answer_fetch(id, step) };
        let part = &fetch.parts[index];
        let bytes_max = u32::try_from(part.terms.bytes_max).unwrap_or_default().min(bytes_left);
        let Some(slot) = part.slot else { return };
        let seen = self.seen(slot);
        let asker = Asker::Request { request: id, index };
        self.with_partition(slot, step, |partition, context| {
            let limit = partition.readable();
            let wanted = Wanted { from, limit, bytes_max, at_least_one: nothing_yet };
            partition.prepare(asker, wanted, context);
        });
        if let (Some(Pending::Fetch(fetch)), Some(seen)) = (self.pending.get_mut(&id), seen) {
            fetch.parts[index].seen = seen;
        }
    }

    /// The records of a part have moved since it was found where they begin: look again, unless the offset is gone with them.
    fn locate_again(&mut self, id: RequestId, index: usize, step: &mut Step<'_>) {
        let Some(Pending::Fetch(mut fetch)) = self.pending.remove(&id) else { return };
        let part = &mut fetch.parts[index];
        part.position = None;
        let slot = part.slot;
        if let Some(partition) = slot.and_then(|slot| self.partition(slot)) {
            part.outcome = judge(partition, &part.terms);
        }
        self.locate_parts(id, &mut fetch, slot, step);
        fetch.stage = Stage::Preparing(index);
        self.pending.insert(id, Pending::Fetch(fetch));
        self.go_on_fetching(id, step);
    }

    pub(super) fn fetch_prepared(
        &mut self,
        id: RequestId,
        index: usize,
        result: Result<FileRange, ReadError>,
        step: &mut Step<'_>,
    ) {
        if result == Err(ReadError::Moved) {
            return self.locate_again(id, index, step);
        }
        let Some(Pending::Fetch(fetch)) = self.pending.get_mut(&id) else { return };
        fetch.stage = Stage::Preparing(index + 1);
        let part = &mut fetch.parts[index];
        match result {
            Ok(range) if range.length > 0 => {
                let length = u32::try_from(range.length).unwrap_or(u32::MAX);
                fetch.bytes_left = fetch.bytes_left.saturating_sub(length);
                part.outcome = Outcome::Records(range);
                fetch.has_records = true;
                if let Some(slot) = part.slot {
                    self.note_sent(slot, range);
                }
            }
            Ok(_) => {}
            Err(error) => part.outcome = Outcome::Failed(error_code(error)),
        }
        self.go_on_fetching(id, step);
    }

    /// Takes note of where the reader will go on, if it was given all that there is.
    fn note_sent(&mut self, slot: u32, range: FileRange) {
        let Some(Some(partition)) = self.partitions.get_mut(slot as usize) else { return };
        partition.note_sent(range.length);
        let end = partition.high_watermark();
        let is_active = partition
            .log()
            .and_then(|log| log.segment(end.segment))
            .is_some_and(|segment| segment.file == range.file);
        if is_active && range.position + range.length == u64::from(end.byte) {
            partition.note_served(end);
        }
    }

    fn answer_fetch(&mut self, id: RequestId, step: &mut Step<'_>) {
        let Some(Pending::Fetch(fetch)) = self.pending.remove(&id) else { return };
        self.clear_timer(Timer::Fetch(id));
        let session_id = fetch.kind.id();
        let incremental = matches!(fetch.kind, SessionKind::Incremental { .. });
        let mut responses: Vec<FetchableTopicResponse> = Vec::new();
        for mut part in fetch.parts {
            // Records that have moved since are asked for again.
            if matches!(part.outcome, Outcome::Records(_)) && self.position(&part).is_none() {
                part.outcome = Outcome::Nothing;
            }
            if let (Outcome::Nothing, Some(seen)) =
                (part.outcome, part.slot.and_then(|slot| self.seen(slot)))
            {
                part.seen = seen;
            }
            let told = LastTold {
                high_watermark: Some(part.seen.high_watermark),
                log_start_offset: Some(part.seen.start_offset),
            };
            let is_plain =
                matches!(part.outcome, Outcome::Nothing) || planted(Mutant::SessionOmitsRecords);
            if incremental && is_plain && told == part.told {
                continue;
            }
            if session_id != 0 {
                let brought_records = matches!(part.outcome, Outcome::Records(_));
                let failed = matches!(part.outcome, Outcome::Failed(_));
                // After an error the partition is told of again, whatever its state.
                let told = if failed { LastTold::default() } else { told };
                self.fetch_sessions.note(session_id, &part.key, told, brought_records);
            }
            let mut data = partition_data(&part, fetch.read_committed);
            if fetch.names_leader && part.outcome.is_due_to_leader() {
                data.current_leader = self.current_leader(&part);
            }
            let topic = match part.key.topic {
                FetchTopic::Name(topic) => FetchableTopicResponse { topic, ..Default::default() },
                FetchTopic::Id(TopicId(topic_id)) => {
                    FetchableTopicResponse { topic_id, ..Default::default() }
                }
            };
            match responses.last_mut() {
                Some(last) if last.topic == topic.topic && last.topic_id == topic.topic_id => {
                    last.partitions.push(data);
                }
                Some(_) | None => {
                    responses.push(FetchableTopicResponse { partitions: [data].into(), ..topic });
                }
            }
        }
        self.answer(id, FetchResponse { session_id, responses, ..Default::default() }, step);
    }

    fn current_leader(&self, part: &Part) -> LeaderIdAndEpoch {
        let partition = part.slot.and_then(|slot| self.partition(slot));
        partition.map_or_else(LeaderIdAndEpoch::default, |partition| LeaderIdAndEpoch {
            leader_id: self.broker_id.0,
            leader_epoch: partition.leader_epoch().0,
        })
    }

    /// The client has gone.
    pub(super) fn forget_fetch(&mut self, id: RequestId, fetch: &PendingFetch) {
        self.clear_timer(Timer::Fetch(id));
        for slot in fetch.parts.iter().filter_map(|part| part.slot) {
            if let Some(watchers) = self.watchers.get_mut(&slot) {
                watchers.remove(&id);
            }
        }
    }
}

fn session_request(request: FetchRequest, version: i16) -> SessionRequest {
    let by_id = version >= 13;
    let name_topic = |name, id| {
        if by_id { FetchTopic::Id(TopicId(id)) } else { FetchTopic::Name(name) }
    };
    let mut wanted = Vec::new();
    for topic in request.topics {
        let name = name_topic(topic.topic, topic.topic_id);
        for partition in topic.partitions {
            let terms = FetchTerms {
                fetch_offset: partition.fetch_offset,
                bytes_max: partition.partition_max_bytes,
                // Here, other than in ListOffsets, any negative epoch is none.
                current_leader_epoch: partition.current_leader_epoch.max(-1),
                last_fetched_epoch: partition.last_fetched_epoch,
            };
            wanted.push((FetchKey { topic: name.clone(), partition: partition.partition }, terms));
        }
    }
    let mut forgotten = Vec::new();
    for topic in request.forgotten_topics_data {
        let name = name_topic(topic.topic, topic.topic_id);
        let keys = topic.partitions.into_iter();
        forgotten.extend(keys.map(|partition| FetchKey { topic: name.clone(), partition }));
    }
    // Before sessions there were only fetches that stand for themselves.
    let epoch = if version < 7 { -1 } else { request.session_epoch };
    SessionRequest { id: request.session_id, epoch, wanted, forgotten, by_id }
}

/// Whether a partition can be read as asked.
fn judge(partition: &Partition, terms: &FetchTerms) -> Outcome {
    let Some(log) = partition.log() else {
        return Outcome::Failed(if partition.is_opening() {
            ErrorCode::NotLeaderOrFollower
        } else {
            ErrorCode::KafkaStorageError
        });
    };
    if let Err(error) = partition.judge_reader(terms.current_leader_epoch) {
        return Outcome::Failed(error);
    }
    let offset = Offset(terms.fetch_offset);
    if terms.last_fetched_epoch >= 0 && !planted(Mutant::DivergenceNotTold) {
        let fetched = LeaderEpoch(terms.last_fetched_epoch);
        match log.epochs().end_offset_for(fetched, log.end_offset()) {
            None => return Outcome::Failed(ErrorCode::OffsetOutOfRange),
            Some((epoch, end_offset)) if epoch < fetched || end_offset < offset => {
                return Outcome::Diverging { epoch, end_offset };
            }
            Some(_) => {}
        }
    }
    if offset < log.start_offset() || offset > log.end_offset() {
        return Outcome::Failed(ErrorCode::OffsetOutOfRange);
    }
    Outcome::Nothing
}

fn partition_data(part: &Part, read_committed: bool) -> PartitionData {
    let data = PartitionData {
        partition_index: part.key.partition,
        high_watermark: part.seen.high_watermark.0,
        last_stable_offset: part.seen.high_watermark.0,
        log_start_offset: part.seen.start_offset.0,
        aborted_transactions: read_committed.then(Vec::new),
        records: Some(RecordData::default()),
        ..Default::default()
    };
    match part.outcome {
        Outcome::Nothing => data,
        Outcome::Records(range) => {
            PartitionData { records: Some(RecordData::Range(range)), ..data }
        }
        Outcome::Diverging { epoch, end_offset } => PartitionData {
            diverging_epoch: EpochEndOffset { epoch: epoch.0, end_offset: end_offset.0 },
            ..data
        },
        Outcome::Failed(error) => PartitionData {
            aborted_transactions: names_nothing(error).then(Vec::new),
            ..failed(part.key.partition, error)
        },
    }
}
