//! What is asked: settings, and what may go wrong.

use std::fmt;

use ottla_core::replica;

use crate::{
    group::{self, Group},
    replication::{
        Replication,
        settings::{Bounds, Budget, Grain, Settings},
    },
};

/// Which acknowledgement the producer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// None.
    None,
    /// The leader's.
    Leader,
    /// That of all that are in sync.
    All,
}

impl Acks {
    /// As a producer's setting.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "0",
            Self::Leader => "1",
            Self::All => "all",
        }
    }
}

/// When what is acknowledged is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// Some time, when the operating system writes it.
    System,
    /// Before it is acknowledged: `flush.messages=1`.
    Fsync,
}

impl Flush {
    /// In a word.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::System => "os",
            Self::Fsync => "fsync",
        }
    }
}

/// What may go wrong, and how often at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// Processes of brokers that are killed, and of consumers.
    pub crashes: u8,
    /// Machines of brokers that lose their power, and what was not on disk.
    pub power_losses: u8,
    /// Leaderships that are moved, and moves of the group's coordinator.
    pub leader_changes: u8,
    /// Followers that are so slow that they are not in sync any more.
    pub lags: u8,
}

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// `acks` of the producer.
    pub acks: Acks,
    /// How many replicas there are.
    pub replication_factor: u8,
    /// `min.insync.replicas`
    pub min_insync: u8,
    /// When what is acknowledged is on disk.
    pub flush: Flush,
    /// `unclean.leader.election.enable`
    pub unclean: bool,
    /// When the consumers commit.
    pub consumer: group::Commits,
    /// What may go wrong.
    pub faults: Faults,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            replication_factor: 3,
            min_insync: 2,
            flush: Flush::Fsync,
            unclean: false,
            consumer: group::Commits::AfterProcessing,
            faults: Faults { crashes: 1, power_losses: 1, leader_changes: 1, lags: 1 },
        }
    }
}

impl Question {
    /// How often the record is sent at most. Where much goes wrong there are too many states to send it again.
    fn sends(&self) -> u8 {
        let Faults { crashes, power_losses, leader_changes, lags } = self.faults;
        if crashes + power_losses + leader_changes + lags > 3 { 1 } else { 2 }
    }

    /// How many records the group has. Where much goes wrong there are too many states for two.
    fn records(&self) -> u8 {
        if self.faults.crashes + self.faults.leader_changes > 1 { 1 } else { 2 }
    }

    /// The partition that is asked about.
    pub(super) fn replication(&self) -> Replication {
        let Faults { crashes, power_losses, leader_changes, lags } = self.faults;
        let is_all = self.acks == Acks::All;
        let settings = Settings {
            replicas: self.replication_factor,
            min_insync: self.min_insync,
            acks: if is_all { replica::Acks::All } else { replica::Acks::Leader },
            is_unacknowledged: self.acks == Acks::None,
            is_durable: self.flush == Flush::Fsync,
            may_lose: self.unclean,
        };
        let budget = Budget {
            produces: self.sends(),
            kills: crashes,
            power_losses,
            moves: leader_changes,
            lags,
            ..Budget::default()
        };
        let bounds = Bounds {
            producers: &[1],
            budget,
            // The budget alone bounds it.
            leader_epoch_max: i32::MAX,
            assigned: self.replication_factor,
            // What loses a record is seen in the state alone.
            grain: Grain {
                async_sync: self.flush == Flush::Fsync,
                remembers: false,
                ..Grain::COARSE
            },
        };
        Replication { settings, bounds }
    }

    /// The group that is asked about.
    pub(super) fn group(&self) -> Group {
        let mut group = Group::calm(&[self.records()]);
        group.commits = self.consumer;
        group.is_advised = true;
        group.budgets.crashes = self.faults.crashes;
        group.budgets.moves = self.faults.leader_changes;
        group
    }

    /// What is visited of the partition, exactly.
    pub(super) fn replication_bounds(&self) -> String {
        let Faults { crashes, power_losses, leader_changes, lags } = self.faults;
        let power = match self.flush {
            Flush::System => [
                "power loss of a broker, whose log keeps any part",
                "power losses of brokers, whose logs keep any part",
            ],
            Flush::Fsync => [
                "power loss of a broker, whose log keeps what is synced and any part of the rest",
                "power losses of brokers, whose logs keep what is synced and any part of the rest",
            ],
        };
        let wrong = wrong(&[
            (crashes, ["broker killed", "brokers killed"]),
            (power_losses, power),
            (
                leader_changes,
                [
                    "leadership moved by the controller's choice",
                    "leaderships moved by the controller's choice",
                ],
            ),
            (lags, ["follower found lagging", "followers found lagging"]),
        ]);
        let times = if self.sends() == 1 { "once" } else { "twice" };
        let sync = match self.flush {
            Flush::System => "",
            Flush::Fsync => ", a sync is a step of its own",
        };
        format!(
            "1 partition on {}, 1 record that is sent at most {times}; {wrong}. Brokers that are down start again, each at any \
             time; a fetch and its answer are one step, whose answer may be lost{sync}; metadata reach all brokers at once",
            count(self.replication_factor, ["broker", "brokers"]),
        )
    }

    /// What is visited of the group, exactly.
    pub(super) fn group_bounds(&self) -> String {
        let Faults { crashes, leader_changes, .. } = self.faults;
        let wrong = wrong(&[
            (
                crashes,
                [
                    "crash of a consumer, which starts again",
                    "crashes of consumers, which start again",
                ],
            ),
            (
                leader_changes,
                [
                    "move of the coordinator, which loses what it has not written down",
                    "moves of the coordinator, which loses what it has not written down",
                ],
            ),
        ]);
        let records = count(self.records(), ["record", "records"]);
        format!("a group of 2 consumers, 1 partition of {records}; {wrong}")
    }
}

fn count(number: u8, [one, many]: [&str; 2]) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// What may go wrong, in words.
fn wrong(faults: &[(u8, [&str; 2])]) -> String {
    let faults: Vec<_> = faults.iter().filter(|(number, _)| *number > 0).collect();
    match faults[..] {
        [] => "nothing goes wrong".into(),
        _ => {
            let counts: Vec<_> =
                faults.iter().map(|(number, words)| count(*number, *words)).collect();
            format!("at most {}", counts.join(", "))
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (acks, flush) = (self.acks.name(), self.flush.name());
        let unclean = if self.unclean { "on" } else { "off" };
        write!(
            f,
            "acks={acks}, replication factor {}, min.insync.replicas={}, flush={flush}, \
             unclean leader election {unclean}, consumer {}",
            self.replication_factor,
            self.min_insync,
            consumer(self.consumer)
        )
    }
}

/// What a consumer is called that commits so.
pub(super) fn consumer(commits: group::Commits) -> &'static str {
    match commits {
        group::Commits::AfterProcessing => "commit-after",
        group::Commits::BeforeProcessing => "commit-before",
        group::Commits::Auto => "auto",
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { crashes, power_losses, leader_changes, lags } = self;
        write!(
            f,
            "crash={crashes}, power-loss={power_losses}, leader-changes={leader_changes}, lag={lags}"
        )
    }
}
