//! The simulated disk answers what the real one does.

use std::{
    env, fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use ottla::world::{perform, real::RealDisk};
use ottla_core::{
    disk::{DirectoryEntry, DirectoryId, DiskOp, DiskResult, FileName, FileRef, WriteData},
    types::Timestamp,
};
use proptest::prelude::*;

use super::{
    image::{Image, NameOrder},
    operations::Table,
};

const NOW: Timestamp = Timestamp(0);

fn directory() -> impl Strategy<Value = DirectoryId> {
    (0..5_u32).prop_map(DirectoryId)
}

fn file_name() -> impl Strategy<Value = FileName> {
    prop_oneof![
        Just(FileName::Fixed("checkpoint")),
        Just(FileName::Numbered(7, "log")),
        Just(FileName::Numbered(7, "index")),
    ]
}

fn file() -> impl Strategy<Value = FileRef> {
    (directory(), file_name()).prop_map(|(directory, name)| FileRef { directory, name })
}

fn data() -> impl Strategy<Value = WriteData> {
    (0..3, any::<u8>(), 0..6_000_usize).prop_map(|(kind, byte, length)| {
        let body = Bytes::from(vec![byte; length]);
        let next = byte.wrapping_add(1);
        match kind {
            0 => WriteData::Bytes(body),
            1 => WriteData::Batch { header: [next; _], body },
            _ => WriteData::Pieces(vec![body, Bytes::from(vec![next; 3])]),
        }
    })
}

fn op() -> impl Strategy<Value = DiskOp> {
    prop_oneof![
        4 => (1..5_u32).prop_map(|id| DiskOp::CreateDirectory(DirectoryId(id))),
        1 => (2..5_u32).prop_map(|id| DiskOp::RenameDirectory {
            directory: DirectoryId(id),
            name: format!("topic-{id}-delete"),
        }),
        1 => (2..5_u32).prop_map(|id| DiskOp::RemoveDirectory(DirectoryId(id))),
        2 => directory().prop_map(DiskOp::List),
        6 => file().prop_map(DiskOp::Create),
        8 => (file(), 0..9_000_u64, data())
            .prop_map(|(file, position, data)| DiskOp::Write { file, position, data }),
        6 => (file(), 0..9_000_u64, 0..9_000_u32)
            .prop_map(|(file, position, length)| DiskOp::Read { file, position, length }),
        2 => (prop::collection::vec(file(), 0..3), prop::collection::vec(directory(), 0..3))
            .prop_map(|(files, directories)| DiskOp::Sync { files, directories }),
        1 => Just(DiskOp::SyncAll),
        2 => (file(), 0..9_000_u64).prop_map(|(file, length)| DiskOp::Truncate { file, length }),
        3 => (file(), file_name()).prop_map(|(file, name)| DiskOp::Rename { file, name }),
        2 => file().prop_map(DiskOp::Remove),
        1 => file().prop_map(DiskOp::DropCache),
    ]
}

/// A number is that of one directory, as long as that is there: the real disk knows open files by it.
fn used(id: u32) -> DiskOp {
    DiskOp::Use { directory: DirectoryId(id), name: format!("topic-{id}") }
}

fn with_use(op: DiskOp) -> Vec<DiskOp> {
    let again =
        if let DiskOp::RemoveDirectory(directory) = &op { Some(used(directory.0)) } else { None };
    [op].into_iter().chain(again).collect()
}

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("ottla-sim-{}-{number}", process::id()));
        fs::create_dir_all(&path).expect("a folder can be made");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The answer without what is not promised: the order of entries, times, and the sizes of directories.
fn comparable(result: DiskResult) -> DiskResult {
    let DiskResult::Entries(mut entries) = result else { return result };
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let plain = |entry: DirectoryEntry| DirectoryEntry {
        length: if entry.is_directory { 0 } else { entry.length },
        modified: NOW,
        ..entry
    };
    DiskResult::Entries(entries.into_iter().map(plain).collect())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn answers_are_those_of_the_real_disk(ops in prop::collection::vec(op(), 1..60)) {
        let folder = Folder::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime can be built");
        let real = RealDisk::new(&folder.0, 4);
        let (mut image, mut table) = (Image::new(NameOrder::Journal), Table::default());
        for op in (2..5).map(used).chain(ops.into_iter().flat_map(with_use)) {
            let expected = comparable(runtime.block_on(perform(&real, op.clone())));
            let captured = table.capture(&image, &op);
            let begun = table.begin(&mut image, &op, &captured, NOW);
            let result = comparable(begun.finish(&mut image));
            let said = [format!("{op:?}"), format!("{result:?}"), format!("{expected:?}")];
            let said = said.map(|text| text.chars().take(200).collect::<String>());
            prop_assert!(result == expected, "{said:#?}");
        }
    }
}
