//! Starting and stopping a broker.

use std::{collections::BTreeMap, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use ottla_core::{
    config::broker,
    machine::Effects,
    metadata::command::RegisterBroker,
    shard::{Input, Shard, ShardConfig},
    types::{BrokerId, Uuid},
    wire::frame::FrameLimits,
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    Event,
    acceptor::{self, ConnectionLimits},
    connection::Shared,
    metrics::Metrics,
    shard_loop::{Parts, ShardLoop},
};
use crate::{
    quorum::{Decision, QuorumError, Voter},
    world::{Clock, Disk, Listener, Net, World},
};

/// Why a broker cannot run.
#[derive(Debug)]
pub enum ServeError {
    /// It cannot listen.
    Listen(String, io::Error),
    /// It cannot take part in the metadata quorum.
    Quorum(QuorumError),
    /// It stopped before it was ready.
    Stopped,
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => write!(
                f,
                "cannot listen on {address}: {error}; choose another address with --listen"
            ),
            Self::Quorum(error) => error.fmt(f),
            Self::Stopped => f.write_str("the broker stopped before it was ready"),
        }
    }
}

impl std::error::Error for ServeError {}

/// What a broker is made of.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Where to listen, as host:port.
    pub listen: String,
    /// What clients are told to connect to; none for where the broker listens.
    pub advertise: Option<(String, u16)>,
    /// The broker's configuration.
    pub configuration: BTreeMap<String, String>,
    /// The cluster's id.
    pub cluster_id: String,
    /// The id of the data folder.
    pub directory_id: Uuid,
    /// The data folder, as clients are told.
    pub log_directory: String,
}

/// A broker that runs.
pub struct Broker<W: World> {
    address: SocketAddr,
    inbox: mpsc::UnboundedSender<Event<<W::Disk as Disk>::Handle>>,
    metrics: Arc<Metrics>,
    voter: Voter<W::Disk>,
    acceptor: JoinHandle<()>,
    watch: JoinHandle<()>,
    shard: JoinHandle<()>,
}

/// How often the disk's free space is looked at.
const SPACE_INTERVAL: Duration = Duration::from_secs(1);

/// A setting of the broker that is a number.
pub(super) fn number(configuration: &BTreeMap<String, String>, key: &str) -> i64 {
    let value = broker::configured(configuration, key);
    value.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
}

fn size(configuration: &BTreeMap<String, String>, key: &str) -> usize {
    usize::try_from(number(configuration, key)).unwrap_or(usize::MAX)
}

/// The broker's own id: `broker.id` is its older name.
pub(super) fn node_id(configuration: &BTreeMap<String, String>) -> BrokerId {
    let older = configuration.get("broker.id").and_then(|id| id.trim().parse().ok());
    let given = configuration.get("node.id").and_then(|id| id.trim().parse().ok());
    BrokerId(given.or(older.filter(|id| *id >= 0)).unwrap_or(1))
}

/// Starts a broker, and returns when it serves.
pub async fn serve<W: World>(world: W, config: BrokerConfig) -> Result<Broker<W>, ServeError> {
    let broker_id = node_id(&config.configuration);
    let listener = world.net().bind(&config.listen).await;
    let listener = listener.map_err(|error| ServeError::Listen(config.listen.clone(), error))?;
    let address = listener
        .local_address()
        .map_err(|error| ServeError::Listen(config.listen.clone(), error))?;
    let (host, port) =
        config.advertise.clone().unwrap_or_else(|| (advertised_host(address), address.port()));
    // Told apart from the seeds that the core gets, which only have to be the same for the same seed.
    let mut random = ottla_core::machine::Random::new(world.seed());
    let register = RegisterBroker {
        broker_id: broker_id.0,
        incarnation: Uuid::from_random(random.next_u128()),
        host,
        port: i32::from(port),
        rack: broker::configured(&config.configuration, "broker.rack"),
        directory: config.directory_id,
        ..Default::default()
    };
    let entries = broker::configured(&config.configuration, "ottla.metadata.snapshot.entries");
    let entries = entries.and_then(|entries| entries.trim().parse().ok()).unwrap_or(1_000);
    let voter = Voter::join(world.disk().clone(), broker_id, register, entries).await;
    let voter = voter.map_err(ServeError::Quorum)?;
    let (inbox, events) = mpsc::unbounded_channel();
    let decisions = inbox.clone();
    let (image, quorum) = voter.follow(move |decision| {
        let input = match decision {
            Decision::Committed { proposal, commands } => Input::Committed { proposal, commands },
            Decision::Failed { proposal } => Input::ProposalFailed { proposal },
        };
        // Who is stopping needs no decisions.
        let _ = decisions.send(Event::Input(input));
    });
    let mut effects = Effects::new();
    let shard_config = ShardConfig {
        broker_id,
        cluster_id: config.cluster_id.clone(),
        log_directory: config.log_directory.clone(),
        configuration: config.configuration.clone(),
        image,
        seed: random.next_u64(),
    };
    let now = world.clock().now();
    #[cfg(madsim)]
    let born_of = shard_config.clone();
    let shard = Shard::new(shard_config, now, &mut effects);
    #[cfg(madsim)]
    let taped = super::tape::Taped::begin(world.tape(), now, &born_of, (&shard, &effects));
    let metrics = Arc::new(Metrics::default());
    let (ready, is_ready) = oneshot::channel();
    let shard_loop = ShardLoop::new(Parts {
        world: world.clone(),
        shard,
        effects,
        sender: inbox.clone(),
        inbox: events,
        quorum,
        metrics: Arc::clone(&metrics),
        ready,
        #[cfg(madsim)]
        taped,
    });
    let shard = tokio::spawn(shard_loop.run());
    is_ready.await.map_err(|_| ServeError::Stopped)?;
    let watch = tokio::spawn(watch_space(world.clone(), inbox.clone()));
    let shared = Arc::new(shared(world, &config.configuration, inbox.clone(), &metrics));
    let limits = ConnectionLimits {
        all: size(&config.configuration, "max.connections"),
        per_address: size(&config.configuration, "max.connections.per.ip"),
    };
    let first = now.timestamp.0.cast_unsigned() << 20;
    let acceptor = tokio::spawn(acceptor::accept(listener, shared, limits, first));
    Ok(Broker { address, inbox, metrics, voter, acceptor, watch, shard })
}

fn shared<W: World>(
    world: W,
    configuration: &BTreeMap<String, String>,
    inbox: mpsc::UnboundedSender<Event<<W::Disk as Disk>::Handle>>,
    metrics: &Arc<Metrics>,
) -> Shared<W> {
    let idle = u64::try_from(number(configuration, "connections.max.idle.ms")).ok();
    let produce_bytes_max = size(configuration, "socket.request.max.bytes");
    // Room for at least one of the largest requests.
    let room = size(configuration, "queued.max.request.bytes").max(produce_bytes_max);
    Shared {
        world,
        inbox,
        limits: FrameLimits { produce_bytes_max, other_bytes_max: produce_bytes_max / 12 },
        idle: idle.map(Duration::from_millis),
        room: Semaphore::new((room >> 10).min(Semaphore::MAX_PERMITS)),
        metrics: Arc::clone(metrics),
    }
}

/// What clients are told to connect to when nobody said so: where the broker listens, or, where that is everywhere, the name of
/// the machine.
fn advertised_host(address: SocketAddr) -> String {
    if !address.ip().is_unspecified() {
        return address.ip().to_string();
    }
    let name = rustix::system::uname();
    name.nodename().to_str().map_or_else(|_| "127.0.0.1".to_owned(), str::to_owned)
}

async fn watch_space<W: World>(
    world: W,
    inbox: mpsc::UnboundedSender<Event<<W::Disk as Disk>::Handle>>,
) {
    loop {
        if let Ok((free_bytes, total_bytes)) = world.disk().space() {
            let input = Input::DiskSpace { free_bytes, total_bytes };
            if inbox.send(Event::Input(input)).is_err() {
                return;
            }
        }
        world.clock().sleep(SPACE_INTERVAL).await;
    }
}

impl<W: World> Broker<W> {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the HTTP listener needs to know.
    #[cfg(not(madsim))]
    pub(super) fn observed(&self) -> super::http::Observed<<W::Disk as Disk>::Handle> {
        super::http::Observed { inbox: self.inbox.clone(), metrics: Arc::clone(&self.metrics) }
    }

    /// Stops in order: what is in memory only goes to disk.
    pub async fn stop(self) {
        self.acceptor.abort();
        self.watch.abort();
        let _ = self.inbox.send(Event::Input(Input::Shutdown));
        let _ = self.shard.await;
        self.voter.leave().await;
        drop(self.metrics);
    }

    /// Waits for its end, which comes only if something goes badly wrong.
    pub async fn ended(&mut self) {
        let _ = (&mut self.shard).await;
    }
}
