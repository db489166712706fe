//! The network between the machines.

use std::{io, net::SocketAddr};

use bytes::BytesMut;
use ottla::world::{self, Outgoing};

use crate::{
    dice::Dice,
    disk::SimFile,
    faults::Family,
    node::{Incarnation, NodeIndex},
    world::Environment,
};

/// How the network behaves.
#[derive(Debug, Clone, Default)]
pub struct NetPlan {}

impl NetPlan {
    /// Draws it.
    pub fn draw(_dice: &mut Dice, _has: &dyn Fn(Family) -> bool) -> Self {
        Self {}
    }

    /// What was drawn, for the banner.
    pub fn banner(&self) -> String {
        String::new()
    }
}

/// The network between the machines. Clones share it.
#[derive(Debug, Clone)]
pub struct SimNet {}

impl SimNet {
    /// A network between so many machines.
    pub fn new(_nodes: u8, _plan: NetPlan, _dice: Dice, _environment: Environment) -> Self {
        Self {}
    }

    /// The network as a process has it.
    pub fn handle_for(&self, node: NodeIndex, incarnation: Incarnation) -> NodeNet {
        NodeNet { node, incarnation }
    }
}

/// The network as a process has it.
#[derive(Debug, Clone)]
pub struct NodeNet {
    node: NodeIndex,
    incarnation: Incarnation,
}

impl NodeNet {
    /// Connects. It may take for ever: who does not want to wait has a timeout of its own.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<(NetReader, NetWriter)> {
        let _ = (self.node, self.incarnation, address);
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}

impl world::Net for NodeNet {
    type Listener = NetListener;
    type Handle = SimFile;

    async fn bind(&self, _address: &str) -> io::Result<NetListener> {
        Err(io::ErrorKind::AddrNotAvailable.into())
    }
}

/// Where connections come in.
#[derive(Debug)]
pub struct NetListener {
    address: SocketAddr,
}

impl world::Listener for NetListener {
    type Reader = NetReader;
    type Writer = NetWriter;
    type Handle = SimFile;

    fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    async fn accept(&mut self) -> io::Result<(NetReader, NetWriter, SocketAddr)> {
        std::future::pending().await
    }
}

/// The end of a connection that is read.
#[derive(Debug)]
pub struct NetReader {}

impl world::Reader for NetReader {
    async fn read(&mut self, _buffer: &mut BytesMut) -> io::Result<usize> {
        Ok(0)
    }
}

/// The end of a connection that is written.
#[derive(Debug)]
pub struct NetWriter {}

impl world::Writer for NetWriter {
    type Handle = SimFile;

    async fn write(&mut self, _pieces: Vec<Outgoing<SimFile>>) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        Ok(())
    }
}
