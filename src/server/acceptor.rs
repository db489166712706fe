//! Accepting connections.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ottla_core::machine::ConnectionId;

use super::connection::{self, Shared};
use crate::world::{Clock, Disk, Listener, World};

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionLimits {
    pub(super) all: usize,
    pub(super) per_address: usize,
}

/// Which connections there are.
#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

/// How long to wait when the operating system has no socket for a connection.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

/// Accepts connections for ever. Their numbers begin at `first`, which no earlier run of the broker has reached.
pub(super) async fn accept<W, L>(
    mut listener: L,
    shared: Arc<Shared<W>>,
    limits: ConnectionLimits,
    first: u64,
) where
    W: World,
    L: Listener<Handle = <W::Disk as Disk>::Handle>,
{
    let open = Arc::new(Mutex::new(Open::default()));
    let mut next = first;
    loop {
        let (reader, writer, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                shared.world.clock().sleep(OUT_OF_SOCKETS).await;
                continue;
            }
        };
        let address = peer.ip();
        if !lock(&open).admit(address, limits) {
            shared.metrics.add_refused(1);
            tracing::warn!(%address, "connection refused: there are too many");
            continue;
        }
        let connection = ConnectionId(next);
        next += 1;
        shared.metrics.add_connections(1);
        let (shared, open) = (Arc::clone(&shared), Arc::clone(&open));
        tokio::spawn(async move {
            connection::serve(shared, connection, address.to_string(), reader, writer).await;
            lock(&open).leave(address);
        });
    }
}

fn lock(open: &Mutex<Open>) -> std::sync::MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Open {
    fn admit(&mut self, address: IpAddr, limits: ConnectionLimits) -> bool {
        let here = self.by_address.get(&address).copied().unwrap_or(0);
        if self.all >= limits.all || here >= limits.per_address {
            return false;
        }
        self.all += 1;
        self.by_address.insert(address, here + 1);
        true
    }

    fn leave(&mut self, address: IpAddr) {
        self.all -= 1;
        if let Some(here) = self.by_address.get_mut(&address) {
            *here -= 1;
            if *here == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}
