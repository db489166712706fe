//! The metadata log on disk: entries in files named by their first index, and the vote in a file of its own. Everything is
//! durable before openraft is told that it is.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    io,
    ops::RangeBounds,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use openraft::{
    EntryPayload, LogState, OptionalSend, RaftLogReader,
    storage::{IOFlushed, RaftLogStorage},
    type_config::alias::{CommittedLeaderIdOf, EntryOf, LogIdOf, VoteOf},
};
use ottla_core::{
    disk::{DirectoryId, DiskOp, DiskResult, FileName, FileRef, WriteData},
    metadata::log::{
        LogEntry, PayloadKind, Vote, decode_commands, encode_commands, frame, unframe,
    },
    mutants::{Mutant, planted},
};

use super::{
    Proposed, Types,
    machine::{failure, read_if_there, replace_file},
    membership,
    space::perform_with_space,
    synced::{Synced, damaged, forgotten, incomplete},
};
use crate::world::{Disk, perform};

type Entry = EntryOf<Types>;
type LogId = LogIdOf<Types>;
type RaftVote = VoteOf<Types>;

const VOTE: FileRef = FileRef { directory: DirectoryId::METADATA, name: FileName::Fixed("vote") };
const VOTE_ASIDE: &str = "vote.tmp";
const EXTENSION: &str = "log";

/// How large a file may grow before another one is begun.
const FILE_BYTES: u64 = 4 << 20;
const READ_BYTES_MAX: u32 = 1 << 30;

/// The log, as openraft knows it.
pub(super) struct LogStore<D> {
    disk: D,
    log: Arc<Mutex<Log>>,
    /// The file that is appended to, by its first index, and how long it is.
    active: Option<(u64, u64)>,
    synced: Synced,
}

/// What the files hold.
#[derive(Debug, Default)]
struct Log {
    vote: Option<RaftVote>,
    purged: Option<LogId>,
    entries: BTreeMap<u64, Stored>,
}

/// An entry, and where it is.
#[derive(Debug, Clone)]
struct Stored {
    entry: Entry,
    file: u64,
    position: u64,
}

/// A log id out of its parts; a negative index stands for none.
pub(super) fn log_id(term: i64, leader: i32, index: i64) -> Option<LogId> {
    let leader_id = CommittedLeaderIdOf::<Types> {
        term: term.cast_unsigned(),
        node_id: u64::try_from(leader).unwrap_or_default(),
    };
    u64::try_from(index).ok().map(|index| LogId { leader_id, index })
}

fn file(first: u64) -> FileRef {
    FileRef { directory: DirectoryId::METADATA, name: FileName::Numbered(first, EXTENSION) }
}

fn encode(entry: &Entry) -> Bytes {
    let (kind, payload) = match &entry.payload {
        EntryPayload::Blank => (PayloadKind::Blank, Bytes::new()),
        EntryPayload::Normal(proposed) => {
            (PayloadKind::Commands, encode_commands(&proposed.commands))
        }
        EntryPayload::Membership(voters) => (PayloadKind::Membership, membership::encode(voters)),
    };
    frame(&LogEntry {
        term: entry.log_id.leader_id.term.cast_signed(),
        leader: i32::try_from(entry.log_id.leader_id.node_id).unwrap_or_default(),
        index: entry.log_id.index.cast_signed(),
        kind: kind as i8,
        payload,
    })
}

fn decode(entry: LogEntry) -> io::Result<Entry> {
    let malformed = || io::Error::other("an entry of the metadata log is malformed");
    let log_id = log_id(entry.term, entry.leader, entry.index).ok_or_else(malformed)?;
    let payload = match PayloadKind::from_code(entry.kind).ok_or_else(malformed)? {
        PayloadKind::Blank => EntryPayload::Blank,
        PayloadKind::Commands => {
            let commands = decode_commands(entry.payload).map_err(io::Error::other)?;
            EntryPayload::Normal(Proposed { proposal: None, commands })
        }
        PayloadKind::Membership => {
            EntryPayload::Membership(membership::decode(entry.payload).ok_or_else(malformed)?)
        }
    };
    Ok(Entry { log_id, payload })
}

impl<D: Disk> LogStore<D> {
    /// Reads the log. Entries that the snapshot at `snapshot` covers are of no use any more.
    pub(super) async fn open(disk: D, snapshot: Option<LogId>) -> io::Result<Self> {
        failure(&perform(&disk, DiskOp::CreateDirectory(DirectoryId::METADATA)).await)?;
        // Who made them may have been killed before it could sync them.
        let names = [DirectoryId::DATA, DirectoryId::METADATA].into();
        failure(&perform(&disk, DiskOp::Sync { files: Vec::new(), directories: names }).await)?;
        let mut log = Log { vote: read_vote(&disk).await?, purged: snapshot, ..Log::default() };
        let mut firsts = list_files(&disk).await?;
        firsts.sort_unstable();
        let mut active = None;
        let synced = Synced::read(&disk).await?;
        for (at, &first) in firsts.iter().enumerate() {
            let (end, length) = read_file(&disk, first, &mut log).await?;
            let is_last = at + 1 == firsts.len();
            if end < length && !is_last || end < synced.length_of(first) {
                return Err(damaged(file(first), end));
            }
            if is_last {
                // What does not verify was being written when the process ended.
                let file = file(first);
                failure(&perform(&disk, DiskOp::Truncate { file, length: end }).await)?;
                // What was found may be in the operating system's cache only.
                let sync = DiskOp::Sync { files: vec![file], directories: Vec::new() };
                failure(&perform(&disk, sync).await)?;
                active = Some((first, end));
            }
        }
        let covered = snapshot.map_or(0, |id| id.index + 1);
        log.entries = log.entries.split_off(&covered);
        for (&index, expected) in log.entries.keys().zip(covered..) {
            if index != expected {
                return Err(incomplete(expected, index - 1));
            }
        }
        if log.vote.is_some() && log.entries.is_empty() && log.purged.is_none() {
            return Err(forgotten());
        }
        Ok(Self { disk, log: Arc::new(Mutex::new(log)), active, synced })
    }

    /// Whether nothing has ever been agreed on.
    pub(super) fn is_empty(&self) -> bool {
        let log = self.log();
        log.entries.is_empty() && log.purged.is_none() && log.vote.is_none()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }

    async fn append_all(&mut self, entries: Vec<Entry>) -> io::Result<()> {
        let Some(first) = entries.first().map(|entry| entry.log_id.index) else { return Ok(()) };
        let is_new = self.active.is_none_or(|(_, length)| length >= FILE_BYTES);
        if is_new {
            perform_with_space(&self.disk, DiskOp::Create(file(first))).await?;
        }
        let (number, start) = self.active.filter(|_| !is_new).unwrap_or((first, 0));
        let mut position = start;
        let mut frames = Vec::with_capacity(entries.len());
        let mut stored = Vec::with_capacity(entries.len());
        for entry in entries {
            let bytes = encode(&entry);
            stored.push(Stored { entry, file: number, position });
            position += bytes.len() as u64;
            frames.push(bytes);
        }
        let data = WriteData::Bytes(frames.concat().into());
        let write = DiskOp::Write { file: file(number), position: start, data };
        perform_with_space(&self.disk, write).await?;
        let mut directories = if is_new { vec![DirectoryId::METADATA] } else { Vec::new() };
        let mut files = vec![file(number)];
        self.synced.sync_along(&mut files, &mut directories);
        if !planted(Mutant::MetadataNotSynced) {
            failure(&perform(&self.disk, DiskOp::Sync { files, directories }).await)?;
            self.synced.was_synced();
        }
        self.active = Some((number, position));
        if let Err(error) = self.synced.note(&self.disk, number, position).await {
            // The mark says less than is true, as after a crash.
            tracing::warn!(%error, "metadata/synced cannot be written");
        }
        let mut log = self.log();
        for stored in stored {
            log.entries.insert(stored.entry.log_id.index, stored);
        }
        Ok(())
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    // Nothing panics while it holds the lock.
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read_vote<D: Disk>(disk: &D) -> io::Result<Option<RaftVote>> {
    let read = DiskOp::Read { file: VOTE, position: 0, length: READ_BYTES_MAX };
    let Some(mut bytes) = read_if_there(disk, read).await? else { return Ok(None) };
    // A vote that was given must not be given again: better no broker than two leaders.
    let damaged = || {
        io::Error::other(
            "the file metadata/vote is damaged: restore it from a copy of the data folder",
        )
    };
    let vote: Vote = unframe(&mut bytes).ok_or_else(damaged)?;
    let id = log_id(vote.term, vote.node, 0).ok_or_else(damaged)?;
    Ok(Some(RaftVote { leader_id: id.leader_id, committed: vote.committed }))
}

async fn list_files<D: Disk>(disk: &D) -> io::Result<Vec<u64>> {
    let listing = perform(disk, DiskOp::List(DirectoryId::METADATA)).await;
    failure(&listing)?;
    let DiskResult::Entries(entries) = listing else { return Ok(Vec::new()) };
    let number = |name: &str| name.strip_suffix(".log")?.parse().ok();
    Ok(entries.iter().filter_map(|entry| number(&entry.name)).collect())
}

/// Reads a file into the log, and returns where its last intact entry ends, and where the file does.
async fn read_file<D: Disk>(disk: &D, first: u64, log: &mut Log) -> io::Result<(u64, u64)> {
    // A sync that failed may have left in the cache what is not on the disk, and never will be.
    failure(&perform(disk, DiskOp::DropCache(file(first))).await)?;
    let read = DiskOp::Read { file: file(first), position: 0, length: READ_BYTES_MAX };
    let read = perform(disk, read).await;
    failure(&read)?;
    let DiskResult::Bytes(mut bytes) = read else { return Ok((0, 0)) };
    let length = bytes.len();
    loop {
        let position = (length - bytes.len()) as u64;
        let Some(entry) = unframe(&mut bytes) else { return Ok((position, length as u64)) };
        let entry = decode(entry)?;
        log.entries.insert(entry.log_id.index, Stored { entry, file: first, position });
    }
}

impl<D: Disk> RaftLogReader<Types> for LogStore<D> {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, io::Error> {
        Ok(self.log().entries.range(range).map(|(_, stored)| stored.entry.clone()).collect())
    }

    async fn read_vote(&mut self) -> Result<Option<RaftVote>, io::Error> {
        Ok(self.log().vote)
    }
}

/// The log as replication reads it.
pub(super) struct LogView {
    log: Arc<Mutex<Log>>,
}

impl RaftLogReader<Types> for LogView {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, io::Error> {
        let log = lock(&self.log);
        Ok(log.entries.range(range).map(|(_, stored)| stored.entry.clone()).collect())
    }

    async fn read_vote(&mut self) -> Result<Option<RaftVote>, io::Error> {
        Ok(lock(&self.log).vote)
    }
}

impl<D: Disk> RaftLogStorage<Types> for LogStore<D> {
    type LogReader = LogView;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let log = self.log();
        let last = log.entries.values().next_back().map(|stored| stored.entry.log_id);
        Ok(LogState { last_purged_log_id: log.purged, last_log_id: last.or(log.purged) })
    }

    async fn get_log_reader(&mut self) -> LogView {
        LogView { log: Arc::clone(&self.log) }
    }

    async fn save_vote(&mut self, vote: &RaftVote) -> Result<(), io::Error> {
        let record = Vote {
            term: vote.leader_id.term.cast_signed(),
            node: i32::try_from(vote.leader_id.node_id).unwrap_or_default(),
            committed: vote.committed,
        };
        replace_file(&self.disk, VOTE, VOTE_ASIDE, frame(&record)).await?;
        self.log().vote = Some(*vote);
        Ok(())
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let result = self.append_all(entries.into_iter().collect()).await;
        let told = match &result {
            Ok(()) => Ok(()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        callback.io_completed(told);
        // Nobody has to wait for that.
        if result.is_ok()
            && let Err(error) = self.synced.settle(&self.disk).await
        {
            // It goes along with the next entries.
            tracing::warn!(%error, "metadata/synced cannot be synced");
        }
        result
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        let from = last.map_or(0, |id| id.index + 1);
        let dropped = self.log().entries.split_off(&from);
        let Some(first) = dropped.values().next().cloned() else { return Ok(()) };
        self.synced.lower(&self.disk, first.file, first.position).await?;
        let cut = DiskOp::Truncate { file: file(first.file), length: first.position };
        failure(&perform(&self.disk, cut).await)?;
        let later: Vec<u64> = dropped.values().map(|stored| stored.file).collect();
        for number in later.into_iter().filter(|number| *number > first.file) {
            failure(&perform(&self.disk, DiskOp::Remove(file(number))).await)?;
        }
        let sync = DiskOp::Sync {
            files: vec![file(first.file)],
            directories: vec![DirectoryId::METADATA],
        };
        failure(&perform(&self.disk, sync).await)?;
        self.active = Some((first.file, first.position));
        Ok(())
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        let (kept_file, files) = {
            let mut log = self.log();
            log.purged = Some(upto);
            let kept = log.entries.split_off(&(upto.index + 1));
            let dropped = std::mem::replace(&mut log.entries, kept);
            let kept_file = log.entries.values().next().map(|stored| stored.file);
            (kept_file, dropped.into_values().map(|stored| stored.file).collect::<Vec<_>>())
        };
        let active = self.active.map(|(number, _)| number);
        let mut files = files;
        files.dedup();
        for number in files {
            if Some(number) != kept_file && Some(number) != active {
                failure(&perform(&self.disk, DiskOp::Remove(file(number))).await)?;
            }
        }
        Ok(())
    }
}
