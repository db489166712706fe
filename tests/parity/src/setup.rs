//! What cases need before their questions.

use bytes::Bytes;
use ottla_core::types::{ErrorCode, Uuid};

use crate::{
    case::Case,
    client::Failure,
    requests::{create_topic, list_offsets, produce_to},
};

/// A topic that was made for a case.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    /// Its name.
    pub(crate) name: String,
    /// Its id.
    pub(crate) id: Uuid,
}

impl Topic {
    /// A topic that nobody made.
    pub(crate) const fn imagined(name: String, id: Uuid) -> Self {
        Self { name, id }
    }
}

/// The topic's first offset, asked by this timestamp.
pub(crate) const EARLIEST: i64 = -2;
/// The offset after the last.
pub(crate) const LATEST: i64 = -1;

impl Case {
    /// Makes a topic with this many partitions, and waits until they can be used.
    pub(crate) fn topic(&mut self, label: &str, partitions: i32) -> Result<Topic, Failure> {
        self.topic_with(label, partitions, &[])
    }

    /// As [`Self::topic`], with configurations.
    pub(crate) fn topic_with(
        &mut self,
        label: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<Topic, Failure> {
        let name = self.name(label);
        let response = self.quiet(7, create_topic(&name, partitions, configs))?;
        let created = response.topics.first().filter(|topic| topic.error_code == 0);
        let Some(created) = created else {
            return Err(Failure::Unexpected(format!("no topic was made: {response:?}")));
        };
        let topic = Topic { name, id: created.topic_id };
        self.await_partitions(&topic, partitions)?;
        Ok(topic)
    }

    /// As [`Self::topic`], of one partition that holds a batch of these records.
    pub(crate) fn filled_topic(&mut self, label: &str, records: Bytes) -> Result<Topic, Failure> {
        let topic = self.topic(label, 1)?;
        self.produce(&topic, records)?;
        Ok(topic)
    }

    /// Waits until the topic's partitions answer. Metadata names them a moment before that.
    pub(crate) fn await_partitions(
        &mut self,
        topic: &Topic,
        partitions: i32,
    ) -> Result<(), Failure> {
        let asked: Vec<_> = (0..partitions).map(|partition| (partition, EARLIEST)).collect();
        self.until(7, list_offsets(topic, &asked), |answer| {
            answer.topics.iter().flat_map(|topic| &topic.partitions).all(|p| p.error_code == 0)
        })?;
        Ok(())
    }

    /// Appends records to the topic's first partition.
    pub(crate) fn produce(&mut self, topic: &Topic, records: Bytes) -> Result<(), Failure> {
        self.produce_to(topic, 0, records)
    }

    /// Appends records to a partition.
    pub(crate) fn produce_to(
        &mut self,
        topic: &Topic,
        partition: i32,
        records: Bytes,
    ) -> Result<(), Failure> {
        let version = 11;
        let request = produce_to(version, topic, &[(partition, Some(records))]);
        let response = self.quiet(version, request)?;
        let partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
        match partitions.map(|partition| partition.error_code).find(|&code| code != 0) {
            None => Ok(()),
            Some(code) => Err(Failure::Unexpected(format!(
                "records were not appended: {}",
                ErrorCode::from_code(code).map_or("unknown error", ErrorCode::name)
            ))),
        }
    }
}
