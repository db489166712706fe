//! What a client can ask, what it can be told, and what else is worth a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Partition, Value};

/// What is asked. An operation is on one partition where it can be: each has an outcome of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// A batch is produced.
    Send(Send),
    /// Records are fetched, and processed if there is a group.
    Poll {
        /// For which group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
    },
    /// Where does the partition begin and end?
    Probe {
        /// Which one.
        partition: Partition,
    },
    /// A member joins a group.
    Join {
        /// Which group.
        group: String,
    },
    /// A member asks for its part.
    Sync {
        /// Which group.
        group: String,
        /// The generation that the member knows.
        generation: i32,
    },
    /// A member goes.
    Leave {
        /// Which group.
        group: String,
    },
    /// A group's offset is set.
    Commit(Commit),
    /// A group's offset is read.
    FetchOffset {
        /// Which group.
        group: String,
        /// Of which partition.
        partition: Partition,
    },
    /// A topic is made.
    CreateTopic {
        /// Its name.
        topic: String,
        /// Its settings, under Kafka's names.
        settings: BTreeMap<String, String>,
    },
    /// A topic is deleted.
    DeleteTopic {
        /// Its name.
        topic: String,
        /// Its id, where it is deleted by id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// A topic's settings are changed.
    AlterTopic {
        /// Its name.
        topic: String,
        /// The new values, under Kafka's names.
        settings: BTreeMap<String, String>,
    },
    /// Records below an offset are deleted.
    DeleteRecords {
        /// In which partition.
        partition: Partition,
        /// The new start; -1 for the high watermark.
        offset: i64,
    },
    /// A group is deleted with its offsets.
    DeleteGroup {
        /// Which one.
        group: String,
    },
    /// A group's offset is deleted.
    DeleteOffset {
        /// Which group.
        group: String,
        /// Of which partition.
        partition: Partition,
    },
    /// Anything of which the checker need not know.
    Other(String),
}

/// A batch is produced: one append, at most, to one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Send {
    /// To which partition.
    pub partition: Partition,
    /// Under which identity; none for a producer that is not idempotent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer: Option<ProducerIdentity>,
    /// How it is to be acknowledged: -1, 0 or 1.
    pub acks: i16,
    /// The records, in order.
    pub values: Vec<Value>,
    /// A key for each record, or for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<u32>,
    /// Which records are tombstones, as places in `values`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tombstones: Vec<u32>,
}

/// What tells a broker that it has seen a batch before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProducerIdentity {
    /// The producer.
    pub id: i64,
    /// Its incarnation.
    pub epoch: i16,
    /// The first record's sequence.
    pub sequence: i32,
}

/// A group's offset is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Which group.
    pub group: String,
    /// The generation that the member belongs to; -1 for one that is no member.
    pub generation: i32,
    /// Of which partition.
    pub partition: Partition,
    /// What is to be processed next.
    pub offset: i64,
}

/// What was told of an operation that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// There is nothing more to say.
    Done,
    /// The batch was appended.
    Sent {
        /// Where, if that was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offset: Option<i64>,
        /// How often it was sent, where the client repeats it by itself and the broker cannot know.
        #[serde(default = "once", skip_serializing_if = "is_once")]
        attempts: u32,
    },
    /// Records came.
    Polled(Polled),
    /// Where the partition begins and ends.
    Probed(Probed),
    /// The member belongs to a generation.
    Joined {
        /// Which one.
        generation: i32,
    },
    /// The member's part.
    Synced(Synced),
    /// The group's offset, if it has one.
    Offset(Option<i64>),
    /// The new start of the partition.
    LogStart(i64),
}

const fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_once(attempts: &u32) -> bool {
    *attempts == 1
}

/// Records came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Polled {
    /// Of which partitions.
    pub reads: Vec<Read>,
    /// The consumer crashed before it processed them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unprocessed: bool,
}

/// What came of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Read {
    /// Which one.
    pub partition: Partition,
    /// The offset that was asked for, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// Offsets and values, in the order in which they came.
    pub records: Vec<(i64, Value)>,
    /// Records that are not what they should be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad: Vec<Bad>,
    /// What was said of the partition.
    #[serde(default)]
    pub probed: Probed,
}

/// A record that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bad {
    /// Where it lies.
    pub offset: i64,
    /// What is wrong with it.
    pub reason: BadReason,
}

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadReason {
    /// The payload is not one of ours, or its checksum is wrong.
    Corrupt(String),
    /// It says that it was written to another partition.
    Stray {
        /// Its value.
        value: Value,
        /// Where it was written to.
        home: String,
    },
}

/// Where a partition begins and ends, as far as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Probed {
    /// The first offset that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_start: Option<i64>,
    /// The offset below which everything is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_watermark: Option<i64>,
    /// The next offset that the leader gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_end: Option<i64>,
    /// The leader's epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_epoch: Option<i32>,
}

/// A member's part of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synced {
    /// Who owns them: the member's instance id if it has one, else its member id.
    pub owner: String,
    /// The generation.
    pub generation: i32,
    /// What it owns.
    pub partitions: Vec<Partition>,
}

/// Something that takes no time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Note {
    /// The next number stands for this partition. It comes before all that names it.
    Partition(PartitionName),
    /// The process goes on reading at this offset; none if it does not know where.
    Seek {
        /// In which partition.
        partition: Partition,
        /// Where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offset: Option<i64>,
    },
    /// A group without an offset begins here, by its reset policy.
    Begin {
        /// Which group.
        group: String,
        /// In which partition.
        partition: Partition,
        /// Where.
        offset: i64,
    },
    /// The process forgets what it knew, and begins anew.
    Crash,
    /// The process has read the partition to its end, in operations that were all invoked after the event of this number.
    Complete {
        /// Which partition.
        partition: Partition,
        /// The first offset that was asked for.
        start: i64,
        /// The end that it was told.
        end: i64,
        /// The number of an event; all that was acknowledged before it must be there.
        since: u64,
    },
    /// The group has processed the partition up to this offset, and is at rest.
    Drained {
        /// Which group.
        group: String,
        /// Which partition.
        partition: Partition,
        /// All below it is processed.
        offset: i64,
    },
    /// A fault.
    Fault(Fault),
}

/// A partition by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionName {
    /// The topic's name.
    pub topic: String,
    /// The topic's id, which tells a topic from an earlier one of the same name.
    pub id: String,
    /// Its index.
    pub index: i32,
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Its kind.
    pub kind: String,
    /// What it hit.
    pub target: String,
    /// How far it is.
    pub stage: FaultStage,
    /// Data that was written, but not made durable, is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forgets: bool,
}

/// How far a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultStage {
    /// It begins.
    Begin,
    /// It bit.
    Effective,
    /// It is over.
    End,
}
