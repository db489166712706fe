//! The disk in time: what a process gets, and what is left of it when it dies.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use madsim::runtime::Runtime;
use ottla::world::{Disk, FileHandle, perform};
use ottla_core::disk::{DirectoryId, DiskOp, DiskResult, FileName, FileRef, IoError, WriteData};

use super::{
    DiskPlan, NodeDisk, SimDisk,
    image::Survival,
    plan::{Rates, Start},
};
use crate::{
    dice::{Dice, MILLION},
    faults::{Fault, Faults},
    node::{Incarnation, NodeIndex},
    timers::Timers,
    trace::Trace,
    world::Environment,
};

const FILE: FileRef = FileRef { directory: DirectoryId::DATA, name: FileName::Fixed("file") };

fn run<F: Future<Output = ()>>(test: impl FnOnce(Environment) -> F) {
    Runtime::with_seed_and_config(1, madsim::Config::default()).block_on(async {
        let timers = Timers::start();
        let trace = Trace::new(timers.clone());
        let faults = Faults::new(trace.clone(), [].into());
        test(Environment { timers, trace, faults, recording: None }).await;
    });
}

fn disk(plan: DiskPlan, seed: u64, environment: &Environment) -> SimDisk {
    SimDisk::new(NodeIndex(0), plan, Dice::new(seed, "disk", 0), environment.clone())
}

async fn done(disk: &NodeDisk, op: DiskOp) {
    let result = perform(disk, op).await;
    assert_eq!(result, DiskResult::Done);
}

fn write(position: u64, bytes: &'static [u8]) -> DiskOp {
    DiskOp::Write { file: FILE, position, data: WriteData::Bytes(bytes.into()) }
}

fn sync() -> DiskOp {
    DiskOp::Sync { files: vec![FILE], directories: vec![DirectoryId::DATA] }
}

async fn read(disk: &NodeDisk) -> DiskResult {
    perform(disk, DiskOp::Read { file: FILE, position: 0, length: 100 }).await
}

fn bytes(bytes: &'static [u8]) -> DiskResult {
    DiskResult::Bytes(bytes.into())
}

/// Loses all that it can.
fn forgetful() -> DiskPlan {
    DiskPlan { survivals: vec![Survival::Nothing], ..DiskPlan::default() }
}

#[test]
fn a_power_loss_takes_what_was_not_synced_and_a_kill_does_not() {
    run(|environment| async move {
        for start in [Start::AtOnce, Start::InOrder, Start::ByFile] {
            let disk = disk(DiskPlan { start, ..forgetful() }, 1, &environment);
            let first = disk.handle_for(Incarnation(1));
            done(&first, DiskOp::Create(FILE)).await;
            done(&first, write(0, b"synced")).await;
            done(&first, sync()).await;
            done(&first, write(6, b" or not")).await;
            disk.kill(Incarnation(1));
            let second = disk.handle_for(Incarnation(2));
            assert_eq!(read(&second).await, bytes(b"synced or not"), "{start:?}");
            disk.power_loss();
            let third = disk.handle_for(Incarnation(3));
            assert_eq!(read(&third).await, bytes(b"synced"), "{start:?}");
        }
        assert!(environment.faults.struck()[&Fault::DiskLostSectors] > 0);
    });
}

#[test]
fn a_dead_process_does_nothing() {
    run(|environment| async move {
        let disk = disk(DiskPlan::default(), 1, &environment);
        let dead = disk.handle_for(Incarnation(1));
        done(&dead, DiskOp::Create(FILE)).await;
        let open = dead.open(FILE).expect("it is there");
        disk.kill(Incarnation(1));
        let alive = disk.handle_for(Incarnation(2));
        let told = perform(&dead, write(0, b"late")).await;
        assert_eq!(told, DiskResult::Failed(IoError::Os(5)), "nobody carries it out");
        assert!(open.read(0, 10).await.is_err());
        assert!(dead.open(FILE).is_err());
        assert_eq!(read(&alive).await, bytes(b""));
    });
}

#[test]
fn an_open_file_outlives_its_name() {
    run(|environment| async move {
        let disk = disk(DiskPlan::default(), 1, &environment);
        let process = disk.handle_for(Incarnation(1));
        done(&process, DiskOp::Create(FILE)).await;
        done(&process, write(0, b"bytes")).await;
        let open = process.open(FILE).expect("it is there");
        done(&process, DiskOp::Remove(FILE)).await;
        done(&process, sync()).await;
        assert_eq!(read(&process).await, DiskResult::Failed(IoError::NotFound));
        assert_eq!(open.read(1, 3).await.expect("it is open"), &b"yte"[..]);
    });
}

/// Disks whose operations take a while, and begin in all the ways there are.
fn slow_disks(environment: &Environment) -> impl Iterator<Item = (Start, SimDisk)> {
    (0..).zip([Start::AtOnce, Start::InOrder, Start::ByFile]).map(|(seed, start)| {
        let mut plan = DiskPlan { start, ..DiskPlan::default() };
        plan.latencies.cache = Duration::from_millis(5);
        (start, disk(plan, seed, environment))
    })
}

#[test]
fn what_is_read_is_what_bears_the_name_after_all_that_was_asked_for_before() {
    run(|environment| async move {
        for (start, disk) in slow_disks(&environment) {
            let process = disk.handle_for(Incarnation(1));
            let other = FileRef { name: FileName::Fixed("other"), ..FILE };
            for (file, data) in [(FILE, b"old"), (other, b"new")] {
                let data = WriteData::Bytes(data[..].into());
                done(&process, DiskOp::Create(file)).await;
                done(&process, DiskOp::Write { file, position: 0, data }).await;
            }
            let rename = DiskOp::Rename { file: other, name: FILE.name };
            let (_, found) = tokio::join!(perform(&process, rename), read(&process));
            assert_eq!(found, bytes(b"new"), "{start:?}");
        }
    });
}

#[test]
fn operations_on_a_file_begin_in_order() {
    run(|environment| async move {
        for (start, disk) in slow_disks(&environment) {
            let process = disk.handle_for(Incarnation(1));
            done(&process, DiskOp::Create(FILE)).await;
            let both = [write(0, b"first"), write(0, b"secon")].map(|op| perform(&process, op));
            let [first, second] = both;
            tokio::join!(first, second);
            assert_eq!(read(&process).await, bytes(b"secon"), "{start:?}");
        }
    });
}

#[test]
fn a_failed_sync_is_told_once_and_takes_its_pages() {
    run(|environment| async move {
        let rates = Rates { sync_error: MILLION, ..Rates::default() };
        let disk = disk(DiskPlan { rates, ..DiskPlan::default() }, 1, &environment);
        let process = disk.handle_for(Incarnation(1));
        done(&process, DiskOp::Create(FILE)).await;
        done(&process, write(0, b"records")).await;
        let failed = perform(&process, sync()).await;
        assert_eq!(failed, DiskResult::Failed(IoError::Os(5)));
        environment.faults.heal();
        done(&process, sync()).await;
        assert_eq!(read(&process).await, bytes(b"records"), "the page cache has it");
        disk.power_loss();
        let process = disk.handle_for(Incarnation(2));
        let left = read(&process).await;
        assert!(left == bytes(&[0; 7]) || left == bytes(b"records"), "{left:?}");
    });
}

#[test]
fn a_full_disk_says_so_and_heals() {
    run(|environment| async move {
        let rates = Rates { full: MILLION, ..Rates::default() };
        let full_max = Duration::from_secs(1);
        let disk = disk(DiskPlan { rates, full_max, ..DiskPlan::default() }, 3, &environment);
        let process = disk.handle_for(Incarnation(1));
        let _ = perform(&process, DiskOp::List(DirectoryId::DATA)).await;
        let (free, total) = process.space().expect("it says so");
        assert!(free < 64 << 20 && total > 1 << 30, "{free} of {total}");
        environment.faults.heal();
        environment.timers.sleep(Duration::from_secs(2)).await;
        assert!(process.space().expect("it says so").0 > 1 << 30);
        done(&process, DiskOp::Create(FILE)).await;
    });
}

#[test]
fn a_stall_ends_when_the_disk_heals() {
    run(|environment| async move {
        let rates = Rates { stall: MILLION, ..Rates::default() };
        let stall_max = Duration::from_secs(1_000);
        let disk = disk(DiskPlan { rates, stall_max, ..DiskPlan::default() }, 1, &environment);
        let process = disk.handle_for(Incarnation(1));
        done(&process, DiskOp::Create(FILE)).await;
        let waiting = tokio::spawn({
            let process = process.clone();
            async move { perform(&process, sync()).await }
        });
        environment.timers.sleep(Duration::from_millis(100)).await;
        assert!(!waiting.is_finished());
        environment.faults.heal();
        disk.heal();
        environment.timers.sleep(Duration::from_millis(100)).await;
        assert_eq!(waiting.await.expect("it ended"), DiskResult::Done);
    });
}

#[test]
fn a_process_dies_at_the_operation_that_was_named() {
    run(|environment| async move {
        let mut found = Vec::new();
        for seed in 0..30 {
            let disk = disk(DiskPlan::default(), seed, &environment);
            let process = disk.handle_for(Incarnation(1));
            let is_dead = Arc::new(AtomicBool::new(false));
            let told = Arc::clone(&is_dead);
            disk.crash_at(3, Box::new(move || told.store(true, Ordering::Relaxed)));
            done(&process, DiskOp::Create(FILE)).await;
            done(&process, write(0, b"first")).await;
            assert!(!is_dead.load(Ordering::Relaxed));
            let dead = perform(&process, write(5, b"second")).await;
            assert_eq!(dead, DiskResult::Failed(IoError::Os(5)));
            assert!(is_dead.load(Ordering::Relaxed));
            let next = disk.handle_for(Incarnation(2));
            let DiskResult::Bytes(left) = read(&next).await else { panic!("it can be read") };
            assert!(b"firstsecond".starts_with(&left), "{left:?}");
            found.push(left.len());
        }
        assert!(found.contains(&5) && found.contains(&11), "{found:?}");
        assert!(found.iter().any(|length| (6..11).contains(length)), "{found:?}");
    });
}

#[test]
fn the_same_dice_give_the_same_trace() {
    let digests: Vec<_> = (0..2)
        .map(|_| {
            let (sender, receiver) = std::sync::mpsc::channel();
            run(|environment| async move {
                let has = |_| true;
                let plan = DiskPlan::draw(&mut Dice::new(5, "plan", 0), &has);
                let disk = disk(plan, 5, &environment);
                let process = disk.handle_for(Incarnation(1));
                for _ in 0..200 {
                    let _ = perform(&process, DiskOp::Create(FILE)).await;
                    let _ = perform(&process, write(0, b"bytes")).await;
                    let _ = perform(&process, sync()).await;
                }
                disk.power_loss();
                let told = (environment.trace.digest(), environment.faults.struck());
                sender.send(told).expect("somebody waits");
            });
            receiver.recv().expect("it was sent")
        })
        .collect();
    assert_eq!(digests[0], digests[1]);
    assert!(!digests[0].1.is_empty());
}
