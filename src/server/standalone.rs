//! The broker as a process of its own: signals, banner, exit code.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use ottla_core::{config::broker, machine::Random};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{
    Broker, BrokerConfig, ServeSettings,
    data_folder::DataFolder,
    http,
    run::{node_id, number, serve},
    settings::Resolved,
};
use crate::world::{
    World,
    real::{RealClock, RealDisk, RealWorld, SocketBuffers},
};

/// Runs a broker until it is told to end.
pub fn run(settings: ServeSettings) -> ExitCode {
    let resolved = match settings.resolve(std::env::vars()) {
        Ok(resolved) => resolved,
        Err(error) => return fail(&error, 2),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run_broker(resolved)),
        Err(error) => fail(&error, 1),
    }
}

/// How many threads may wait for the disk at once.
const BLOCKING_THREADS: usize = 64;

/// How many descriptors are kept for other things than files and connections, at least; a sixteenth if that is more. Each
/// thread that waits for the disk may have one more.
const DESCRIPTORS_KEPT: u64 = 128;

fn fail(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "ottla: {error}");
    ExitCode::from(code)
}

/// Asks the operating system for as many open files as it gives, and says how many of them segments and connections may take.
fn open_max() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        limit.current = limit.maximum;
        let _ = setrlimit(Resource::Nofile, limit);
        limit = getrlimit(Resource::Nofile);
    }
    let all = limit.current.unwrap_or(1 << 20);
    let open = all.saturating_sub(DESCRIPTORS_KEPT.max(all / 16));
    usize::try_from(open).unwrap_or(usize::MAX).max(16)
}

/// A buffer's size; -1 leaves it to the operating system.
fn buffer_bytes(configuration: &BTreeMap<String, String>, key: &str) -> Option<usize> {
    usize::try_from(number(configuration, key)).ok()
}

async fn run_broker(resolved: Resolved) -> ExitCode {
    let Resolved { listen, advertise, data, configuration, without_effect } = resolved;
    for key in &without_effect {
        tracing::warn!(key, "this setting of Apache Kafka's has no effect here");
    }
    let disk = RealDisk::new(&data, open_max());
    let buffers = SocketBuffers {
        send: buffer_bytes(&configuration, "socket.send.buffer.bytes"),
        receive: buffer_bytes(&configuration, "socket.receive.buffer.bytes"),
    };
    let world = RealWorld::new(disk, RealClock::start(), buffers);
    let mut random = Random::new(world.seed());
    let ids = (random.next_u128(), random.next_u128());
    let folder = match DataFolder::open(&data, node_id(&configuration), ids) {
        Ok(folder) => folder,
        Err(error) => return fail(&error, 1),
    };
    let signals = signal(SignalKind::terminate()).and_then(|terminate| {
        signal(SignalKind::interrupt()).map(|interrupt| (terminate, interrupt))
    });
    let (mut terminate, mut interrupt) = match signals {
        Ok(signals) => signals,
        Err(error) => return fail(&error, 1),
    };
    let http = broker::configured(&configuration, "ottla.http.listener");
    let http = match bind_http(http.as_deref().unwrap_or_default()).await {
        Ok(http) => http,
        Err(code) => return code,
    };
    let durability = Durability::of(&configuration);
    let config = BrokerConfig {
        listen,
        advertise,
        configuration,
        cluster_id: folder.cluster_id.clone(),
        directory_id: folder.directory_id,
        log_directory: absolute(&folder.path),
    };
    let served = tokio::select! {
        biased;
        served = serve(world, config) => served,
        // Nothing was served yet, so there is nothing to be put in order.
        _ = terminate.recv() => return ExitCode::FAILURE,
        _ = interrupt.recv() => return ExitCode::FAILURE,
    };
    let mut broker = match served {
        Ok(broker) => broker,
        Err(error) => return fail(&error, 1),
    };
    print_banner(&broker, &folder.path, durability, http.as_ref());
    if let Some(listener) = http {
        tokio::spawn(http::serve(listener, broker.observed()));
    }
    tokio::select! {
        biased;
        () = broker.ended() => return fail(&"the broker has ended; the log says why", 1),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping; a second signal stops at once");
    stop(broker, terminate, interrupt).await
}

async fn stop(broker: Broker<RealWorld>, mut terminate: Signal, mut interrupt: Signal) -> ExitCode {
    tokio::select! {
        biased;
        () = broker.stop() => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        _ = terminate.recv() => ExitCode::FAILURE,
        _ = interrupt.recv() => ExitCode::FAILURE,
    }
}

async fn bind_http(address: &str) -> Result<Option<TcpListener>, ExitCode> {
    if address.is_empty() {
        return Ok(None);
    }
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) => {
            let words = format!(
                "cannot serve metrics on {address}: {error}; set ottla.http.listener to another address, or to nothing"
            );
            Err(fail(&words, 1))
        }
    }
}

fn absolute(path: &Path) -> String {
    let absolute = std::fs::canonicalize(path);
    absolute.unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// What an acknowledgement means.
#[derive(Debug, Clone, Copy)]
struct Durability {
    flush_messages: i64,
}

impl Durability {
    fn of(configuration: &BTreeMap<String, String>) -> Self {
        let value = broker::configured(configuration, "log.flush.interval.messages");
        Self { flush_messages: value.and_then(|value| value.trim().parse().ok()).unwrap_or(1) }
    }
}

impl std::fmt::Display for Durability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.flush_messages <= 1 {
            f.write_str("acknowledged records are on disk (flush.messages=1)")
        } else {
            write!(
                f,
                "acknowledged records may be in memory only (flush.messages={})",
                self.flush_messages
            )
        }
    }
}

fn print_banner(
    broker: &Broker<RealWorld>,
    data: &Path,
    durability: Durability,
    http: Option<&TcpListener>,
) {
    let http = http.and_then(|listener| listener.local_addr().ok());
    let http = http.map_or_else(|| "off".to_owned(), |address| format!("http://{address}/metrics"));
    let mut out = io::stdout();
    // Nobody may be reading.
    let _ = writeln!(
        out,
        "ottla {}\n  bootstrap   {}\n  data        {}\n  durability  {durability}\n  metrics     {http}",
        env!("CARGO_PKG_VERSION"),
        broker.address(),
        data.display(),
    );
    let _ = out.flush();
}
