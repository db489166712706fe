//! The journal: where a round of syncs that has written a little to many logs becomes durable at once.
//!
//! A sync costs about the same for each file, whatever was written to it. So such a [round](path::Path) writes the batches once
//! more, one after the other, as one [`record`], into a file that has its full size already, and syncs that one file. The
//! batches lie in their segments all the same; these are made durable later, by one sync of everything for many rounds.
//!
//! There are two files of bounded size, *halves*. When one is full the other takes its place, and a sync of everything begins;
//! when that has ended well, nobody needs what is in the full half. Until then rounds go by their files once more if the second
//! half is full as well.
//!
//! At a [start](replay) a log that ends sooner than it did is given what follows its end; then everything is synced, and the
//! journal's files are removed. They are also removed before anything may make a log shorter without a start between: what the
//! journal has of a log may only ever be what the log has, or what follows it.
//!
//! What goes wrong with the journal's own files concerns nobody but the journal: it is given up, as soon as what it holds is in
//! the segments. Where a segment cannot be made durable that the journal has records of, the journal is *kept*: nothing is
//! written to it nor removed from it until the next start, which will find it.

pub mod path;
pub mod record;
pub mod replay;

use alloc::{collections::VecDeque, vec::Vec};

use bytes::Bytes;

use self::record::BLOCK_BYTES;
pub use self::record::RecordBuilder;
use crate::{
    config::Settings,
    disk::{DirectoryId, DiskOp, FileName, FileRef, WriteData},
    mutants::{Mutant, planted},
};

/// The two files.
pub const FILES: [FileRef; 2] = [file("journal.0"), file("journal.1")];

const fn file(name: &'static str) -> FileRef {
    FileRef { directory: DirectoryId::DATA, name: FileName::Fixed(name) }
}

/// How far the journal's files have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// They are not there, or nobody minds what they hold.
    #[default]
    Absent,
    /// They are being made.
    Making,
    /// Rounds may go by them.
    Ready,
    /// Nothing more is written; what they hold is to become durable in the segments.
    Closing,
    /// They are being removed.
    Removing,
    /// They hold what cannot be had elsewhere, for the next start.
    Kept,
}

/// The journal of a shard.
#[derive(Debug, Default)]
pub struct Journal {
    state: State,
    /// How large each half is.
    half_bytes: u64,
    /// The half that is written to, and where the next record goes.
    active: usize,
    position: u64,
    /// Which halves hold records, and no more room, whose segments may not be durable.
    full: [bool; 2],
    next_sequence: u64,
    /// Counts the times that the files were made: what a log wrote to earlier ones is gone.
    life: u64,
    /// A round is under way.
    is_busy: bool,
    /// It has failed, and is not made again.
    has_failed: bool,
}

impl Journal {
    /// Begins with files that were found at a start: nothing is written to them.
    pub const fn found(&mut self) {
        self.state = State::Closing;
        self.life = 1;
    }

    /// Whether rounds may go by it.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Whether it waits for its records to become durable in the segments.
    pub fn is_closing(&self) -> bool {
        self.state == State::Closing
    }

    /// Which of its lives this is, if it may hold records.
    pub fn life(&self) -> Option<u64> {
        match self.state {
            State::Absent | State::Making => None,
            State::Ready | State::Closing | State::Removing | State::Kept => Some(self.life),
        }
    }

    /// Whether its files stay for the next start.
    pub fn is_kept(&self) -> bool {
        self.state == State::Kept
    }

    /// The steps that make its files, if it would be of use to a round over so many logs and is not there. They are written
    /// once: a sync of a record then has nothing to say of where the file's bytes lie.
    pub fn make(
        &mut self,
        logs: usize,
        free_bytes: Option<u64>,
        settings: &Settings,
    ) -> VecDeque<DiskOp> {
        let half_bytes = settings.journal_bytes.next_multiple_of(BLOCK_BYTES);
        let leaves = settings.disk_reserve_bytes.saturating_add(half_bytes.saturating_mul(4));
        if self.state != State::Absent
            || self.has_failed
            || half_bytes == 0
            || logs < settings.journal_partitions_min
            || free_bytes.is_some_and(|free| free < leaves)
        {
            return VecDeque::new();
        }
        self.state = State::Making;
        self.half_bytes = half_bytes;
        let mut steps = VecDeque::new();
        for file in FILES {
            steps.push_back(DiskOp::Create(file));
            let mut position = 0;
            while position < half_bytes {
                let length = (half_bytes - position).min(ZEROS_AT_ONCE);
                let data = WriteData::Pieces(zeros(length));
                steps.push_back(DiskOp::Write { file, position, data });
                // Who syncs a little meanwhile is not to wait for all of it.
                steps.push_back(DiskOp::Sync { files: [file].into(), directories: Vec::new() });
                position += length;
            }
        }
        steps.push_back(DiskOp::Sync {
            files: FILES.into(),
            directories: [DirectoryId::DATA].into(),
        });
        steps
    }

    /// The steps that make or remove its files have ended well.
    pub fn file_ready(&mut self) {
        match self.state {
            State::Making => self.made(),
            State::Absent | State::Ready | State::Closing | State::Removing | State::Kept => {
                self.state = State::Absent;
            }
        }
    }

    /// One of these steps has failed: nobody minds what half made files hold, but what cannot be removed stays what it is.
    pub fn file_failed(&mut self) {
        self.has_failed = true;
        self.state = match self.state {
            State::Making | State::Absent => State::Absent,
            State::Ready | State::Closing | State::Removing | State::Kept => State::Kept,
        };
    }

    /// Its files are there.
    const fn made(&mut self) {
        self.state = State::Ready;
        self.life += 1;
        self.active = 0;
        self.position = 0;
        self.full = [false; 2];
        self.next_sequence = 1;
    }

    /// Whether a record of so many bytes can be written.
    fn has_room(&self, bytes: u64) -> bool {
        let fits = self.position + bytes <= self.half_bytes;
        self.state == State::Ready
            && (fits || !self.full[1 - self.active] && bytes <= self.half_bytes)
    }

    /// Begins a round: where its record goes, and its number. There is room for it.
    pub fn begin_round(&mut self, bytes: u64) -> (FileRef, u64, u64) {
        if self.position + bytes > self.half_bytes {
            self.full[self.active] = !planted(Mutant::HalfReusedTooEarly);
            self.active = 1 - self.active;
            self.position = 0;
        }
        let position = self.position;
        self.position += bytes;
        self.next_sequence += 1;
        self.is_busy = true;
        (FILES[self.active], position, self.next_sequence - 1)
    }

    /// The file that is written to.
    pub const fn active_file(&self) -> FileRef {
        FILES[self.active]
    }

    /// The round has ended, well or not. If not, nothing more is written.
    pub fn round_ended(&mut self, is_well: bool) {
        self.is_busy = false;
        if !is_well {
            self.fail();
        }
    }

    /// Whether a round is under way.
    pub const fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// The halves that only a sync of everything makes free.
    pub const fn full(&self) -> [bool; 2] {
        self.full
    }

    /// Everything was made durable after these halves had become full.
    pub fn release(&mut self, full: [bool; 2]) {
        for (half, released) in self.full.iter_mut().zip(full) {
            *half &= !released;
        }
    }

    /// Nothing more is written, and the files are removed as soon as everything is durable.
    pub fn close(&mut self) {
        if self.state == State::Ready {
            self.state = State::Closing;
        }
    }

    /// One of its files has failed: it is closed, and not made again.
    pub fn fail(&mut self) {
        self.has_failed = true;
        self.close();
    }

    /// It is to be found by the next start as it is.
    pub fn keep(&mut self) {
        if self.life().is_some() {
            self.state = State::Kept;
        }
    }

    /// Everything is durable: the steps that remove the files.
    pub fn remove(&mut self) -> VecDeque<DiskOp> {
        self.state = State::Removing;
        let names = DiskOp::Sync { files: [].into(), directories: [DirectoryId::DATA].into() };
        FILES.map(DiskOp::Remove).into_iter().chain([names]).collect()
    }

    /// Asserts the invariants.
    pub fn check(&self) {
        assert!(self.position <= self.half_bytes, "records lie in the file");
        assert!(
            self.state != State::Ready || !self.full[self.active],
            "a half is written to only when its segments are durable"
        );
    }
}

/// How much of a new file is written at once.
const ZEROS_AT_ONCE: u64 = 1 << 20;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

fn zeros(length: u64) -> Vec<Bytes> {
    let whole = ZEROS.len() as u64;
    let pieces = (0..length.div_ceil(whole)).map(|at| {
        let bytes = whole.min(length - at * whole);
        Bytes::from_static(&ZEROS[..usize::try_from(bytes).expect("a piece is small")])
    });
    pieces.collect()
}
