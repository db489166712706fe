//! The two sparse indexes of a segment, in Kafka's formats: offset to byte, and timestamp to offset.
//!
//! The newest entries are kept in memory and written in groups; older ones are looked up on disk, where the operating system
//! caches them.

use alloc::vec::Vec;
use core::{fmt::Debug, marker::PhantomData};

use bytes::Bytes;

use crate::{
    disk::{Disk, DiskOp, FileRef, IoId, WriteData},
    types::Timestamp,
};

/// An entry of an index, ordered by its key.
pub trait Entry: Copy + Debug + PartialEq + Eq {
    /// What is looked up.
    type Key: Copy + Debug + Ord;
    /// The entry's length on disk.
    const BYTES: u32;
    /// The key.
    fn key(&self) -> Self::Key;
    /// Appends the entry as it stands on disk.
    fn put(&self, buffer: &mut Vec<u8>);
    /// Reads an entry of [`Self::BYTES`] bytes.
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// An entry of `.index`: the last offset of a batch, less the segment's base offset, and the byte where the batch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetEntry {
    /// The last offset of the batch, less the segment's base offset.
    pub offset_delta: u32,
    /// Where the batch begins.
    pub byte: u32,
}

impl Entry for OffsetEntry {
    type Key = u32;
    const BYTES: u32 = 8;
    fn key(&self) -> u32 {
        self.offset_delta
    }
    fn put(&self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&self.offset_delta.to_be_bytes());
        buffer.extend_from_slice(&self.byte.to_be_bytes());
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        let (offset, byte) = bytes.split_first_chunk()?;
        Some(Self {
            offset_delta: u32::from_be_bytes(*offset),
            byte: u32::from_be_bytes(*byte.first_chunk()?),
        })
    }
}

/// An entry of `.timeindex`: the greatest timestamp so far, and the last offset of the batch that has it, less the segment's
/// base offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeEntry {
    /// The greatest timestamp so far.
    pub timestamp: Timestamp,
    /// The last offset of the batch that has it, less the segment's base offset.
    pub offset_delta: u32,
}

impl Entry for TimeEntry {
    type Key = Timestamp;
    const BYTES: u32 = 12;
    fn key(&self) -> Timestamp {
        self.timestamp
    }
    fn put(&self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&self.timestamp.0.to_be_bytes());
        buffer.extend_from_slice(&self.offset_delta.to_be_bytes());
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        let (timestamp, offset) = bytes.split_first_chunk()?;
        Some(Self {
            timestamp: Timestamp(i64::from_be_bytes(*timestamp)),
            offset_delta: u32::from_be_bytes(*offset.first_chunk()?),
        })
    }
}

/// How many entries wait in memory before they are written.
const ENTRIES_AT_ONCE: usize = 128;

/// An index: a file, and the entries that are not in it yet.
#[derive(Debug, Clone)]
pub struct Index<E> {
    file: FileRef,
    /// How many entries the file holds for certain.
    on_disk: u32,
    /// How many of the entries in memory are being written.
    writing: usize,
    /// The entries after those on disk.
    tail: Vec<E>,
    last: Option<E>,
    last_on_disk: Option<E>,
}

impl<E: Entry> Index<E> {
    /// An index with nothing in it, whose file is empty.
    pub const fn empty(file: FileRef) -> Self {
        Self { file, on_disk: 0, writing: 0, tail: Vec::new(), last: None, last_on_disk: None }
    }

    /// An index whose file holds `entries`, the last of which is `last`.
    pub const fn existing(file: FileRef, entries: u32, last: Option<E>) -> Self {
        Self { file, on_disk: entries, writing: 0, tail: Vec::new(), last, last_on_disk: last }
    }

    /// The index's file.
    pub const fn file(&self) -> FileRef {
        self.file
    }

    /// A file has another name; it may be this one's.
    pub fn renamed(&mut self, from: FileRef, to: FileRef) {
        if self.file == from {
            self.file = to;
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> u32 {
        self.on_disk + u32::try_from(self.tail.len()).expect("an index has fewer than 2³² entries")
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries the file holds for certain.
    pub const fn on_disk(&self) -> u32 {
        self.on_disk
    }

    /// The last entry that the file holds for certain; none is known of one that was not looked at since it was opened.
    pub const fn last_on_disk(&self) -> Option<E> {
        self.last_on_disk
    }

    /// How large the file is when all is written.
    pub fn size_bytes(&self) -> u32 {
        self.len() * E::BYTES
    }

    /// The last entry.
    pub const fn last(&self) -> Option<E> {
        self.last
    }

    /// Adds an entry; its key must be greater than that of the last.
    pub fn push(&mut self, entry: E) {
        assert!(self.last.is_none_or(|last| last.key() < entry.key()), "an index ascends");
        self.tail.push(entry);
        self.last = Some(entry);
    }

    /// Forgets the entries in memory from the first on that does not stay. Those on disk lie above all that is looked up.
    pub fn cut_back(&mut self, stays: impl Fn(&E) -> bool) {
        let count = self.tail.iter().take_while(|entry| stays(entry)).count();
        self.tail.truncate(count);
        self.last = self.tail.last().copied().or(self.last_on_disk);
    }

    /// Whether enough has gathered to be written.
    pub const fn wants_writing(&self) -> bool {
        self.writing == 0 && self.tail.len() >= ENTRIES_AT_ONCE
    }

    /// Writes what is in memory only. The entries are kept until [`Self::written`].
    pub fn write(&mut self, disk: &mut Disk<'_>) -> Option<IoId> {
        if self.tail.is_empty() || self.writing > 0 {
            return None;
        }
        let mut buffer = Vec::with_capacity(self.tail.len() * E::BYTES as usize);
        for entry in &self.tail {
            entry.put(&mut buffer);
        }
        self.writing = self.tail.len();
        Some(disk.submit(DiskOp::Write {
            file: self.file,
            position: u64::from(self.on_disk) * u64::from(E::BYTES),
            data: WriteData::Bytes(Bytes::from(buffer)),
        }))
    }

    /// The write has ended well: its entries need not be kept.
    pub fn written(&mut self) {
        self.on_disk += u32::try_from(self.writing).expect("few entries are written at once");
        self.last_on_disk = self.tail.drain(..self.writing).next_back().or(self.last_on_disk);
        self.writing = 0;
        if self.tail.is_empty() {
            self.tail = Vec::new();
        }
    }

    /// The last entry whose key is not greater than `key`, or how to find it on disk.
    pub fn floor(&self, key: E::Key) -> Floor<E> {
        let after = self.tail.partition_point(|entry| entry.key() <= key);
        if after > 0 {
            return Floor::Found(Some(self.tail[after - 1]));
        }
        if self.on_disk == 0 {
            return Floor::Found(None);
        }
        Floor::OnDisk(IndexSearch::new(self.file, self.on_disk, key))
    }
}

/// Where an entry is to be found.
#[derive(Debug)]
pub enum Floor<E: Entry> {
    /// Here it is, if there is one.
    Found(Option<E>),
    /// On disk.
    OnDisk(IndexSearch<E>),
}

/// A binary search over an index on disk, a read at a time.
#[derive(Debug, Clone)]
pub struct IndexSearch<E: Entry> {
    file: FileRef,
    key: E::Key,
    /// All entries before this one have keys that are not greater.
    low: u32,
    /// All entries from this one on have greater keys.
    high: u32,
    entry: PhantomData<E>,
}

/// How a search goes on.
#[derive(Debug, PartialEq, Eq)]
pub enum SearchStep<E> {
    /// Another read is under way.
    Reading(IoId),
    /// The last entry whose key is not greater, if there is one.
    Found(Option<E>),
    /// The file is shorter than it should be.
    Damaged,
}

/// How many entries are read at once when few enough are left.
const PAGE_ENTRIES: u32 = 340;

impl<E: Entry> IndexSearch<E> {
    const fn new(file: FileRef, entries: u32, key: E::Key) -> Self {
        Self { file, key, low: 0, high: entries, entry: PhantomData }
    }

    /// The entries to read next.
    fn window(&self) -> (u32, u32) {
        let count = self.high - self.low;
        if count <= PAGE_ENTRIES { (self.low, count) } else { (self.low + count / 2, 1) }
    }

    /// Asks for the next read.
    pub fn read(&self, disk: &mut Disk<'_>) -> IoId {
        let (first, count) = self.window();
        disk.submit(DiskOp::Read {
            file: self.file,
            position: u64::from(first) * u64::from(E::BYTES),
            length: count * E::BYTES,
        })
    }

    /// Takes what was read.
    pub fn step(&mut self, bytes: &[u8], disk: &mut Disk<'_>) -> SearchStep<E> {
        let (first, count) = self.window();
        if bytes.len() != (count * E::BYTES) as usize {
            return SearchStep::Damaged;
        }
        let entry = |index: u32| E::read(&bytes[(index * E::BYTES) as usize..]);
        if count == 1 && self.high - self.low > 1 {
            if entry(0).is_some_and(|entry| entry.key() <= self.key) {
                self.low = first;
            } else {
                self.high = first;
            }
            return SearchStep::Reading(self.read(disk));
        }
        let found = (0..count).map_while(entry).take_while(|entry| entry.key() <= self.key).last();
        SearchStep::Found(found)
    }
}
