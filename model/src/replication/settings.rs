//! What is asked of the topic, and how much goes wrong.

use ottla_core::replica::Acks;

/// The settings of the topic and its producers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The replication factor, and how many brokers there are.
    pub replicas: u8,
    /// `min.insync.replicas`
    pub min_insync: u8,
    /// `acks`
    pub acks: Acks,
    /// `acks=0`: what was sent counts as acknowledged.
    pub is_unacknowledged: bool,
    /// `flush.messages` is 1: nothing is acknowledged before it is on disk.
    pub is_durable: bool,
    /// `unclean.leader.election.enable`
    pub may_lose: bool,
}

impl Settings {
    /// Three replicas, two of which must be in sync, `acks=all`, and each acknowledgement durable.
    pub const SAFE: Self = Self {
        replicas: 3,
        min_insync: 2,
        acks: Acks::All,
        is_unacknowledged: false,
        is_durable: true,
        may_lose: false,
    };

    /// The same, with what was written flushed by the operating system some time.
    pub const RELAXED: Self = Self { is_durable: false, ..Self::SAFE };
}

/// How often something may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budget {
    /// Produce requests.
    pub produces: u8,
    /// Processes that are killed: what they have written stays.
    pub kills: u8,
    /// Power that fails: what is not synced may be lost, from any point on.
    pub power_losses: u8,
    /// Disks that come back empty.
    pub disk_losses: u8,
    /// Brokers that are fenced while they run.
    pub zombies: u8,
    /// Followers that are found lagging.
    pub lags: u8,
    /// Leaderships that are moved.
    pub moves: u8,
    /// Fetches that are given up.
    pub given_up_fetches: u8,
    /// Produces that are given up by their producer while they wait.
    pub given_up_produces: u8,
    /// Requests to the controller that are lost.
    pub lost_requests: u8,
    /// Brokers that stop in order.
    pub shutdowns: u8,
    /// Deletions of all records that are safe.
    pub deletions: u8,
    /// Times that `min.insync.replicas` is lowered by one.
    pub lowered: u8,
    /// Reassignments that are begun.
    pub reassignments: u8,
    /// Reassignments that are cancelled.
    pub cancellations: u8,
}

/// How finely time is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grain {
    /// A fetch and its answer are two messages, not one step.
    pub messages: bool,
    /// Metadata reach each broker by itself, not all at once.
    pub async_metadata: bool,
    /// A broker may see several states of the metadata at once, of which only the last counts.
    pub skips: bool,
    /// A sync is a step of its own, not a part of the write.
    pub async_sync: bool,
    /// A sync may have begun before the last batches were appended: these it leaves out.
    pub partial_sync: bool,
    /// A broker that has registered is let in by a step of its own.
    pub fenced_start: bool,
    /// Perturbations end by a step of their own, and quiescence is judged.
    pub heals: bool,
    /// What has happened, and what was shown, is kept in the state, for marks and for what looks back. What may happen next does not
    /// hang on it.
    pub remembers: bool,
    /// From every state a fair schedule is run, to see that the cluster recovers.
    pub recovers: bool,
}

impl Grain {
    /// Everything at once.
    pub const COARSE: Self = Self {
        messages: false,
        async_metadata: false,
        skips: false,
        async_sync: false,
        partial_sync: false,
        fenced_start: false,
        heals: false,
        remembers: true,
        recovers: false,
    };

    /// Metadata by themselves, fetches at once.
    pub const METADATA: Self = Self { async_metadata: true, ..Self::COARSE };

    /// Every message by itself.
    pub const MESSAGES: Self = Self { messages: true, ..Self::METADATA };
}

/// How far the model goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many records each idempotent producer has.
    pub producers: &'static [u8],
    /// What may happen.
    pub budget: Budget,
    /// Nobody moves a leadership once it has come to this epoch.
    pub leader_epoch_max: i32,
    /// How many of the replicas have the partition at the beginning; a reassignment moves it to the others.
    pub assigned: u8,
    /// How finely time is cut.
    pub grain: Grain,
}

impl Bounds {
    /// How many records there are.
    pub fn records(&self) -> u8 {
        self.producers.iter().sum()
    }

    /// The producer of a record, and its sequence there.
    pub fn producer_of(&self, record: u8) -> (u8, u8) {
        let mut sequence = record;
        for (producer, &count) in (0..).zip(self.producers) {
            if sequence < count {
                return (producer, sequence);
            }
            sequence -= count;
        }
        panic!("record {record} is nobody's");
    }
}
