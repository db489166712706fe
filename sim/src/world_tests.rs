//! The world is built for five machines with disks: five toy nodes show it.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use madsim::runtime::{Handle, Runtime};
use ottla::world::{Clock, Listener, Net, Outgoing, Reader, Writer, perform};
use ottla_core::disk::{DirectoryId, DiskOp, DiskResult, FileName, FileRef, WriteData};

use crate::{
    disk::{DiskPlan, NodeDisk},
    faults::Faults,
    nemesis::NemesisPlan,
    net::{NetPlan, NodeNet},
    node::{Incarnation, NodeIndex},
    plan::{Overrides, Plan},
    process::BrokerMachine,
    timers::Timers,
    trace::Trace,
    world::{Environment, World},
};

const TOYS: u8 = 5;
const FILE: FileRef = FileRef { directory: DirectoryId::METADATA, name: FileName::Fixed("heard") };

/// A world of five machines in which nothing goes wrong by itself.
fn world() -> World {
    let timers = Timers::start();
    let trace = Trace::new(timers.clone());
    let faults = Faults::new(trace.clone(), BTreeSet::new());
    let mut plan = Plan::draw(1, &Overrides::default());
    let never = |_| false;
    let mut dice = crate::dice::Dice::new(1, "five", 0);
    plan.brokers = TOYS;
    plan.net = NetPlan::default();
    plan.nemesis = NemesisPlan::draw(&mut dice, &never);
    plan.disks = (0..TOYS).map(|_| DiskPlan::draw(&mut dice, &never)).collect();
    World::build(&plan, Environment { timers, trace, faults, recording: None })
}

fn address(node: NodeIndex) -> SocketAddr {
    SocketAddr::from((node.ip(), 7_000))
}

/// Writes down who was heard of, one byte each, and has it last.
async fn write_down(disk: &NodeDisk, heard: &[u8]) {
    let data = WriteData::Bytes(Bytes::copy_from_slice(heard));
    for op in [
        DiskOp::CreateDirectory(DirectoryId::METADATA),
        DiskOp::Create(FILE),
        DiskOp::Write { file: FILE, position: 0, data },
        DiskOp::Sync {
            files: vec![FILE],
            directories: vec![DirectoryId::METADATA, DirectoryId::DATA],
        },
    ] {
        assert_eq!(perform(disk, op).await, DiskResult::Done);
    }
}

/// A toy: tells all others its number, and keeps on its disk whose it has heard.
async fn toy(node: NodeIndex, net: NodeNet, disk: NodeDisk) {
    let mut listener = net.bind(&address(node).to_string()).await.expect("the address is free");
    for other in (0..TOYS).map(NodeIndex).filter(|other| *other != node) {
        let net = net.clone();
        tokio::spawn(async move {
            let (_reader, mut writer) = net.connect(address(other)).await.expect("it listens");
            let hello = vec![Outgoing::Bytes(Bytes::copy_from_slice(&[node.0]))];
            writer.write(hello).await.expect("there is room");
            std::future::pending::<()>().await;
        });
    }
    let mut heard = vec![node.0];
    loop {
        let (mut reader, _writer, _) = listener.accept().await.expect("it listens");
        let mut buffer = BytesMut::with_capacity(1);
        assert_eq!(reader.read(&mut buffer).await.expect("it says its number"), 1);
        heard.extend_from_slice(&buffer);
        write_down(&disk, &heard).await;
    }
}

fn begin(world: &World) {
    for broker in &world.brokers {
        let (node, incarnation) = (broker.node(), Incarnation(1));
        let process = Handle::current().create_node().build();
        let disk = broker.disk().handle_for(incarnation);
        process.spawn(toy(node, world.net.handle_for(node, incarnation), disk));
    }
}

/// Who was heard of on a machine, after its power was gone.
async fn heard_after_power_loss(machine: &BrokerMachine) -> BTreeSet<u8> {
    machine.disk().kill(Incarnation(1));
    machine.disk().power_loss();
    let disk = machine.disk().handle_for(Incarnation(2));
    let read = perform(&disk, DiskOp::Read { file: FILE, position: 0, length: 100 }).await;
    let bytes = read.into_bytes().expect("it was synced");
    bytes.iter().copied().collect()
}

#[test]
fn five_machines_hear_of_each_other_and_remember_it() {
    Runtime::with_seed_and_config(1, madsim::Config::default()).block_on(async {
        let world = world();
        begin(&world);
        world.environment.timers.sleep(Duration::from_secs(10)).await;
        for machine in &world.brokers {
            let all: BTreeSet<u8> = (0..TOYS).collect();
            assert_eq!(heard_after_power_loss(machine).await, all, "{}", machine.node());
        }
    });
}

#[test]
fn a_link_of_five_machines_is_cut_by_itself_and_in_one_direction() {
    Runtime::with_seed_and_config(1, madsim::Config::default()).block_on(async {
        let world = world();
        begin(&world);
        // Connected, but nothing has arrived yet.
        world.net.cut(NodeIndex(3), NodeIndex(1));
        world.environment.timers.sleep(Duration::from_secs(10)).await;
        let [one, three] = [1, 3].map(|index: usize| world.brokers[index].clone());
        let heard = heard_after_power_loss(&one).await;
        assert!(!heard.contains(&3) && heard.contains(&4), "{heard:?}");
        // To connect takes both directions.
        assert!(!heard_after_power_loss(&three).await.contains(&1));
    });
}

#[test]
fn each_machine_has_a_clock_of_its_own() {
    Runtime::with_seed_and_config(1, madsim::Config::default()).block_on(async {
        let world = world();
        let clocks: Vec<_> = world.clocks.iter().map(|(_, clock)| clock.clone()).collect();
        let before: Vec<_> = clocks.iter().map(Clock::now).collect();
        clocks[0].set_rate(100_000);
        clocks[1].jump(-3_600_000);
        let woken = Arc::new(Mutex::new(Vec::new()));
        for index in [0, 2] {
            let (clock, woken) = (clocks[index].clone(), Arc::clone(&woken));
            madsim::task::spawn(async move {
                clock.sleep(Duration::from_secs(100)).await;
                woken.lock().unwrap_or_else(PoisonError::into_inner).push(index);
            });
        }
        world.environment.timers.sleep(Duration::from_secs(95)).await;
        assert_eq!(*woken.lock().expect("nobody panics"), [0], "a fast clock's sleep is short");
        let passed = |index: usize| clocks[index].now().instant - before[index].instant;
        assert_eq!(passed(2).as_secs(), 95);
        assert_eq!(passed(0).as_secs(), 104);
        let wall = |index: usize| clocks[index].now().timestamp.0 - before[index].timestamp.0;
        assert!((94_000..96_000).contains(&wall(2)), "{}", wall(2));
        assert!(wall(1) < -3_500_000);
        assert!(passed(1).as_secs() == 95, "a jump is the wall clock's alone");
    });
}
