//! Opening a log after a restart.
//!
//! After a clean stop everything is as the last snapshot says. Otherwise recovery begins at the recovery point, below which
//! all is on disk: it reads every batch from there on, stops at the first that is not intact, cuts the log off there, and
//! syncs what it found before it is served. Its time is bounded by how often the recovery point moves, not by the size of
//! the log.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use bytes::Bytes;

use super::{
    Cut, Log, LogConfig, LogPosition, Segment,
    append::PARTITION_METADATA,
    index::{Entry, Index, OffsetEntry, TimeEntry},
    scan::{Limits, Scan, ScanStep},
    segment::{INDEX, LOG, TIME_INDEX},
    snapshot::{self, Place, SNAPSHOT, Snapshot},
    snapshots::Snapshots,
};
use crate::{
    disk::{
        DirectoryEntry, DirectoryId, Disk, DiskOp, DiskResult, FileName, FileRef, IoError, IoId,
    },
    mutants::{Mutant, planted},
    records::{BATCH_HEADER_BYTES, BatchHeader},
    types::{Offset, Timestamp, TopicId},
};

/// What is known of a log before it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// Whether the broker stopped in order.
    pub clean: bool,
    /// Whether all that lies in the directory was made durable since whoever wrote it ended.
    pub synced: bool,
    /// Where recovery begins, out of the checkpoint.
    pub recovery_point: Option<Offset>,
    /// Where the log begins, out of the checkpoint; later than its first segment if records were deleted.
    pub start_offset: Option<Offset>,
    /// How far compaction has come, out of the checkpoint.
    pub cleaned_to: Option<Offset>,
    /// What is to be cut off while it is opened; the recovery point on disk does not lie above that.
    pub cut: Option<Cut>,
}

/// A log that is being opened.
#[derive(Debug)]
pub struct Opening {
    log: Log,
    known: Known,
    waiting: BTreeMap<u64, Awaited>,
    /// The sizes of the segments' files, by base offset.
    sizes: BTreeMap<Offset, Sizes>,
    /// The offsets of the snapshots that may serve, ascending; the last is tried first.
    snapshots: Vec<Offset>,
    all_snapshots: Vec<Offset>,
    snapshot: Option<(Offset, Snapshot)>,
    owner: Option<TopicId>,
    scan: Option<Scan>,
    /// Segments whose indexes are not there, or not what they should be.
    unindexed: BTreeSet<Offset>,
    /// Whether what is known of the active segment's indexes was compared with what they are.
    compared: bool,
    /// Segments whose indexes were made anew: what a snapshot says of them does not hold.
    reindexed: BTreeSet<Offset>,
    recovered: bool,
    /// What is to be done, each step when the one before has ended.
    steps: VecDeque<DiskOp>,
    /// Files that have to be synced before the log is served.
    touched: Vec<FileRef>,
    /// The segment that is left of a log that begins anew is being removed.
    emptying: bool,
    finishing: bool,
    report: Recovered,
}

/// What recovery did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// How many bytes were read and verified.
    pub scanned_bytes: u64,
    /// How many bytes were cut off.
    pub truncated_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sizes {
    log: u32,
    index: Option<u32>,
    time_index: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Listing,
    Metadata,
    Snapshot(Offset),
    LastOffsetEntry(Offset),
    LastTimeEntry(Offset),
    FirstHeader(Offset),
    Scanned,
    /// Nothing but that it ends well.
    Done,
}

/// How opening goes on.
#[derive(Debug)]
pub enum OpenStep {
    /// Operations are under way.
    Waiting,
    /// The log is open.
    Open(alloc::boxed::Box<Log>, Recovered),
    /// The directory is that of a topic of the same name that was deleted.
    Foreign(TopicId),
    /// The disk failed.
    Failed(IoError),
}

impl Opening {
    /// Begins to open the log in `directory`.
    pub fn begin(
        directory: DirectoryId,
        topic: TopicId,
        config: LogConfig,
        known: Known,
        disk: &mut Disk<'_>,
    ) -> Self {
        let mut opening = Self {
            log: Log::new(directory, topic, config),
            known,
            waiting: BTreeMap::new(),
            sizes: BTreeMap::new(),
            snapshots: Vec::new(),
            all_snapshots: Vec::new(),
            snapshot: None,
            owner: None,
            scan: None,
            unindexed: BTreeSet::new(),
            compared: false,
            reindexed: BTreeSet::new(),
            recovered: false,
            steps: VecDeque::new(),
            touched: Vec::new(),
            emptying: false,
            finishing: false,
            report: Recovered::default(),
        };
        let io = disk.submit(DiskOp::List(directory));
        opening.wait(io, Awaited::Listing);
        opening
    }

    fn wait(&mut self, io: IoId, awaited: Awaited) {
        self.waiting.insert(io.number, awaited);
    }

    fn file(&self, name: FileName) -> FileRef {
        FileRef { directory: self.log.directory, name }
    }

    /// Takes the end of an operation.
    pub fn step(&mut self, io: IoId, result: DiskResult, disk: &mut Disk<'_>) -> OpenStep {
        let Some(awaited) = self.waiting.remove(&io.number) else { return OpenStep::Waiting };
        let result = match (awaited, result) {
            (Awaited::Listing, DiskResult::Failed(IoError::NotFound)) => return self.open(),
            (Awaited::Metadata | Awaited::Snapshot(_), DiskResult::Failed(IoError::NotFound)) => {
                DiskResult::Bytes(Bytes::new())
            }
            (_, DiskResult::Failed(error)) => return OpenStep::Failed(error),
            (_, result @ (DiskResult::Done | DiskResult::Bytes(_) | DiskResult::Entries(_))) => {
                result
            }
        };
        match result {
            DiskResult::Entries(entries) => self.take_listing(&entries, disk),
            DiskResult::Bytes(bytes) => self.take_bytes(awaited, &bytes, disk),
            DiskResult::Done | DiskResult::Failed(_) => {}
        }
        if !self.waiting.is_empty() {
            return OpenStep::Waiting;
        }
        self.go_on(disk)
    }

    /// Everything asked for has come: what is next?
    fn go_on(&mut self, disk: &mut Disk<'_>) -> OpenStep {
        if let Some(owner) = self.owner
            && owner != self.log.topic
            && !planted(Mutant::OldTopicAdopted)
        {
            return OpenStep::Foreign(owner);
        }
        if self.has_lost_its_beginning() && !planted(Mutant::LostBeginningOverlooked) {
            return OpenStep::Foreign(self.owner.unwrap_or(self.log.topic));
        }
        while self.waiting.is_empty() {
            if self.finishing || self.log.segments.is_empty() {
                return self.open();
            }
            if let Some(step) = self.steps.pop_front() {
                let io = disk.submit(step);
                self.wait(io, Awaited::Done);
            } else if self.snapshot.is_none()
                && let Some(offset) = self.snapshots.pop()
            {
                let file = self.file(FileName::segment(offset, SNAPSHOT));
                let io =
                    disk.submit(DiskOp::Read { file, position: 0, length: SNAPSHOT_BYTES_MAX });
                self.wait(io, Awaited::Snapshot(offset));
            } else if !self.compared {
                self.compared = true;
                self.compare_active();
            } else if let Some(base) = self.unindexed.pop_last() {
                self.reindexed.insert(base);
                let scan = Scan::reindex(base, &mut self.log, disk);
                self.take_scan(scan);
            } else if !self.recovered {
                self.recovered = true;
                self.recover(disk);
            } else if self.begins_anew() {
                self.go_on_emptying();
            } else {
                self.finish(disk);
            }
        }
        OpenStep::Waiting
    }

    /// Whether the first segment is missing. A log begins at zero, and is shortened only when a snapshot is on disk. Without one,
    /// nothing may ever have been synced, and names reach the disk in any order: what is left was never acknowledged.
    fn has_lost_its_beginning(&self) -> bool {
        let start = self.known.start_offset.max(self.known.recovery_point).unwrap_or_default();
        let begins_later = |first: &Segment| first.base_offset > start;
        !self.known.clean
            && self.all_snapshots.is_empty()
            && self.log.segments.first().is_some_and(begins_later)
    }

    fn begins_anew(&self) -> bool {
        self.known.cut.is_some_and(|cut| cut.begin_at.is_some())
    }

    /// All batches are cut off. What is left goes as well: a segment that does not begin where the log will.
    fn go_on_emptying(&mut self) {
        if core::mem::replace(&mut self.emptying, true) {
            self.log.segments.clear();
            return;
        }
        let files = self.log.segments.iter().flat_map(Segment::files);
        self.steps.extend(files.map(DiskOp::Remove));
        let directories = [self.log.directory].into();
        self.steps.push_back(DiskOp::Sync { files: Vec::new(), directories });
    }

    fn take_scan(&mut self, (mut scan, step): (Scan, ScanStep)) {
        match step {
            ScanStep::Reading(io) => {
                // They may end before the read does.
                for io in scan.take_operations() {
                    self.wait(io, Awaited::Done);
                }
                self.scan = Some(scan);
                self.wait(io, Awaited::Scanned);
            }
            ScanStep::End(end) => {
                self.report.scanned_bytes += end.scanned_bytes;
                self.report.truncated_bytes += end.truncated_bytes;
                self.touched.extend(end.touched);
                self.steps.extend(end.steps);
                for io in end.operations {
                    self.wait(io, Awaited::Done);
                }
            }
        }
    }

    fn take_bytes(&mut self, awaited: Awaited, bytes: &Bytes, disk: &mut Disk<'_>) {
        match awaited {
            Awaited::Metadata => self.owner = parse_owner(bytes),
            Awaited::Snapshot(offset) => {
                self.snapshot =
                    snapshot::decode_at(offset, bytes).map(|snapshot| (offset, snapshot));
            }
            Awaited::LastOffsetEntry(base) => {
                if let Some(segment) = self.log.segment_mut(base) {
                    let index = &segment.offset_index;
                    segment.offset_index =
                        Index::existing(index.file(), index.len(), OffsetEntry::read(bytes));
                }
            }
            Awaited::LastTimeEntry(base) => {
                let next = self.log.segment_after(base).map(|next| next.base_offset);
                if let Some(segment) = self.log.segment_mut(base) {
                    let index = &segment.time_index;
                    segment.max_timestamp = TimeEntry::read(bytes);
                    segment.time_index =
                        Index::existing(index.file(), index.len(), segment.max_timestamp);
                    let can_be = |entry: TimeEntry| {
                        let offset = base + i64::from(entry.offset_delta);
                        entry.timestamp >= Timestamp(0) && next.is_none_or(|next| offset < next)
                    };
                    if next.is_some() && !segment.max_timestamp.is_some_and(can_be) {
                        self.unindexed.insert(base);
                    }
                }
            }
            Awaited::FirstHeader(base) => {
                // Only where no record has a timestamp is there nothing for a time index to hold.
                if BatchHeader::parse(bytes).is_ok_and(|first| first.max_timestamp >= Timestamp(0))
                {
                    self.unindexed.insert(base);
                }
            }
            Awaited::Scanned => {
                let mut scan = self.scan.take().expect("a scan is under way");
                let step = scan.step(&mut self.log, bytes, disk);
                self.take_scan((scan, step));
            }
            Awaited::Listing | Awaited::Done => {}
        }
    }

    /// Makes segments out of the directory's files, and asks for what is to be known of each.
    fn take_listing(&mut self, entries: &[DirectoryEntry], disk: &mut Disk<'_>) {
        let mut modified = BTreeMap::new();
        for entry in entries {
            let Some((offset, extension)) = parse_name(&entry.name) else { continue };
            let length = u32::try_from(entry.length).unwrap_or(u32::MAX);
            match extension {
                LOG => {
                    self.sizes.entry(offset).or_default().log = length;
                    modified.insert(offset, entry.modified);
                }
                INDEX => self.sizes.entry(offset).or_default().index = Some(length),
                TIME_INDEX => self.sizes.entry(offset).or_default().time_index = Some(length),
                SNAPSHOT => self.snapshots.push(offset),
                _ => {}
            }
        }
        self.sizes.retain(|offset, _| modified.contains_key(offset));
        for (&base, &sizes) in &self.sizes {
            let mut segment = Segment::new(self.log.directory, base, modified[&base]);
            segment.size_bytes = sizes.log;
            if let (Some(index), Some(time_index)) = (sizes.index, sizes.time_index) {
                let file = segment.offset_index.file();
                segment.offset_index = Index::existing(file, index / OffsetEntry::BYTES, None);
                let file = segment.time_index.file();
                segment.time_index = Index::existing(file, time_index / TimeEntry::BYTES, None);
            }
            self.log.segments.push(segment);
        }
        let Some(first) = self.log.segments.first() else { return };
        self.log.start_offset = first.base_offset.max(self.known.start_offset.unwrap_or_default());
        self.snapshots.sort_unstable();
        self.all_snapshots.clone_from(&self.snapshots);
        if let Some(Cut { to, .. }) = self.known.cut {
            self.forget_snapshots(to);
        }
        let limit = self.known.recovery_point.unwrap_or_default();
        self.snapshots.retain(|&offset| offset <= limit);
        let file = self.file(FileName::Fixed(PARTITION_METADATA));
        let io = disk.submit(DiskOp::Read { file, position: 0, length: METADATA_BYTES_MAX });
        self.wait(io, Awaited::Metadata);
        self.remove_leftovers(entries, disk);
        self.read_last_entries(disk);
    }

    /// Snapshots of what is about to be cut off go first: what they say would be taken for true of what comes in its place.
    fn forget_snapshots(&mut self, to: Offset) {
        if planted(Mutant::SnapshotsOutliveCut) {
            return;
        }
        let dead: Vec<_> = self.all_snapshots.extract_if(.., |offset| *offset >= to).collect();
        if !dead.is_empty() {
            let file = |offset| self.file(FileName::segment(offset, SNAPSHOT));
            let removals: Vec<_> =
                dead.iter().map(|&offset| DiskOp::Remove(file(offset))).collect();
            self.steps.extend(removals);
            let directories = [self.log.directory].into();
            self.steps.push_back(DiskOp::Sync { files: Vec::new(), directories });
            self.snapshots.clone_from(&self.all_snapshots);
        }
    }

    /// Files that a crash left behind half made.
    fn remove_leftovers(&mut self, entries: &[DirectoryEntry], disk: &mut Disk<'_>) {
        for entry in entries {
            let Some((offset, extension)) = parse_name(&entry.name) else { continue };
            let orphans = if self.sizes.contains_key(&offset) { &[][..] } else { &ORPHANS };
            let mut extensions = LEFTOVERS.iter().chain(orphans);
            let Some(&leftover) = extensions.find(|&&known| known == extension) else { continue };
            let file = self.file(FileName::segment(offset, leftover));
            let io = disk.submit(DiskOp::Remove(file));
            self.wait(io, Awaited::Done);
        }
    }

    fn read_last_entries(&mut self, disk: &mut Disk<'_>) {
        let active = self.log.segments.last().map(|segment| segment.base_offset);
        let mut reads = Vec::new();
        for segment in &self.log.segments {
            let base = segment.base_offset;
            let sizes = self.sizes[&base];
            let is_whole = |size: Option<u32>, entry| size.is_some_and(|size| size % entry == 0);
            if !is_whole(sizes.index, OffsetEntry::BYTES)
                || !is_whole(sizes.time_index, TimeEntry::BYTES)
            {
                self.unindexed.insert(base);
                continue;
            }
            let entries = segment.time_index.len();
            if entries == 0 && Some(base) != active && sizes.log > 0 {
                let length = u32::try_from(BATCH_HEADER_BYTES).unwrap_or_default();
                reads.push((Awaited::FirstHeader(base), segment.file, 0, length));
            }
            if entries > 0 {
                reads.push((
                    Awaited::LastTimeEntry(base),
                    segment.time_index.file(),
                    (entries - 1) * TimeEntry::BYTES,
                    TimeEntry::BYTES,
                ));
            }
            let entries = segment.offset_index.len();
            if entries > 0 && Some(base) == active {
                reads.push((
                    Awaited::LastOffsetEntry(base),
                    segment.offset_index.file(),
                    (entries - 1) * OffsetEntry::BYTES,
                    OffsetEntry::BYTES,
                ));
            }
        }
        for (awaited, file, position, length) in reads {
            let io = disk.submit(DiskOp::Read { file, position: u64::from(position), length });
            self.wait(io, awaited);
        }
    }

    /// After a clean stop the indexes of the active segment hold what the snapshot says, and so much as can be told lies in the
    /// log. Appends go on from there.
    fn compare_active(&mut self) {
        let Some(active) = self.log.segments.last() else { return };
        let place = self.snapshot.as_ref().and_then(|(_, snapshot)| snapshot.place);
        let Some(place) =
            place.filter(|place| self.known.clean && place.position.segment == active.base_offset)
        else {
            return;
        };
        let last = active.offset_index.last();
        let last_is_there = last.is_none_or(|last| {
            last.byte < place.position.byte
                && active.base_offset + i64::from(last.offset_delta) < place.position.offset
        });
        if active.offset_index.len() != place.offset_entries
            || last.is_none() != active.offset_index.is_empty()
            || active.time_index.len() != place.time_entries
            || active.time_index.last() != place.last_time_entry
            || !last_is_there
        {
            self.unindexed.insert(active.base_offset);
        }
    }

    /// Finds the end of the log: where the snapshot says after a clean stop, by a scan otherwise.
    fn recover(&mut self, disk: &mut Disk<'_>) {
        let place = self.snapshot.as_ref().and_then(|(_, snapshot)| snapshot.place);
        if let Some((_, snapshot)) = &self.snapshot {
            if !planted(Mutant::SnapshotNotLoaded) {
                self.log.producers = snapshot.producers.clone();
            }
            self.log.epochs = snapshot.epochs.clone();
        }
        if let (true, Some(place), Some(last)) = (self.known.clean, place, self.log.segments.last())
            && Some(place.position.offset) == self.known.recovery_point
            && place.position.segment == last.base_offset
            && place.position.byte == last.size_bytes
        {
            self.log.end = place.position;
            if let Some(last) = self.log.segments.last_mut() {
                last.max_timestamp = place.max_timestamp;
            }
            return;
        }
        // An older snapshot's place may have moved: compaction minds the newest only.
        let is_newest =
            self.snapshot.as_ref().map(|(offset, _)| *offset) == self.known.recovery_point;
        let place = place.filter(|place| is_newest && self.is_plausible(*place));
        let from = place.map_or_else(
            || {
                // From the beginning of the segment of the snapshot, or of the first one: batches that the snapshot covers are
                // noted twice, which changes nothing.
                let offset = self.snapshot.as_ref().map(|(offset, _)| *offset);
                let index = offset.and_then(|offset| self.log.segment_index(offset)).unwrap_or(0);
                LogPosition::segment_start(self.log.segments[index].base_offset)
            },
            |place| place.position,
        );
        let limits = Limits {
            gaps_end: self.known.recovery_point.unwrap_or_default(),
            end: self.known.cut.map_or(Offset(i64::MAX), |cut| cut.to),
        };
        let scan = Scan::recover(&mut self.log, from, place, limits, disk);
        self.take_scan(scan);
    }

    /// Whether a snapshot's place can be where it says.
    fn is_plausible(&self, place: Place) -> bool {
        self.log.segment(place.position.segment).is_some_and(|segment| {
            !self.reindexed.contains(&segment.base_offset)
                && place.position.byte <= segment.size_bytes
                && place.offset_entries <= segment.offset_index.len()
                && place.time_entries <= segment.time_index.len()
        })
    }

    /// What was found becomes durable before it is served: it may be in the operating system's cache only, and a reader
    /// would see what the next power failure takes. Where everything was synced before it was read, that is so already, and the
    /// indexes that were made anew are made anew after the next crash as well.
    fn finish(&mut self, disk: &mut Disk<'_>) {
        self.finishing = true;
        let is_durable = self.known.synced && self.report.truncated_bytes == 0;
        if self.report == Recovered::default()
            || is_durable
            || planted(Mutant::RecoveredTailUnsynced)
        {
            return;
        }
        let files = core::mem::take(&mut self.touched);
        let directories = [self.log.directory, DirectoryId::DATA].into();
        let io = disk.submit(DiskOp::Sync { files, directories });
        self.wait(io, Awaited::Done);
    }

    fn open(&mut self) -> OpenStep {
        let placeholder = Log::new(self.log.directory, self.log.topic, self.log.config);
        let mut log = core::mem::replace(&mut self.log, placeholder);
        log.appended_bytes = self.report.scanned_bytes;
        log.written = log.end;
        log.durable = log.end;
        log.in_files = log.end;
        log.written_max_timestamp = log.segments.last().and_then(|active| active.max_timestamp);
        log.start_offset = log.start_offset.min(log.end.offset);
        log.recovery_point = self.known.recovery_point.unwrap_or_default().min(log.end.offset);
        log.cleaned_to = self.known.cleaned_to.unwrap_or_default().min(log.end.offset);
        log.snapshots = Snapshots::found(&self.all_snapshots, log.recovery_point);
        if !self.known.clean && !self.known.synced {
            // Who made them may have been killed before it could sync them.
            let metadata = self.file(FileName::Fixed(PARTITION_METADATA));
            log.unsynced_names.add_all(metadata);
        }
        match self.known.cut {
            Some(Cut { begin_at: Some(start), .. }) => log.begin_anew(start),
            Some(cut) => {
                log.cut = Some(cut);
                log.cut_ended();
            }
            None => {}
        }
        log.check_thoroughly();
        OpenStep::Open(log.into(), self.report)
    }
}

/// Far more than a snapshot takes.
const SNAPSHOT_BYTES_MAX: u32 = 256 << 20;
const METADATA_BYTES_MAX: u32 = 4 << 10;

/// The extensions of files that are being made and have not taken their place.
pub(super) const LEFTOVERS: [&str; 3] = [
    super::cleaner::CLEANED_LOG,
    super::cleaner::CLEANED_INDEX,
    super::cleaner::CLEANED_TIME_INDEX,
];

/// The extensions of files that are of no use without the batches that they belong to.
const ORPHANS: [&str; 2] = [INDEX, TIME_INDEX];

/// The offset and the extension of a file of a segment.
pub fn parse_name(name: &str) -> Option<(Offset, &str)> {
    let (number, extension) = name.split_once('.')?;
    if number.len() != 20 {
        return None;
    }
    number.parse().ok().map(|offset| (Offset(offset), extension))
}

/// The topic that `partition.metadata` names.
fn parse_owner(bytes: &[u8]) -> Option<TopicId> {
    let text = core::str::from_utf8(bytes).ok()?;
    let id = text.lines().find_map(|line| line.strip_prefix("topic_id: "))?;
    id.trim().parse().ok().map(TopicId)
}
