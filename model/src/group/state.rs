//! What a state is, and what can happen in it.

use std::{fmt, sync::Arc};

use ottla_core::group::GroupTimer;

use super::{Broker, Client, CommitRequest, Group, coordinator::Author};

/// What may go wrong, and how often. Once the group heals, nothing of it happens any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budgets {
    /// Processes of members that crash.
    pub crashes: u8,
    /// Processes that crash and are not started again.
    pub deaths: u8,
    /// Timers that hit the living: sessions that end and rebalances that do not wait.
    pub expiries: u8,
    /// Times that the coordinator moves or restarts, losing what it has not written down.
    pub moves: u8,
    /// Connections that break, with what is under way on them.
    pub disconnects: u8,
    /// Times that expired offsets are looked for, when all are old.
    pub retentions: u8,
}

/// What has been seen on the way, for the properties.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Seen {
    /// By partition, what was committed when it was looked at last; -1 for nothing.
    pub committed: Vec<i64>,
    /// Who has committed it.
    pub(super) author: Vec<Option<Author>>,
    /// By partition, the commit that was answered last.
    pub answered: Vec<i64>,
    /// A committed offset went back, and not by a late commit of whoever has committed more.
    pub regressed: bool,
    /// A record was processed twice; noted for the advisor alone.
    pub repeated: bool,
}

/// The group, its coordinator, and what is between them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The members' processes.
    pub clients: Vec<Client>,
    /// The coordinator and its log.
    pub broker: Arc<Broker>,
    /// OffsetCommits that are under way; those of one connection arrive in order.
    pub commits: Vec<CommitRequest>,
    /// By partition and record, whether it was processed.
    pub processed: Vec<Vec<bool>>,
    /// What is left of the budgets; where nothing is, nothing goes wrong any more.
    pub left: Budgets,
    /// What has been seen on the way.
    pub seen: Seen,
}

/// What can happen. The number is that of a client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// It sends a JoinGroup.
    Join(usize),
    /// It sends a SyncGroup.
    Sync(usize),
    /// It sends a Heartbeat, and the answer is news.
    Heartbeat(usize),
    /// It gives back what it was not assigned again.
    Revoke(usize),
    /// It asks for the committed offset of a partition.
    FetchOffset(usize, usize),
    /// It gets the next record of a partition.
    Poll(usize, usize),
    /// It has processed the record of a partition.
    Process(usize, usize),
    /// It sends an OffsetCommit for a partition.
    Commit(usize, usize),
    /// An OffsetCommit reaches the coordinator.
    Deliver(usize),
    /// The first of the coordinator's writes is durable.
    Written,
    /// Nothing has come of what the coordinator waited for.
    TimeOut(GroupTimer),
    /// A process crashes, and another begins from nothing.
    Crash(usize),
    /// A process crashes for good.
    Die(usize),
    /// A process loses its connection.
    Disconnect(usize),
    /// The coordinator moves; of its writes so many were durable.
    Move(usize),
    /// The coordinator has loaded its log.
    Load,
    /// Expired offsets are looked for.
    ExpireOffsets,
    /// Nothing goes wrong any more.
    Heal,
}

impl State {
    pub(super) fn first(model: &Group) -> Self {
        Self {
            clients: vec![Client::default(); model.clients],
            broker: Arc::new(Broker::new(model.keeps_all)),
            commits: Vec::new(),
            processed: model.records.iter().map(|count| vec![false; usize::from(*count)]).collect(),
            left: model.budgets,
            seen: Seen {
                committed: vec![-1; model.records.len()],
                author: vec![None; model.records.len()],
                answered: vec![-1; model.records.len()],
                regressed: false,
                repeated: false,
            },
        }
    }

    /// Whether every record was processed.
    pub fn all_processed(&self) -> bool {
        self.processed.iter().flatten().all(|was| *was)
    }

    /// Whether every record was committed.
    pub fn all_committed(&self) -> bool {
        let ends = self.processed.iter().enumerate();
        ends.map(|(partition, records)| (self.broker.committed(partition), records.len()))
            .all(|(committed, end)| usize::try_from(committed).is_ok_and(|offset| offset == end))
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, client) in self.clients.iter().enumerate() {
            writeln!(f, "member {number}: {client:?}")?;
        }
        writeln!(f, "{:?}", self.broker)?;
        if !self.commits.is_empty() {
            writeln!(f, "under way: {:?}", self.commits)?;
        }
        write!(f, "processed {:?}, left {:?}", self.processed, self.left)
    }
}
