//! A file: its pages, its length, and what of both the disk has.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use ottla_core::types::Timestamp;

use super::page::{Block, PAGE_BYTES, Page};
use crate::dice::Dice;

/// What is in a file.
#[derive(Debug, Default)]
pub(super) struct File {
    pages: Vec<Page>,
    /// Which pages the page cache has yet to write.
    dirty: BTreeSet<usize>,
    length: u64,
    length_version: u64,
    durable_length: u64,
    durable_length_version: u64,
    /// How it was cut off without the disk knowing, in order.
    cuts: Vec<Cut>,
    /// Bits that the disk turns whenever they are written.
    rot: Vec<Rot>,
    pub(super) modified: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Cut {
    length: u64,
    version: u64,
}

#[derive(Debug, Clone, Copy)]
struct Rot {
    page: usize,
    at: usize,
    mask: u8,
}

/// What a sync takes to the disk.
#[derive(Debug)]
pub(super) struct Flush {
    pages: Vec<FlushPage>,
    length: u64,
    version: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct FlushPage {
    pub(super) number: usize,
    version: u64,
    pub(super) block: Block,
}

/// How a crash treats what is not durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// All of it is there.
    All,
    /// None of it.
    Nothing,
    /// Each page is there or not.
    Pages,
    /// Each page is there, or not, or torn.
    Torn,
}

/// What a power loss took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Pages that did not get to the disk, and sectors of torn pages that did not.
    pub pieces: u64,
    /// Sectors that were garbled.
    pub garbled: u64,
    /// Files that are shorter than they were.
    pub shortened: u64,
    /// Truncations that were undone.
    pub untruncated: u64,
    /// Pages of which the page cache thought that the disk had them.
    pub forsaken: u64,
    /// Changes of names.
    pub names: u64,
}

impl Lost {
    /// Whether anything is not as it would be after the end of a process.
    pub fn is_something(self) -> bool {
        self != Self::default()
    }

    pub(super) const fn add(&mut self, other: Self) {
        self.pieces += other.pieces;
        self.garbled += other.garbled;
        self.shortened += other.shortened;
        self.untruncated += other.untruncated;
        self.forsaken += other.forsaken;
        self.names += other.names;
    }
}

/// The page that a byte lies in, and its place there.
fn place(position: u64) -> (usize, usize) {
    let position = usize::try_from(position).expect("a simulated file fits memory");
    (position / PAGE_BYTES, position % PAGE_BYTES)
}

impl File {
    pub(super) fn new(modified: Timestamp) -> Self {
        Self { modified, ..Self::default() }
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// How many pages it takes, in the page cache or on the disk.
    pub(super) const fn page_count(&self) -> usize {
        self.pages.len()
    }

    /// Whether the disk has all of it, as far as the page cache knows.
    pub(super) fn is_clean(&self) -> bool {
        self.dirty.is_empty() && self.length_version == self.durable_length_version
    }

    pub(super) fn write(&mut self, position: u64, mut bytes: &[u8], version: u64) {
        let end = position + bytes.len() as u64;
        let (mut number, mut at) = place(position);
        while !bytes.is_empty() {
            let (here, rest) = bytes.split_at(bytes.len().min(PAGE_BYTES - at));
            self.dirty_page(number, version).cached.write(at, here);
            (bytes, number, at) = (rest, number + 1, 0);
        }
        if end > self.length {
            self.length = end;
            self.length_version = version;
        }
    }

    fn dirty_page(&mut self, number: usize, version: u64) -> &mut Page {
        if self.pages.len() <= number {
            self.pages.resize_with(number + 1, Page::default);
        }
        self.dirty.insert(number);
        let page = &mut self.pages[number];
        page.is_dirty = true;
        page.version = version;
        page
    }

    pub(super) fn truncate(&mut self, length: u64, version: u64) {
        if length == self.length {
            return;
        }
        if length < self.length {
            let (first, at) = place(length);
            for number in first..self.pages.len() {
                let from = if number == first { at } else { 0 };
                if !self.pages[number].is_nothing() {
                    self.dirty_page(number, version).cached.cut(from);
                }
            }
            self.cuts.push(Cut { length, version });
        }
        self.length = length;
        self.length_version = version;
    }

    pub(super) fn read(&self, position: u64, length: u64) -> Bytes {
        let end = position.saturating_add(length).min(self.length);
        let Some(length) = end.checked_sub(position).filter(|length| *length > 0) else {
            return Bytes::new();
        };
        let length = usize::try_from(length).expect("a simulated file fits memory");
        let mut buffer = BytesMut::with_capacity(length);
        let (mut number, mut at) = place(position);
        while buffer.len() < length {
            let wanted = (length - buffer.len()).min(PAGE_BYTES - at);
            let there = self.pages.get(number).map_or(&[][..], |page| page.cached.bytes());
            let there = &there[at.min(there.len())..(at + wanted).min(there.len())];
            buffer.extend_from_slice(there);
            buffer.resize(buffer.len() + wanted - there.len(), 0);
            (number, at) = (number + 1, 0);
        }
        buffer.freeze()
    }

    /// What a sync that begins now is to take to the disk.
    pub(super) fn begin_flush(&self) -> Flush {
        let page = |&number: &usize| {
            let page = &self.pages[number];
            FlushPage { number, version: page.version, block: page.cached.clone() }
        };
        Flush {
            pages: self.dirty.iter().map(page).collect(),
            length: self.length,
            version: self.length_version,
        }
    }

    /// The disk has what the sync took.
    pub(super) fn end_flush(&mut self, flush: &Flush) {
        for page in &flush.pages {
            self.reach_disk(page);
        }
        self.commit_length(flush.length, flush.version);
    }

    /// A part of what the sync takes is on the disk.
    pub(super) fn flush_some(&mut self, flush: &Flush, dice: &mut Dice) {
        for page in &flush.pages {
            if dice.coin() {
                self.reach_disk(page);
            }
        }
        if dice.coin() {
            self.commit_length(flush.length, flush.version);
        }
    }

    /// The disk failed. Some pages it has; the others are clean nevertheless, and nobody will try again. Says how many.
    pub(super) fn fail_flush(&mut self, flush: &Flush, dice: &mut Dice) -> u64 {
        let mut forsaken = 0;
        for page in &flush.pages {
            if dice.below(3) == 0 {
                self.reach_disk(page);
            } else {
                forsaken += u64::from(self.forsake(page.number, page.version));
            }
        }
        forsaken
    }

    /// The page cache takes a page for written that is not.
    fn forsake(&mut self, number: usize, version: u64) -> bool {
        let Some(page) = self.pages.get_mut(number) else { return false };
        let is_dirty = page.is_dirty && page.version == version;
        if is_dirty {
            page.is_dirty = false;
            self.dirty.remove(&number);
        }
        is_dirty
    }

    fn reach_disk(&mut self, flushed: &FlushPage) {
        // A page that is gone was cut off, and that is on the disk already.
        let Some(page) = self.pages.get_mut(flushed.number) else { return };
        let is_news = page.reach_disk(&flushed.block, flushed.version);
        if !page.is_dirty {
            self.dirty.remove(&flushed.number);
        }
        if is_news {
            self.rot_again(flushed.number);
        }
    }

    fn rot_again(&mut self, number: usize) {
        for rot in self.rot.iter().filter(|rot| rot.page == number) {
            let page = &mut self.pages[number];
            let is_shared = page.cached.is_same(&page.durable);
            if page.durable.bytes().len() > rot.at {
                page.durable.edit()[rot.at] ^= rot.mask;
            }
            if is_shared && !page.is_dirty {
                page.cached = page.durable.clone();
            }
        }
    }

    fn commit_length(&mut self, length: u64, version: u64) {
        if version <= self.durable_length_version {
            return;
        }
        self.durable_length = length;
        self.durable_length_version = version;
        self.commit_cuts(version);
    }

    /// The disk knows how the file was cut off until then: what it had beyond is no longer the file's, save what came later.
    fn commit_cuts(&mut self, version: u64) {
        let count = self.cuts.partition_point(|cut| cut.version <= version);
        if count == 0 {
            return;
        }
        for cut in self.cuts.drain(..count) {
            let (first, at) = place(cut.length);
            for (number, page) in self.pages.iter_mut().enumerate().skip(first) {
                if page.durable_version < cut.version {
                    page.durable.cut(if number == first { at } else { 0 });
                }
            }
        }
        let (pages, rest) = place(self.length);
        let pages = pages + usize::from(rest > 0);
        while self.pages.len() > pages && self.pages.last().is_some_and(Page::is_nothing) {
            self.pages.pop();
            self.dirty.remove(&self.pages.len());
        }
    }

    /// Writes some of what is dirty, as an operating system does when it sees fit.
    pub(super) fn write_back(&mut self, dice: &mut Dice) {
        let flush = self.begin_flush();
        self.flush_some(&flush, dice);
    }

    /// Forgets what is clean. Says how many pages are not what they seemed to be.
    pub(super) fn drop_cache(&mut self) -> u64 {
        self.pages.iter_mut().map(|page| u64::from(page.drop_clean())).sum()
    }

    /// The power fails.
    pub(super) fn lose_power(
        &mut self,
        survival: Survival,
        is_wild: bool,
        dice: &mut Dice,
    ) -> Lost {
        let mut lost = Lost { forsaken: self.count_forsaken(), ..Lost::default() };
        let was = self.length;
        let is_undone = !self.cuts.is_empty() && survival != Survival::All && dice.coin();
        let kept = if is_undone {
            lost.untruncated += 1;
            self.durable_length
        } else {
            let least = self.cuts.iter().map(|cut| cut.length).min();
            self.commit_cuts(u64::MAX);
            least.unwrap_or(self.durable_length)
        };
        for number in std::mem::take(&mut self.dirty) {
            let Some(page) = self.pages.get_mut(number) else { continue };
            page.is_dirty = false;
            // What was cut off is still there if the cutting was undone.
            if is_undone && page.cached.is_empty() {
                continue;
            }
            let start = number as u64 * PAGE_BYTES as u64;
            let kept = usize::try_from(kept.saturating_sub(start)).unwrap_or(PAGE_BYTES);
            let torn = page.survive(survival, kept, is_wild, dice);
            lost.pieces += torn.dropped;
            lost.garbled += torn.garbled;
            self.rot_again(number);
        }
        let longest = self.length.max(kept);
        self.length = match survival {
            Survival::All => self.length,
            Survival::Nothing => kept,
            Survival::Pages | Survival::Torn => match dice.below(4) {
                0 => kept,
                1 => kept + dice.below(longest - kept + 1),
                _ => longest,
            },
        };
        lost.shortened += u64::from(self.length < was);
        self.start_anew();
        lost
    }

    fn count_forsaken(&self) -> u64 {
        let pages = self.pages.iter();
        pages.filter(|page| !page.is_dirty && !page.cached.is_same(&page.durable)).count() as u64
    }

    /// From now on there is what the disk has.
    fn start_anew(&mut self) {
        let (last, at) = place(self.length);
        self.pages.truncate(last + usize::from(at > 0));
        if let Some(page) = self.pages.get_mut(last) {
            page.durable.cut(at);
        }
        for page in &mut self.pages {
            page.cached = page.durable.clone();
            page.version = page.durable_version;
        }
        self.cuts.clear();
        self.durable_length = self.length;
        self.durable_length_version = self.length_version;
    }

    /// Pages that the disk has, other than those that are about to change.
    pub(super) fn settled_pages(&self) -> impl Iterator<Item = usize> {
        let pages = self.pages.iter().enumerate();
        pages
            .filter(|(_, page)| !page.is_dirty && !page.durable.is_empty())
            .map(|(number, _)| number)
    }

    /// A bit of a page turns on the disk, and again each time it is written.
    pub(super) fn rot(&mut self, number: usize, dice: &mut Dice) {
        let length = self.pages[number].durable.bytes().len();
        let mask = 1 << dice.below(8);
        self.rot.push(Rot { page: number, at: dice.index(length), mask });
        self.pages[number].drop_clean();
        let last = self.rot.len() - 1;
        let others = self.rot.drain(..last).collect::<Vec<_>>();
        self.rot_again(number);
        self.rot.splice(..0, others);
    }
}

impl File {
    /// Bits that turned stay turned until they are written.
    pub(super) fn heal(&mut self) {
        self.rot.clear();
    }

    /// A page that is to be written is written to another place of the disk, and nobody notices.
    pub(super) fn misdirect(&mut self, flush: &mut Flush, number: usize) {
        if let Some(at) = flush.pages.iter().position(|page| page.number == number) {
            let page = flush.pages.remove(at);
            self.forsake(page.number, page.version);
        }
    }

    /// Another page was written in the place of this one.
    pub(super) fn misdirect_to(&mut self, number: usize, block: &Block) {
        let page = &mut self.pages[number];
        page.durable = block.clone();
        page.drop_clean();
    }
}

impl Flush {
    /// One of its pages.
    pub(super) fn pick(&self, dice: &mut Dice) -> Option<FlushPage> {
        self.pages.get(dice.index(self.pages.len())).cloned()
    }
}
