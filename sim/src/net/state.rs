//! What the network knows: links, listeners, connections.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    net::SocketAddr,
    task::Waker,
};

use bytes::Bytes;

use super::{
    connection::{Connection, ConnectionNumber, End, Life, Side},
    links::Links,
    pipe::{Content, NEVER, Pipe, Readable},
};
use crate::{
    dice::nanos,
    node::{Incarnation, NodeIndex},
    sometimes,
    trace::Kind,
    world::Environment,
};

/// Connections that wait to be accepted.
#[derive(Debug)]
pub(super) struct Backlog {
    pub(super) incarnation: Incarnation,
    pub(super) waiting: VecDeque<(ConnectionNumber, SocketAddr)>,
    pub(super) acceptor: Option<Waker>,
}

/// How many connections may wait to be accepted.
const BACKLOG_MAX: usize = 128;

/// What the network knows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) links: Links,
    pub(super) listeners: BTreeMap<SocketAddr, Backlog>,
    connections: BTreeMap<ConnectionNumber, Connection>,
    next_connection: u64,
    next_port: u16,
    /// Machines without power.
    down: BTreeSet<NodeIndex>,
    environment: Environment,
}

/// What a connection attempt met.
#[derive(Debug)]
pub(super) enum Met {
    Accepted(ConnectionNumber),
    Refused,
    Silence,
}

/// What comes of a write.
#[derive(Debug)]
pub(super) enum Written {
    Some,
    NoRoom,
}

impl State {
    pub(super) fn new(links: Links, environment: Environment) -> Self {
        Self {
            links,
            listeners: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_connection: 0,
            next_port: 30_000,
            down: BTreeSet::new(),
            environment,
        }
    }

    fn now(&self) -> u64 {
        self.environment.timers.now()
    }

    pub(super) fn is_down(&self, node: NodeIndex) -> bool {
        self.down.contains(&node)
    }

    /// An attempt to connect has come to the machine that is called.
    pub(super) fn meet(
        &mut self,
        caller: (NodeIndex, Incarnation),
        to: NodeIndex,
        address: SocketAddr,
    ) -> Met {
        if self.is_down(to) {
            return Met::Silence;
        }
        let Some(backlog) = self.listeners.get(&address) else { return Met::Refused };
        if backlog.waiting.len() >= BACKLOG_MAX {
            return Met::Silence;
        }
        let called = (to, backlog.incarnation);
        self.next_port = self.next_port.checked_add(1).unwrap_or(30_000);
        let from = SocketAddr::from((caller.0.ip(), self.next_port));
        self.next_connection += 1;
        let number = ConnectionNumber(self.next_connection);
        let (window, read_limit) = self.draw_nature(number, caller.0);
        let end = |(node, incarnation), address| End {
            node,
            incarnation,
            address,
            life: Life::Open,
            halves: 2,
            has_shut_down: false,
            inbound: Pipe::new(window),
            read_limit,
        };
        let ends = [end(caller, from), end(called, address)];
        self.connections.insert(number, Connection { ends, is_dead: false });
        if let Some(backlog) = self.listeners.get_mut(&address) {
            backlog.waiting.push_back((number, from));
            if let Some(acceptor) = backlog.acceptor.take() {
                acceptor.wake();
            }
        }
        let figures = [number.0, u64::from(from.port()), 0];
        self.environment.trace.row(caller.0, Kind::NetConnect, figures, || {
            format!("c{} {from} -> {address}", number.0)
        });
        Met::Accepted(number)
    }

    fn draw_nature(&mut self, number: ConnectionNumber, node: NodeIndex) -> (usize, usize) {
        use crate::faults::Fault;
        let plan = self.links.plan.clone();
        let dice = self.links.dice();
        let (has_tiny, has_one) = (dice.chance(plan.tiny_window), dice.chance(plan.one_byte));
        let tiny = usize::try_from(dice.magnitude(16..4_096)).unwrap_or(64);
        let faults = &self.environment.faults;
        let text = || format!("c{}", number.0);
        let has_tiny = has_tiny && faults.strike(Fault::NetTinyWindow, node, text);
        let has_one = has_one && faults.strike(Fault::NetOneByte, node, text);
        (if has_tiny { tiny } else { plan.window_bytes }, if has_one { 1 } else { usize::MAX })
    }

    /// Sends a segment; the pipe's window is not looked at.
    fn send(&mut self, number: ConnectionNumber, side: Side, content: Content) {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if connection.is_dead {
            return;
        }
        let (from, to) = (connection.end(side).node, connection.end(side.other()).node);
        let other_life = connection.end(side.other()).life;
        let pipe = connection.outbound(side);
        let bytes = if let Content::Bytes(bytes) = &content { bytes.len() } else { 0 };
        let departure = now.max(pipe.busy_until);
        let (arrives, busy_until) = self.links.carry(from, to, departure, bytes);
        pipe.busy_until = busy_until;
        let is_payload = bytes > 0;
        let text = self.environment.trace.is_read().then(|| describe(&content, side));
        let segment = pipe.push(now, arrives, content);
        let figures = [number.0 << 1 | side.index() as u64, segment, bytes as u64];
        self.environment.trace.row(from, Kind::NetSend, figures, || {
            format!("c{}.{segment} -> {to} {}", number.0, text.unwrap_or_default())
        });
        let is_up = !self.is_down(to);
        if is_payload && other_life != Life::Open && is_up && arrives != NEVER {
            // Nobody has that end: the machine says so.
            self.reset_from(number, side.other(), arrives);
        }
    }

    /// An end that nobody has answers what arrived at `at` with a reset.
    fn reset_from(&mut self, number: ConnectionNumber, side: Side, at: u64) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let (from, to) = (connection.end(side).node, connection.end(side.other()).node);
        let (arrives, _) = self.links.carry(from, to, at, 0);
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.outbound(side).push(at, arrives, Content::Reset);
        }
    }

    /// Sends as many bytes as there is room for.
    pub(super) fn write(
        &mut self,
        number: ConnectionNumber,
        side: Side,
        bytes: &mut Bytes,
        waker: &Waker,
    ) -> io::Result<Written> {
        let Some(connection) = self.connections.get_mut(&number) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let end = connection.end(side);
        if end.life != Life::Open || end.has_shut_down {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if end.inbound.was_reset(self.environment.timers.now()) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let pipe = connection.outbound(side);
        let room = pipe.room().min(SEGMENT_BYTES_MAX);
        if room == 0 {
            pipe.writer = Some(waker.clone());
            sometimes!(BackPressure);
            return Ok(Written::NoRoom);
        }
        let part = bytes.split_to(bytes.len().min(room));
        self.send(number, side, Content::Bytes(part));
        Ok(Written::Some)
    }

    /// Takes what has arrived.
    pub(super) fn read(
        &mut self,
        number: ConnectionNumber,
        side: Side,
        room: usize,
        waker: &Waker,
    ) -> Readable {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(&number) else { return Readable::Reset };
        let other = connection.end(side.other());
        let (other, other_life) = (other.node, other.life);
        let end = connection.end(side);
        let (node, limit) = (end.node, room.min(end.read_limit));
        let readable = end.inbound.read(now, limit);
        match &readable {
            Readable::Bytes { bytes, number: segment, sent, arrived } => {
                let is_late = arrived - sent > LATE && other_life != Life::Open;
                sometimes!(LatePacket, is_late);
                end.inbound.acknowledge(bytes.len(), self.links.is_cut(node, other));
                let figures = [number.0 << 1 | side.index() as u64, *segment, bytes.len() as u64];
                self.environment.trace.row(node, Kind::NetReceive, figures, || {
                    format!("c{}.{segment} <- {other} {} bytes", number.0, bytes.len())
                });
            }
            Readable::End | Readable::Reset => {
                let is_reset = matches!(readable, Readable::Reset);
                if is_reset {
                    connection.outbound(side).wake_all();
                }
                let figures = [number.0 << 1 | side.index() as u64, u64::from(is_reset), 0];
                self.environment.trace.row(node, Kind::NetEnd, figures, || {
                    format!("c{} {}", number.0, if is_reset { "reset" } else { "ended" })
                });
            }
            Readable::At(_) | Readable::Nothing => end.inbound.reader = Some(waker.clone()),
        }
        readable
    }

    /// The process says that it will send no more.
    pub(super) fn shut_down(&mut self, number: ConnectionNumber, side: Side) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let end = connection.end(side);
        if end.life == Life::Open && !end.has_shut_down {
            end.has_shut_down = true;
            self.send(number, side, Content::Fin);
        }
    }

    /// The process has dropped one half of an end.
    pub(super) fn drop_half(&mut self, number: ConnectionNumber, side: Side) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let end = connection.end(side);
        end.halves -= 1;
        if end.halves == 0 && end.life == Life::Open {
            self.close(number, side);
        }
    }

    /// A process no longer has an end: as the operating system closes it.
    fn close(&mut self, number: ConnectionNumber, side: Side) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let end = connection.end(side);
        end.life = Life::Closed;
        let (is_unread, has_shut_down) = (end.inbound.has_unread(), end.has_shut_down);
        if is_unread {
            self.send(number, side, Content::Reset);
        } else if !has_shut_down {
            self.send(number, side, Content::Fin);
        }
        self.forget_if_over(number);
    }

    fn forget_if_over(&mut self, number: ConnectionNumber) {
        if self.connections.get(&number).is_some_and(Connection::is_over) {
            self.connections.remove(&number);
        }
    }

    fn ends_of(&self, node: NodeIndex, incarnation: Incarnation) -> Vec<(ConnectionNumber, Side)> {
        let mut ends = Vec::new();
        for (number, connection) in &self.connections {
            for side in [Side::Caller, Side::Called] {
                let end = &connection.ends[side.index()];
                if end.node == node && end.incarnation == incarnation && end.life == Life::Open {
                    ends.push((*number, side));
                }
            }
        }
        ends
    }

    /// Nobody accepts connections there any more; those that wait are closed.
    pub(super) fn stop_listening(&mut self, address: SocketAddr, incarnation: Incarnation) {
        if self.listeners.get(&address).is_none_or(|backlog| backlog.incarnation != incarnation) {
            return;
        }
        let backlog = self.listeners.remove(&address);
        for (number, _) in backlog.into_iter().flat_map(|backlog| backlog.waiting) {
            self.close(number, Side::Called);
        }
    }

    fn forget_listeners(&mut self, node: NodeIndex, incarnation: Incarnation) {
        self.listeners.retain(|address, backlog| {
            address.ip() != node.ip() || backlog.incarnation != incarnation
        });
    }

    /// A process has ended: the operating system closes what it had open.
    pub(super) fn end_process(&mut self, node: NodeIndex, incarnation: Incarnation) {
        self.forget_listeners(node, incarnation);
        for (number, side) in self.ends_of(node, incarnation) {
            self.close(number, side);
        }
    }

    /// A machine has lost power: nobody is told.
    pub(super) fn lose_power(&mut self, node: NodeIndex, incarnation: Incarnation) {
        self.forget_listeners(node, incarnation);
        self.down.insert(node);
        for (number, side) in self.ends_of(node, incarnation) {
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            connection.end(side).life = Life::Gone;
            connection.outbound(side).forget_unsent();
            self.forget_if_over(number);
        }
    }

    /// A machine has power again: what still comes for connections that it no longer knows is answered with a reset.
    pub(super) fn power_up(&mut self, node: NodeIndex) {
        if !self.down.remove(&node) {
            return;
        }
        let now = self.now();
        let numbers: Vec<_> = self.connections.keys().copied().collect();
        for number in numbers {
            for side in [Side::Caller, Side::Called] {
                let Some(connection) = self.connections.get_mut(&number) else { continue };
                let end = connection.end(side);
                if end.node == node && end.life == Life::Gone && end.inbound.has_unread() {
                    let again = nanos(self.links.retransmission());
                    self.reset_from(number, side, now + again);
                }
            }
        }
    }

    /// Cuts a link, or mends it.
    pub(super) fn set_cut(&mut self, from: NodeIndex, to: NodeIndex, is_cut: bool) {
        if !self.links.set_cut(from, to, is_cut) {
            return;
        }
        let now = self.now();
        let mut resets = Vec::new();
        for (number, connection) in &mut self.connections {
            for side in [Side::Caller, Side::Called] {
                let other = connection.end(side.other());
                let (other, is_open) = (other.node, other.life == Life::Open);
                let node = connection.end(side).node;
                if (node, other) == (from, to) {
                    if is_cut {
                        connection.outbound(side).cut(now);
                        continue;
                    }
                    let again = self.links.retransmission() + self.links.latency(from, to);
                    let arrives = now + nanos(again);
                    connection.outbound(side).mend(arrives);
                    if !is_open && connection.outbound(side).has_unread() {
                        resets.push((*number, side.other(), arrives));
                    }
                }
                if (other, node) == (from, to) && !is_cut {
                    // What `other` has read is heard of.
                    connection.outbound(side).acknowledge_late();
                }
            }
        }
        for (number, side, at) in resets {
            if !self.is_down(to) {
                self.reset_from(number, side, at);
            }
        }
    }

    /// Connections of which bytes were read one by one, or that had tiny windows, are as others from now on.
    pub(super) fn heal(&mut self) {
        let window = self.links.plan.window_bytes;
        for end in self.connections.values_mut().flat_map(|connection| &mut connection.ends) {
            end.read_limit = usize::MAX;
            end.inbound.widen(window);
        }
    }

    /// Whether there is such a connection, and it carries.
    pub(super) fn exists(&self, number: ConnectionNumber) -> bool {
        self.connections.get(&number).is_some_and(|connection| !connection.is_dead)
    }

    /// Both ends learn that the connection is over.
    pub(super) fn reset(&mut self, number: ConnectionNumber) {
        for side in [Side::Caller, Side::Called] {
            self.send(number, side, Content::Reset);
        }
    }

    /// Nothing that is sent arrives any more, and nobody is told.
    pub(super) fn deaden(&mut self, number: ConnectionNumber) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.is_dead = true;
        for end in &mut connection.ends {
            end.inbound.lose_all();
        }
    }

    /// Where an end is.
    pub(super) fn address(&self, number: ConnectionNumber, side: Side) -> Option<SocketAddr> {
        Some(self.connections.get(&number)?.ends[side.index()].address)
    }
}

/// How long a segment must have been under way to be late.
const LATE: u64 = 1_000_000_000;

/// How many bytes leave at once.
const SEGMENT_BYTES_MAX: usize = 64 << 10;

fn describe(content: &Content, side: Side) -> String {
    match content {
        Content::Bytes(bytes) => super::frames::describe(bytes, side == Side::Caller),
        Content::Fin => "end".to_owned(),
        Content::Reset => "reset".to_owned(),
    }
}
