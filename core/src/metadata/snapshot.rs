//! The image as bytes, so that the metadata log need not be kept from its beginning.

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use super::{
    Image,
    command::ConfigEntry,
    image::{Broker, BrokerStatus, ConfigResource, PartitionState, ResourceKind, Topic},
};
use crate::{
    types::{BrokerEpoch, BrokerId, LeaderEpoch, TopicId, Uuid},
    wire::{DecodeError, Reader, Version, Wire, Writer, message::message},
};

message! {
    /// The image.
    ImageSnapshot {
        /// All brokers.
        [0..] brokers: Vec<BrokerSnapshot>,
        /// All topics.
        [0..] topics: Vec<TopicSnapshot>,
        /// All settings.
        [0..] configs: Vec<ConfigSnapshot>,
        /// The first producer id that nobody has.
        [0..] next_producer_id: i64,
        /// The epoch of the broker that registered last.
        [1..] last_broker_epoch: i64,
    }

    /// A broker.
    BrokerSnapshot {
        /// `node.id`.
        [0..] id: i32,
        /// Its current incarnation.
        [0..] incarnation: Uuid,
        /// Where clients reach it.
        [0..] host: String,
        /// And at which port.
        [0..] port: u16,
        /// Where it stands.
        [0..] rack: Option<String>,
        /// Names its data folder.
        [0..] directory: Uuid,
        /// Tells its incarnations apart.
        [1..] epoch: i64,
        /// A [`BrokerStatus`].
        [1..] status: i8,
    }

    /// A topic.
    TopicSnapshot {
        /// Its id.
        [0..] id: Uuid,
        /// Its name.
        [0..] name: String,
        /// Its partitions.
        [0..] partitions: Vec<PartitionSnapshot>,
    }

    /// A partition.
    PartitionSnapshot {
        /// All replicas.
        [0..] replicas: Vec<i32>,
        /// Those in sync.
        [0..] isr: Vec<i32>,
        /// The leader; -1 for none.
        [0..] leader: i32 = -1,
        /// Counts the leaders.
        [0..] leader_epoch: i32,
        /// Counts the changes.
        [0..] partition_epoch: i32,
        /// Those that may lead although they are not in sync.
        [1..] elr: Vec<i32>,
        /// Those that a reassignment adds.
        [1..] adding: Vec<i32>,
        /// Those that it will remove.
        [1..] removing: Vec<i32>,
        /// Whether records may be lost.
        [1..] is_recovering: bool,
    }

    /// The settings of a resource.
    ConfigSnapshot {
        /// Of which kind.
        [0..] kind: i8,
        /// Which of the kind.
        [0..] name: String,
        /// The settings.
        [0..] entries: Vec<ConfigEntry>,
    }
}

/// Version 1 brought what replication needs.
const VERSION: Version = Version { number: 1, flexible: true };

fn ids(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}

fn brokers(ids: Vec<i32>) -> Vec<BrokerId> {
    ids.into_iter().map(BrokerId).collect()
}

impl Image {
    /// The image as bytes.
    pub fn to_bytes(&self) -> Bytes {
        let brokers = self.brokers.iter().map(|(id, broker)| BrokerSnapshot {
            id: id.0,
            incarnation: broker.incarnation,
            host: broker.host.clone(),
            port: broker.port,
            rack: broker.rack.clone(),
            directory: broker.directory,
            epoch: broker.epoch.0,
            status: broker.status.code(),
        });
        let partition = |state: &PartitionState| PartitionSnapshot {
            replicas: ids(&state.replicas),
            isr: ids(&state.isr),
            leader: state.leader.map_or(-1, |leader| leader.0),
            leader_epoch: state.leader_epoch.0,
            partition_epoch: state.partition_epoch,
            elr: ids(&state.elr),
            adding: ids(&state.adding),
            removing: ids(&state.removing),
            is_recovering: state.is_recovering,
        };
        let topics = self.topics.iter().map(|(id, topic)| TopicSnapshot {
            id: id.0,
            name: topic.name.clone(),
            partitions: topic.partitions.iter().map(partition).collect(),
        });
        let entry = |(key, value): (&String, &String)| ConfigEntry {
            key: key.clone(),
            value: value.clone(),
        };
        let configs = self.configs.iter().map(|(resource, configs)| ConfigSnapshot {
            kind: resource.kind.code(),
            name: resource.name.clone(),
            entries: configs.iter().map(entry).collect(),
        });
        let snapshot = ImageSnapshot {
            brokers: brokers.collect(),
            topics: topics.collect(),
            configs: configs.collect(),
            next_producer_id: self.next_producer_id,
            last_broker_epoch: self.last_broker_epoch,
        };
        let mut writer = Writer::new();
        writer.put_i16(VERSION.number);
        snapshot.encode(&mut writer, VERSION);
        writer.freeze()
    }

    /// Reads an image.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let number = i16::decode(&mut reader, VERSION)?;
        let snapshot = ImageSnapshot::decode(&mut reader, Version { number, flexible: true })?;
        reader.finish()?;
        let ImageSnapshot { next_producer_id, last_broker_epoch, .. } = snapshot;
        let mut image = Self { next_producer_id, last_broker_epoch, ..Self::default() };
        for broker in snapshot.brokers {
            let BrokerSnapshot { id, incarnation, host, port, rack, directory, epoch, status } =
                broker;
            let epoch = BrokerEpoch(epoch);
            // Who is not known to serve does not.
            let status = BrokerStatus::from_code(status).unwrap_or(BrokerStatus::Fenced);
            let broker = Broker { incarnation, host, port, rack, directory, epoch, status };
            image.brokers.insert(BrokerId(id), broker);
        }
        for topic in snapshot.topics {
            let id = TopicId(topic.id);
            let partition = |state: PartitionSnapshot| PartitionState {
                replicas: brokers(state.replicas),
                isr: brokers(state.isr),
                leader: (state.leader >= 0).then_some(BrokerId(state.leader)),
                leader_epoch: LeaderEpoch(state.leader_epoch),
                partition_epoch: state.partition_epoch,
                elr: brokers(state.elr),
                adding: brokers(state.adding),
                removing: brokers(state.removing),
                is_recovering: state.is_recovering,
            };
            let partitions = topic.partitions.into_iter().map(partition).collect();
            image.names.insert(topic.name.clone(), id);
            image.topics.insert(id, Topic { name: topic.name, partitions });
        }
        for ConfigSnapshot { kind, name, entries } in snapshot.configs {
            let Some(kind) = ResourceKind::from_code(kind) else { continue };
            let configs = entries.into_iter().map(|entry| (entry.key, entry.value)).collect();
            image.configs.insert(ConfigResource { kind, name }, configs);
        }
        Ok(image)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::metadata::{
        Command, Outcome,
        command::{Assignment, CreateTopic, RegisterBroker},
    };

    #[test]
    fn there_and_back() {
        let mut image = Image::default();
        let register = RegisterBroker {
            broker_id: 1,
            incarnation: Uuid::from_random(1),
            host: "localhost".into(),
            port: 9092,
            rack: Some("a".into()),
            directory: Uuid::from_random(2),
            ..Default::default()
        };
        let create = CreateTopic {
            name: "t".into(),
            topic_id: Uuid::from_random(3),
            assignments: vec![Assignment { replicas: vec![1] }; 3],
            configs: vec![ConfigEntry { key: "retention.ms".into(), value: "1".into() }],
        };
        for command in [Command::from(register), Command::from(create)] {
            assert!(!matches!(image.apply(&command), Outcome::Refused(_)));
            let mut writer = Writer::new();
            command.encode(&mut writer);
            assert_eq!(Command::decode(&mut Reader::new(writer.freeze())), Ok(command));
        }
        image.check();
        assert_eq!(Image::from_bytes(image.to_bytes()), Ok(image));
    }
}
