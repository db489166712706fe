//! What a connection may and may not do.

use std::{io, net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use madsim::runtime::Runtime;
use ottla::world::{Listener, Net, Outgoing, Reader, Writer};

use super::{NetListener, NetPlan, NetReader, NetWriter, SimNet};
use crate::{
    dice::{Dice, MILLION},
    faults::Faults,
    node::{Incarnation, NodeIndex},
    timers::Timers,
    trace::Trace,
    world::Environment,
};

const CLIENT: NodeIndex = NodeIndex(1);
const SERVER: NodeIndex = NodeIndex(0);
const FIRST: Incarnation = Incarnation(1);

struct Pair {
    net: SimNet,
    environment: Environment,
    listener: NetListener,
    address: SocketAddr,
}

/// Runs a test between two machines; the server's listens.
fn between<F: Future<Output = ()>>(plan: NetPlan, test: impl FnOnce(Pair) -> F) {
    let runtime = Runtime::with_seed_and_config(1, madsim::Config::default());
    runtime.block_on(async {
        let timers = Timers::start();
        let trace = Trace::new(timers.clone());
        let faults = Faults::new(trace.clone(), Default::default());
        let environment = Environment { timers, trace, faults, recording: None };
        let net = SimNet::new(2, plan, Dice::new(1, "net", 0), environment.clone());
        let listener = net.handle_for(SERVER, FIRST).bind("10.0.0.1:9092").await;
        let listener = listener.expect("the address is free");
        let address = listener.local_address().expect("it listens");
        test(Pair { net, environment, listener, address }).await;
    });
}

impl Pair {
    async fn connect(&mut self) -> ((NetReader, NetWriter), (NetReader, NetWriter)) {
        let client = self.net.handle_for(CLIENT, FIRST);
        let caller = client.connect(self.address).await.expect("somebody listens");
        let (reader, writer, _) = self.listener.accept().await.expect("somebody calls");
        (caller, (reader, writer))
    }

    async fn within(&self, ms: u64, future: impl Future<Output = io::Result<usize>>) -> Outcome {
        tokio::select! {
            biased;
            read = future => match read {
                Ok(0) => Outcome::End,
                Ok(bytes) => Outcome::Bytes(bytes),
                Err(error) => Outcome::Failed(error.kind()),
            },
            () = self.environment.timers.sleep(Duration::from_millis(ms)) => Outcome::Nothing,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Bytes(usize),
    End,
    Failed(io::ErrorKind),
    Nothing,
}

fn bytes(count: usize) -> Vec<Outgoing<crate::disk::SimFile>> {
    vec![Outgoing::Bytes(Bytes::from(vec![7; count]))]
}

#[test]
fn what_is_written_is_read_and_then_the_end() {
    between(NetPlan::default(), async |mut pair: Pair| {
        let ((mut back, mut to), (mut reader, mut writer)) = pair.connect().await;
        to.write(bytes(10)).await.expect("there is room");
        let mut buffer = BytesMut::with_capacity(100);
        assert_eq!(pair.within(1_000, reader.read(&mut buffer)).await, Outcome::Bytes(10));
        to.shutdown().await.expect("it is open");
        assert_eq!(pair.within(1_000, reader.read(&mut buffer)).await, Outcome::End);
        // The other direction is still there.
        writer.write(bytes(3)).await.expect("there is room");
        assert_eq!(pair.within(1_000, back.read(&mut buffer)).await, Outcome::Bytes(3));
    });
}

#[test]
fn who_does_not_read_holds_up_who_writes() {
    let plan = NetPlan { window_bytes: 1_000, ..NetPlan::default() };
    between(plan, async |mut pair: Pair| {
        let ((_back, mut to), (mut reader, _writer)) = pair.connect().await;
        let timers = pair.environment.timers.clone();
        let write = async {
            tokio::select! {
                biased;
                _ = to.write(bytes(1_001)) => true,
                () = timers.sleep(Duration::from_secs(60)) => false,
            }
        };
        assert!(!write.await, "the window is full");
        let mut buffer = BytesMut::with_capacity(2_000);
        assert_eq!(pair.within(1_000, reader.read(&mut buffer)).await, Outcome::Bytes(1_000));
    });
}

#[test]
fn nothing_crosses_a_cut_link_not_even_an_end() {
    between(NetPlan::default(), async |mut pair: Pair| {
        let ((mut back, mut to), (mut reader, _writer)) = pair.connect().await;
        pair.net.cut(CLIENT, SERVER);
        to.write(bytes(10)).await.expect("there is room");
        pair.net.end_process(CLIENT, FIRST);
        let mut buffer = BytesMut::with_capacity(100);
        assert_eq!(pair.within(60_000, reader.read(&mut buffer)).await, Outcome::Nothing);
        pair.net.mend(CLIENT, SERVER);
        assert_eq!(pair.within(10_000, reader.read(&mut buffer)).await, Outcome::Bytes(10));
        assert_eq!(pair.within(10_000, reader.read(&mut buffer)).await, Outcome::End);
        assert_ne!(pair.within(1, back.read(&mut buffer)).await, Outcome::Bytes(1));
    });
}

#[test]
fn a_connection_into_a_partition_hangs_until_it_is_mended() {
    between(NetPlan::default(), async |mut pair: Pair| {
        pair.net.cut(SERVER, CLIENT);
        let (net, timers) = (pair.net.clone(), pair.environment.timers.clone());
        timers.call_after(Duration::from_secs(5), move || net.mend(SERVER, CLIENT));
        let began = timers.now();
        pair.connect().await;
        assert!(timers.now() - began >= 5_000_000_000);
    });
}

#[test]
fn nobody_hears_of_a_machine_without_power_until_it_is_back() {
    between(NetPlan::default(), async |mut pair: Pair| {
        let ((mut back, mut to), _called) = pair.connect().await;
        pair.net.power_loss(SERVER, FIRST);
        to.write(bytes(10)).await.expect("there is room");
        let mut buffer = BytesMut::with_capacity(100);
        assert_eq!(pair.within(60_000, back.read(&mut buffer)).await, Outcome::Nothing);
        pair.net.power_up(SERVER);
        let reset = Outcome::Failed(io::ErrorKind::ConnectionReset);
        assert_eq!(pair.within(10_000, back.read(&mut buffer)).await, reset);
    });
}

#[test]
fn the_bytes_of_a_killed_process_still_arrive() {
    let plan = NetPlan { hold: MILLION, hold_mean: Duration::from_secs(20), ..NetPlan::default() };
    between(plan, async |mut pair: Pair| {
        let ((_back, mut to), (mut reader, _writer)) = pair.connect().await;
        to.write(bytes(10)).await.expect("there is room");
        pair.net.end_process(CLIENT, FIRST);
        let mut buffer = BytesMut::with_capacity(100);
        assert_eq!(pair.within(600_000, reader.read(&mut buffer)).await, Outcome::Bytes(10));
        assert!(pair.environment.timers.now() > 1_000_000_000);
    });
}

#[test]
fn what_comes_for_an_end_that_is_closed_is_answered_with_a_reset() {
    between(NetPlan::default(), async |mut pair: Pair| {
        let ((mut back, mut to), called) = pair.connect().await;
        drop(called);
        let mut buffer = BytesMut::with_capacity(100);
        assert_eq!(pair.within(1_000, back.read(&mut buffer)).await, Outcome::End);
        to.write(bytes(10)).await.expect("it does not know yet");
        pair.environment.timers.sleep(Duration::from_secs(1)).await;
        assert!(to.write(bytes(10)).await.is_err());
    });
}

#[test]
fn connections_are_reset_and_go_dead() {
    let reset = NetPlan { reset: MILLION, ..NetPlan::default() };
    between(reset, async |mut pair: Pair| {
        let ((mut back, _to), _called) = pair.connect().await;
        let mut buffer = BytesMut::with_capacity(100);
        let reset = Outcome::Failed(io::ErrorKind::ConnectionReset);
        assert_eq!(pair.within(600_000, back.read(&mut buffer)).await, reset);
    });
    let dead = NetPlan { half_open: MILLION, ..NetPlan::default() };
    between(dead, async |mut pair: Pair| {
        let ((_back, mut to), (mut reader, _writer)) = pair.connect().await;
        pair.environment.timers.sleep(Duration::from_secs(600)).await;
        to.write(bytes(10)).await.expect("nobody has told it");
        drop(to);
        let mut buffer = BytesMut::with_capacity(100);
        assert_eq!(pair.within(600_000, reader.read(&mut buffer)).await, Outcome::Nothing);
    });
}

#[test]
fn a_connection_may_be_read_byte_by_byte() {
    let plan = NetPlan { one_byte: MILLION, ..NetPlan::default() };
    between(plan, async |mut pair: Pair| {
        let ((_back, mut to), (mut reader, _writer)) = pair.connect().await;
        to.write(bytes(3)).await.expect("there is room");
        let mut buffer = BytesMut::with_capacity(100);
        for _ in 0..3 {
            assert_eq!(pair.within(1_000, reader.read(&mut buffer)).await, Outcome::Bytes(1));
        }
    });
}

#[test]
fn nobody_listens_where_a_process_has_ended() {
    between(NetPlan::default(), async |pair: Pair| {
        pair.net.end_process(SERVER, FIRST);
        let client = pair.net.handle_for(CLIENT, FIRST);
        let refused = client.connect(pair.address).await.map(drop).map_err(|error| error.kind());
        assert_eq!(refused, Err(io::ErrorKind::ConnectionRefused));
        let again = pair.net.handle_for(SERVER, Incarnation(2)).bind("10.0.0.1:9092").await;
        assert!(again.is_ok());
    });
}
