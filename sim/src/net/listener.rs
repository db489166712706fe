//! Where connections come in.

use std::{future::poll_fn, io, net::SocketAddr, task::Poll};

use ottla::world;

use super::{
    SimNet,
    connection::Side,
    ends::{Half, NetReader, NetWriter},
};
use crate::{disk::SimFile, node::Incarnation};

/// Where connections come in.
#[derive(Debug)]
pub struct NetListener {
    pub(super) net: SimNet,
    pub(super) address: SocketAddr,
    pub(super) incarnation: Incarnation,
}

impl world::Listener for NetListener {
    type Reader = NetReader;
    type Writer = NetWriter;
    type Handle = SimFile;

    fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    async fn accept(&mut self) -> io::Result<(NetReader, NetWriter, SocketAddr)> {
        let (number, peer) = poll_fn(|context| {
            let mut state = self.net.state();
            let Some(backlog) = state.listeners.get_mut(&self.address) else {
                return Poll::Pending;
            };
            match backlog.waiting.pop_front() {
                Some(accepted) => Poll::Ready(accepted),
                None => {
                    backlog.acceptor = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
        let half = || Half { net: self.net.clone(), number, side: Side::Called };
        Ok((NetReader(half()), NetWriter(half()), peer))
    }
}

impl Drop for NetListener {
    fn drop(&mut self) {
        self.net.state().stop_listening(self.address, self.incarnation);
    }
}
