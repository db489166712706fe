//! Each byte of a partition damaged, and each file cut, must be found.
#![allow(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use ottla_core::{
    log::{
        LogPosition, checkpoint_file,
        epochs::{EpochStart, Epochs},
        index::{Entry, OffsetEntry, TimeEntry},
        producers::Producers,
        snapshot::{self, Place},
    },
    records::{BatchBuilder, BatchHeader, Compression},
    types::{LeaderEpoch, Offset, PartitionIndex, Timestamp},
};

use super::*;
use crate::cli::log::files::name;

/// A folder that is gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("ottla-check-{}-{number}", std::process::id()));
        fs::create_dir_all(path.join("t-0")).unwrap();
        Self(path)
    }

    fn partition(&self) -> PartitionDirectory {
        PartitionDirectory {
            topic: "t".into(),
            partition: PartitionIndex(0),
            name: "t-0".into(),
            path: self.0.join("t-0"),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join("t-0").join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A batch of two records.
fn batch(base: i64, epoch: i32, codec: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    builder.push(Timestamp(1_000 + base), Some(b"key"), Some(b"value"), &[]);
    builder.push(Timestamp(1_001 + base), None, Some(b"another"), &[]);
    let mut bytes = builder.build().to_vec();
    bytes[..8].copy_from_slice(&base.to_be_bytes());
    bytes[12..16].copy_from_slice(&epoch.to_be_bytes());
    bytes
}

const EPOCH_STARTS: [(i32, i64); 2] = [(3, 0), (4, 6)];
const END: Offset = Offset(12);
const ALL_ON_DISK: Known =
    Known { recovery_point: END, start_offset: Offset(0), cleaned_to: Offset(0) };

fn epochs() -> Epochs {
    let starts = EPOCH_STARTS.map(|(epoch, start)| EpochStart {
        epoch: LeaderEpoch(epoch),
        start_offset: Offset(start),
    });
    Epochs::new(starts.into())
}

/// Writes a segment of three batches with its indexes, and returns how long it is.
fn write_segment(folder: &Folder, base: i64, epoch: i32) -> u32 {
    let mut log = Vec::new();
    let (mut index, mut time_index) = (Vec::new(), Vec::new());
    let codecs = [Compression::None, Compression::Lz4, Compression::None];
    for (number, codec) in (0_u32..).zip(codecs) {
        let byte = u32::try_from(log.len()).unwrap();
        let offset = base + i64::from(number) * 2;
        log.extend(batch(offset, epoch, codec));
        let offset_delta = number * 2 + 1;
        if number > 0 {
            OffsetEntry { offset_delta, byte }.put(&mut index);
        }
        TimeEntry { timestamp: Timestamp(1_001 + offset), offset_delta }.put(&mut time_index);
    }
    let base = Offset(base);
    fs::write(folder.file(&name(base, "log")), &log).unwrap();
    fs::write(folder.file(&name(base, "index")), &index).unwrap();
    fs::write(folder.file(&name(base, "timeindex")), &time_index).unwrap();
    u32::try_from(log.len()).unwrap()
}

/// A partition of two segments, all of it on disk.
fn sound() -> Folder {
    let folder = Folder::new();
    write_segment(&folder, 0, 3);
    let byte = write_segment(&folder, 6, 4);
    let place = Place {
        position: LogPosition { offset: END, segment: Offset(6), byte },
        offset_entries: 2,
        time_entries: 3,
        last_time_entry: Some(TimeEntry { timestamp: Timestamp(1_011), offset_delta: 5 }),
        max_timestamp: None,
    };
    let content = snapshot::encode(&Producers::default(), &epochs(), place);
    fs::write(folder.file(&name(END, "snapshot")), content).unwrap();
    fs::write(folder.file(files::EPOCHS), checkpoint_file::encode_epochs(&epochs())).unwrap();
    folder
}

/// How much damage is found, and the findings in one text.
fn look(folder: &Folder, known: Known) -> (u64, u64, String) {
    let mut report = Report::new(true, 0);
    check(&folder.partition(), known, &mut report).unwrap();
    let text: Vec<String> = report.found().iter().map(ToString::to_string).collect();
    (report.damages, report.notes, text.join("\n"))
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_sound_partition_is_sound() {
    let folder = sound();
    let mut report = Report::new(true, 0);
    let tally = check(&folder.partition(), ALL_ON_DISK, &mut report).unwrap();
    assert_eq!(report.found(), &[] as &[serde_json::Value]);
    let Tally { segments, batches, records, bytes } = tally;
    assert_eq!((segments, batches, records), (2, 6, 12));
    assert!(bytes > 6 * 61);
}

#[test]
fn a_flipped_bit_is_damage_wherever_it_is() {
    let folder = sound();
    let mut missed = Vec::new();
    for file in files::list(&folder.file("")).unwrap() {
        let path = folder.file(&file);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            for bit in [0, 3, 7] {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                fs::write(&path, &flipped).unwrap();
                // An entry may name any record of the batch that it leads to.
                let is_harmless = file.ends_with("timeindex") && at % 12 == 11 && bit == 0;
                if look(&folder, ALL_ON_DISK).0 == 0 && !is_harmless {
                    missed.push((file.clone(), at, bit));
                }
            }
        }
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(missed, []);
}

#[test]
fn what_is_cut_off_is_damage() {
    let folder = sound();
    for file in files::list(&folder.file("")).unwrap() {
        let path = folder.file(&file);
        let whole = fs::read(&path).unwrap();
        // The offset index may end early: then a search begins earlier.
        let is_sparse = file.ends_with(".index");
        for length in 0..whole.len() {
            if is_sparse && length % 8 == 0 {
                continue;
            }
            // So may the time index of the segment that is appended to.
            if file == name(Offset(6), "timeindex") && length % 12 == 0 {
                continue;
            }
            fs::write(&path, &whole[..length]).unwrap();
            assert!(look(&folder, ALL_ON_DISK).0 > 0, "{file} cut at {length}");
        }
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn a_torn_tail_beyond_the_recovery_point_is_no_damage() {
    let folder = sound();
    fs::remove_file(folder.file(&name(END, "snapshot"))).unwrap();
    let known = Known { recovery_point: Offset(8), ..ALL_ON_DISK };
    let log = folder.file(&name(Offset(6), "log"));
    let whole = fs::read(&log).unwrap();
    let second = BatchHeader::parse(&whole).unwrap().size_bytes;
    for length in second + 1..whole.len() {
        let mut torn = whole[..length].to_vec();
        fs::write(&log, &torn).unwrap();
        let (damages, _, text) = look(&folder, known);
        let third = second + BatchHeader::parse(&whole[second..]).unwrap().size_bytes;
        let is_whole = length == third;
        assert_eq!(damages, 0, "{text}");
        assert_eq!(text.contains("torn tail"), !is_whole, "cut at {length}: {text}");
        // Room that was given to the file, but never written.
        torn.resize(whole.len() + 4_096, 0);
        fs::write(&log, &torn).unwrap();
        let (damages, _, text) = look(&folder, known);
        assert_eq!(damages, 0, "{text}");
        assert!(text.contains("torn tail"), "cut at {length}: {text}");
    }
}

#[test]
fn damage_below_the_recovery_point_hides_nothing_behind_it() {
    let folder = sound();
    change(&folder.file(&name(Offset(0), "log")), |bytes| bytes[70] ^= 1);
    change(&folder.file(&name(Offset(6), "log")), |bytes| bytes[16] = 1);
    let (damages, _, text) = look(&folder, ALL_ON_DISK);
    assert_eq!(damages, 2, "{text}");
    assert!(text.contains("checksum") && text.contains("format version 1"), "{text}");
}

#[test]
fn a_gap_is_damage_unless_the_log_was_compacted() {
    let folder = sound();
    let log = folder.file(&name(Offset(0), "log"));
    change(&log, |bytes| {
        let first = BatchHeader::parse(bytes).unwrap().size_bytes;
        bytes.drain(..first);
    });
    for index in ["index", "timeindex"] {
        fs::remove_file(folder.file(&name(Offset(0), index))).unwrap();
    }
    let (damages, _, text) = look(&folder, ALL_ON_DISK);
    assert_eq!(damages, 1, "{text}");
    assert!(text.contains("0 to 1 are missing"), "{text}");
    let (damages, notes, text) = look(&folder, Known { cleaned_to: Offset(4), ..ALL_ON_DISK });
    // Both indexes are missing.
    assert_eq!((damages, notes), (0, 2), "{text}");
}

#[test]
fn a_missing_segment_is_damage() {
    let folder = sound();
    fs::remove_file(folder.file(&name(Offset(6), "log"))).unwrap();
    let (damages, _, text) = look(&folder, ALL_ON_DISK);
    assert!(damages > 0 && text.contains("but 12 records were on disk"), "{text}");
    let folder = sound();
    fs::remove_file(folder.file(&name(Offset(0), "log"))).unwrap();
    let known = Known { start_offset: Offset(2), ..ALL_ON_DISK };
    let (damages, _, text) = look(&folder, known);
    assert!(damages > 0 && text.contains("but should at 2"), "{text}");
}
