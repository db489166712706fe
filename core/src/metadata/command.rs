//! The entries of the metadata log.
//!
//! Each kind is a message with flexible versions, so that fields can be added without breaking a log that exists.

use alloc::{string::String, vec::Vec};

use crate::{
    types::Uuid,
    wire::{DecodeError, Reader, Version, Wire, Writer, message::message},
};

message! {
    /// A broker begins to serve, in a new incarnation. Every partition that it leads gets a new leader epoch: what it appended
    /// before and lost must not be taken for what it appends now.
    RegisterBroker {
        /// `node.id`.
        [0..] broker_id: i32,
        /// Made up anew at each start.
        [0..] incarnation: Uuid,
        /// Where clients reach it.
        [0..] host: String,
        /// And at which port.
        [0..] port: i32,
        /// `broker.rack`.
        [0..] rack: Option<String>,
        /// Names the data folder, which outlives the broker's process.
        [0..] directory: Uuid,
        /// The broker does not serve yet: it follows the metadata log first, and is let in by an [`UnfenceBroker`].
        [1..] fenced: bool,
        /// The epoch that the broker had when it last stopped in order; -1 if it was killed, or never ran.
        [1..] previous_epoch: i64 = -1,
    }

    /// A broker is gone, or has not been heard of for too long: it leads nothing and is in sync with nobody.
    FenceBroker {
        /// The broker.
        [1..] broker_id: i32,
        /// Its epoch: one that has registered again meanwhile is not meant.
        [1..] broker_epoch: i64,
    }

    /// A broker has caught up with the metadata log, and serves.
    UnfenceBroker {
        /// The broker.
        [1..] broker_id: i32,
        /// Its epoch.
        [1..] broker_epoch: i64,
    }

    /// A broker wants to stop: its leaderships go to others, and it leaves the in-sync replicas.
    ShutDownBroker {
        /// The broker.
        [1..] broker_id: i32,
        /// Its epoch.
        [1..] broker_epoch: i64,
    }

    /// A leader asks for other in-sync replicas (KIP-497).
    AlterPartition {
        /// The leader.
        [1..] broker_id: i32,
        /// The leader's broker epoch.
        [1..] broker_epoch: i64,
        /// The topic.
        [1..] topic_id: Uuid,
        /// The partition of it.
        [1..] partition: i32,
        /// The epoch that it leads in.
        [1..] leader_epoch: i32,
        /// The state of the partition that it has seen.
        [1..] partition_epoch: i32,
        /// Who is to be in sync.
        [1..] isr: Vec<IsrMember>,
    }

    /// A replica that is to be in sync.
    IsrMember {
        /// The broker.
        [1..] broker_id: i32,
        /// The epoch in which it has caught up (KIP-903).
        [1..] broker_epoch: i64,
    }

    /// A leader is to be elected.
    ElectLeader {
        /// The topic.
        [1..] topic_id: Uuid,
        /// The partition of it.
        [1..] partition: i32,
        /// Kafka's election type: 0 for the preferred leader, 1 for any replica at all, at the price of records.
        [1..] election: i8,
    }

    /// The replicas of a partition move, or are to move no more.
    ReassignPartition {
        /// The topic.
        [1..] topic_id: Uuid,
        /// The partition of it.
        [1..] partition: i32,
        /// Where to, the preferred leader first; none cancels the reassignment that is under way.
        [1..] replicas: Option<Vec<i32>>,
    }

    /// A topic is made.
    CreateTopic {
        /// Its name.
        [0..] name: String,
        /// Its id, made up by who proposes.
        [0..] topic_id: Uuid,
        /// The replicas of each partition, the preferred leader first.
        [0..] assignments: Vec<Assignment>,
        /// Its settings.
        [0..] configs: Vec<ConfigEntry>,
    }

    /// The replicas of a partition.
    Assignment {
        /// Brokers, the preferred leader first.
        [0..] replicas: Vec<i32>,
    }

    /// A setting.
    ConfigEntry {
        /// Its key.
        [0..] key: String,
        /// Its value.
        [0..] value: String,
    }

    /// A topic is deleted, with all it holds.
    DeleteTopic {
        /// Its id.
        [0..] topic_id: Uuid,
    }

    /// A topic gets more partitions.
    CreatePartitions {
        /// The topic.
        [0..] topic_id: Uuid,
        /// How many it had when this was proposed.
        [0..] existing: i32,
        /// The replicas of each new partition.
        [0..] assignments: Vec<Assignment>,
    }

    /// Settings of a topic or of brokers change.
    ChangeConfigs {
        /// A [`ResourceKind`](super::ResourceKind).
        [0..] resource_kind: i8,
        /// Which of the kind.
        [0..] resource_name: String,
        /// What changes, one after the other.
        [0..] changes: Vec<ConfigChange>,
    }

    /// One change of a setting.
    ConfigChange {
        /// Its key.
        [0..] key: String,
        /// Its new value; none deletes it.
        [0..] value: Option<String>,
    }

    /// A broker takes a block of producer ids for its own.
    AllocateProducerIds {
        /// The broker.
        [0..] broker_id: i32,
        /// How many.
        [0..] count: i32,
    }
}

macro_rules! commands {
    ($($code:literal $variant:ident)*) => {
        /// An entry of the metadata log.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is the message of its name")]
        pub enum Command {
            $($variant($variant),)*
        }

        $(impl From<$variant> for Command {
            fn from(command: $variant) -> Self {
                Self::$variant(command)
            }
        })*

        impl Command {
            /// Appends the command: its kind, the version of its encoding, its fields.
            pub fn encode(&self, writer: &mut Writer) {
                match self {
                    $(Self::$variant(command) => {
                        writer.put_i16($code);
                        writer.put_i16(VERSION.number);
                        command.encode(writer, VERSION);
                    })*
                }
            }

            /// Reads a command.
            pub fn decode(reader: &mut Reader) -> Result<Self, CommandError> {
                let kind = i16::decode(reader, VERSION).map_err(CommandError::Malformed)?;
                let version = i16::decode(reader, VERSION).map_err(CommandError::Malformed)?;
                if version > VERSION.number {
                    return Err(CommandError::Newer { kind, version });
                }
                match kind {
                    $($code => $variant::decode(reader, Version { number: version, flexible: true })
                        .map(Self::$variant)
                        .map_err(CommandError::Malformed),)*
                    kind => Err(CommandError::Newer { kind, version }),
                }
            }
        }
    };
}

commands! {
    1 RegisterBroker
    2 CreateTopic
    3 DeleteTopic
    4 CreatePartitions
    5 ChangeConfigs
    6 AllocateProducerIds
    7 FenceBroker
    8 UnfenceBroker
    9 ShutDownBroker
    10 AlterPartition
    11 ElectLeader
    12 ReassignPartition
}

/// Version 1 brought what replication needs.
const VERSION: Version = Version { number: 1, flexible: true };

/// Why a command cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandError {
    /// It was written by a later version of this program.
    Newer {
        /// Its kind.
        kind: i16,
        /// The version of its encoding.
        version: i16,
    },
    /// It is damaged.
    Malformed(DecodeError),
}

impl core::fmt::Display for CommandError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Newer { kind, version } => write!(
                f,
                "the metadata log has an entry of kind {kind}, version {version}, which only a later version of ottla knows"
            ),
            Self::Malformed(error) => write!(f, "an entry of the metadata log is damaged: {error}"),
        }
    }
}

impl core::error::Error for CommandError {}
