//! What a disk comes to: its image, the process that uses it, and what that process waits for.

use std::{collections::BTreeMap, fmt, io};

use bytes::Bytes;
use ottla::world::Done;
use ottla_core::{
    disk::{DiskOp, DiskResult, FileRef, IoError, IoId, WriteData},
    types::Timestamp,
};

use super::{
    coverage::{Coverage, note_death},
    image::{Image, Inode, Survival},
    operations::{Begun, Table, write_some},
    plan::{DiskPlan, Start},
    rows::{describe, digest, fingerprint, summary},
    trouble::{Class, class},
};
use crate::{
    clock::EPOCH_MS,
    dice::{Dice, nanos},
    faults::{Fault, Faults},
    node::{Incarnation, NodeIndex},
    sometimes,
    trace::Kind,
    world::Environment,
};

/// What a disk comes to.
pub(super) struct State {
    pub(super) node: NodeIndex,
    pub(super) plan: DiskPlan,
    pub(super) dice: Dice,
    pub(super) image: Image,
    environment: Environment,
    process: Option<Process>,
    /// Counts operations over all processes.
    operations: u64,
    pub(super) crash: Option<Crash>,
    /// Until when the disk stands still.
    pub(super) stalled_until: u64,
    /// More bytes than these there cannot be, until then.
    pub(super) full: Option<(u64, u64)>,
    pub(super) has_misdirected: bool,
    coverage: Coverage,
}

/// The process that uses the disk.
pub(super) struct Process {
    incarnation: Incarnation,
    table: Table,
    pending: BTreeMap<u64, Pending>,
    /// When the operation on each file began that was asked for last, and any operation that all others have to wait for.
    begins: BTreeMap<FileRef, u64>,
    floor: u64,
}

/// An operation that has not ended.
struct Pending {
    io: IoId,
    done: Done,
    op: DiskOp,
    captured: Vec<Inode>,
    /// When it begins.
    at: u64,
    begun: Option<Begun>,
}

/// Where a process is to die.
pub(super) struct Crash {
    pub(super) operations: u64,
    pub(super) call: Box<dyn FnOnce() + Send>,
}

/// An end that is to be told, once nobody holds the lock.
pub(super) struct Told {
    io: IoId,
    done: Done,
    result: DiskResult,
}

/// What became of an operation that was asked for.
pub(super) enum Accepted {
    /// It has a number.
    Pending(u64),
    /// The process died of it.
    Dead(Option<Process>, Crash),
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Told {
    pub(super) fn tell(self) {
        self.done.tell(self.io, self.result);
    }
}

impl State {
    pub(super) fn new(
        node: NodeIndex,
        plan: DiskPlan,
        dice: Dice,
        environment: Environment,
    ) -> Self {
        Self {
            node,
            image: Image::new(plan.names),
            plan,
            dice,
            environment,
            process: None,
            operations: 0,
            crash: None,
            stalled_until: 0,
            full: None,
            has_misdirected: false,
            coverage: Coverage::default(),
        }
    }

    pub(super) fn begin_process(&mut self, incarnation: Incarnation) {
        self.process = Some(Process {
            incarnation,
            table: Table::default(),
            pending: BTreeMap::new(),
            begins: BTreeMap::new(),
            floor: 0,
        });
    }

    pub(super) fn heal(&mut self) -> Option<Crash> {
        self.image.heal();
        self.full = None;
        self.stalled_until = 0;
        self.crash.take()
    }

    /// What is under way.
    pub(super) fn pending(&self) -> Vec<(Incarnation, u64)> {
        let process = self.process.iter();
        let pending = process.flat_map(|process| {
            process.pending.keys().map(|number| (process.incarnation, *number))
        });
        pending.collect()
    }

    pub(super) fn now(&self) -> u64 {
        self.environment.timers.now()
    }

    pub(super) fn timestamp(&self) -> Timestamp {
        Timestamp(EPOCH_MS + i64::try_from(self.now() / 1_000_000).unwrap_or_default())
    }

    pub(super) const fn faults(&self) -> &Faults {
        &self.environment.faults
    }

    pub(super) fn table(&self) -> Option<&Table> {
        self.process.as_ref().map(|process| &process.table)
    }

    pub(super) fn is_alive(&self, incarnation: Incarnation) -> bool {
        self.process.as_ref().is_some_and(|process| process.incarnation == incarnation)
    }

    fn row(&self, kind: Kind, number: u64, figure: u64, text: impl FnOnce() -> String) {
        let text = || format!("#{number} {}", text());
        self.environment.trace.row(self.node, kind, [number, figure, 0], text);
    }

    /// Takes an operation, and returns its number, unless the process dies of it.
    pub(super) fn accept(&mut self, io: IoId, op: DiskOp, done: Done) -> Accepted {
        self.operations += 1;
        let number = self.operations;
        self.row(Kind::DiskBegin, number, fingerprint(&op), || describe(&op));
        if let Some(mut crash) = self.crash.take() {
            crash.operations -= 1;
            if crash.operations == 0 {
                return Accepted::Dead(self.die_at(number, &op), crash);
            }
            self.crash = Some(crash);
        }
        let read =
            if let DiskOp::Read { file, .. } = &op { std::slice::from_ref(file) } else { &[] };
        let synced = if let DiskOp::Sync { files, .. } = &op { &files[..] } else { &[] };
        // What was asked for before may give the name to another file.
        if read.iter().chain(synced).any(|file| self.is_about_to_be_another(*file)) {
            self.begin_all();
        }
        let captured = match &self.process {
            Some(process) => process.table.capture(&self.image, &op),
            None => Vec::new(),
        };
        for inode in &captured {
            self.image.open(*inode);
        }
        let at = self.plan_beginning(&op);
        if let Some(process) = &mut self.process {
            let pending = Pending { io, done, op, captured, at, begun: None };
            process.pending.insert(number, pending);
        }
        Accepted::Pending(number)
    }

    /// When an operation is to begin.
    fn plan_beginning(&mut self, op: &DiskOp) -> u64 {
        let now = self.now();
        let mean = self.plan.latencies.cache;
        let is_background = matches!(class(op), Class::Background | Class::Sync);
        if self.plan.start == Start::AtOnce {
            // Somebody else does it, and he may be a little late.
            let is_late = is_background && self.dice.coin();
            return now + if is_late { nanos(self.dice.exponential(mean)) } else { 0 };
        }
        let at = now + nanos(self.dice.exponential(mean));
        let is_ordered = self.plan.start == Start::InOrder;
        let Some(process) = &mut self.process else { return at };
        match files_of(op) {
            Some(files) if !is_ordered => {
                let begins = files.iter().filter_map(|file| process.begins.get(file));
                let at = begins.copied().max().unwrap_or_default().max(process.floor).max(at);
                for file in files {
                    process.begins.insert(file, at);
                }
                at
            }
            _ => {
                let last = process.begins.values().copied().max().unwrap_or_default();
                process.begins.clear();
                process.floor = process.floor.max(last).max(at);
                process.floor
            }
        }
    }

    /// When an operation that has not begun is to begin.
    pub(super) fn beginning(&self, number: u64) -> Option<u64> {
        let pending = self.process.as_ref()?.pending.get(&number)?;
        pending.begun.is_none().then_some(pending.at)
    }

    /// Begins an operation, if it has not begun, and says when it is to end.
    pub(super) fn begin(&mut self, number: u64) -> Option<u64> {
        let pending = self.process.as_mut()?.pending.get_mut(&number)?;
        if pending.begun.is_some() {
            return None;
        }
        let op = pending.op.clone();
        let captured = pending.captured.clone();
        let begun = match self.fail(&op, &captured) {
            Some(error) => Begun::Ended(DiskResult::Failed(error)),
            None => self.take_effect(&op, &captured),
        };
        let end = self.now() + self.latency(&op, &begun);
        if let Some(pending) = self.process.as_mut()?.pending.get_mut(&number) {
            pending.begun = Some(begun);
        }
        Some(end)
    }

    fn take_effect(&mut self, op: &DiskOp, captured: &[Inode]) -> Begun {
        let now = self.timestamp();
        let Some(process) = &mut self.process else {
            return Begun::Ended(DiskResult::Failed(IoError::NotFound));
        };
        let (table, image) = (&process.table, &self.image);
        let length = |file| table.file(image, file).map_or(0, |inode| image.length(inode));
        self.coverage.note(op, length);
        let begun = process.table.begin(&mut self.image, op, captured, now);
        match begun {
            // What is read may be what was there at the beginning or at the end.
            begun @ Begun::Reading { .. } if self.dice.chance(self.plan.cached_reads) => {
                Begun::Ended(begun.finish(&mut self.image))
            }
            Begun::Removing(name) => {
                self.image.remove_directory(&name, self.dice.index(3));
                Begun::Removing(name)
            }
            begun @ (Begun::Reading { .. }
            | Begun::Ended(_)
            | Begun::Syncing { .. }
            | Begun::Listing(_)) => begun,
        }
    }

    /// Ends an operation that has begun.
    pub(super) fn finish(&mut self, number: u64) -> Option<Told> {
        let pending = self.process.as_mut()?.pending.remove(&number)?;
        let Pending { io, done, op, captured, begun, .. } = pending;
        let mut begun = begun?;
        let result = match self.fail_sync(&op, &mut begun) {
            Some(error) => DiskResult::Failed(error),
            None => begun.finish(&mut self.image),
        };
        for inode in captured {
            self.image.close(inode);
        }
        self.row(Kind::DiskEnd, number, digest(&result), || summary(&result));
        Some(Told { io, done, result })
    }

    /// The process dies at an operation.
    fn die_at(&mut self, number: u64, op: &DiskOp) -> Option<Process> {
        note_death(op);
        let moment = self.dice.below(3);
        if moment > 0 {
            self.begin_all();
        }
        match (moment, op) {
            (0, _) => {}
            (1, DiskOp::Write { file, position, data }) => {
                self.write_prefix(*file, *position, data);
                sometimes!(DiedInWrite);
            }
            (moment, op) => {
                let table = self.table();
                let captured = table.map_or_else(Vec::new, |table| table.capture(&self.image, op));
                let begun = self.take_effect(op, &captured);
                if moment == 1 {
                    sometimes!(DiedInSync, matches!(begun, Begun::Syncing { .. }));
                    begun.abandon(&mut self.image, &mut self.dice);
                } else {
                    begun.finish(&mut self.image);
                }
            }
        }
        self.row(Kind::DiskCrash, number, moment, || {
            let moment = match moment {
                0 => "before",
                1 => "in the middle of",
                _ => "after",
            };
            format!("the process dies {moment} {}", describe(op))
        });
        self.end_process()
    }

    fn write_prefix(&mut self, file: FileRef, position: u64, data: &WriteData) {
        let Some(Ok(inode)) = self.table().map(|table| table.file(&self.image, file)) else {
            return;
        };
        let count = self.dice.index(data.len());
        let now = self.timestamp();
        write_some(&mut self.image, inode, position, data, count, now);
    }

    /// What has not begun begins, in its order.
    fn begin_all(&mut self) {
        for number in self.waiting() {
            self.begin(number);
        }
    }

    /// What has not begun, in its order.
    fn waiting(&self) -> Vec<u64> {
        let pending = self.process.iter().flat_map(|process| &process.pending);
        let waiting = pending.filter(|(_, pending)| pending.begun.is_none());
        let mut waiting: Vec<(u64, u64)> =
            waiting.map(|(number, pending)| (pending.at, *number)).collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(_, number)| number).collect()
    }

    /// The process is dead. Of what it had asked for and did not hear of, a part was done.
    #[must_use = "what it has is dropped when nobody holds the lock"]
    pub(super) fn end_process(&mut self) -> Option<Process> {
        let waiting = self.waiting();
        let begun = self.dice.index(waiting.len() + 1);
        for number in &waiting[..begun] {
            self.begin(*number);
        }
        if let Some(number) = waiting.get(begun)
            && let Some(process) = &self.process
            && let DiskOp::Write { file, position, data } = &process.pending[number].op
        {
            let (file, position, data) = (*file, *position, data.clone());
            self.write_prefix(file, position, &data);
        }
        let mut process = self.process.take()?;
        for pending in process.pending.values_mut() {
            if let Some(begun) = pending.begun.take()
                && !(self.plan.drops_syncs && matches!(begun, Begun::Syncing { .. }))
            {
                begun.abandon(&mut self.image, &mut self.dice);
            }
        }
        self.image.close_all();
        Some(process)
    }

    pub(super) fn lose_power(&mut self) {
        let drawn = *self.dice.pick(&self.plan.survivals);
        let (node, faults) = (self.node, self.faults().clone());
        let strike = |fault| faults.strike(fault, node, String::new);
        let pages = match drawn {
            _ if drawn == Survival::All || !self.image.has_unsynced() => Survival::All,
            Survival::Torn if strike(Fault::DiskTornSectors) => Survival::Torn,
            Survival::All | Survival::Torn => Survival::All,
            Survival::Nothing | Survival::Pages if strike(Fault::DiskLostSectors) => drawn,
            Survival::Nothing | Survival::Pages => Survival::All,
        };
        // Where nobody may expect to get anything back, a torn page may take what was durable with it.
        let is_wild = pages == Survival::Torn
            && !self.plan.atlas.demands_recovery()
            && faults.strike(Fault::DiskRot, node, || "what lies beside torn sectors".into());
        let can_lose_names = drawn != Survival::All && self.image.has_unsynced_names();
        let names =
            if can_lose_names && strike(Fault::DiskLostNames) { drawn } else { Survival::All };
        let lost = self.image.lose_power(pages, names, is_wild, &mut self.dice);
        sometimes!(TruncationUndone, lost.untruncated > 0);
        sometimes!(SectorsGarbled, lost.garbled > 0);
        sometimes!(NamesLost, lost.names > 0);
        sometimes!(ForsakenPagesLost, lost.forsaken > 0);
        sometimes!(NothingLost, !lost.is_something());
        let figure = lost.pieces ^ lost.garbled << 16 ^ lost.names << 32;
        self.row(Kind::DiskCrash, self.operations, figure, || {
            format!("power loss, pages {pages:?}, names {names:?}: {lost:?}")
        });
    }
}

impl State {
    /// Whether something that has not begun yet changes what a name leads to.
    fn is_about_to_be_another(&self, file: FileRef) -> bool {
        let pending = self.process.iter().flat_map(|process| process.pending.values());
        pending.filter(|pending| pending.begun.is_none()).any(|pending| concerns(&pending.op, file))
    }

    /// Opens a file, whatever becomes of its name.
    pub(super) fn open(&mut self, file: FileRef) -> Option<Inode> {
        if self.is_about_to_be_another(file) {
            self.begin_all();
        }
        let inode = self.table()?.file(&self.image, file).ok()?;
        self.image.open(inode);
        Some(inode)
    }

    /// How long it takes until bytes of an open file are there.
    pub(super) fn begin_reading(&mut self) -> u64 {
        if self.dice.chance(self.plan.cached_reads) {
            return 0;
        }
        let latency = nanos(self.dice.exponential(self.plan.latencies.read));
        latency.max(self.stalled_until.saturating_sub(self.now()))
    }

    /// The bytes of an open file.
    pub(super) fn end_reading(
        &mut self,
        inode: Inode,
        position: u64,
        length: usize,
    ) -> io::Result<Bytes> {
        let text = || format!("an open file at {position}");
        if self.dice.chance(self.plan.rates.read_error)
            && self.faults().strike(Fault::DiskReadError, self.node, text)
        {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(self.image.read(inode, position, length as u64))
    }
}

/// The operating system's number for an error of input or output.
const EIO: i32 = 5;

/// Whether an operation changes what a name leads to.
fn concerns(op: &DiskOp, file: FileRef) -> bool {
    match op {
        DiskOp::Create(named) | DiskOp::Remove(named) => *named == file,
        DiskOp::Rename { file: from, name } => {
            from.directory == file.directory && (from.name == file.name || *name == file.name)
        }
        DiskOp::Use { .. }
        | DiskOp::CreateDirectory(_)
        | DiskOp::RenameDirectory { .. }
        | DiskOp::RemoveDirectory(_) => true,
        DiskOp::List(_)
        | DiskOp::Write { .. }
        | DiskOp::Read { .. }
        | DiskOp::Sync { .. }
        | DiskOp::SyncAll
        | DiskOp::Truncate { .. }
        | DiskOp::DropCache(_) => false,
    }
}

/// The files that an operation is of, or nothing if all others have to wait for it.
fn files_of(op: &DiskOp) -> Option<Vec<FileRef>> {
    match op {
        DiskOp::Create(file)
        | DiskOp::Write { file, .. }
        | DiskOp::Read { file, .. }
        | DiskOp::Truncate { file, .. }
        | DiskOp::Remove(file)
        | DiskOp::DropCache(file) => Some(vec![*file]),
        DiskOp::Rename { file, name } => Some(vec![*file, FileRef { name: *name, ..*file }]),
        DiskOp::Sync { files, .. } => Some(files.clone()),
        DiskOp::Use { .. }
        | DiskOp::CreateDirectory(_)
        | DiskOp::RenameDirectory { .. }
        | DiskOp::RemoveDirectory(_)
        | DiskOp::List(_)
        | DiskOp::SyncAll => None,
    }
}
