//! What was synced survives, and what was not may survive in any part.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp(0);
const SURVIVALS: [Survival; 4] =
    [Survival::All, Survival::Nothing, Survival::Pages, Survival::Torn];

fn dice(seed: u64) -> Dice {
    Dice::new(seed, "disk image", 0)
}

/// A disk with a file whose name is durable.
fn with_file(order: NameOrder) -> (Image, Inode) {
    let mut image = Image::new(order);
    let file = image.create(ROOT, "file", NOW);
    sync(&mut image, &[file], &[ROOT]);
    (image, file)
}

fn sync(image: &mut Image, files: &[Inode], directories: &[Inode]) {
    let sync = image.begin_sync(files, directories);
    image.end_sync(&sync);
}

fn read_all(image: &Image, file: Inode) -> Vec<u8> {
    image.read(file, 0, u64::MAX).to_vec()
}

/// A step in the life of a file.
#[derive(Debug, Clone)]
enum Step {
    /// So many bytes, so many before the end.
    Write {
        back: usize,
        length: usize,
        byte: u8,
    },
    /// So many bytes less.
    Cut(usize),
    BeginSync,
    /// That of the syncs under way.
    EndSync(usize),
    WriteBack,
    Evict,
    Crash(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..3_000_usize, 1..9_000_usize, 1..=255_u8)
            .prop_map(|(back, length, byte)| Step::Write { back, length, byte }),
        2 => (1..9_000_usize).prop_map(Step::Cut),
        3 => Just(Step::BeginSync),
        3 => (0..4_usize).prop_map(Step::EndSync),
        2 => Just(Step::WriteBack),
        1 => Just(Step::Evict),
        1 => (0..SURVIVALS.len()).prop_map(Step::Crash),
    ];
    prop::collection::vec(step, 1..60)
}

/// What a file may come to: each state since the last sync that has ended began.
#[derive(Debug)]
struct Model {
    states: Vec<Vec<u8>>,
    /// Syncs under way, and how many states they came after.
    syncs: Vec<(Sync, usize)>,
}

impl Model {
    fn last(&self) -> &Vec<u8> {
        self.states.last().expect("there is a state")
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.last().clone();
        change(&mut state);
        self.states.push(state);
    }

    fn end_sync(&mut self, image: &mut Image, at: usize) {
        if at >= self.syncs.len() {
            return;
        }
        let (sync, count) = self.syncs.remove(at);
        image.end_sync(&sync);
        // One that began earlier and ends later brings nothing new.
        let before = count.saturating_sub(1).min(self.states.len() - 1);
        self.states.drain(..before);
        for (_, count) in &mut self.syncs {
            *count = count.saturating_sub(before);
        }
    }

    /// Every byte is what it was in some state, and what no state has may be anything.
    fn check(&self, found: &[u8]) {
        let shortest = self.states.iter().map(Vec::len).min().unwrap_or_default();
        let longest = self.states.iter().map(Vec::len).max().unwrap_or_default();
        assert!((shortest..=longest).contains(&found.len()), "{shortest} to {longest} bytes");
        for (at, byte) in found.iter().enumerate().take(shortest) {
            let was = self.states.iter().any(|state| state[at] == *byte);
            assert!(was, "byte {at} of {shortest} was never {byte}");
        }
    }
}

/// The seeds of failures become tests of their own.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_was_synced_survives(steps in steps(), seed in any::<u64>(), order in 0..3_usize) {
        let mut dice = dice(seed);
        let (mut image, file) = with_file(NameOrder::ALL[order]);
        let mut model = Model { states: vec![Vec::new()], syncs: Vec::new() };
        for step in steps {
            match step {
                Step::Write { back, length, byte } => {
                    let position = model.last().len().saturating_sub(back);
                    image.write(file, position as u64, &vec![byte; length], NOW);
                    model.change(|state| {
                        state.resize(state.len().max(position + length), 0);
                        state[position..position + length].fill(byte);
                    });
                }
                Step::Cut(length) => {
                    let length = model.last().len().saturating_sub(length);
                    image.truncate(file, length as u64, NOW);
                    model.change(|state| state.truncate(length));
                }
                Step::BeginSync => {
                    let sync = image.begin_sync(&[file], &[]);
                    model.syncs.push((sync, model.states.len()));
                }
                Step::EndSync(at) => model.end_sync(&mut image, at),
                Step::WriteBack => image.write_back(&mut dice),
                Step::Evict => assert_eq!(image.evict(&mut dice), 0),
                Step::Crash(at) => {
                    image.lose_power(SURVIVALS[at], SURVIVALS[at], false, &mut dice);
                    let found = read_all(&image, file);
                    model.check(&found);
                    if SURVIVALS[at] == Survival::All {
                        prop_assert!(&found == model.last(), "all of it survives");
                    }
                    model = Model { states: vec![found], syncs: Vec::new() };
                }
            }
            prop_assert!(&read_all(&image, file) == model.last(), "the page cache has it");
        }
    }

    #[test]
    fn names_that_were_synced_survive(
        steps in prop::collection::vec((0..5_usize, 0..4_usize, 0..4_usize), 1..40),
        seed in any::<u64>(),
        order in 0..3_usize,
    ) {
        let mut dice = dice(seed);
        let mut image = Image::new(NameOrder::ALL[order]);
        let names = ["a", "b", "c", "d"];
        // What may be there, by name, since the last sync.
        let there = |image: &Image| names.map(|name| image.file(ROOT, name));
        let mut states = vec![there(&image)];
        for (kind, from, to) in steps {
            match kind {
                0 => {
                    image.create(ROOT, names[from], NOW);
                }
                1 => {
                    image.rename(ROOT, names[from], names[to]);
                }
                2 => image.remove(ROOT, names[from]),
                3 => {
                    sync(&mut image, &[], &[ROOT]);
                    states.drain(..states.len() - 1);
                }
                _ => {
                    image.lose_power(SURVIVALS[from], SURVIVALS[from], false, &mut dice);
                    let found = there(&image);
                    for (at, name) in found.iter().enumerate() {
                        let was = states.iter().any(|state| state[at] == *name);
                        prop_assert!(was, "{:?} never was {:?}", names[at], name);
                    }
                    if order == 0 {
                        prop_assert!(states.contains(&found), "a journal keeps its order");
                    }
                    states.clear();
                }
            }
            states.push(there(&image));
        }
    }
}

#[test]
fn unsynced_pages_survive_in_any_part() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..200 {
        let (mut image, file) = with_file(NameOrder::Journal);
        image.write(file, 0, &[1; PAGE_BYTES * 2], NOW);
        sync(&mut image, &[file], &[]);
        image.write(file, 0, &[2; PAGE_BYTES], NOW);
        image.write(file, PAGE_BYTES as u64, &[2; PAGE_BYTES], NOW);
        image.lose_power(Survival::Pages, Survival::Pages, false, &mut dice(seed));
        let found = read_all(&image, file);
        outcomes.insert((found[0], found[PAGE_BYTES]));
    }
    assert_eq!(outcomes.len(), 4, "the later without the earlier, too: {outcomes:?}");
}

#[test]
fn a_page_tears_at_sectors() {
    let (mut torn, mut garbled) = (0, 0);
    for seed in 0..200 {
        let (mut image, file) = with_file(NameOrder::Journal);
        image.write(file, 0, &[1; 700], NOW);
        sync(&mut image, &[file], &[]);
        image.write(file, 700, &[2; 3_000], NOW);
        image.lose_power(Survival::Torn, Survival::Torn, false, &mut dice(seed));
        let found = read_all(&image, file);
        assert_eq!(found[..700], [1; 700], "a disk does not destroy what was durable");
        let sectors: Vec<u8> =
            found.chunks(SECTOR_BYTES).map(|sector| sector.last().copied().unwrap_or(0)).collect();
        torn += usize::from(sectors.contains(&0) && sectors.contains(&2));
        garbled += usize::from(found.iter().any(|byte| *byte > 2));
    }
    assert!(torn > 20 && garbled > 20, "{torn} torn and {garbled} garbled");
}

#[test]
fn a_length_may_survive_without_its_pages() {
    let zeroes = (0..100).filter(|seed| {
        let (mut image, file) = with_file(NameOrder::Journal);
        image.write(file, 0, &[1; 100], NOW);
        image.lose_power(Survival::Pages, Survival::Pages, false, &mut dice(*seed));
        read_all(&image, file) == [0; 100]
    });
    assert!(zeroes.count() > 10);
}

#[test]
fn an_unsynced_truncation_may_be_undone() {
    let undone = (0..100).filter(|seed| {
        let (mut image, file) = with_file(NameOrder::Journal);
        image.write(file, 0, &[1; PAGE_BYTES * 2], NOW);
        sync(&mut image, &[file], &[]);
        image.truncate(file, PAGE_BYTES as u64, NOW);
        let lost = image.lose_power(Survival::Nothing, Survival::Nothing, false, &mut dice(*seed));
        let found = read_all(&image, file);
        assert!(found.iter().all(|byte| *byte == 1));
        assert_eq!(found.len() == PAGE_BYTES * 2, lost.untruncated == 1);
        lost.untruncated == 1
    });
    let undone = undone.count();
    assert!(undone > 10 && undone < 90, "{undone}");
}

#[test]
fn names_vanish_unless_their_directory_is_synced() {
    for order in NameOrder::ALL {
        let mut image = Image::new(order);
        image.create_directory("topic-0");
        let directory = image.directory("topic-0").expect("it was made");
        let file = image.create(directory, "log", NOW);
        image.write(file, 0, b"records", NOW);
        sync(&mut image, &[], &[directory]);
        let lost = image.lose_power(Survival::Nothing, Survival::Nothing, false, &mut dice(1));
        // Its own name is in the root, which comes along only if there is one journal for all.
        let is_there = image.directory("topic-0").is_some();
        assert_eq!((is_there, lost.names == 0), (order == NameOrder::Journal, is_there));
    }
}

#[test]
fn only_a_loose_disk_mixes_up_the_order_of_names() {
    for (order, expected) in NameOrder::ALL.into_iter().zip([3, 3, 4]) {
        let outcomes: BTreeSet<_> = (0..100)
            .map(|seed| {
                let mut image = Image::new(order);
                image.create(ROOT, "first", NOW);
                image.create(ROOT, "second", NOW);
                image.lose_power(Survival::Pages, Survival::Pages, false, &mut dice(seed));
                ["first", "second"].map(|name| image.file(ROOT, name).is_some())
            })
            .collect();
        assert_eq!(outcomes.len(), expected, "{order:?}: {outcomes:?}");
    }
}

#[test]
fn a_failed_sync_loses_what_the_next_one_does_not_miss() {
    let mut forsaken = 0;
    for seed in 0..50 {
        let mut dice = dice(seed);
        let (mut image, file) = with_file(NameOrder::Journal);
        image.write(file, 0, &[1; PAGE_BYTES], NOW);
        let failing = image.begin_sync(&[file], &[]);
        let bad = image.fail_sync(&failing, &mut dice);
        sync(&mut image, &[file], &[]);
        assert!(read_all(&image, file) == [1; PAGE_BYTES], "the page cache still has it");
        if bad > 0 && dice.coin() {
            assert_eq!(image.drop_cache(file), 1, "the page cache lets go of it");
            assert!(read_all(&image, file) == [0; PAGE_BYTES]);
        }
        image.lose_power(Survival::All, Survival::All, false, &mut dice);
        assert_eq!(read_all(&image, file) == [0; PAGE_BYTES], bad > 0);
        forsaken += bad;
    }
    assert!(forsaken > 10, "{forsaken}");
}

#[test]
fn what_a_sync_of_everything_lost_is_told_by_the_next_of_the_file() {
    let (mut image, file) = with_file(NameOrder::Journal);
    image.write(file, 0, &[1; PAGE_BYTES], NOW);
    let failing = image.begin_sync_all();
    image.fail_sync(&failing, &mut dice(1));
    let next = image.begin_sync(&[file], &[]);
    assert!(image.take_unreported(&next));
    assert!(!image.take_unreported(&next), "once");
}

#[test]
fn a_turned_bit_stays_turned() {
    let mut dice = dice(1);
    let (mut image, file) = with_file(NameOrder::Journal);
    image.write(file, 0, &[0; 100], NOW);
    sync(&mut image, &[file], &[]);
    assert_eq!(image.plan_rot(|spot| spot.file != "file", &mut dice), None, "not there");
    let spot = image.plan_rot(|_| true, &mut dice).expect("there is a page");
    image.rot(&spot, &mut dice);
    assert_eq!((spot.directory.as_str(), spot.file.as_str(), spot.page), ("", "file", 0));
    let ones = |bytes: Vec<u8>| bytes.iter().map(|byte| byte.count_ones()).sum::<u32>();
    let rotten = |image: &Image| ones(read_all(image, file));
    assert_eq!(rotten(&image), 1);
    image.write(file, 0, &[0; 100], NOW);
    assert_eq!(rotten(&image), 0, "the page cache is all right");
    sync(&mut image, &[file], &[]);
    image.lose_power(Survival::All, Survival::All, false, &mut dice);
    assert_eq!(rotten(&image), 1, "the disk is not");
    image.heal();
    assert_eq!(rotten(&image), 1, "what is damaged is not healed");
    image.write(file, 0, &[0; 100], NOW);
    sync(&mut image, &[file], &[]);
    image.lose_power(Survival::All, Survival::All, false, &mut dice);
    assert_eq!(rotten(&image), 0, "what is written is well");
}

#[test]
fn a_misdirected_write_spoils_two_places() {
    let mut dice = dice(1);
    let (mut image, file) = with_file(NameOrder::Journal);
    let other = image.create(ROOT, "other", NOW);
    image.write(other, 0, &[1; PAGE_BYTES], NOW);
    sync(&mut image, &[other], &[ROOT]);
    image.write(file, 0, &[2; PAGE_BYTES], NOW);
    let mut misdirected = image.begin_sync(&[file], &[]);
    let planned = image.plan_misdirection(&misdirected, |_| true, &mut dice);
    let planned = planned.expect("there is a place");
    assert_eq!(planned.to.file, "other");
    image.misdirect(&mut misdirected, &planned);
    image.end_sync(&misdirected);
    image.lose_power(Survival::All, Survival::All, false, &mut dice);
    assert!(read_all(&image, file) == [0; PAGE_BYTES]);
    assert!(read_all(&image, other) == [2; PAGE_BYTES]);
}

#[test]
fn space_is_given_back() {
    let mut image = Image::new(NameOrder::Journal);
    let file = image.create(ROOT, "file", NOW);
    image.write(file, 0, &[1; PAGE_BYTES * 3], NOW);
    assert_eq!(image.used_bytes(), PAGE_BYTES as u64 * 3);
    image.open(file);
    image.remove(ROOT, "file");
    sync(&mut image, &[], &[ROOT]);
    image.sweep_now();
    assert_eq!(read_all(&image, file).len(), PAGE_BYTES * 3, "who has it open can read it");
    image.close(file);
    image.sweep_now();
    assert_eq!(image.used_bytes(), 0);
}

#[test]
fn a_directory_is_replaced_only_if_it_is_empty() {
    let mut image = Image::new(NameOrder::Journal);
    image.create_directory("a");
    image.create_directory("b");
    let b = image.directory("b").expect("it was made");
    image.create(b, "file", NOW);
    assert_eq!(image.rename_directory("a", "b"), Err(IoError::Os(ENOTEMPTY)));
    assert!(!image.remove_directory("b", 1), "its file first");
    assert!(image.remove_directory("b", 1));
    assert_eq!(image.rename_directory("a", "b"), Ok(()));
    assert_eq!(image.list(ROOT).len(), 1);
}
