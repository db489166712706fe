//! What a history is made of.

mod json;
mod operation;

pub use json::{ReadError, Unusable, read, write_event, write_header};
pub use operation::{
    Answer, Bad, BadReason, Call, Commit, Fault, FaultStage, Note, PartitionName, Polled, Probed,
    ProducerIdentity, Read, Send, Synced,
};

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// The version of the format.
pub const FORMAT: u32 = 1;

/// Everything that one run saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// What ran.
    pub header: Header,
    /// What happened, in that order.
    pub events: Vec<Event>,
}

/// The first line of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the format: [`FORMAT`].
    pub history: u32,
    /// The seed that decided everything, where one did.
    pub seed: u64,
    /// What was run: a commit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// What the cluster promises.
    #[serde(default)]
    pub rules: Rules,
    /// All else that was drawn, for the reader.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

impl Default for Header {
    fn default() -> Self {
        Self {
            history: FORMAT,
            seed: 0,
            revision: String::new(),
            rules: Rules::default(),
            settings: BTreeMap::new(),
        }
    }
}

/// What the cluster promises where a topic's own settings say nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// An acknowledgement of the leader alone (`acks=1`) is as good as that of all.
    pub leader_ack_is_durable: bool,
    /// What was sent without an acknowledgement being wanted (`acks=0`) counts as acknowledged once it is sent.
    pub sent_is_acknowledged: bool,
    /// Retention may delete records.
    pub deletes: bool,
    /// Records are acknowledged before they are durable.
    pub relaxed: bool,
    /// Offsets of groups that are empty for a while are forgotten.
    pub offsets_expire: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            leader_ack_is_durable: true,
            sent_is_acknowledged: false,
            deletes: false,
            relaxed: false,
            offsets_expire: false,
        }
    }
}

/// What a record is known by: no other record has the same. The process that wrote it, and a number that it counts up.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Value(pub u64);

const NUMBER_BITS: u32 = 40;

impl Value {
    /// The process's value of this number, which is below 2^40; the process's own is below 2^24.
    pub const fn new(process: u32, number: u64) -> Self {
        assert!(process < 1 << (64 - NUMBER_BITS) && number < 1 << NUMBER_BITS);
        Self((process as u64) << NUMBER_BITS | number)
    }

    /// Who wrote it.
    pub const fn process(self) -> u64 {
        self.0 >> NUMBER_BITS
    }

    /// As the how-manieth.
    pub const fn number(self) -> u64 {
        self.0 & ((1 << NUMBER_BITS) - 1)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.process(), self.number())
    }
}

/// One partition of one incarnation of a topic: its place in the list of [`Note::Partition`]s.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Partition(pub u32);

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When: nanoseconds of one clock.
    #[serde(rename = "t")]
    pub time: u64,
    /// Who asked or was told.
    #[serde(rename = "p")]
    pub process: u32,
    /// Which operation: what an invocation and its completion have in common. 0 for a note.
    #[serde(rename = "op", default, skip_serializing_if = "is_zero")]
    pub operation: u64,
    /// What.
    #[serde(rename = "e")]
    pub what: What,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// An operation begins.
    Invoke(Call),
    /// It happened.
    Ok(Answer),
    /// It did not happen, and never will.
    Fail(String),
    /// It may have happened, or may still.
    Info(String),
    /// Something that takes no time.
    Note(Note),
}
