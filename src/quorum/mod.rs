//! The metadata quorum: commands go in, and come out again in the order on which all voters have agreed.
//!
//! openraft does the agreeing; nothing outside this module knows of it. A single broker is a quorum of one.

mod machine;
mod membership;
mod network;
mod runtime;
mod space;
mod store;
mod synced;
mod watch;

use std::{collections::BTreeMap, fmt, io, sync::Arc, time::Duration};

use openraft::{AsyncRuntime, BasicNode, Config, Raft, SnapshotPolicy};
use ottla_core::{
    metadata::{Command, Image, ProposalId, command::RegisterBroker},
    types::BrokerId,
};
use tokio::sync::mpsc;

use self::{machine::Machine, network::NoPeers, runtime::ShellRuntime, store::LogStore};
use crate::world::Disk;

openraft::declare_raft_types!(
    /// What openraft is told of us.
    pub(crate) Types:
        D = Proposed,
        R = (),
        NodeId = u64,
        Node = BasicNode,
        AsyncRuntime = ShellRuntime
);

/// What is proposed: commands, which take effect together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Proposed {
    /// Who waits for it, in this process; nobody after a restart.
    proposal: Option<ProposalId>,
    commands: Vec<Command>,
}

impl fmt::Display for Proposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} commands", self.commands.len())
    }
}

/// What the quorum has decided on.
#[derive(Debug)]
pub enum Decision {
    /// These commands take effect.
    Committed {
        /// Who waits for them.
        proposal: Option<ProposalId>,
        /// The commands.
        commands: Vec<Command>,
    },
    /// Nothing was decided on a proposal.
    Failed {
        /// Which.
        proposal: ProposalId,
    },
}

/// Who is told of decisions.
type Tell = Arc<dyn Fn(Decision) + Send + Sync>;

/// Where commands are proposed.
#[derive(Debug, Clone)]
pub struct Quorum {
    proposals: mpsc::UnboundedSender<(ProposalId, Vec<Command>)>,
}

impl Quorum {
    /// Proposes commands. The decision comes as a [`Decision`].
    pub fn propose(&self, proposal: ProposalId, commands: Vec<Command>) {
        // When the quorum has ended, so does the broker.
        let _ = self.proposals.send((proposal, commands));
    }
}

/// Why the quorum cannot be joined.
#[derive(Debug)]
pub enum QuorumError {
    /// The metadata log cannot be read or written.
    Disk(io::Error),
    /// The consensus algorithm has ended.
    Ended(String),
}

impl fmt::Display for QuorumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => write!(f, "the metadata log cannot be read or written: {error}"),
            Self::Ended(reason) => write!(f, "the metadata quorum has ended: {reason}"),
        }
    }
}

impl std::error::Error for QuorumError {}

/// This broker's part in the quorum.
pub struct Voter<D: Disk> {
    raft: Raft<Types, Machine<D>>,
    machine: Machine<D>,
}

/// How long to wait for a decision before whoever asked is told that there is none. It may come later all the same.
const DECISION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the quorum may take to end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for the quorum at the start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

fn config(entries_per_snapshot: u64) -> Config {
    Config {
        cluster_name: "ottla".to_owned(),
        heartbeat_interval: 500,
        election_timeout_min: 1_500,
        election_timeout_max: 3_000,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(entries_per_snapshot),
        max_in_snapshot_log_to_keep: 0,
        // Few proposals are made at a time; the defaults reserve room for tens of thousands.
        api_channel_size: Some(1_024),
        notification_channel_size: Some(1_024),
        state_machine_channel_size: Some(64),
        ..Config::default()
    }
}

fn ended(error: impl fmt::Display) -> QuorumError {
    QuorumError::Ended(error.to_string())
}

impl<D: Disk> Voter<D> {
    /// Joins the quorum, as its only voter if the metadata log is empty, and has the broker registered. After so many entries the
    /// image is written down, so that the entries need not be kept.
    pub async fn join(
        disk: D,
        id: BrokerId,
        register: RegisterBroker,
        entries_per_snapshot: u64,
    ) -> Result<Self, QuorumError> {
        let node = u64::try_from(id.0).unwrap_or_default();
        let (machine, snapshot) = Machine::open(disk.clone()).await.map_err(QuorumError::Disk)?;
        let store = LogStore::open(disk, snapshot).await.map_err(QuorumError::Disk)?;
        let is_new = store.is_empty();
        let config = Arc::new(config(entries_per_snapshot).validate().map_err(ended)?);
        let raft = Raft::new(node, config, NoPeers, store, machine.clone()).await.map_err(ended)?;
        if is_new {
            let voters = BTreeMap::from([(node, BasicNode::default())]);
            raft.initialize(voters).await.map_err(ended)?;
        } else {
            // Who would be elected in the end need not wait for the others to keep silent.
            raft.trigger().elect(false).await.map_err(ended)?;
        }
        let led = raft.wait(Some(START_TIMEOUT)).current_leader(node, "the broker leads").await;
        led.map_err(ended)?;
        let proposed = Proposed { proposal: None, commands: vec![register.into()] };
        raft.client_write(proposed).await.map_err(ended)?;
        Ok(Self { raft, machine })
    }

    /// The image as it is now; whatever changes it from now on is told to `tell`.
    pub fn follow(&self, tell: impl Fn(Decision) + Send + Sync + 'static) -> (Image, Quorum) {
        let tell: Tell = Arc::new(tell);
        let (proposals, queue) = mpsc::unbounded_channel();
        let image = self.machine.follow(Arc::clone(&tell));
        tokio::spawn(propose_all(self.raft.clone(), queue, tell));
        (image, Quorum { proposals })
    }

    /// Leaves the quorum.
    pub async fn leave(self) {
        // It does not end while it waits for space on the disk; all that it acknowledged is durable.
        let _ = ShellRuntime::timeout(LEAVE_TIMEOUT, self.raft.shutdown()).await;
    }
}

async fn propose_all<D: Disk>(
    raft: Raft<Types, Machine<D>>,
    mut queue: mpsc::UnboundedReceiver<(ProposalId, Vec<Command>)>,
    tell: Tell,
) {
    while let Some((proposal, commands)) = queue.recv().await {
        let (raft, tell) = (raft.clone(), Arc::clone(&tell));
        tokio::spawn(async move {
            let proposed = Proposed { proposal: Some(proposal), commands };
            match ShellRuntime::timeout(DECISION_TIMEOUT, raft.client_write(proposed)).await {
                Ok(Ok(_)) => return,
                Ok(Err(error)) => tracing::error!(%error, "the metadata quorum could not decide"),
                Err(_) => tracing::error!("the metadata quorum takes too long to decide"),
            }
            tell(Decision::Failed { proposal });
        });
    }
}
