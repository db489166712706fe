//! The corpus of the fuzz targets and a bounded number of mutations of it, without a fuzzer.

#![expect(clippy::disallowed_macros, reason = "the allocator counts for each test by itself")]
#![allow(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fs,
    path::Path,
};

use ottla_fuzzed::{MEMORY_FIXED, MEMORY_PER_BYTE};

/// How many mutations of each target are tried.
const MUTATIONS: u32 = 20_000;

/// Counts what a thread has allocated and not given back.
struct Counting;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn count(change: impl FnOnce(usize) -> usize) {
    // A thread that ends frees what it cannot count any more.
    let _ = NOW.try_with(|now| {
        now.set(change(now.get()));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now.get())));
    });
}

// SAFETY: the system's allocator does the work; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(|now| now + layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(|now| now.saturating_sub(layout.size()));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Runs it, and returns how much memory it took at most.
fn memory_of(run: impl FnOnce()) -> usize {
    let before = NOW.get();
    PEAK.set(before);
    run();
    PEAK.get().saturating_sub(before)
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let corpus: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!corpus.is_empty(), "there is no corpus for {target}");
    corpus
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }

    fn byte(&mut self) -> u8 {
        // Small and extreme values are where lengths and counts go wrong.
        const SPECIAL: [u8; 8] = [0, 1, 2, 0x7f, 0x80, 0xff, 0xfe, 0x40];
        if self.below(2) == 0 {
            SPECIAL[self.below(8)]
        } else {
            u8::try_from(self.below(256)).unwrap()
        }
    }

    /// A few changes of a seed.
    fn mutate(&mut self, seed: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(5) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 if !bytes.is_empty() => bytes.truncate(at),
                1 => bytes.insert(at, self.byte()),
                2 => bytes.extend_from_slice(&other[..self.below(other.len())]),
                3 => bytes
                    .splice(at..at, std::iter::repeat_n(self.byte(), self.below(300)))
                    .for_each(drop),
                _ => {
                    let byte = self.byte();
                    if let Some(changed) = bytes.get_mut(at) {
                        *changed = byte;
                    }
                }
            }
        }
        bytes
    }
}

fn check(target: &str, input: &[u8], run: impl FnOnce(&[u8])) {
    let memory = memory_of(|| run(input));
    let bound = MEMORY_FIXED + MEMORY_PER_BYTE * input.len();
    assert!(memory <= bound, "{target}: {memory} bytes for {}: {input:02x?}", input.len());
}

/// The length of the first frame is made right, so that what is behind it is reached.
fn with_length(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(length) = bytes.len().checked_sub(4) {
        bytes[..4].copy_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
    }
    bytes
}

#[test]
fn frames() {
    let corpus = corpus("frames");
    for input in &corpus {
        check("frames", input, ottla_fuzzed::frames);
    }
    let mut random = Random(1);
    for round in 0..MUTATIONS {
        let (seed, other) = (random.below(corpus.len()), random.below(corpus.len()));
        let mut input = random.mutate(&corpus[seed], &corpus[other]);
        if round % 4 != 0 {
            input = with_length(input);
        }
        check("frames", &input, ottla_fuzzed::frames);
    }
}

#[test]
fn batches() {
    let corpus = corpus("batches");
    let mut random = Random(2);
    for input in &corpus {
        check("batches", input, |input| ottla_fuzzed::batches(input, false));
    }
    for round in 0..MUTATIONS {
        let (seed, other) = (random.below(corpus.len()), random.below(corpus.len()));
        let mut input = random.mutate(&corpus[seed], &corpus[other]);
        if round % 4 != 0 {
            ottla_fuzzed::seal(&mut input);
        }
        check("batches", &input, |input| ottla_fuzzed::batches(input, false));
        if round % 4 == 1 {
            // What is decompressed is bounded by itself, not by the input.
            ottla_fuzzed::batches(&input, true);
        }
    }
}
